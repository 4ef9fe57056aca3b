"""`townlet check-env`: whether a vector environment of Gymnasium does what it declares."""

import sys
from collections.abc import Sequence

import gymnasium

from townlet.environment.gym.checker import check_vector_env
from townlet.environment.gym.moment import VectorEnvError
from townlet.screen.command_line import DONE, FAILED, Parser, positive


def main(arguments: Sequence[str] | None = None) -> int:
    """Check that a vector environment of Gymnasium does what it declares."""
    parser = Parser(prog="townlet check-env", description="Check a vector environment of Gymnasium, ours or another.")
    parser.add_argument("env", metavar="ENV_ID", help="an id, or MODULE:ID where a module registers it")
    parser.add_argument("--num-envs", type=positive, default=4, help="how many sub-environments (default: 4)")
    parser.add_argument("--steps", type=positive, default=1000, help="at most so many steps (default: 1000)")
    options = parser.parse_args(arguments)
    try:
        env = gymnasium.make_vec(options.env, num_envs=options.num_envs)
    except Exception as error:  # a module or an environment of a stranger may raise anything
        reason = " ".join(str(error).split())
        parser.error(f"ENV_ID: expected a registered environment, got {options.env!r}: {reason}")
    try:
        check_vector_env(env, steps=options.steps)
    except VectorEnvError as error:
        print(f"{options.env}: {error}", file=sys.stderr)
        return FAILED
    finally:
        env.close()
    print(f"{options.env}: right, with autoreset mode {env.metadata['autoreset_mode'].value}")
    return DONE
