"""What a vector environment returned in one moment, and whether that is right.

A moment is one call of `reset` or of `step`: its spaces, shapes and types, its action masks, and what the autoreset
mode promises of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from townlet.environment.gym.actions import count_actions
from townlet.environment.gym.gate import told

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


def call(where: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Call a vector environment's method, which may raise anything. Raises VectorEnvError for what it raises."""
    try:
        return function(*given, **named)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise VectorEnvError(where, "no error", told(error)) from error


def returned_tuple(where: str, returned: Any, length: int) -> tuple[Any, ...]:
    """What a call returned, where that is a tuple of `length`. Raises VectorEnvError."""
    if not isinstance(returned, tuple) or len(returned) != length:
        got = f"{len(returned)} values" if isinstance(returned, tuple) else type(returned).__name__
        raise VectorEnvError(where, f"a tuple of {length}", got)
    return returned


def check_moment(env: VectorEnv[Any, Any, Any], moment: Moment, who: Bools) -> None:
    """Check the observation and the infos of a step, or of a reset of `who` [num_envs]. Raises VectorEnvError."""
    if not env.observation_space.contains(moment.observation):
        got = described(moment.observation)
        raise VectorEnvError(moment.where, f"an observation of {described(env.observation_space)}", got)
    if not isinstance(moment.infos, dict):
        raise VectorEnvError(moment.where, "infos as a dict", type(moment.infos).__name__)
    for name, mask in moment.infos.items():
        if name.startswith("_") and name[1:] in moment.infos:
            _check_array(moment.where, f"infos[{name!r}]", mask, (env.num_envs,), lambda kind: kind == np.bool_, "bool")
    if "action_mask" in moment.infos:
        _check_action_mask(env, moment, who)


def _check_action_mask(env: VectorEnv[Any, Any, Any], moment: Moment, who: Bools) -> None:
    where, mask, have = moment.where, moment.infos["action_mask"], moment.infos.get("_action_mask")
    if (count := count_actions(env.single_action_space)) is None:
        raise VectorEnvError(where, f"no action_mask for {described(env.single_action_space)}", "one")
    shape = (env.num_envs, count)
    _check_array(where, "infos['action_mask']", mask, shape, lambda kind: kind in (np.bool_, np.int8), "bool or int8")
    if have is None or not have[who].all():
        lacking = "no _action_mask" if have is None else f"none of sub-environments {np.flatnonzero(who & ~have)}"
        raise VectorEnvError(where, "the action_mask of each sub-environment", lacking)
    stuck = np.flatnonzero(have & ~mask.any(axis=1)).tolist()
    if stuck or not np.isin(mask, (0, 1)).all():
        got = f"nothing allowed in {stuck}" if stuck else np.unique(mask).tolist()
        raise VectorEnvError(where, "an action_mask of 0 and 1 with an allowed action in each row", got)


def check_flags(env: VectorEnv[Any, Any, Any], moment: Moment) -> None:
    """Check the rewards and ends of a step. Raises VectorEnvError."""
    where, shape = moment.where, (env.num_envs,)
    _check_array(where, "rewards", moment.reward, shape, lambda kind: np.issubdtype(kind, np.floating), "floating")
    for name in ("terminated", "truncated"):
        _check_array(where, name, getattr(moment, name), shape, lambda kind: kind == np.bool_, "bool")
    if not np.isfinite(moment.reward).all():
        raise VectorEnvError(where, "finite rewards", moment.reward.tolist())
    if np.shares_memory(moment.terminated, moment.truncated):
        raise VectorEnvError(where, "terminated and truncated apart", "one array for both")


def check_autoreset(env: VectorEnv[Any, Any, Any], moment: Moment, resetting: Bools) -> None:
    """Check that a step ended and began what its mode says, by what can be seen in it. Raises VectorEnvError."""
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
            got = described(infos["final_obs"][index])
            raise VectorEnvError(where, f"final_obs[{index}] of {described(env.single_observation_space)}", got)


def _check_array(
    where: str, name: str, value: Any, shape: tuple[int, ...], fits: Callable[[Any], bool], kind: str
) -> None:
    if not isinstance(value, np.ndarray) or value.shape != shape or not fits(value.dtype):
        raise VectorEnvError(where, f"{name} as an array {list(shape)} {kind}", described(value))


def described(value: Any) -> str:
    """An array or a space in a few words: its shape, its type and what it spans."""
    if isinstance(value, gymnasium.spaces.Box):
        return f"Box {list(value.shape)} {value.dtype} of {value.low.min():g} to {value.high.max():g}"
    if isinstance(value, gymnasium.Space):
        return " ".join(str(value).split())
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    span = f" of {value.min():g} to {value.max():g}" if value.size and value.dtype != object else ""
    return f"an array {list(value.shape)} {value.dtype}{span}"
