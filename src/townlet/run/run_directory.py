"""The folder of one training run: its files, and its lock."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from townlet.level.suggestion import suggestion
from townlet.run.meta import META_NAME, id_in, new_id, read_meta

CONFIG_NAME = "config.yaml"
POLICY_NAME = "policy.json"  # beside a config.yaml: the folder is what a run was exported to, and no run
REPORT_NAME = "report.html"
REPLAYS, REPLAY_SUFFIX = "replays", ".replay"  # the folder of recorded lives, and how its files are called
HOLDER = ".holder"  # the file with the number of the process that holds a run
# Where the system locks nothing, the file itself is the lock, and must not be one that was left unlocked elsewhere.
LOCK = ".soft-lock" if issubclass(FileLock, SoftFileLock) else ".lock"
LADDERS = "ladder"  # the folder of those runs that lie together, one a level


class RunError(Exception):
    """A run folder cannot be made, found, locked or written; the message is one line for the user."""


class RunDirectory:
    """Hold one run folder, and its lock, for as long as this process trains in it.

    Use `create` or `open`, and close it afterwards (or use it as a context manager). The system drops the lock when
    the process ends in whatever way, so that a killed run can be resumed at once. `id` is the run's own, by which its
    checkpoints know it: see `meta.id_in` for a run without.
    """

    def __init__(self, path: Path, lock: FileLock, id: str | None) -> None:
        self.path, self.id = path, id
        self.checkpoints = path / "checkpoints"
        self.evaluation = path / "evaluation"
        self.config_path = path / CONFIG_NAME
        self.meta_path = path / META_NAME
        self.log_path = path / "train.log"
        self.metrics_path = path / "metrics.sqlite"
        self.curves_path = path / "curves.png"
        self.report_path = path / REPORT_NAME
        self._lock = lock
        self._place = _place(path)
        self._written: dict[Path, str] = {}  # by this process: what nobody else can write again

    @classmethod
    def create(cls, runs_dir: Path, level_slug: str, seed: int, run_name: str | None = None) -> RunDirectory:
        """Make and lock the folder runs_dir/level_slug/NAME.

        NAME is `run_name`, which must be free, or the local time and the seed, with a suffix where that is taken.
        Raises RunError for a name that is no plain name or is taken, and where the folder cannot be written.
        """
        parent = Path(runs_dir) / _plain_name(level_slug, "level slug")
        path = make_run_folder(parent, seed, run_name)
        try:
            run = cls(path, _lock(path), new_id())
        except OSError as error:
            raise RunError(f"cannot make a run folder in {parent}: {error.strerror}") from error
        try:
            run.checkpoints.mkdir()
            run.evaluation.mkdir()
            for folder in (path, parent, parent.parent):
                sync_folder(folder)
        except OSError as error:
            run.close()
            raise RunError(f"cannot make a run folder in {parent}: {error.strerror}") from error
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Lock an existing run folder; raises RunError where it is none, or another process holds it."""
        path = Path(path)
        if not is_run(path):
            raise RunError(f"{path} is not a run folder: expected {CONFIG_NAME} in it")
        try:
            return cls(path, _lock(path), id_in(read_meta(path)))
        except OSError as error:
            raise RunError(f"cannot lock run {path}: {error.strerror}") from error

    def write_config(self, text: str) -> None:
        """Write config.yaml, whole or not at all; raises RunError."""
        self._write(self.config_path, text)

    def write_meta(self, facts: Mapping[str, object]) -> None:
        """Write `facts` and the run's id into meta.json, whole or not at all; raises RunError.

        A run that has no id gets one.
        """
        self.id = self.id or new_id()
        self._write(self.meta_path, json.dumps({**facts, "run": self.id}, indent=2, default=str) + "\n")

    def note(self, **facts: object) -> None:
        """Change facts of meta.json, or add some; raises RunError."""
        self.write_meta({**(read_meta(self.path) or {}), **facts})

    def gone(self) -> Path | None:
        """Return what the run cannot be without and is no longer there, None where all is in place."""
        if _place(self.path) != self._place:
            return self.path
        return next((path for path in (self.path / LOCK, *self._written) if not path.exists()), None)

    def write_again(self) -> None:
        """Lay the folder anew, lock it and write config.yaml and meta.json.

        Raises RunError where another run's folder lies there now, and where it cannot be made.
        """
        moved = _place(self.path) != self._place
        if moved and is_run(self.path):
            raise RunError(f"{self.path} is the folder of another run now")
        try:
            for folder in (self.checkpoints, self.evaluation):
                folder.mkdir(parents=True, exist_ok=True)
            if moved or not (self.path / LOCK).exists():
                self._lock.release()
                self._lock = _lock(self.path)
        except OSError as error:
            raise RunError(f"cannot make {self.path} again: {error.strerror}") from error
        for path, text in self._written.items():
            self._write(path, text)
        self._place = _place(self.path)

    def close(self) -> None:
        """Release the lock; closing twice is harmless."""
        self._lock.release()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write(self, path: Path, text: str) -> None:
        try:
            write_atomically(path, text.encode())
            self._written[path] = text
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error


