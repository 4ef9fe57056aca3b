"""The flags of `townlet train`, and which of them do not go together."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from townlet.screen.command_line import (
    Parser,
    above_zero,
    named,
    named_list,
    named_path,
    positive,
    setting,
    share,
    whole,
)
from townlet.screen.device_kinds import kind_named


def read_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; what is wrong, or does not go together, ends the process with one line and code 2."""
    parser = make_parser()
    parser.first_of = "--level"
    options = parser.parse_args(arguments)
    fixed = options.level or options.gym or options.load
    if options.resume and (fixed or options.run_name or options.curriculum or options.seed is not None):
        flags = "--level, --gym, --curriculum, --load, --run-name and --seed"
        parser.error(f"--resume goes on as it is: {flags} do not go with it")
    if options.curriculum and fixed:
        parser.error("--curriculum begins with its first level: --level, --gym and --load do not go with it")
    if options.minutes and (options.resume or options.curriculum):
        parser.error("--minutes is of one new run: --resume and --curriculum do not go with it")
    if options.mastery and not options.curriculum:
        parser.error("--mastery is of a ladder: it goes with --curriculum")
    return options


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet train", description="Train a population of agents that remember.")
    _add_levels(parser)
    parser.add_argument(
        "--seed",
        type=whole,
        help="what all chance follows from: maps, first weights, exploring (default: as the level says)",
    )
    parser.add_argument("--num-agents", type=positive, help="agents in the town")
    parser.add_argument("--total-steps", type=positive, help="environment steps, summed over agents")
    parser.add_argument(
        "--minutes",
        type=above_zero,
        metavar="N",
        help="train for N minutes at most: fewer steps, where a first measurement says that not all of them fit",
    )
    parser.add_argument("--device", type=kind_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level"
    )
    parser.add_argument("--run-name", type=named, help="name of the run's folder (default: time and seed)")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    parser.add_argument("--resume", type=named, metavar="latest|RUN", help="go on with a run")
    parser.add_argument(
        "--load",
        type=named_path,
        metavar="RUN",
        help="begin with the weights of a run's newest checkpoint, of a checkpoint's folder, or of an exported policy",
    )
    parser.add_argument(
        "--checkpoint-every", type=positive, metavar="STEPS", help="environment steps between checkpoints"
    )
    parser.add_argument(
        "--evaluate-every", type=positive, metavar="STEPS", help="environment steps between evaluations"
    )
    parser.add_argument("--plain", action="store_true", help="plain lines in place of the dashboard")
    parser.add_argument("--watch", action="store_true", help="show it in a browser too, at an address that is told")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, print the plan, and stop")
    return parser


def _add_levels(parser: Parser) -> None:
    """What is trained in."""
    parser.add_argument("--level", type=named, help="a level's id, name or file (default: 2)")
    parser.add_argument(
        "--gym",
        type=named,
        metavar="ENV_ID",
        help="an environment of Gymnasium: an id, module:id or file.py:id, or a class there in the place of the id; "
        "its keyword arguments are --set gym_options.NAME=VALUE, wrappers --set gym_wrappers=[NAME, ...]",
    )
    parser.add_argument(
        "--curriculum", type=named_list, metavar="LEVELS", help="one level after the other, as 0,0.5,1,2: a ladder"
    )
    parser.add_argument(
        "--mastery",
        type=share,
        help="greedy survival that ends a level of a ladder, as a share of its limit (default: 0.9)",
    )
