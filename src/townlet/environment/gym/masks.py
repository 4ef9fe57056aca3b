"""Where environments of others say which actions are allowed: in the info, in what is seen, or by a method."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, VectorEnv

from townlet.environment.gym.gate import MASK, Array, Each, Gate

METHOD = "action_masks"  # the name that sb3-contrib looks for
TOLD = f"{METHOD}()"  # in an info: what the method told, which is of another form than a mask in an info


class Masks:
    """Reads masks, [num_agents, num_actions] bool: info's first, then what is seen, then the method; else all True.

    `choices` are those of one action; `in_sight`: the name of the part of observations that is the mask; `method`
    returns the masks of all agents. What a method tells is in sb3-contrib's form, a value for each option of each
    choice, one choice after the other; all else has a value for each combination.
    """

    def __init__(
        self, gate: Gate, choices: Sequence[int], in_sight: str | None, method: Callable[[], Any] | None
    ) -> None:
        self.gate, self.choices, self.in_sight, self.method = gate, tuple(choices), in_sight, method
        self.num_actions = math.prod(self.choices)

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
            self._write(allowed, gate.part("observation", observed, self.in_sight), untold)
        elif TOLD in info and untold.any():
            self._write(allowed, info[TOLD], untold & info[f"_{TOLD}"], by_method=True)
        elif self.method is not None and now and untold.any():
            self._write(allowed, gate.call(METHOD, self.method), untold, by_method=True)
        return allowed

    def _write(self, allowed: Array, given: Any, whose: Array, by_method: bool = False) -> None:
        if whose.any():
            agents = None if whose.all() else np.flatnonzero(whose)
            mask = self.gate.mask(given, sum(self.choices) if by_method else self.num_actions, agents)
            allowed[whose] = _combined(mask, self.choices) if by_method else mask


def _combined(apart: Array, choices: tuple[int, ...]) -> Array:
    """Masks of choices, [agents, sum of choices] bool, as those of their combinations, [agents, product], row-major."""
    allowed = np.ones((len(apart), 1), dtype=bool)
    for options in np.split(apart, np.cumsum(choices)[:-1], axis=1):
        allowed = (allowed[:, :, None] & options[:, None, :]).reshape(len(apart), -1)
    return allowed


def method_of(env: gymnasium.Env[Any, Any]) -> Callable[[], Any] | None:
    """Return the method of a single environment, through its wrappers, that tells its mask; None for none."""
    return _asked(partial(env.get_wrapper_attr, METHOD)) if env.has_wrapper_attr(METHOD) else None


def method_of_all(env: VectorEnv[Any, Any, Any]) -> Callable[[], Any] | None:
    """Return what tells the masks of a vector environment's agents, its own or its environments'; None for none."""
    for one in (env, env.unwrapped):
        if hasattr(one, METHOD):
            return _asked(partial(getattr, one, METHOD))
    if isinstance(apart := env.unwrapped, AsyncVectorEnv):  # which has its environments in other processes
        return (lambda: Each(apart.call(METHOD))) if all(apart.call("has_wrapper_attr", METHOD)) else None
    found = [method_of(one) for one in getattr(env.unwrapped, "envs", [])]
    methods = [method for method in found if method is not None]
    return (lambda: Each(method() for method in methods)) if methods and len(methods) == len(found) else None


def _asked(find: Callable[[], Any]) -> Callable[[], Any]:
    """A method, bound once; what is no method but a value is looked up each time."""
    found = find()
    return found if callable(found) else find
