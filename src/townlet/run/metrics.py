"""The numbers of a run: an SQLite file that other processes can read while training writes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_BUSY_TIMEOUT = 1.0  # seconds that a write waits for another writer; readers never block it (WAL)
_PENDING_LIMIT = 10_000  # records that wait for a disk that has no room

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scalars (
    name TEXT NOT NULL, step INTEGER NOT NULL, value REAL, elapsed REAL, PRIMARY KEY (name, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evaluations (step INTEGER PRIMARY KEY, elapsed REAL, result TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, elapsed REAL, kind TEXT NOT NULL, text TEXT NOT NULL);
"""


class Scored(NamedTuple):
    """What an evaluation came to, at a step and after so many seconds of training."""

    step: int
    elapsed: float
    score: float


class MetricsStore:
    """Keep a run's records in one SQLite file, one table a kind of record.

    Steps are environment steps summed over agents; `elapsed` is seconds of training. A second record of the same name
    and step replaces the first. NaN and infinity are kept as NULL. Methods raise sqlite3.Error or OSError.

    A damaged file is moved aside and a new one begun; `damaged` is then the path of the old one, else None. With
    `read_only`, for other processes, nothing is created, moved or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.damaged: Path | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None  # that is read in place of the file
        if read_only:
            self._open_to_read()
            return
        try:
            self._connection = _open_database(self.path)
        except sqlite3.OperationalError:  # locked, no room, not allowed: the file itself may be well
            raise
        except sqlite3.DatabaseError:
            self.damaged = _move_aside(self.path)
            self._connection = _open_database(self.path)

    def write_scalars(self, step: int, values: Mapping[str, float], elapsed: float) -> None:
        """Write named numbers of one step, all or none of them."""
        with self._connection:
            self._insert_scalars(step, values, elapsed)

    def write_evaluation(self, step: int, result: Mapping[str, Any], elapsed: float) -> None:
        """Write one evaluation's result; its numbers also become scalars named eval/<key>."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?)", (step, elapsed, json.dumps(plain(result)))
            )
            self._insert_scalars(step, evaluation_scalars(result), elapsed)

    def write_event(self, step: int, kind: str, text: str, elapsed: float) -> None:
        """Write that something happened: a resume, a stage of the curriculum, a warning."""
        with self._connection:
            self._connection.execute(
                "INSERT INTO events (step, elapsed, kind, text) VALUES (?, ?, ?, ?)", (step, elapsed, kind, text)
            )

    def scalars(self, name: str) -> list[tuple[int, float]]:
        """Return (step, value) in order of steps; NaN where there was no finite value."""
        rows = self._connection.execute("SELECT step, value FROM scalars WHERE name = ? ORDER BY step", (name,))
        return [(step, math.nan if value is None else value) for step, value in rows]

    def points_after(self, name: str, step: int) -> list[tuple[int, float | None, float]]:
        """Return (step, value, elapsed) of those newer than `step`, in order; None where there was no finite value."""
        query = "SELECT step, value, elapsed FROM scalars WHERE name = ? AND step > ? ORDER BY step"
        return self._connection.execute(query, (name, step)).fetchall()

    def newest(self, prefix: str) -> dict[str, float | None]:
        """Return the newest value of each scalar whose name begins with `prefix`; None where it was not finite."""
        query = "SELECT name, value, max(step) FROM scalars WHERE name >= ? AND name < ? GROUP BY name"
        rows = self._connection.execute(query, (prefix, f"{prefix}\U0010ffff"))
        return {name: value for name, value, _ in rows}

    def names(self) -> list[str]:
        """Return the names of all scalars, sorted."""
        return [name for (name,) in self._connection.execute("SELECT DISTINCT name FROM scalars ORDER BY name")]

    def evaluations(self) -> list[dict[str, Any]]:
        """Return each evaluation's result with its `step` and `elapsed`, in order of steps."""
        rows = self._connection.execute("SELECT step, elapsed, result FROM evaluations ORDER BY step")
        return [{**json.loads(result), "step": step, "elapsed": elapsed} for step, elapsed, result in rows]

    def scores(self, key: str) -> list[Scored]:
        """Return one number of each evaluation, in order of steps; NaN where there was no finite value."""
        found = [(one["step"], one["elapsed"], one[key]) for one in self.evaluations()]
        return [Scored(step, elapsed, math.nan if value is None else value) for step, elapsed, value in found]

    def events(self) -> list[dict[str, Any]]:
        """Return `step`, `elapsed`, `kind` and `text` of each event, in the order of writing."""
        rows = self._connection.execute("SELECT step, elapsed, kind, text FROM events ORDER BY id")
        return [dict(zip(("step", "elapsed", "kind", "text"), row, strict=True)) for row in rows]

    def elapsed(self) -> float:
        """Return the seconds of training until the newest record; 0 where there is none."""
        (seconds,) = self._connection.execute("SELECT MAX(elapsed) FROM scalars").fetchone()
        return float(seconds or 0.0)

    def rewind(self, step: int) -> None:
        """Drop all records newer than `step`: a resumed run writes them again."""
        with self._connection:
            for table in ("scalars", "evaluations", "events"):
                self._connection.execute(f"DELETE FROM {table} WHERE step > ?", (step,))

    def close(self) -> None:
        """Close the file; its write-ahead log is folded into it."""
        self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _open_to_read(self) -> None:
        """SQLite keeps a file beside one with a write-ahead log even to read it: a folder may not be writable."""
        path, mode, log = self.path.absolute(), "mode=ro", self.path.with_name(f"{self.path.name}-wal")
        if not os.access(path.parent, os.W_OK):
            if log.is_file() and log.stat().st_size:  # of a run that is going on, or was killed
                self._copy = tempfile.TemporaryDirectory(prefix="townlet-")
                path = Path(shutil.copy(path, self._copy.name))
                shutil.copy(log, self._copy.name)
            else:
                mode = "immutable=1"
        self._connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=_BUSY_TIMEOUT)

    def _insert_scalars(self, step: int, values: Mapping[str, float], elapsed: float) -> None:
        rows = [(name, step, _finite(value), elapsed) for name, value in values.items()]
        self._connection.executemany("INSERT OR REPLACE INTO scalars VALUES (?, ?, ?, ?)", rows)


