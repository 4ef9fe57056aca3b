"""`report.html`: the page of one run, in its folder."""

from __future__ import annotations

from pathlib import Path

from townlet.config import Task
from townlet.run.report import run_charts, run_tables
from townlet.run.report.document import Block, build
from townlet.run.report.record import Record, read_record
from townlet.run.report.run_map import where
from townlet.run.run_directory import write_atomically


def write_report(task: Task, run: Path, path: Path) -> None:
    """Write the page of a run to `path`, whole or not at all; its links lead from there to the run's files.

    What was not recorded is left out, as meters of a task of Gymnasium. Raises OSError where it cannot be written, and
    sqlite3.Error where the metrics cannot be read.
    """
    write_atomically(path, page_of(read_record(task, run), path.parent))


def page_of(record: Record, folder: Path) -> bytes:
    """Return the page of a run that lies in `folder`."""
    blocks = [
        Block("What is learned", [*run_charts.learning_charts(record)], after=run_tables.constants(record)),
        Block("What it was taught by", [*run_charts.course_charts(record)]),
        Block("How agents live", [*run_charts.life_charts(record)]),
        Block("Their meters", [*run_charts.meter_charts(record)]),
        Block("Where they spend their time", after=[*where(record), *run_tables.uses(record)]),
        Block("Evaluations", after=run_tables.evaluations(record)),
        Block("Speed", [*run_charts.speed_charts(record)]),
        Block("Configuration", after=run_tables.configuration(record)),
        Block("To repeat it", after=run_tables.repeat(record)),
        Block("Files", after=run_tables.files(record, folder)),
    ]
    return build(f"{record.path.name}: Level {record.task.id}, {record.task.title}", run_tables.head(record), blocks)
