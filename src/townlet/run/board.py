"""TensorBoard's file of a run, where TensorBoard is installed."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from townlet.run.side_effects import reason_of

RETRY = 60.0  # seconds between attempts to open the file again: each attempt leaves a file behind


class Board:
    """Write metrics for TensorBoard; never raise.

    What fails is reported once through `report`, until a write succeeds again, and tried again later. Without
    TensorBoard nothing is written. `resume_step` is the step that training goes on from: what is newer is not shown.
    `outlook` says how a line of what failed ends.
    """

    def __init__(
        self, folder: Path, report: Callable[[str], None], outlook: Callable[[], str], resume_step: int | None = None
    ) -> None:
        self._folder, self._report, self._outlook, self._resume_step = folder, report, outlook, resume_step
        self._writer: Any = None
        self._failed = False
        self._opens_at = 0.0  # time.monotonic(); never where there is no TensorBoard

    def write_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write named numbers of one step."""
        self._write(lambda writer: [writer.add_scalar(name, value, step) for name, value in values.items()])

    def write_text(self, step: int, kind: str, text: str) -> None:
        """Write that something happened."""
        self._write(lambda writer: writer.add_text(kind, text, step))

    def close(self) -> None:
        """Close the file; what it cannot take is lost."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()
        self._writer = None

    def _write(self, write: Callable[[Any], object]) -> None:
        try:
            if self._writer is None and time.monotonic() >= self._opens_at:
                self._writer = _open(self._folder, self._resume_step)
                self._opens_at = math.inf if self._writer is None else 0.0
            if self._writer is not None:
                write(self._writer)
                self._failed = False
        except (Exception, SystemExit) as error:  # a disk, or an installation that is broken in whatever way
            self._writer = None
            self._opens_at = time.monotonic() + RETRY
            if not self._failed:
                reason = f"{reason_of(error)}{self._outlook()}"
                self._report(f"cannot write TensorBoard events to {self._folder}: {reason}")
            self._failed = True


@contextlib.contextmanager
def quiet_writer_threads() -> Iterator[None]:
    """TensorBoard writes in a thread of its own, whose failure to write is told in one line, not in a traceback too."""
    former = threading.excepthook
    threading.excepthook = lambda failure: None if issubclass(failure.exc_type, OSError) else former(failure)
    try:
        yield
    finally:
        threading.excepthook = former


def _open(folder: Path, resume_step: int | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an optional extra
        return None
    purge_step = None if resume_step is None else resume_step + 1
    return SummaryWriter(str(folder), purge_step=purge_step, flush_secs=10)
