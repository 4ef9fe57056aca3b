"""Where environments of others say which actions are allowed: in the info, in what is seen, or by a method."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from townlet.environment.gym.gate import MASK, Array, Each, Gate

METHOD = "action_masks"  # the name that sb3-contrib looks for


class Masks:
    """Reads masks, [num_agents, num_actions] bool: info's first, then what is seen, then the method; else all True.

    `in_sight`: whether observations are mappings with a part "action_mask"; `method` returns the masks of all agents.
    """

    def __init__(self, gate: Gate, num_actions: int, in_sight: bool, method: Callable[[], Any] | None) -> None:
        self.gate, self.num_actions, self.in_sight, self.method = gate, num_actions, in_sight, method

    def read(self, observed: Any, info: Mapping[str, Any], agents: Array | None = None, now: bool = True) -> Array:
        """Read the masks of `agents`, None for all; not `now`, where the method would tell of another moment.

        Rows of others are all True. Raises WorldError for what is no mask.
        """
        gate, asked = self.gate, self.gate.everyone if agents is None else agents
        allowed, untold = np.ones((gate.num_agents, self.num_actions), dtype=bool), np.zeros(gate.num_agents, bool)
        untold[asked] = True
        if MASK in info:
            given = gate.flags(f"_{MASK}", info[f"_{MASK}"]) if f"_{MASK}" in info else np.ones_like(untold)
            self._write(allowed, info[MASK], untold & given)
            untold &= ~given
        if self.in_sight and untold.any():
            self._write(allowed, gate.part("observation", observed, MASK), untold)
        elif self.method is not None and now and untold.any():
            self._write(allowed, gate.call(METHOD, self.method), untold)
        return allowed

    def _write(self, allowed: Array, given: Any, whose: Array) -> None:
        if whose.all():
            allowed[:] = self.gate.mask(given, self.num_actions)
        elif whose.any():
            agents = np.flatnonzero(whose)
            allowed[agents] = self.gate.mask(given, self.num_actions, agents)


def method_of(env: gymnasium.Env[Any, Any]) -> Callable[[], Any] | None:
    """Return the method of a single environment, through its wrappers, that tells its mask; None for none."""
    return _asked(partial(env.get_wrapper_attr, METHOD)) if env.has_wrapper_attr(METHOD) else None


def method_of_all(env: VectorEnv[Any, Any, Any]) -> Callable[[], Any] | None:
    """Return what tells the masks of a vector environment's agents, its own or its environments'; None for none."""
    for one in (env, env.unwrapped):
        if hasattr(one, METHOD):
            return _asked(partial(getattr, one, METHOD))
    found = [method_of(one) for one in getattr(env.unwrapped, "envs", [])]
    methods = [method for method in found if method is not None]
    return (lambda: Each(method() for method in methods)) if methods and len(methods) == len(found) else None


def _asked(find: Callable[[], Any]) -> Callable[[], Any]:
    """A method, bound once; what is no method but a value is looked up each time."""
    found = find()
    return found if callable(found) else find
