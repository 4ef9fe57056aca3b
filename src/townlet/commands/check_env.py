"""`townlet check-env`: whether an environment of Gymnasium does what it declares."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from townlet.config import ConfigError
from townlet.environment.gym.checker import check_vector_env
from townlet.environment.gym.gate import Gate, told
from townlet.environment.gym.making import registered
from townlet.environment.gym.moment import VectorEnvError
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.make import try_out
from townlet.environment.types import WorldError
from townlet.screen.command_line import DONE, FAILED, Parser, named, positive


def main(arguments: Sequence[str] | None = None) -> int:
    """Check that an environment of Gymnasium does what it declares."""
    parser = Parser(prog="townlet check-env", description="Check a vector environment of Gymnasium, ours or another.")
    parser.add_argument("env", type=named, metavar="ENV_ID", help="an id, or MODULE:ID where a module registers it")
    parser.add_argument("--num-envs", type=positive, default=4, help="how many sub-environments (default: 4)")
    parser.add_argument("--steps", type=positive, default=1000, help="at most so many steps (default: 1000)")
    options = parser.parse_args(arguments)
    name, num_envs = options.env, options.num_envs
    try:
        with suppress(ConfigError):  # one that agents here cannot act in may do what it declares all the same
            try_out(GymEnvironment.from_id(name, num_envs))
        env = _make(parser, name, num_envs)
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
    return DONE


def _make(parser: Parser, name: str, num_envs: int) -> VectorEnv[Any, Any, Any]:
    try:
        spec = registered(name)
        # Gymnasium's own checker of single environments would speak besides, in warnings.
        quiet: dict[str, Any] = {} if spec.vector_entry_point is not None else {"disable_env_checker": True}
        return gymnasium.make_vec(spec, num_envs=num_envs, **quiet)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an environment of a stranger may raise anything
        cause = error.__cause__ if isinstance(error, ConfigError) else None
        parser.error(f"ENV_ID: expected a registered environment, got {name!r}: {told(cause or error)}")
