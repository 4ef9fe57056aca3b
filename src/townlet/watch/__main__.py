"""The watcher that a training begins beside itself: python -m townlet.watch RUN. It ends when its input does."""

import sys
from pathlib import Path

from townlet.config import ConfigError
from townlet.run.run_directory import RunError
from townlet.screen.process import FAILED
from townlet.watch.recorder import be_modest, end_with_parent
from townlet.watch.server import Server, Wanted, serve


def main() -> int:
    """Print the address and serve; returns the exit code where that cannot be done."""
    end_with_parent()
    be_modest()

    def opened(_: Server, address: str) -> None:
        print(address, flush=True)

    try:
        serve(Path(sys.argv[1]), Wanted(), opened)
    except (RunError, ConfigError) as error:
        print(error, file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
