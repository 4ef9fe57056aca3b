"""What a run's folder holds, read once for its report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet.config import Task
from townlet.run.meta import read_meta
from townlet.run.metrics import MetricsStore
from townlet.run.report.series import Series, series
from townlet.run.run_directory import CONFIG_NAME

NO_SERIES = series(())


@dataclass(frozen=True)
class Record:
    """A run as it stands. `scalars` are by name as in `metrics.sqlite`, `files` lie in the run's folder."""

    task: Task
    path: Path
    meta: Mapping[str, Any]
    config: str  # the text of config.yaml, which is resolved
    scalars: Mapping[str, Series]
    evaluations: list[dict[str, Any]]
    seconds: float  # of training, until the newest record
    files: dict[str, list[str]]  # by kind, as paths relative to the folder

    def __getitem__(self, name: str) -> Series:
        """The series of a name, an empty one where nothing was recorded."""
        return self.scalars.get(name, NO_SERIES)

    def named(self, before: str, after: str = "") -> dict[str, Series]:
        """Series by what stands between the beginning and the end of their names, as the meters of meters/X_mean."""
        return {
            name[len(before) : len(name) - len(after)]: one
            for name, one in self.scalars.items()
            if name.startswith(before) and name.endswith(after) and len(one.steps)
        }

    @property
    def step(self) -> int:
        """The newest step that something was recorded of."""
        newest = [int(one.steps[-1]) for one in self.scalars.values() if len(one.steps)]
        return max(newest, default=0)


def read_record(task: Task, run: Path) -> Record:
    """Read a run's folder. Raises sqlite3.Error and OSError."""
    with closing(MetricsStore(run / "metrics.sqlite", read_only=True)) as store:
        scalars = {name: series(store.scalars(name)) for name in store.names()}
        evaluations, seconds = store.evaluations(), store.elapsed()
    config = (run / CONFIG_NAME).read_text(encoding="utf-8", errors="replace")
    files = {kind: sorted(_relative(run, found)) for kind, found in _files(run).items()}
    return Record(task, run, read_meta(run) or {}, config, scalars, evaluations, seconds, files)


def best_checkpoint(run: Path) -> str | None:
    """Return the name of the checkpoint with the best score, None where none is known."""
    with suppress(OSError, ValueError):
        best = json.loads((run / "checkpoints" / "best.json").read_text())
        return str(best["checkpoint"]) if isinstance(best, dict) and "checkpoint" in best else None
    return None


def _files(run: Path) -> dict[str, Iterator[Path]]:
    return {
        "checkpoints": run.glob("checkpoints/step_*"),
        "replays": (path for path in run.glob("replays/*") if path.is_file()),
        "evaluations": run.glob("evaluation/*.json"),
        "other files": (path for name in OTHERS if (path := run / name).is_file()),
    }


OTHERS = ("curves.png", "config.yaml", "meta.json", "metrics.sqlite", "train.log")


def _relative(run: Path, found: Iterator[Path]) -> list[str]:
    return [path.relative_to(run).as_posix() for path in found]
