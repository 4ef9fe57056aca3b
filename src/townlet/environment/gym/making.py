"""How environments of others are found and made, by the id that Gymnasium knows them by."""

import importlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv

from townlet.config import ConfigError
from townlet.environment.gym.gate import Gate, told
from townlet.environment.gym.registration import register_worlds
from townlet.environment.gym.turns import Turns


def registered(env_id: str) -> EnvSpec:
    """Return what is registered by an id, or by module:id after the module is imported; our levels are too.

    A module is looked for in the current folder too, as `python -m` does. Raises ConfigError where there is none.
    """
    module, _, name = env_id.rpartition(":")
    register_worlds()
    try:
        if module:
            _import(module)
        return gymnasium.spec(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's module may raise anything, and may end the process
        raise not_made(env_id, error) from error


def make(
    env_id: str, gate: Gate, max_steps: int | None, options: Mapping[str, Any]
) -> VectorEnv[Any, Any, Any] | Turns:
    """Make an environment for all agents of a gate: its own vector version where there is one, else one an agent.

    `max_steps` takes the place of its own time limit; `options` are its keyword arguments. Raises ConfigError.
    """
    spec, limit = registered(env_id), {} if max_steps is None else {"max_episode_steps": max_steps}
    made: list[gymnasium.Env[Any, Any]] = []
    try:
        if spec.vector_entry_point is not None and not spec.additional_wrappers:
            return _make_at_once(spec, gate.num_agents, deepcopy(dict(options)) | limit)
        for _ in range(gate.num_agents):
            arguments: dict[str, Any] = {**deepcopy(dict(options)), **limit, "disable_env_checker": True}
            made.append(gymnasium.make(spec, **arguments))
        return Turns(made, gate)
    except BaseException as error:
        for env in made:
            with suppress(Exception):  # of the two errors the first one says more
                env.close()
        if isinstance(error, KeyboardInterrupt):
            raise
        raise not_made(env_id, error) from error


def not_made(env_id: str, error: BaseException) -> ConfigError:
    """Return the error to raise where an environment cannot be made, or is none for our agents."""
    if isinstance(error, ConfigError):
        return ConfigError(f"{line} in {env_id}" for line in error.errors)
    return ConfigError([f"gym: expected an environment that can be made, got {env_id}: {told(error)}"])


def _make_at_once(spec: EnvSpec, num_agents: int, arguments: dict[str, Any]) -> VectorEnv[Any, Any, Any]:
    env = gymnasium.make_vec(spec, num_agents, **arguments)
    if env.num_envs != num_agents:
        env.close()
        raise ConfigError([f"gym: expected {num_agents} environments, got {env.num_envs}"])
    return env


def _import(module: str) -> None:
    here = os.getcwd()
    if not sys.flags.safe_path and here not in sys.path:
        sys.path.insert(0, here)
    importlib.import_module(module)
