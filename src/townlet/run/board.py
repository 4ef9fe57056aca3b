"""TensorBoard's file of a run, where TensorBoard is installed."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from townlet.callbacks.callback import Callback, Moment
from townlet.run.side_effects import reason_of

RETRY = 60.0  # seconds between attempts to open the file again: each attempt leaves a file behind


class Board(Callback):
    """Writes metrics for TensorBoard into a folder, where TensorBoard is installed; it ends no training.

    What fails is told once, until a write succeeds again, and tried again later. Where a run goes on from a checkpoint,
    what was written of later steps is not shown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._purge_step: int | None = None  # what is newer is hidden
        self._writer: Any = None
        self._failed = False
        self._opens_at = 0.0  # time.monotonic(); never where there is no TensorBoard

    def on_start(self, moment: Moment) -> None:
        """Take note of the step that the training goes on from."""
        self._purge_step = None if moment.resumed_at is None else moment.resumed_at + 1

    def on_record(self, moment: Moment) -> None:
        """Write the numbers of one step."""
        try:
            if self._writer is None and time.monotonic() >= self._opens_at:
                self._writer = _open(self._folder, self._purge_step)
                self._opens_at = math.inf if self._writer is None else 0.0
            if self._writer is not None:
                for name, value in moment.metrics.items():
                    self._writer.add_scalar(name, value, moment.steps)
                self._failed = False
        except (Exception, SystemExit) as error:  # a disk, or an installation that is broken in whatever way
            self._writer = None
            self._opens_at = time.monotonic() + RETRY
            if not self._failed:
                outlook = "; training goes on" if moment.goes_on else ""
                moment.tell(f"cannot write TensorBoard events to {self._folder}: {reason_of(error)}{outlook}")
            self._failed = True

    on_evaluation = on_record

    def on_end(self, moment: Moment) -> None:
        """Close the file; what it cannot take is lost."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()
        self._writer = None


@contextlib.contextmanager
def quiet_writer_threads() -> Iterator[None]:
    """TensorBoard writes in a thread of its own, whose failure to write is told in one line, not in a traceback too."""
    former = threading.excepthook
    threading.excepthook = lambda failure: None if issubclass(failure.exc_type, OSError) else former(failure)
    try:
        yield
    finally:
        threading.excepthook = former


def _open(folder: Path, purge_step: int | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an optional extra
        return None
    return SummaryWriter(str(folder), purge_step=purge_step, flush_secs=10)
