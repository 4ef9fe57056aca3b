"""`report.html` of a run that trains, kept up to date."""

import math
import time

from townlet.config import Task
from townlet.run.report.run_page import write_report
from townlet.run.run_directory import RunDirectory
from townlet.run.side_effects import SideEffects

SECONDS_BETWEEN = 30.0  # while a run goes on: writing the page takes a tenth of one


class Keeper:
    """Writes a run's page beside its training, which goes on where that fails."""

    def __init__(self, task: Task, run: RunDirectory, aside: SideEffects) -> None:
        self.task, self.run, self.aside = task, run, aside
        self._written = -math.inf  # time.monotonic()

    def renew(self) -> None:
        """Write the page, unless it was written a moment ago."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the page as the run stands."""
        self._written, what = time.monotonic(), f"write {self.run.report_path}"
        with self.aside.attempt(what):
            write_report(self.task, self.run.path, self.run.report_path)
            self.aside.missing.discard(what)  # what an earlier attempt missed is there now
