"""What signals ask of a run."""

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from townlet.screen.process import FAILED, end, end_within, hearing, say

SECONDS_OF_GRACE = 1.5  # for what is still done when a run that was asked to stop is saved: its picture, closing worlds


@dataclass
class StopRequest:
    """Asks a run to save and to stop after the step that it is in. Set by a signal."""

    wanted: bool = False
    unsaved: bool = False  # whether there may be steps that no checkpoint holds
    farewell: str = "townlet train: stopped before anything was trained"  # said where all is saved and a signal comes
    code: int = FAILED  # with which that ends the process

    def on_signal(self) -> None:
        """Take note of a signal; the second ends the process, and so does the first where nothing waits to be saved.

        So neither building a world nor evaluating or drawing with all saved needs to be interrupted, which a compiler
        does not bear.
        """
        if self.wanted:
            end("townlet train: stopped at once; the last checkpoint is as it was", FAILED)
        if not self.unsaved:
            end(self.farewell, self.code)
        self.wanted = True
        say("saving and stopping; once more stops at once")

    def all_is_saved(self, farewell: str, code: int) -> None:
        """Take note that nothing waits to be saved; where a stop is wanted, the end comes soon whatever holds it up."""
        self.unsaved, self.farewell, self.code = False, farewell, code
        if self.wanted:
            end_within(SECONDS_OF_GRACE, farewell, code)


class Interruption(StopRequest):
    """The same of a training that is a part of another program, which goes on when the run is saved.

    The second signal raises KeyboardInterrupt, wherever it finds the training.
    """

    def on_signal(self) -> None:
        """Take note of a signal."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        say("saving and stopping; once more stops at once")


@contextmanager
def stop_on_signals(
    stop: StopRequest | None = None, signals: Collection[signal.Signals] | None = None
) -> Iterator[StopRequest]:
    """Let Ctrl-C, SIGTERM and SIGHUP, or those of `signals`, ask a run to save and stop, as `stop` takes note of them.

    Elsewhere than in the main thread of a process nothing is heard.
    """
    stop = stop or StopRequest()
    with hearing(stop.on_signal, signals):
        yield stop
