"""A checker of Gymnasium vector environments: what the interface promises and learning relies on, for anybody's.

It lives through episodes twice, with the same seed and the same actions. The first life is checked step by step; in the
second every array that was returned is overwritten at once, and the actions that an autoreset should ignore are others:
both lives must be equal.
"""

from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from townlet.environment.gym.actions import Actions, count_actions
from townlet.environment.gym.features import without_mask
from townlet.environment.gym.gate import Gate
from townlet.environment.gym.masks import Masks, method_of_all
from townlet.environment.gym.moment import (
    Bools,
    Moment,
    VectorEnvError,
    call,
    check_autoreset,
    check_flags,
    check_moment,
    described,
    returned_tuple,
)

ENDS = 8  # episodes after whose end a life has shown enough
RELIED_ON = ("action_mask", "_action_mask", "final_obs")  # infos that must repeat and stay; others may hold times


def check_vector_env(env: VectorEnv[Any, Any, Any], seed: int = 0, steps: int = 1000) -> None:
    """Check a vector environment through at most `steps` steps, fewer where 8 episodes end sooner; it is reset anew.

    Checked are spaces, shapes and types, the declared autoreset mode and the infos that belong to it, that terminated
    and truncated are apart, action masks where there are any, that returned arrays are the caller's own, and that a
    seed repeats everything. Raises VectorEnvError at the first mistake, and where no episode ended within `steps`.
    """
    _check_declaration(env)
    life = _Life(env, seed)
    life.live(steps)
    _check_ends(life)
    again = _Life(env, seed, overwrites=True)
    again.live(len(life.actions), life.actions)
    for first, second in zip(life.moments, again.moments, strict=True):
        for name, one, other in zip(Moment._fields[1:], first[1:], second[1:], strict=True):
            if not data_equivalence(one, other, exact=True):
                same = f"the same {name} for the same seed and actions, whatever is done to returned arrays"
                raise VectorEnvError(first.where, same, _differing(one, other))


class _Life:
    """Episodes lived with one seed: moments as copies, and the actions between them."""

    def __init__(self, env: VectorEnv[Any, Any, Any], seed: int, overwrites: bool = False) -> None:
        self.env, self.seed, self.overwrites = env, seed, overwrites
        self.mode: AutoresetMode = env.metadata["autoreset_mode"]
        self.moments: list[Moment] = []
        self.actions: list[Any] = []
        self._held: Moment | None = None  # the arrays themselves, as they were returned last
        self._allowed: NDArray[Any] | None = None  # [num_envs, num_actions], of the masks returned last
        self._masks = _masks_beside_infos(env)
        env.action_space.seed(seed)

    def live(self, steps: int, actions: list[Any] | None = None) -> None:
        """Reset and take `steps` steps, the given actions or random ones; without given ones stop at enough ends."""
        self._reset("reset(seed)", None, seed=self.seed)
        ends = 0
        for index in range(steps):
            before = self.moments[-1]
            resetting = before.ended if self.mode is AutoresetMode.NEXT_STEP else np.zeros_like(before.ended)
            action = self._sample() if actions is None else self._vary(actions[index], resetting)
            self.actions.append(deepcopy(action))
            self._step(f"step {index + 1}", action, resetting)
            ended = self.moments[-1].ended
            ends += int(ended.sum())
            if self.mode is AutoresetMode.DISABLED and ended.any():
                self._reset(f"reset_mask after step {index + 1}", ended, options={"reset_mask": ended.copy()})
            if actions is None and ends >= ENDS and (self.mode is not AutoresetMode.NEXT_STEP or not ended.any()):
                break

    def _sample(self) -> Any:
        """Random actions, among the allowed ones where a mask says which."""
        if self._allowed is None:
            return self.env.action_space.sample()
        drawn = self.env.action_space.np_random.random(self._allowed.shape)
        chosen = np.where(self._allowed, drawn, -1.0).argmax(axis=1)
        return Actions(self.env.single_action_space).tell(chosen)

    def _vary(self, action: Any, resetting: Bools) -> Any:
        """The same action, but another where it should be ignored."""
        if isinstance(action, np.ndarray) and resetting.any():
            action = action.copy()
            action[resetting] = self.env.action_space.sample()[resetting]
        return action

    def _reset(self, where: str, mask: Bools | None, **arguments: Any) -> None:
        returned = returned_tuple(where, call(where, self.env.reset, **arguments), 2)
        nothing = np.zeros(self.env.num_envs, dtype=np.bool_)
        moment = Moment(where, returned[0], np.zeros(self.env.num_envs), nothing, nothing, returned[1])
        check_moment(self.env, moment, ~nothing if mask is None else mask)
        if mask is not None:
            pairs = (iterate(self.env.observation_space, one) for one in (self.moments[-1].observation, returned[0]))
            for index, (old, new) in enumerate(zip(*pairs, strict=True)):
                if not mask[index] and not data_equivalence(old, new, exact=True):
                    got = f"sub-environment {index} changed though it was not in the mask"
                    raise VectorEnvError(where, f"a reset of {np.flatnonzero(mask).tolist()} alone", got)
        self._remember(moment)

    def _step(self, where: str, action: Any, resetting: Bools) -> None:
        moment = Moment(where, *returned_tuple(where, call(where, self.env.step, action), 5))
        check_moment(self.env, moment, np.ones(self.env.num_envs, dtype=np.bool_))
        check_flags(self.env, moment)
        check_autoreset(self.env, moment, resetting)
        self._remember(moment)

    def _remember(self, moment: Moment) -> None:
        moment = moment._replace(infos={name: value for name, value in moment.infos.items() if name in RELIED_ON})
        if (mask := moment.infos.get("action_mask")) is not None:
            had = mask if self._allowed is None else self._allowed
            self._allowed = np.where(moment.infos["_action_mask"][:, None], mask, had)
        elif self._masks is not None:
            allowed = self._masks.read(moment.observation, {})
            self._allowed = allowed | ~allowed.any(axis=1, keepdims=True)  # whose episode is over may do nothing
        if self._held is not None and not self.overwrites:
            for name, one, held in zip(Moment._fields[1:], self.moments[-1][1:], self._held[1:], strict=True):
                if not data_equivalence(one, held, exact=True):
                    got = f"one that changed in {moment.where}"
                    raise VectorEnvError(self._held.where, f"{name} that later calls leave alone", got)
        self.moments.append(deepcopy(moment))
        self._held = moment
        if self.overwrites:
            _overwrite(moment[1:])


