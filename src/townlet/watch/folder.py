"""Reading the folder of a run that may be going on in another process, again and again, and writing nothing in it."""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from townlet.config import ConfigError, Level, Task, load_task
from townlet.run.meta import read_meta
from townlet.run.metrics import MetricsStore
from townlet.run.plan import steps_between_checkpoints
from townlet.run.run_directory import HOLDER, REPLAY_SUFFIX, REPLAYS
from townlet.run.saving.checkpoint_folder import steps_in
from townlet.watch.messages import Group, Picture, Point, PointsNews, Recording, RunNews, Series

PACE, GAP, ERROR = "time/fps", "memory/ablation_gap", "train/td_error"
GROUPS = (("causes of death", "deaths/", ""), ("meters", "meters/", "_mean"), ("curriculum", "curriculum/", ""))
NO_TOWN = "A task of Gymnasium has no town that could be shown: there are its curves alone."
SECONDS_OF_SILENCE = 60.0  # after which a run whose process cannot be seen counts as stopped
_REPLAY = re.compile(rf"step_(\d{{1,18}})[\w.=-]*{re.escape(REPLAY_SUFFIX)}", re.ASCII)


State = Literal["waiting", "training", "over", "stopped"]
Row = tuple[int, float | None, float]  # step, value, elapsed


class Found(NamedTuple):
    """What a look into the folder found."""

    run: RunNews
    points: PointsNews | None  # None: none came
    replays: dict[str, Path]  # the files by their names
    awaited: str  # what the first of them waits for, in a sentence; "" where there are some


class RunFolder:
    """A run's folder, and how much of it was read. `recorded` is where lives of its agents are recorded meanwhile."""

    def __init__(self, path: Path, recorded: Path) -> None:
        self.path, self.recorded = path, recorded
        self.task = load_task(path / "config.yaml")
        self._written: object = None  # what tells the config from one that was written since
        self._last: dict[str, Row] = {}  # by metric: the last of those that were read
        self._newest: dict[str, float | None] = {}
        self._stamp: object = None  # what tells the metrics from those that were read

    def look(self) -> Found:
        """Read what came since the last look. What cannot be read now is as it was."""
        self._read_config()
        points = None
        if (stamp := self._stamp_of_metrics()) != self._stamp:
            with contextlib.suppress(sqlite3.Error, OSError):  # half copied, or just replaced: the next look will tell
                points = self._read_metrics()
                self._stamp = stamp
        replays = replays_in(self.path / REPLAYS) | replays_in(self.recorded)
        return Found(self._news(), points, replays, "" if replays else self._awaited())

    @property
    def town(self) -> bool:
        """Whether the run has a town, in which lives can be recorded."""
        return isinstance(self.task, Level)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What is drawn of the run's metrics."""
        score, known = self.task.score, self.task.yardsticks
        both = (Series(label="exploring", metric=score.rollout), Series(label="greedy", metric=f"eval/{score.key}"))
        return (
            Picture(title=score.word, series=both, lines=known, most=score.limit),
            Picture(title="memory gap", series=(Series(label="greedy", metric=GAP),), lines={"none": 0.0}, most=None),
            Picture(title="TD error", series=(Series(label="of updates", metric=ERROR),), lines={}, most=None),
        )

    def _read_config(self) -> None:
        """Read the task again where a resumed run has written another."""
        path = self.path / "config.yaml"
        if (written := _stamp(path)) != self._written:
            with contextlib.suppress(ConfigError):
                self.task = load_task(path)
            self._written = written

    def _stamp_of_metrics(self) -> object:
        path = self.path / "metrics.sqlite"
        return _stamp(path), _stamp(path.with_name(f"{path.name}-wal"))

    def _read_metrics(self) -> PointsNews | None:
        names = [PACE, *(series.metric for picture in self.pictures for series in picture.series)]
        with contextlib.closing(MetricsStore(self.path / "metrics.sqlite", read_only=True)) as store:
            rows = {name: store.points_after(name, self._last[name][0] - 1 if name in self._last else -1)
                    for name in names}  # fmt: skip
            anew = any(rows[name][:1] != [last] for name, last in self._last.items())
            if anew:  # a resumed run has dropped what was newer than its checkpoint
                self._last.clear()
                rows = {name: store.points_after(name, -1) for name in names}
            self._newest = {name: value for _, prefix, _ in GROUPS for name, value in store.newest(prefix).items()}
        came = {name: found[name in self._last :] for name, found in rows.items()}
        self._last |= {name: found[-1] for name, found in rows.items() if found}
        points: dict[str, list[Point]] = {
            name: [(step, value) for step, value, _ in found] for name, found in came.items() if found and name != PACE
        }
        return PointsNews(anew=anew, points=points) if points or anew else None

    def _news(self) -> RunNews:
        task, (recorded, rate, elapsed) = self.task, self._last.get(PACE, (0, None, 0.0))
        step = max([recorded, *steps_saved(self.path)])
        state, said = self._state(step)
        return RunNews(
            name=self.path.resolve().name,
            level=f"{task.id} {task.title}",
            description=task.description,
            agents=task.training.num_agents,
            seed=task.training.seed,
            total_steps=task.training.total_steps,
            state=state,
            said=said,
            step=step,
            elapsed=elapsed,
            steps_per_second=rate,
            pictures=self.pictures,
            groups=self._groups(),
        )

    def _state(self, step: int) -> tuple[State, str]:
        total = self.task.training.total_steps
        if step >= total:
            return "over", f"The training is over, after {step:,} steps."
        if not goes_on(self.path):
            return "stopped", f"The training does not go on: it was stopped after {step:,} of {total:,} steps."
        if not step:
            return "waiting", "The training is about to begin."
        return "training", f"The training goes on: {step:,} of {total:,} steps."

    def _awaited(self) -> str:
        if not self.town:
            return NO_TOWN
        if steps_saved(self.path):
            return "Lives of the newest agent are being recorded."
        return (
            f"Agents are shown once the first is saved, after about {first_checkpoint(self.task, self.path):,} steps."
        )

    def _groups(self) -> tuple[Group, ...]:
        groups = []
        for title, prefix, suffix in GROUPS:
            rows = {
                name.removeprefix(prefix).removesuffix(suffix).replace("_", " "): value
                for name, value in self._newest.items()
                if name.startswith(prefix)
            }
            groups += [Group(title=title, rows=rows)] if rows else []
        return tuple(groups)


