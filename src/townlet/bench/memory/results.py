"""Results of trials: the file that they are kept in as they come, and what they say together."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, Protocol

from townlet.bench.memory.plan import Trial
from townlet.bench.memory.trials import Record
from townlet.bench.statistics import Interval, bootstrap_interval
from townlet.run.meta import describe_machine
from townlet.run.run_directory import write_atomically

Grouped = dict[tuple[str, str], list[Record]]  # records of all seeds, by row and agent


class Done(Protocol):
    """What results are kept of."""

    @property
    def key(self) -> str:
        """What it is called there."""

    @property
    def recipe(self) -> str:
        """A digest of all that the result depends on; the record has it too."""


class ResultsError(Exception):
    """A file of results cannot be read or written; one line."""


class Results:
    """Records by trial in a JSON file. Each is on the disk before the next comes, so that a stop loses none.

    What another process has put there in the meantime is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.records, self.machine = path, dict[str, Record](), dict[str, Any]()
        self._read()

    def _read(self) -> None:
        try:
            if self.path.exists():
                found = json.loads(self.path.read_text())
                self.records, self.machine = self.records | found["trials"], dict(found["machine"])
        except OSError as error:
            raise ResultsError(f"{self.path}: expected a file that can be read, got {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ResultsError(f"{self.path}: expected the results of a benchmark, got {reason}") from error

    def has(self, trial: Done) -> bool:
        """Whether a trial is done, and was done as it would be now."""
        return self.records.get(trial.key, {}).get("recipe") == trial.recipe

    def keep(self, trial: Done, record: Record) -> None:
        """Add a record and write the file. Raises ResultsError."""
        self._read()
        self.records[trial.key] = record
        self.machine = self.machine or describe_machine()
        text = json.dumps({"machine": self.machine, "trials": self.records}, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, text.encode())
        except OSError as error:
            raise ResultsError(f"{self.path}: expected a file that can be written, got {error.strerror}") from error

    def of(self, trials: Sequence[Trial]) -> Grouped:
        """Records of those trials that are done, by row and agent, in the order of the trials."""
        grouped: Grouped = {}
        for trial in sorted(trials, key=lambda trial: trial.seed):
            if self.has(trial):
                grouped.setdefault((trial.row, trial.agent), []).append(self.records[trial.key])
        order = {(trial.row, trial.agent): None for trial in trials}
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


class Together(NamedTuple):
    """What one agent came to over several rows."""

    agent: str
    rows: int
    seeds: int  # that did all rows
    score: Interval  # mean over rows of the greedy return at the end


def put_together(trials: Sequence[Trial], grouped: Grouped) -> list[Together]:
    """Put the rows of each agent together, where it has several; only seeds with all of them count."""
    found = []
    for agent in dict.fromkeys(trial.agent for trial in trials):
        rows = list(dict.fromkeys(trial.row for trial in trials if trial.agent == agent))
        scores = [{one["seed"]: final_score(one) for one in grouped.get((row, agent), ())} for row in rows]
        seeds = sorted(set.intersection(*(set(of_row) for of_row in scores)))
        if len(rows) > 1 and seeds:
            means = [fmean(of_row[seed] for of_row in scores) for seed in seeds]
            found.append(Together(agent, len(rows), len(seeds), bootstrap_interval(means)))
    return found


def final_score(record: Record) -> float:
    """The mean greedy return of a trial's last evaluation."""
    score: float = record["points"][-1]["score"]
    return score


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
        bootstrap_interval([final_score(record) for record in records]),
        bootstrap_interval([point["steps"] for point in solved]) if solved else None,
        bootstrap_interval([point["seconds"] for point in solved]) if solved else None,
    )
