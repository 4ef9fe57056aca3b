"""`townlet watch`: show a run in a browser while it trains, or after that, from a process of its own."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from townlet.screen.command_line import Parser, named, named_path, up_to
from townlet.watch.modest import be_modest

MOST_LIVES = 64


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet watch", description="Show a run in a browser while it trains.")
    parser.add_argument("run", type=named, metavar="RUN", help="a run's folder or name, or latest")
    parser.add_argument("--host", type=named, default="127.0.0.1", help="where to listen (default: this machine alone)")
    parser.add_argument("--port", type=up_to(65_535), default=8600, help="0: one that is free (default: 8600)")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="open it in a browser (default: yes)",
    )
    parser.add_argument(
        "--lives",
        type=up_to(MOST_LIVES),
        default=4,
        help="recorded of each newest agent (default: 4; 0: none)",
    )
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command until it is interrupted; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    be_modest()
    from townlet.commands.watching import watch  # which imports what takes seconds of a core: as modestly as the rest

    return watch(options)
