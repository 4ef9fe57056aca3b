"""How environments of others are made: all at once, single ones by turns, or in processes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv

from townlet.config import ConfigError
from townlet.environment.gym.finding import OF_MAKE, Wrapping, keywords_of, not_made, registered, wrapped
from townlet.environment.gym.gate import Gate
from townlet.environment.gym.processes import Processes
from townlet.environment.gym.turns import Turns

ASYNCHRONOUS = "asynchronous"  # among the options: ours, unless the environment has such a keyword itself


class Asked(NamedTuple):
    """How an environment is asked for; what is in it can be sent to other processes."""

    env_id: str
    max_steps: int | None = None  # takes the place of its own time limit
    options: Mapping[str, Any] = {}  # its keyword arguments
    wrappers: Sequence[Wrapping] = ()

    @property
    def limit(self) -> dict[str, int]:
        """The time limit as a keyword of Gymnasium's."""
        return {} if self.max_steps is None else {"max_episode_steps": self.max_steps}


def make(asked: Asked, gate: Gate) -> tuple[VectorEnv[Any, Any, Any] | Turns | Processes, list[str]]:
    """Make an environment for all agents of a gate, and say in lines what may surprise.

    That is its own vector version where there is one and no wrapper is to be put around each agent's environment; else
    one an agent, by turns or, with the option `asynchronous`, in processes. Raises ConfigError.
    """
    spec = registered(asked.env_id)
    asked, asynchronous, notes = without_ours(asked, spec)
    single = bool(asked.wrappers or spec.additional_wrappers or asynchronous)
    if spec.entry_point is None and single:
        key = f"gym_options.{ASYNCHRONOUS}: expected false" if asynchronous else "gym_wrappers: expected none"
        raise ConfigError([f"{key}, since {asked.env_id} has a vector version alone"])
    if spec.vector_entry_point is not None and not single:
        return _make_at_once(asked, spec, gate.num_agents), notes
    if asynchronous and gate.num_agents > 1:
        return Processes(partial(make_turns, asked), gate), notes
    return make_turns(asked, gate), notes


def make_turns(asked: Asked, gate: Gate) -> Turns:
    """Make an environment for each agent of a gate. Raises ConfigError."""
    spec = registered(asked.env_id)
    made: list[gymnasium.Env[Any, Any]] = []
    try:
        for _ in range(gate.num_agents):
            arguments: dict[str, Any] = {**deepcopy(dict(asked.options)), **asked.limit, "disable_env_checker": True}
            made.append(gymnasium.make(spec, **arguments))
            made[-1] = wrapped(made[-1], deepcopy(list(asked.wrappers)))
        return Turns(made, gate)
    except BaseException as error:
        for env in made:
            with suppress(Exception):  # of the two errors the first one says more
                env.close()
        raise _refusal(asked, spec, error) from error


def _make_at_once(asked: Asked, spec: EnvSpec, num_agents: int) -> VectorEnv[Any, Any, Any]:
    try:
        env = gymnasium.make_vec(spec, num_agents, **deepcopy(dict(asked.options)) | asked.limit)
        if env.num_envs != num_agents:
            env.close()
            raise ConfigError([f"gym: expected {num_agents} environments, got {env.num_envs}"])
        return env
    except BaseException as error:
        raise _refusal(asked, spec, error, at_once=True) from error


def _refusal(asked: Asked, spec: EnvSpec, error: BaseException, at_once: bool = False) -> BaseException:
    """The error to raise where making raised one: a keyword that it does not take is told with those that it does."""
    if isinstance(error, KeyboardInterrupt):
        return error
    if isinstance(error, TypeError):
        given = [name for name in asked.options if name not in OF_MAKE]
        if refusal := keywords_of(spec, at_once).refusal("gym_options", given, asked.env_id):
            return refusal
    return not_made(asked.env_id, error)


def without_ours(asked: Asked, spec: EnvSpec) -> tuple[Asked, bool, list[str]]:
    """Return what is asked of the environment itself, whether processes are, and what may surprise about that.

    Raises ConfigError where processes are asked for by something else than true or false.
    """
    key, options = f"gym_options.{ASYNCHRONOUS}", dict(asked.options)
    if ASYNCHRONOUS not in options:
        return asked, False, []
    if spec.entry_point is not None and ASYNCHRONOUS in keywords_of(spec).defaults:
        return asked, False, [f"{key}: {asked.env_id} has this keyword itself and gets it; nothing runs in processes"]
    if not isinstance(asynchronous := options.pop(ASYNCHRONOUS), bool):
        raise ConfigError([f"{key}: expected true or false, got {asynchronous!r}"])
    return asked._replace(options=options), asynchronous, []
