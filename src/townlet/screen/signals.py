"""What the signals of a terminal ask of a run."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class StopRequest:
    """Set by a signal; the run saves and stops after the step that it is in."""

    wanted: bool = False


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """The first Ctrl-C (or SIGTERM) asks the run to save and stop, the second stops it."""
    stop = StopRequest()

    def on_signal(signum: int, _frame: object) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True
        os.write(2, b"\nsaving and stopping; once more stops at once\n")

    former = {signum: signal.signal(signum, on_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)
