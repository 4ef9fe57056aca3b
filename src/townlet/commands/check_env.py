"""`townlet check-env`: whether an environment of Gymnasium does what it declares."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from townlet.config import ConfigError, load_gym_task
from townlet.environment.gym.checker import check_vector_env
from townlet.environment.gym.finding import keywords_of, registered, wrapped
from townlet.environment.gym.gate import Gate, told
from townlet.environment.gym.making import Asked, without_ours
from townlet.environment.gym.moment import VectorEnvError
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.make import try_out
from townlet.environment.types import WorldError
from townlet.screen.command_line import DONE, FAILED, Parser, named, positive, setting


def main(arguments: Sequence[str] | None = None) -> int:
    """Check that an environment of Gymnasium does what it declares."""
    parser = Parser(prog="townlet check-env", description="Check a vector environment of Gymnasium, ours or another.")
    parser.add_argument("env", type=named, metavar="ENV_ID", help="an id, module:id or file.py:id, as for train --gym")
    parser.add_argument("--num-envs", type=positive, default=4, help="how many sub-environments (default: 4)")
    parser.add_argument("--steps", type=positive, default=1000, help="at most so many steps (default: 1000)")
    parser.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="gym_options.NAME=VALUE, a keyword argument of the environment, or gym_wrappers=[NAME, ...]",
    )
    options = parser.parse_args(arguments)
    name, num_envs = options.env, options.num_envs
    try:
        task = load_gym_task(name, overrides=dict(options.set))
    except ConfigError as error:
        parser.error(error.errors[0])
    asked = Asked(task.gym, task.max_steps, task.gym_options, task.gym_wrappers)
    try:
        with suppress(ConfigError):  # one that agents here cannot act in may do what it declares all the same
            try_out(_tried(asked, num_envs))
        env = _make(parser, name, asked, num_envs)
        try:
            check_vector_env(env, steps=options.steps)
        finally:
            Gate(name, num_envs).call("close", env.close)
    except WorldError as error:
        print(error, file=sys.stderr)
        return FAILED
    except (VectorEnvError, ConfigError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except Exception as error:  # of a stranger's spaces or values, which may raise anything when they are looked at
        print(f"{name}: expected values that can be checked, got {told(error)}", file=sys.stderr)
        return FAILED
    print(f"{name}: right, with autoreset mode {env.metadata['autoreset_mode'].value}")
    print(f"keyword arguments, --set gym_options.NAME=VALUE: {keywords_of(registered(asked.env_id))}")
    return DONE


def _tried(asked: Asked, num_envs: int) -> GymEnvironment:
    return GymEnvironment.from_id(
        asked.env_id, num_envs, max_steps=asked.max_steps, options=asked.options, wrappers=asked.wrappers
    )


def _make(parser: Parser, name: str, asked: Asked, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """Make the vector environment that Gymnasium makes: by turns, where wrappers are put around each environment."""
    try:
        spec = registered(asked.env_id)
        asked, _, _ = without_ours(asked, spec)
        # Gymnasium's own checker of single environments would speak besides, in warnings.
        alone = spec.vector_entry_point is None or asked.wrappers
        more: dict[str, Any] = {**asked.options, **asked.limit} | ({"disable_env_checker": True} if alone else {})
        if asked.wrappers:
            more |= {"vectorization_mode": "sync", "wrappers": [partial(wrapped, wrappers=asked.wrappers)]}
        return gymnasium.make_vec(spec, num_envs=num_envs, **more)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an environment of a stranger may raise anything
        of_id = error.errors[0].partition(f", got {asked.env_id}: ")[2] if isinstance(error, ConfigError) else ""
        parser.error(f"ENV_ID: expected a registered environment, got {name!r}: {of_id or told(error)}")
