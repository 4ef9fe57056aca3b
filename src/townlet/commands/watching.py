"""What `townlet watch` does, once its process lets all others go first: find the run, serve it, and end."""

import webbrowser
from argparse import Namespace
from collections.abc import Callable, Sequence

from townlet.run.run_directory import RunError, resolve_run
from townlet.screen.command_line import DONE, aside
from townlet.screen.process import hearing
from townlet.screen.telling import tells_errors
from townlet.watch.folder import NO_TOWN
from townlet.watch.guard import is_loopback
from townlet.watch.server import Server, Wanted, serve

WIDE = "townlet watch: whoever reaches {host} can see this run: there is no password, and nothing is encrypted"


@tells_errors("townlet watch", RunError)
def watch(options: Namespace) -> int:
    """Serve the run that is asked for until the process is interrupted; returns the exit code."""
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
