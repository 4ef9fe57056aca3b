"""Other worlds: any environment of Gymnasium with discrete actions, as our Environment."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from townlet.config import ConfigError
from townlet.environment.gym.actions import Actions
from townlet.environment.gym.features import (
    encode,
    equal_parts,
    features_of,
    images_of,
    in_bytes,
    tell,
    without_mask,
    without_text,
)
from townlet.environment.gym.finding import Wrapping, not_made
from townlet.environment.gym.gate import MASK, Array, Gate
from townlet.environment.gym.making import Asked, make
from townlet.environment.gym.masks import Masks, method_of_all
from townlet.environment.gym.processes import Processes
from townlet.environment.gym.turns import Turns
from townlet.environment.layout import ObservationLayout
from townlet.environment.types import Difficulty, Observation, StepResult, WorldError
from townlet.seeding import stream_seed


class GymEnvironment:
    """A Gymnasium vector environment, or single ones by turns or in processes, an agent in each.

    Observations become one float32 vector, "features", see `features.encode`. Which actions are allowed is read by
    `Masks`; a part of what is seen that is the mask is no feature, nor are texts. `notes` are lines about what may
    surprise. The k-th reset is seeded by a stream of `seed`. All that the environment hands out passes a Gate, by
    default a new one. Raises ConfigError for spaces or an autoreset mode that are not known.
    """

    resumes = False  # nobody can save a stranger's environment
    compile_failure: str | None = None

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any] | Turns | Processes,
        device: torch.device | str = "cpu",
        seed: int = 0,
        gate: Gate | None = None,
    ) -> None:
        self.env, self.device, self.seed, self.resets, self.ticks = env, torch.device(device), seed, 0, 0
        self.num_agents, self.causes = env.num_envs, dict[int, str]()
        self.gate = gate or Gate(getattr(getattr(env, "spec", None), "id", type(env).__name__), self.num_agents)
        self.actions = Actions(env.single_action_space)
        self.num_actions = self.actions.count
        seen, mask_in_sight = without_mask(env.single_observation_space, self.num_actions)
        self.space, texts = without_text(seen)
        self.notes = _notes(texts, mask_in_sight)
        method = None if isinstance(env, Turns | Processes) else method_of_all(env)
        self.masks_by_method = env.masks_by_method if isinstance(env, Turns | Processes) else method is not None
        self._masks = Masks(self.gate, self.actions.choices, mask_in_sight, method)
        self.obs_dim = features_of(self.space)
        if not self.obs_dim:
            expected = "something to see besides text" if texts else "at least one number to see"
            raise ConfigError([f"gym: expected {expected}, got {tell(seen)}"])
        self.observation_layout = ObservationLayout(
            {"features": slice(0, self.obs_dim)},
            choices=self.actions.choices,
            images=images_of(self.space),
            in_bytes=in_bytes(self.space),
            equal_parts=equal_parts(self.space),
        )
        self.mode = env.metadata.get("autoreset_mode")
        if self.mode not in tuple(AutoresetMode):
            known = ", ".join(str(mode) for mode in AutoresetMode)
            raise ConfigError([f"gym: expected one of {known} as metadata['autoreset_mode'], got {self.mode!r}"])
        self._ended = np.zeros(self.num_agents, dtype=bool)  # by the newest tick

    @classmethod
    def from_id(
        cls,
        env_id: str,
        num_agents: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
        stream: str = "training",
        max_steps: int | None = None,
        options: Mapping[str, Any] | None = None,
        wrappers: Sequence[Wrapping] = (),
    ) -> "GymEnvironment":
        """Make the environment of an id, see `finding.registered`.

        `max_steps` takes the place of its own time limit; `options` are its keyword arguments, see `making.make`, and
        `wrappers` are put around it, see `finding.wrapped`. Raises ConfigError where it cannot be made.
        """
        gate = Gate(env_id, num_agents)
        env, notes = make(Asked(env_id, max_steps, options or {}, wrappers), gate)
        try:
            made = cls(env, device, stream_seed(seed, f"world/{stream}"), gate)
            made.notes = (*notes, *made.notes)
            return made
        except Exception as error:  # a stranger's spaces may raise anything, and may not be there
            with suppress(WorldError):  # of the two errors the first one says more
                gate.call("close", env.close)
            raise not_made(env_id, error) from error

    def keep_in_place(self) -> bool:
        """Return False: a stranger's environment is no part of a graph."""
        return False

    def reset(self) -> Observation:
        """Begin an episode of every agent; each reset begins others. Raises WorldError, as Gate says."""
        self.gate.moment = "reset"
        observed, info = self.gate.take("reset", self.env.reset, seed=stream_seed(self.seed, str(self.resets)))
        self.resets, self.ticks = self.resets + 1, 0
        self._ended = np.zeros(self.num_agents, dtype=bool)
        features, mask = encode(self.gate, self.space, observed), self._masks.read(observed, info)
        self.gate.check_can_act(mask, ~self._ended)
        return self._observation(features, mask)

    def step(self, actions: Tensor, difficulty: Difficulty | None = None) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64; there is no difficulty to choose.

        Episodes that ended begin anew within the tick, or, where the environment resets in the tick after, in that:
        it is `skipped` then, and holds no step. Raises WorldError, as Gate says, and where one has no allowed action.
        """
        if difficulty is not None:
            raise ValueError(f"difficulty: expected None in an environment of Gymnasium, got {difficulty}")
        self.ticks, gate = self.ticks + 1, self.gate
        gate.moment = f"step {self.ticks:,}"
        told = self.actions.tell(actions.cpu().numpy())
        observed, reward, terminated, truncated, info = gate.take("step", self.env.step, told)
        resets_next = self.mode == AutoresetMode.NEXT_STEP
        skipped = self._ended if resets_next else np.zeros_like(self._ended)
        terminated = gate.flags("terminated", terminated) & ~skipped
        truncated = gate.flags("truncated", truncated) & ~(skipped | terminated)  # who dies is not cut off, too
        rewards = self._rewards(reward, skipped)
        self._ended = terminated | truncated
        features, mask = encode(gate, self.space, observed), self._masks.read(observed, info)
        final, final_mask = features, mask
        if self._ended.any() and self.mode == AutoresetMode.SAME_STEP:
            final, final_mask = self._final(features, mask, info)
        elif self._ended.any() and self.mode == AutoresetMode.DISABLED:
            features, mask = self._begin_anew(features, mask)
        gate.check_can_act(mask, ~self._ended if resets_next else np.ones_like(skipped))
        return StepResult(
            self._observation(features, mask),
            self._tensor(rewards),
            self._tensor(terminated),
            self._tensor(truncated),
            self._tensor(final),
            self._tensor(final_mask),
            self._tensor(skipped) if resets_next else None,
        )

    def _rewards(self, reward: Any, skipped: Array) -> Array:
        """What the tick paid, [num_agents] float32; what a tick that was a reset pays is nobody's."""
        if not skipped.any():
            return self.gate.numbers("reward", reward, ())
        rewards, lived = np.zeros(self.num_agents, np.float32), np.flatnonzero(~skipped)
        rewards[lived] = self.gate.numbers("reward", reward, (), lived)
        return rewards

    def _final(self, features: Array, mask: Array, info: Mapping[str, Any]) -> tuple[Array, Array]:
        """What was seen, and allowed, before the reset within the tick."""
        there = self.gate.flags("_final_obs", info.get("_final_obs", np.zeros_like(self._ended)))
        if "final_obs" not in info or (self._ended & ~there).any():
            agent = int(np.flatnonzero(self._ended & ~there)[0]) if "final_obs" in info else None
            raise self.gate.refusal("final_obs", "the last observation of an ended episode", "none", agent)
        last, told, rows = info["final_obs"], info.get("final_info", {}), np.flatnonzero(self._ended)
        if not isinstance(told, Mapping):
            raise self.gate.refusal("final_info", "a dict", type(told).__name__)
        features, mask = features.copy(), mask.copy()
        features[rows] = encode(self.gate, self.space, last, "final_obs", rows)
        mask[rows] = self._masks.read(last, told, rows, now=False)[rows]
        return features, mask

    def _begin_anew(self, features: Array, mask: Array) -> tuple[Array, Array]:
        """Reset those whose episode ended, in an environment that does not."""
        who, rows = {"reset_mask": self._ended.copy()}, np.flatnonzero(self._ended)
        observed, info = self.gate.take("reset", self.env.reset, options=who)
        features, mask = features.copy(), mask.copy()
        features[rows] = encode(self.gate, self.space, observed, agents=rows)
        mask[rows] = self._masks.read(observed, info, rows)[rows]
        return features, mask

    def _observation(self, features: Array, mask: Array) -> Observation:
        return Observation(self._tensor(features), self._tensor(mask))

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def standing(self) -> None:
        """Return None: there is no map that all environments have."""

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        """Return 0 for all: nothing is known of causes."""
        return torch.zeros(len(final_features), dtype=torch.int64, device=self.device)

    def read_metrics(self) -> dict[str, float]:
        """Return nothing: there is nothing that all environments count."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return how often it was reset: the episodes themselves cannot be saved."""
        return {"resets": self.resets}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next reset begin other episodes than all those before `state_dict`."""
        self.resets = state["resets"]

    def close(self) -> None:
        """Close the environment. Raises WorldError where it refuses, unless it was at fault before: that is told."""
        at_fault = self.gate.refused
        try:
            self.gate.call("close", self.env.close)
        except WorldError:
            if not at_fault:
                raise


def _notes(texts: Sequence[str], mask_in_sight: str | None) -> tuple[str, ...]:
    """Lines about parts of what an environment shows that agents do not see."""
    left_out = [f"{', '.join(texts)}: left out of what agents see, since it is text"] if texts else []
    named = mask_in_sight is None or mask_in_sight == MASK
    return (
        *left_out,
        *([] if named else [f"{mask_in_sight}: taken for the mask of actions, and left out of what agents see"]),
    )
