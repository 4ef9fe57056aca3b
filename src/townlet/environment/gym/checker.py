"""A checker of Gymnasium vector environments: what the interface promises and learning relies on, for anybody's.

It lives through episodes twice, with the same seed and the same actions. The first life is checked step by step; in the
second every array that was returned is overwritten at once, and the actions that an autoreset should ignore are others:
both lives must be equal.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

ENDS = 8  # episodes after whose end a life has shown enough
RELIED_ON = ("action_mask", "_action_mask", "final_obs")  # infos that must repeat and stay; others may hold times

Bools = NDArray[np.bool_]


class VectorEnvError(AssertionError):
    """What a vector environment does wrong, in one line: where, what was expected, and what came."""

    def __init__(self, where: str, expected: object, got: object) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")


class Moment(NamedTuple):
    """What one call of `reset` or `step` returned; a reset has rewards of 0 and ends nothing."""

    where: str
    observation: Any
    reward: NDArray[Any]  # [num_envs]
    terminated: Bools  # [num_envs]
    truncated: Bools  # [num_envs]
    infos: dict[str, Any]

    @property
    def ended(self) -> Bools:
        """Whose episode ended, in either way."""
        return self.terminated | self.truncated


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
        return self.env.action_space.sample(mask=tuple(self._allowed.astype(np.int8)))

    def _vary(self, action: Any, resetting: Bools) -> Any:
        """The same action, but another where it should be ignored."""
        if isinstance(action, np.ndarray) and resetting.any():
            action = action.copy()
            action[resetting] = self.env.action_space.sample()[resetting]
        return action

    def _reset(self, where: str, mask: Bools | None, **arguments: Any) -> None:
        returned = _tuple(where, self.env.reset(**arguments), 2)
        nothing = np.zeros(self.env.num_envs, dtype=np.bool_)
        moment = Moment(where, returned[0], np.zeros(self.env.num_envs), nothing, nothing, returned[1])
        _check_moment(self.env, moment, ~nothing if mask is None else mask)
        if mask is not None:
            pairs = (iterate(self.env.observation_space, one) for one in (self.moments[-1].observation, returned[0]))
            for index, (old, new) in enumerate(zip(*pairs, strict=True)):
                if not mask[index] and not data_equivalence(old, new, exact=True):
                    got = f"sub-environment {index} changed though it was not in the mask"
                    raise VectorEnvError(where, f"a reset of {np.flatnonzero(mask).tolist()} alone", got)
        self._remember(moment)

    def _step(self, where: str, action: Any, resetting: Bools) -> None:
        moment = Moment(where, *_tuple(where, self.env.step(action), 5))
        _check_moment(self.env, moment, np.ones(self.env.num_envs, dtype=np.bool_))
        _check_flags(self.env, moment)
        _check_autoreset(self.env, moment, resetting)
        self._remember(moment)

    def _remember(self, moment: Moment) -> None:
        moment = moment._replace(infos={name: value for name, value in moment.infos.items() if name in RELIED_ON})
        if (mask := moment.infos.get("action_mask")) is not None:
            had = mask if self._allowed is None else self._allowed
            self._allowed = np.where(moment.infos["_action_mask"][:, None], mask, had)
        if self._held is not None and not self.overwrites:
            for name, one, held in zip(Moment._fields[1:], self.moments[-1][1:], self._held[1:], strict=True):
                if not data_equivalence(one, held, exact=True):
                    got = f"one that changed in {moment.where}"
                    raise VectorEnvError(self._held.where, f"{name} that later calls leave alone", got)
        self.moments.append(deepcopy(moment))
        self._held = moment
        if self.overwrites:
            _overwrite(moment[1:])


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
            raise VectorEnvError(
                name, f"{env.num_envs} times single_{name}, {_described(expected)}", _described(batched)
            )


# --- one moment --------------------------------------------------------------------------------------------------


def _tuple(where: str, returned: Any, length: int) -> tuple[Any, ...]:
    if not isinstance(returned, tuple) or len(returned) != length:
        got = f"{len(returned)} values" if isinstance(returned, tuple) else type(returned).__name__
        raise VectorEnvError(where, f"a tuple of {length}", got)
    return returned


def _check_moment(env: VectorEnv[Any, Any, Any], moment: Moment, who: Bools) -> None:
    """The observation and the infos of a step or of a reset of `who`."""
    if not env.observation_space.contains(moment.observation):
        got = _described(moment.observation)
        raise VectorEnvError(moment.where, f"an observation of {_described(env.observation_space)}", got)
    if not isinstance(moment.infos, dict):
        raise VectorEnvError(moment.where, "infos as a dict", type(moment.infos).__name__)
    for name, mask in moment.infos.items():
        if name.startswith("_") and name[1:] in moment.infos:
            _check_array(moment.where, f"infos[{name!r}]", mask, (env.num_envs,), lambda kind: kind == np.bool_, "bool")
    if "action_mask" in moment.infos:
        _check_action_mask(env, moment, who)


def _check_action_mask(env: VectorEnv[Any, Any, Any], moment: Moment, who: Bools) -> None:
    where, mask, have = moment.where, moment.infos["action_mask"], moment.infos.get("_action_mask")
    if not isinstance(env.single_action_space, gymnasium.spaces.Discrete):
        raise VectorEnvError(where, f"no action_mask for {_described(env.single_action_space)}", "one")
    shape = (env.num_envs, int(env.single_action_space.n))
    _check_array(where, "infos['action_mask']", mask, shape, lambda kind: kind in (np.bool_, np.int8), "bool or int8")
    if have is None or not have[who].all():
        lacking = "no _action_mask" if have is None else f"none of sub-environments {np.flatnonzero(who & ~have)}"
        raise VectorEnvError(where, "the action_mask of each sub-environment", lacking)
    stuck = np.flatnonzero(have & ~mask.any(axis=1)).tolist()
    if stuck or not np.isin(mask, (0, 1)).all():
        got = f"nothing allowed in {stuck}" if stuck else np.unique(mask).tolist()
        raise VectorEnvError(where, "an action_mask of 0 and 1 with an allowed action in each row", got)


def _check_flags(env: VectorEnv[Any, Any, Any], moment: Moment) -> None:
    where, shape = moment.where, (env.num_envs,)
    _check_array(where, "rewards", moment.reward, shape, lambda kind: np.issubdtype(kind, np.floating), "floating")
    for name in ("terminated", "truncated"):
        _check_array(where, name, getattr(moment, name), shape, lambda kind: kind == np.bool_, "bool")
    if not np.isfinite(moment.reward).all():
        raise VectorEnvError(where, "finite rewards", moment.reward.tolist())
    if np.shares_memory(moment.terminated, moment.truncated):
        raise VectorEnvError(where, "terminated and truncated apart", "one array for both")


def _check_autoreset(env: VectorEnv[Any, Any, Any], moment: Moment, resetting: Bools) -> None:
    """That the step ended and began what its mode says, by what can be seen in it."""
    where, mode = moment.where, env.metadata["autoreset_mode"]
    for index in np.flatnonzero(resetting):
        if moment.reward[index] != 0 or moment.ended[index]:
            got = f"reward {moment.reward[index]:g}" + (", an end" if moment.ended[index] else "")
            raise VectorEnvError(where, f"a reset of sub-environment {index}, reward 0 and no end", got)
    if mode is AutoresetMode.SAME_STEP:
        _check_final(env, moment)
    elif "final_obs" in moment.infos:
        raise VectorEnvError(where, f"no final_obs in mode {mode.value}", "one")


def _check_final(env: VectorEnv[Any, Any, Any], moment: Moment) -> None:
    where, infos, ended = moment.where, moment.infos, moment.ended
    for name in ("final_obs", "final_info"):
        has, there = infos.get(f"_{name}", np.zeros_like(ended)), name in infos and f"_{name}" in infos
        if not np.array_equal(has, ended) or (ended.any() and not there):
            got = np.flatnonzero(has).tolist() if there else f"none, or no _{name}"
            raise VectorEnvError(where, f"{name} of the ended sub-environments {np.flatnonzero(ended).tolist()}", got)
    for index in np.flatnonzero(ended):
        if not env.single_observation_space.contains(infos["final_obs"][index]):
            got = _described(infos["final_obs"][index])
            raise VectorEnvError(where, f"final_obs[{index}] of {_described(env.single_observation_space)}", got)


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


def _check_array(
    where: str, name: str, value: Any, shape: tuple[int, ...], fits: Callable[[Any], bool], kind: str
) -> None:
    if not isinstance(value, np.ndarray) or value.shape != shape or not fits(value.dtype):
        raise VectorEnvError(where, f"{name} as an array {list(shape)} {kind}", _described(value))


def _described(value: Any) -> str:
    if isinstance(value, gymnasium.spaces.Box):
        return f"Box {list(value.shape)} {value.dtype} of {value.low.min():g} to {value.high.max():g}"
    if isinstance(value, gymnasium.Space):
        return " ".join(str(value).split())
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    span = f" of {value.min():g} to {value.max():g}" if value.size and value.dtype != object else ""
    return f"an array {list(value.shape)} {value.dtype}{span}"


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
