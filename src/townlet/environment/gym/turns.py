"""Single environments of others, one an agent, stepped by turns."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from townlet.config import ConfigError
from townlet.environment.gym.features import tell
from townlet.environment.gym.gate import MASK, Array, Each, Gate, copied
from townlet.environment.gym.masks import METHOD, TOLD, method_of
from townlet.environment.types import WorldError


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
            for one, other in (
                (self.single_observation_space, env.observation_space),
                (self.single_action_space, env.action_space),
            ):
                if one != other:
                    got = f"{tell(one)} and {tell(other)}, of agent {agent}"
                    raise ConfigError([f"gym: expected the same spaces for all agents, got {got}"])
        self._methods = [method_of(env) for env in envs]
        self.masks_by_method = any(method is not None for method in self._methods)

    def reset(self, *, seed: int) -> tuple[Each, dict[str, Any]]:
        """Begin an episode of every agent; returns a value an agent, and the masks that are told."""
        begun = [self._begin(agent, seed=seed + agent) for agent in range(self.num_envs)]
        return Each(seen for seen, _ in begun), _told([mask for _, mask in begun])

    def step(self, actions: Array) -> tuple[Each, Each, Each, Each, dict[str, Any]]:
        """Step every environment by its action; who ends begins anew at once, and its last values are in the info."""
        observed, rewards, dead, cut, masks = Each(), Each(), Each(), Each(), list[dict[str, Any]]()
        last, last_masks = Each([None] * self.num_envs), [dict[str, Any]()] * self.num_envs
        for agent, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            seen, reward, dies, is_cut, info = self.gate.take("step", env.step, action, agent=agent)
            dead.append(self.gate.flag("terminated", dies, agent))
            cut.append(self.gate.flag("truncated", is_cut, agent))
            rewards.append(copied(reward))
            # Of a life that is over nobody asks a method: what could be done there has no meaning.
            seen, mask = copied(seen), self._mask(agent, info, asks=not dead[agent])
            if dead[agent] or cut[agent]:
                last[agent], last_masks[agent] = seen, mask
                seen, mask = self._begin(agent)
            observed.append(seen)
            masks.append(mask)
        ended, infos = np.array(dead) | np.array(cut), _told(masks)
        if ended.any():
            infos |= {"final_obs": last, "_final_obs": ended, "final_info": _told(last_masks), "_final_info": ended}
        return observed, rewards, dead, cut, infos

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

    def _begin(self, agent: int, **seed: int) -> tuple[Any, dict[str, Any]]:
        seen, info = self.gate.take("reset", self.envs[agent].reset, agent=agent, **seed)
        return copied(seen), self._mask(agent, info)

    def _mask(self, agent: int, info: Any, asks: bool = True) -> dict[str, Any]:
        """The mask of one, by who tells it; nothing where nobody does."""
        if MASK in info:
            return {MASK: copied(info[MASK])}
        method = self._methods[agent]
        return {TOLD: copied(self.gate.call(METHOD, method, agent=agent))} if method is not None and asks else {}


def _told(masks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Masks as an info has them, with who told one."""
    infos = dict[str, Any]()
    for name in (MASK, TOLD):
        told = np.array([name in mask for mask in masks])
        if told.any():
            infos |= {name: Each(mask.get(name) for mask in masks), f"_{name}": told}
    return infos