def make_run_folder(parent: Path, seed: int, run_name: str | None = None) -> Path:
    """Make the folder parent/NAME: `run_name`, which must be free, or a name made of the local time and the seed.

    Raises RunError for a name that is no plain name or is taken, and where the folder cannot be made.
    """
    if run_name is None:
        stem = f"{datetime.now():%Y%m%d-%H%M%S}_s{seed}"
        names = [stem, *(f"{stem}-{count}" for count in range(2, 1000))]
    else:
        names = [_plain_name(run_name, "run name")]
    try:
        return _make_first_free(parent, names)
    except FileExistsError:
        raise RunError(f"run {parent / names[0]} exists already: choose another name, or resume it") from None
    except OSError as error:
        raise RunError(f"cannot make a run folder in {parent}: {error.strerror}") from error


def is_run(path: Path) -> bool:
    """Return whether `path` is a run folder: one with a config.yaml, and none that a run was exported to."""
    return os.path.isfile(path / CONFIG_NAME) and not is_exported(path)  # for `isfile` no name is too long


def is_exported(path: Path) -> bool:
    """Return whether `path` is a folder that a trained agent was exported to."""
    return os.path.isfile(path / POLICY_NAME)


def runs_in(runs_dir: Path) -> list[Path]:
    """Return all run folders, that with the most recent checkpoint first; runs without one come last."""
    configs = [*runs_dir.glob(f"*/*/{CONFIG_NAME}"), *runs_dir.glob(f"{LADDERS}/*/*/{CONFIG_NAME}")]
    return sorted(filter(is_run, (config.parent for config in configs)), key=_last_used, reverse=True)


def resolve_run(reference: str, runs_dir: Path, tell: Callable[[str], None] | None = None) -> Path:
    """Return the run folder that `reference` means: "latest", a run's name, LEVEL/NAME, or a path.

    The latest run is the first of `runs_in`; `tell` is told which one that is. Raises RunError, saying which runs
    exist, where none or several fit.
    """
    runs_dir = Path(runs_dir)
    for path in (Path(reference), runs_dir / reference):
        if reference != "latest" and is_run(path):
            return path
    runs = runs_in(runs_dir)
    if is_exported(Path(reference)):
        raise RunError(f"{reference}: expected a run, got a policy that one was exported to ({POLICY_NAME} is in it)")
    if not runs:
        raise RunError(f"no run {reference!r}: there are no runs in {runs_dir}")
    if reference == "latest":
        if tell is not None:
            tell(f"latest is {runs[0]}")
        return runs[0]
    matches = [run for run in runs if run.name == reference]
    if len(matches) == 1:
        return matches[0]
    names = [str(run.relative_to(runs_dir)) for run in matches or runs]
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    problem = "several runs are named" if matches else "no run"
    meant = "" if matches else suggestion(reference, ["latest", *(run.name for run in runs), *names])
    raise RunError(f"{problem} {reference!r} in {runs_dir}: there are {listed}{meant}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old content or the new, on the disk.

    Raises OSError, which names `path`.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise OSError(error.errno, error.strerror, str(path)) from error
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it outlives a power cut; raises OSError."""
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain_name(name: str, what: str) -> str:
    readable = name == name.strip() and name.isprintable() and not set(name) & set("/\\")
    if not readable or name.startswith(".") or name in ("", "latest"):
        raise RunError(f"{what} {name!r} is not a plain name: expected no slash, no leading dot, and not 'latest'")
    return name


def _make_first_free(parent: Path, names: list[str]) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for name in names[:-1]:
        with contextlib.suppress(FileExistsError):
            (parent / name).mkdir()
            return parent / name
    (parent / names[-1]).mkdir()
    return parent / names[-1]


def _place(path: Path) -> tuple[int, int] | None:
    """What tells a folder from any other that has its name later; None where there is none."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _lock(path: Path) -> FileLock:
    """Return the folder's lock, which holds until it is released. Raises RunError, and OSError."""
    lock = FileLock(path / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(f"run {path} is held by process {_holder(path)}") from None
    except NotImplementedError as error:  # of a file system without locks
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from error
    try:
        (path / HOLDER).write_text(f"{os.getpid()}\n")
    except OSError:
        lock.release()
        raise
    return lock


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        if (path / HOLDER).is_file():
            return (path / HOLDER).read_text(errors="replace")[:32].strip() or "(unknown)"
    return "(unknown)"


def _last_used(run: Path) -> tuple[bool, float]:
    """Sort key: runs with a checkpoint after those without, then by time."""
    saved = [_modified(manifest) for manifest in run.glob("checkpoints/step_*/manifest.json")]
    return bool(saved), max(saved, default=_modified(run / CONFIG_NAME))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed since it was listed: a run in progress prunes its checkpoints
        return 0.0
