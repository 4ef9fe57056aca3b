"""The watcher that a training begins beside itself: python -m townlet.watch RUN. It ends when its input does."""

import sys
import threading
from pathlib import Path

from townlet.config import ConfigError
from townlet.run.run_directory import RunError
from townlet.screen.process import DONE, FAILED
from townlet.watch.folder import NO_TOWN
from townlet.watch.modest import end_with_parent
from townlet.watch.server import Server, Wanted, serve

SECONDS_TO_TIDY_UP = 30.0  # at most, to remove the folder of recorded lives; a training kills it sooner


def main() -> int:
    """Print the address and serve; returns the exit code: 0 ended with its input, 1 failed."""
    servers, asked = list[Server](), threading.Event()

    def stop() -> float:
        asked.set()
        for server in servers:
            server.stop()
        return SECONDS_TO_TIDY_UP if servers else 0.0

    end_with_parent(stop)

    def opened(server: Server, address: str) -> None:
        servers.append(server)
        print(address, flush=True)
        if not server.hub.folder.town:
            print(NO_TOWN, flush=True)

    try:
        serve(Path(sys.argv[1]), Wanted(), opened)
    except (RunError, ConfigError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return DONE if asked.is_set() else FAILED


if __name__ == "__main__":
    sys.exit(main())