def _masks_beside_infos(env: VectorEnv[Any, Any, Any]) -> Masks | None:
    """What reads the masks that stand in an observation, or that a method tells; None where there are none."""
    if (count := count_actions(env.single_action_space)) is None:
        return None
    _, in_sight = without_mask(env.single_observation_space, count)
    method = method_of_all(env)
    gate = Gate("env", env.num_envs)
    choices = Actions(env.single_action_space).choices
    return Masks(gate, choices, in_sight, method) if in_sight or method is not None else None


# --- what is declared --------------------------------------------------------------------------------------------


def _check_declaration(env: VectorEnv[Any, Any, Any]) -> None:
    if not isinstance(env, VectorEnv):
        raise VectorEnvError("env", "a gymnasium.vector.VectorEnv", type(env).__name__)
    if not isinstance(env.num_envs, int) or env.num_envs < 1:
        raise VectorEnvError("num_envs", "at least 1", f"{env.num_envs!r}")
    if not isinstance(mode := env.metadata.get("autoreset_mode"), AutoresetMode):
        raise VectorEnvError("metadata['autoreset_mode']", "an AutoresetMode", f"{mode!r}")
    for name in ("observation_space", "action_space"):
        batched, single = getattr(env, name, None), getattr(env, f"single_{name}", None)
        if not isinstance(batched, gymnasium.Space) or not isinstance(single, gymnasium.Space):
            got = f"{type(batched).__name__} and {type(single).__name__}"
            raise VectorEnvError(f"{name} and single_{name}", "spaces", got)
        expected = batch_space(single, env.num_envs)
        # Sub-environments may differ in bounds: Gymnasium's observation_mode="different".
        if type(batched) is not type(expected) or (batched.shape, batched.dtype) != (expected.shape, expected.dtype):
            raise VectorEnvError(name, f"{env.num_envs} times single_{name}, {described(expected)}", described(batched))


# --- all ends of a life ------------------------------------------------------------------------------------------


def _check_ends(life: _Life) -> None:
    """What only several ends show: that there are any, what ended them, and that a new episode follows."""
    ends = [(moment, int(index)) for moment in life.moments for index in np.flatnonzero(moment.ended)]
    if not ends:
        raise VectorEnvError("env", f"an episode to end within {len(life.actions)} steps", "none: give more steps")
    if len(ends) > 1 and all(moment.terminated[index] and moment.truncated[index] for moment, index in ends):
        raise VectorEnvError("env", "terminated or truncated", f"both at each of {len(ends)} ends")
    if life.mode is AutoresetMode.SAME_STEP:
        space, pairs = life.env.observation_space, []
        for moment, index in ends:
            pairs.append((moment.infos["final_obs"][index], list(iterate(space, moment.observation))[index]))
        changing = any(not data_equivalence(pairs[0][0], last, exact=True) for last, _ in pairs)
        if changing and all(data_equivalence(last, first, exact=True) for last, first in pairs):
            got = f"the final_obs again at each of {len(ends)} ends"
            raise VectorEnvError("env", "the first observation of a new episode after an end", got)


# --- values ------------------------------------------------------------------------------------------------------


def _differing(one: Any, other: Any) -> str:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.shape == other.shape and one.ndim:
        rows = [index for index in range(len(one)) if not data_equivalence(one[index], other[index], exact=True)]
        return f"others in sub-environments {rows}"
    return "others"


def _overwrite(value: Any) -> None:
    """Spoil every array in a structure."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            _overwrite(list(value))
        elif value.flags.writeable and value.dtype.kind in "biufc":
            value[...] = np.logical_not(value)
    elif isinstance(value, dict):
        _overwrite(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            _overwrite(part)
