"""What signals ask of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from townlet.screen.process import DONE, FAILED, end, hearing, say


@dataclass
class StopRequest:
    """Asks a run to save and to stop after the step that it is in. Set by a signal."""

    wanted: bool = False
    unsaved: bool = False  # whether there may be steps that no checkpoint holds
    farewell: str = ""  # what to say where a run is saved and a signal comes; empty before one is

    def on_signal(self) -> None:
        """Take note of a signal; the second ends the process, and so does the first where nothing waits to be saved.

        So neither building a world nor evaluating or drawing with all saved needs to be interrupted, which a compiler
        does not bear.
        """
        if self.wanted:
            end("townlet train: stopped at once; the last checkpoint is as it was", FAILED)
        if not self.unsaved and self.farewell:
            end(self.farewell, DONE)
        if not self.unsaved:
            end("townlet train: stopped before anything was trained", FAILED)
        self.wanted = True
        say("saving and stopping; once more stops at once")


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Let Ctrl-C, SIGTERM and SIGHUP ask a run to save and stop: the first asks, the second stops it at once."""
    stop = StopRequest()
    with hearing(stop.on_signal):
        yield stop