class MetricsWriter:
    """Write a run's metrics to its store; never stop the training.

    A write that fails is reported once through `report`, until one succeeds again. Records that the store did not
    take wait, up to a limit, and are written in order by the next call. `resume_step` is the step of the checkpoint
    that training goes on from: records newer than that are dropped. `outlook` says how a line of what failed ends.
    """

    def __init__(
        self,
        path: Path,
        *,
        report: Callable[[str], None],
        outlook: Callable[[], str] = str,
        resume_step: int | None = None,
    ) -> None:
        self._path = Path(path)
        self._report, self._outlook = report, outlook
        self._store: MetricsStore | None = None
        self._store_failed = False
        self._pending: deque[Callable[[MetricsStore], None]] = deque(maxlen=_PENDING_LIMIT)
        if resume_step is not None:
            self._pending.append(lambda store: store.rewind(resume_step))
        self._flush_store()

    def write_scalars(self, step: int, values: Mapping[str, float], elapsed: float) -> None:
        """Write named numbers of one step."""
        step, elapsed, values = int(step), float(elapsed), {name: float(value) for name, value in values.items()}
        self._pending.append(lambda store: store.write_scalars(step, values, elapsed))
        self._flush_store()

    def write_evaluation(self, step: int, result: Mapping[str, Any], elapsed: float) -> None:
        """Write one evaluation's result."""
        step, elapsed, result = int(step), float(elapsed), plain(result)
        self._pending.append(lambda store: store.write_evaluation(step, result, elapsed))
        self._flush_store()

    def write_event(self, step: int, kind: str, text: str, elapsed: float) -> None:
        """Write that something happened."""
        step, elapsed = int(step), float(elapsed)
        self._pending.append(lambda store: store.write_event(step, kind, text, elapsed))
        self._flush_store()

    def close(self) -> bool:
        """Write what waits, as far as the disk allows, and close the file; returns whether it has it all."""
        self._flush_store()
        self._close_store()
        return not self._pending

    def _close_store(self) -> None:
        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()
        self._store = None

    def _flush_store(self) -> None:
        try:
            if self._store is not None and not self._path.exists():  # SQLite goes on writing where nobody finds it
                self._close_store()
                self._report(f"{self._path} was deleted or moved away: a new file is begun")
            if self._store is None:
                self._store = MetricsStore(self._path)
                if self._store.damaged:
                    self._report(f"damaged metrics moved to {self._store.damaged}; a new file is begun")
            while self._pending:
                self._pending[0](self._store)
                self._pending.popleft()
            self._store_failed = False
        except (sqlite3.Error, OSError) as error:
            self._close_store()  # opened anew by the next write, which notices a file that was damaged
            if not self._store_failed:
                self._report(f"cannot write metrics to {self._path}: {error}{self._outlook()}")
            self._store_failed = True


def evaluation_scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an evaluation's result, named eval/<key>."""
    return {
        f"eval/{key}": float(value)
        for key, value in result.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _open_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _move_aside(path: Path) -> Path:
    """Rename a damaged file and its log to the first free .damaged-N, and return the new name."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
    return target


def plain(value: Any) -> Any:
    """Return `value` as JSON knows it: numbers of any library as floats, and None for those that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return _finite(value)


def _finite(value: float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
