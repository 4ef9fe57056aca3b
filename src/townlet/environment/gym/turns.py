"""Single environments of others, one an agent, stepped by turns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from townlet.config import ConfigError
from townlet.environment.gym.features import tell
from townlet.environment.gym.gate import MASK, Array, Each, Gate, copied
from townlet.environment.gym.masks import METHOD, TOLD, method_of
from townlet.environment.types import WorldError

Told = dict[str, Any]  # the mask of one, by the name of who tells it; nothing where nobody does
Lived = tuple[Each, Each, Each, Each, dict[str, Any]]


class Turn(NamedTuple):
    """What one environment handed out in a step: of the next episode, where it ended one; then that one's last."""

    observed: Any
    reward: Any
    terminated: bool
    truncated: bool
    mask: Told
    last: Any = None
    last_mask: Told | None = None


class Turns:
    """What a vector environment does that resets within the step, with a value an agent where that has an array.

    Everything is copied when it is handed out: before the reset, and before the next environment's turn. Raises
    ConfigError where the environments differ in their spaces; `reset` and `step` raise WorldError, as Gate says.
    """

    def __init__(self, envs: Sequence[gymnasium.Env[Any, Any]], gate: Gate) -> None:
        self.envs, self.gate, self.num_envs = envs, gate, len(envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self.single_action_space = envs[0].observation_space, envs[0].action_space
        for agent, env in enumerate(envs):
            check_same(self, env.observation_space, env.action_space, gate.first + agent)
        self._methods = [method_of(env) for env in envs]
        self.masks_by_method = any(method is not None for method in self._methods)

    def reset(self, *, seed: int) -> tuple[Each, dict[str, Any]]:
        """Begin an episode of every agent; returns a value an agent, and the masks that are told."""
        return begun(self.begin(seed))

    def step(self, actions: Array) -> Lived:
        """Step every environment by its action; who ends begins anew at once, and its last values are in the info."""
        return lived(self.live(actions))

    def begin(self, seed: int) -> list[tuple[Any, Told]]:
        """Begin an episode of every agent; returns what each sees, and its mask."""
        return [self._begin(agent, seed=seed + self.gate.first + agent) for agent in range(self.num_envs)]

    def live(self, actions: Array) -> list[Turn]:
        """Step every environment by its action; who ends begins anew at once."""
        turns = []
        for agent, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            seen, reward, dies, is_cut, info = self.gate.take("step", env.step, action, agent=agent)
            dies, is_cut = self.gate.flag("terminated", dies, agent), self.gate.flag("truncated", is_cut, agent)
            # Of a life that is over nobody asks a method: what could be done there has no meaning.
            seen, mask = copied(seen), self._mask(agent, info, asks=not dies)
            turn = Turn(seen, copied(reward), dies, is_cut, mask)
            if dies or is_cut:
                seen, mask = self._begin(agent)
                turn = turn._replace(observed=seen, mask=mask, last=turn.observed, last_mask=turn.mask)
            turns.append(turn)
        return turns

    def close(self) -> None:
        """Close all of them, and then raise WorldError where some refused."""
        refusals = []
        for agent, env in enumerate(self.envs):
            try:
                self.gate.call("close", env.close, agent=agent)
            except WorldError as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]

    def _begin(self, agent: int, **seed: int) -> tuple[Any, Told]:
        seen, info = self.gate.take("reset", self.envs[agent].reset, agent=agent, **seed)
        return copied(seen), self._mask(agent, info)

    def _mask(self, agent: int, info: Any, asks: bool = True) -> Told:
        if MASK in info:
            return {MASK: copied(info[MASK])}
        method = self._methods[agent]
        return {TOLD: copied(self.gate.call(METHOD, method, agent=agent))} if method is not None and asks else {}


def check_same(envs: Any, seen: spaces.Space, done: spaces.Space, agent: int) -> None:
    """Raise ConfigError where an agent's spaces are not those of `envs`."""
    for one, other in ((envs.single_observation_space, seen), (envs.single_action_space, done)):
        if one != other:
            got = f"{tell(one)} and {tell(other)}, of agent {agent}"
            raise ConfigError([f"gym: expected the same spaces for all agents, got {got}"])


def begun(agents: Sequence[tuple[Any, Told]]) -> tuple[Each, dict[str, Any]]:
    """What a vector environment's `reset` returns, of what each agent's did."""
    return Each(seen for seen, _ in agents), _told([mask for _, mask in agents])


def lived(turns: Sequence[Turn]) -> Lived:
    """What a vector environment's `step` returns, of what each agent's did."""
    observed, rewards, dead, cut, masks, last, last_masks = zip(*turns, strict=True)
    ended, infos = np.array(dead) | np.array(cut), _told(masks)
    if ended.any():
        final = {"final_obs": Each(last), "final_info": _told([mask or {} for mask in last_masks])}
        infos |= final | {f"_{name}": ended for name in final}
    return Each(observed), Each(rewards), Each(dead), Each(cut), infos


def _told(masks: Sequence[Told]) -> dict[str, Any]:
    """Masks as an info has them, with who told one."""
    infos = dict[str, Any]()
    for name in (MASK, TOLD):
        told = np.array([name in mask for mask in masks])
        if told.any():
            infos |= {name: Each(mask.get(name) for mask in masks), f"_{name}": told}
    return infos