def goes_on(run: Path) -> bool:
    """Return whether the process that holds a run is there, or has written something lately."""
    written = max(_modified(run / name) for name in ("train.log", "metrics.sqlite", "metrics.sqlite-wal"))
    return time.time() - written < SECONDS_OF_SILENCE or is_there(run / HOLDER)


def first_checkpoint(task: Task, run: Path) -> int:
    """Return after how many steps a run saves its first checkpoint."""
    every = (read_meta(run) or {}).get("checkpoint_every")
    paced = steps_between_checkpoints(task, every if type(every) is int and every > 0 else None)
    return min(paced, task.evaluation.every, task.training.total_steps)


def replays_in(folder: Path) -> dict[str, Path]:
    """Return the replays that lie in a folder, by name; none that a link leads to."""
    with contextlib.suppress(OSError):
        entries = [entry for entry in os.scandir(folder) if _REPLAY.fullmatch(entry.name)]
        return {entry.name: Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)}
    return {}


def recordings(names: Iterable[str]) -> tuple[Recording, ...]:
    """Return what a page is told of replays that have these names: in the order of their agents' steps."""
    found = [(int(named[1]), name) for name in names if (named := _REPLAY.fullmatch(name))]
    return tuple(Recording(path=f"replays/{name}", step=step) for step, name in sorted(found))


def steps_saved(run: Path) -> list[int]:
    """Return the steps of a run's checkpoints, in order; none where they cannot be listed."""
    with contextlib.suppress(OSError):
        return steps_in(run / "checkpoints")
    return []


def is_there(holder: Path) -> bool:
    """Whether the process is there whose number a run's holder file says; not where that cannot be asked."""
    if os.name == "nt":  # where to ask is to end it
        return False
    try:
        os.kill(int(holder.read_text()[:32]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What tells a file's content from that of another time."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
