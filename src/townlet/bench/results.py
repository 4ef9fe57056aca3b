"""Results of jobs: the file that they are kept in as they come, and what they say together."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from townlet.bench.jobs import Record
from townlet.bench.plan import Job
from townlet.bench.statistics import Interval, bootstrap_interval
from townlet.training.run_directory import describe_machine, write_atomically


class ResultsError(Exception):
    """A file of results cannot be read or written; one line."""


class Results:
    """Records by job in a JSON file. Each is on the disk before the next comes, so that a stop loses none."""

    def __init__(self, path: Path) -> None:
        self.path, self.records, self.machine = path, dict[str, Record](), dict[str, Any]()
        try:
            if path.exists():
                found = json.loads(path.read_text())
                self.records, self.machine = dict(found["jobs"]), dict(found["machine"])
        except OSError as error:
            raise ResultsError(f"{path}: expected a file that can be read, got {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ResultsError(f"{path}: expected the results of a benchmark, got {reason}") from error

    def has(self, job: Job) -> bool:
        """Whether a job is done, and was done as it would be now."""
        return self.records.get(job.key, {}).get("recipe") == job.recipe

    def keep(self, job: Job, record: Record) -> None:
        """Add a record and write the file. Raises ResultsError."""
        self.records[job.key] = record
        self.machine = self.machine or describe_machine()
        text = json.dumps({"machine": self.machine, "jobs": self.records}, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, text.encode())
        except OSError as error:
            raise ResultsError(f"{self.path}: expected a file that can be written, got {error.strerror}") from error

    def of(self, jobs: Sequence[Job]) -> dict[tuple[str, str], list[Record]]:
        """Records of those jobs that are done, by row and agent, in the order of the jobs."""
        grouped: dict[tuple[str, str], list[Record]] = {}
        for job in sorted(jobs, key=lambda job: job.seed):
            if self.has(job):
                grouped.setdefault((job.row, job.agent), []).append(self.records[job.key])
        order = {(job.row, job.agent): None for job in jobs}
        return {key: grouped[key] for key in order if key in grouped}


class Summary(NamedTuple):
    """What the seeds of one agent on one task say together."""

    row: str
    agent: str
    bar: float
    parameters: int
    seeds: int
    solved: int
    score: Interval  # mean greedy return of the last evaluation
    steps: Interval | None  # to the bar, over solved seeds, None without any
    seconds: Interval | None


def summarise(row: str, agent: str, records: Sequence[Record]) -> Summary:
    """Put the records of several seeds together."""
    solved = [record["solved"] for record in records if record["solved"]]
    return Summary(
        row,
        agent,
        records[0]["bar"],
        records[0]["parameters"],
        len(records),
        len(solved),
        bootstrap_interval([record["points"][-1]["score"] for record in records]),
        bootstrap_interval([point["steps"] for point in solved]) if solved else None,
        bootstrap_interval([point["seconds"] for point in solved]) if solved else None,
    )
