"""train.log: what a run says, with the time."""

import logging
import sys
from collections.abc import Callable
from logging.handlers import WatchedFileHandler
from pathlib import Path

from townlet.run.run_directory import RunError
from townlet.run.side_effects import reason_of


def open_log(path: Path, report: Callable[[str], None]) -> logging.Logger:
    """Return a logger that appends plain lines with the time to `path`; raises RunError where it cannot.

    A line that cannot be written later (disk full) waits for the next that can, or is lost: a log never stops or
    clutters a training run. The first time `report` is told.
    """
    try:
        if path.is_fifo():  # would be waited for until somebody reads it
            raise RunError(f"cannot write {path}: it is a pipe")
        handler = _QuietFileHandler(path, report)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger = logging.Logger("townlet", logging.INFO)  # unregistered: two runs in one process keep to their own files
    logger.addHandler(handler)
    return logger


def close_log(log: logging.Logger) -> None:
    """Close the file of a log; what it cannot take is lost."""
    for handler in log.handlers:
        handler.close()


class _QuietFileHandler(WatchedFileHandler):
    """Begins the file anew where it was deleted or moved away."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        super().__init__(path, encoding="utf-8")
        self.path, self.report, self.told = path, report, False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # the folder is gone
            self.handleError(record)

    def handleError(self, record: logging.LogRecord | None) -> None:
        error = sys.exception()
        if not self.told:
            self.told = True  # before, since a report may be logged
            self.report(f"cannot write {self.path}: {error and reason_of(error)}")

    def close(self) -> None:
        try:
            super().close()
        except OSError:  # the file is closed all the same
            self.handleError(None)
