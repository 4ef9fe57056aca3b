"""What a policy sees and does, in the form of the environment that it learned in: of one agent, or of many at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from townlet.environment.gym.actions import Actions
from townlet.environment.gym.features import encode, without_mask, without_text
from townlet.environment.gym.gate import MASK, Array, Each, Gate
from townlet.environment.gym.masks import TOLD, Masks
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import Environment, Observation

Told = np.integer[Any] | Array  # an action of one agent, or those of many


class Senses:
    """Reads observations as the network knows them, and tells its actions as the environment takes them.

    What comes in passes a Gate, as it does in training. `masked`: whether an observation without a mask is refused.
    """

    def __init__(
        self, name: str, seen: spaces.Space, done: spaces.Space, masked: bool, device: torch.device | str
    ) -> None:
        self.name, self.masked, self.device = name, masked, torch.device(device)
        self.actions, self._whole = Actions(done), seen
        without, self._mask_in_sight = without_mask(seen, self.actions.count)
        self._seen, _ = without_text(without)

    @classmethod
    def of(cls, env: Environment, name: str) -> "Senses":
        """Return those of an environment; in a town all is one Box, and who acts must know the mask."""
        if isinstance(env, GymEnvironment):
            one, masked = env.env, env.masks_by_method
            return cls(name, one.single_observation_space, one.single_action_space, masked, env.device)
        box = spaces.Box(-np.inf, np.inf, (env.obs_dim,), np.float32)
        return cls(name, box, spaces.Discrete(env.num_actions), True, env.device)

    def read(
        self, observed: Any, info: Mapping[str, Any] | None, masked: bool | None = None
    ) -> tuple[Observation, bool]:
        """Return what agents see and may do, and whether it is one agent alone, without an axis of agents.

        Masks are read from info["action_mask"], or from the part of what is observed that is one; where an environment
        has none, all is allowed. `masked` may say otherwise for once. Raises WorldError for what is no observation of
        the environment.
        """
        info, masked = info or {}, self.masked if masked is None else masked
        if masked and MASK not in info and TOLD not in info:
            expected = f"{MASK}, which the environment tells beside each observation"
            raise Gate(self.name, 1).refusal("info", expected, ", ".join(info) or "none")
        shape = self._shape(observed)
        single = not shape
        if single:
            observed, info = Each([observed]), {key: Each([info[key]]) for key in (MASK, TOLD) if key in info}
        gate = self._gate(shape[0] if shape else 1)
        if TOLD in info:
            info = {**info, f"_{TOLD}": np.ones(gate.num_agents, dtype=bool)}
        features = encode(gate, self._seen, observed)
        mask = Masks(gate, self.actions.choices, self._mask_in_sight, None).read(observed, info)
        return Observation(self._tensor(features), self._tensor(mask)), single

    def check_can_act(self, mask: Tensor, acts: Tensor) -> None:
        """Raise WorldError where one of those who act, [num_agents] bool, may do nothing by its row of the mask."""
        self._gate(len(mask)).check_can_act(mask.cpu().numpy(), acts.cpu().numpy())

    def tell(self, chosen: Tensor, single: bool) -> Told:
        """Return actions [num_agents] int64 as the environment takes them; that of one agent alone without an axis."""
        told = self.actions.tell(chosen.cpu().numpy())
        return told[0] if single else told

    def _gate(self, num_agents: int) -> Gate:
        gate = Gate(self.name, num_agents)
        gate.moment = "as the policy was asked"
        return gate

    def _shape(self, observed: Any) -> tuple[int, ...]:
        """The axes before those of one agent, by the first leaf of a nest: of agents, or none."""
        space, leaf = self._whole, observed
        try:
            while isinstance(space, spaces.Dict | spaces.Tuple):
                name, space = next(iter(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space)))
                leaf = leaf[name]
            own = len(space.shape or ())
            return np.shape(leaf)[: np.ndim(leaf) - own]
        except (KeyError, IndexError, TypeError, ValueError):  # no such nest: the gate says what is wrong with it
            return ()

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
