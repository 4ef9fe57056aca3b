"""`townlet watch`: show a run in a browser while it trains, or after that, from a process of its own."""

import argparse
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from townlet.run.run_directory import RunError, resolve_run
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, tells_errors, up_to
from townlet.screen.process import hearing
from townlet.watch.folder import NO_TOWN
from townlet.watch.guard import is_loopback
from townlet.watch.modest import be_modest
from townlet.watch.server import Server, Wanted, serve

MOST_LIVES = 64
WIDE = "townlet watch: whoever reaches {host} can see this run: there is no password, and nothing is encrypted"


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


@tells_errors("townlet watch", RunError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command until it is interrupted; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    be_modest()
    stops: list[Callable[[], None]] = []

    def opened(server: Server, address: str) -> None:
        print(address, flush=True)
        if not server.hub.folder.town:
            aside(f"townlet watch: {NO_TOWN}")
        if not is_loopback(options.host):
            aside(WIDE.format(host=options.host))
        stops.append(server.stop)
        if options.open:
            webbrowser.open(address)

    try:
        run = resolve_run(options.run, options.runs_dir, aside)
        with hearing(lambda: _stop(stops)):
            serve(run, Wanted(options.host, options.port, options.lives), opened)
    except KeyboardInterrupt:
        aside("townlet watch: stopped")
    return DONE


def _stop(stops: Sequence[Callable[[], None]]) -> None:
    """Ask the server to end; where there is none yet, or that was asked before, end at once."""
    if not stops:
        raise KeyboardInterrupt
    stops[-1]()
