"""The folder of one training run: its files, its lock, and what is known about the machine that ran it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import townlet

CONFIG_NAME = "config.yaml"
LADDERS = "ladder"  # the folder of those runs that lie together, one a level


class RunError(Exception):
    """A run folder cannot be made, found, locked or written; the message is one line for the user."""


class RunDirectory:
    """Hold one run folder, and its lock, for as long as this process trains in it.

    Use `create` or `open`, and close it afterwards (or use it as a context manager). The kernel drops the lock when
    the process ends in whatever way, so that a killed run can be resumed at once.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.evaluation = path / "evaluation"
        self.config_path = path / CONFIG_NAME
        self.meta_path = path / "meta.json"
        self.log_path = path / "train.log"
        self.metrics_path = path / "metrics.sqlite"
        self.curves_path = path / "curves.png"
        self._lock: int | None = lock  # file descriptor; None once released

    @classmethod
    def create(cls, runs_dir: Path, level_slug: str, seed: int, run_name: str | None = None) -> RunDirectory:
        """Make and lock the folder runs_dir/level_slug/NAME.

        NAME is `run_name`, which must be free, or the local time and the seed, with a suffix where that is taken.
        Raises RunError for a name that is no plain name or is taken, and where the folder cannot be written.
        """
        parent = Path(runs_dir) / _plain_name(level_slug, "level slug")
        path = make_run_folder(parent, seed, run_name)
        try:
            run = cls(path, _lock(path))
            run.checkpoints.mkdir()
            run.evaluation.mkdir()
            for folder in (path, parent, parent.parent):
                sync_folder(folder)
        except OSError as error:
            raise RunError(f"cannot make a run folder in {parent}: {error.strerror}") from error
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Lock an existing run folder; raises RunError where it is none, or another process holds it."""
        path = Path(path)
        if not is_run(path):
            raise RunError(f"{path} is not a run folder: expected {CONFIG_NAME} in it")
        try:
            return cls(path, _lock(path))
        except OSError as error:
            raise RunError(f"cannot lock run {path}: {error.strerror}") from error

    def write_config(self, text: str) -> None:
        """Write config.yaml, whole or not at all; raises RunError."""
        self._write(self.config_path, text)

    def write_meta(self, facts: Mapping[str, object]) -> None:
        """Write meta.json, whole or not at all; raises RunError."""
        self._write(self.meta_path, json.dumps(facts, indent=2, default=str) + "\n")

    def close(self) -> None:
        """Release the lock; closing twice is harmless."""
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write(self, path: Path, text: str) -> None:
        try:
            write_atomically(path, text.encode())
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
    """Return whether `path` is a run folder: one with a config.yaml."""
    return (path / CONFIG_NAME).is_file()


def resolve_run(reference: str, runs_dir: Path) -> Path:
    """Return the run folder that `reference` means: "latest", a run's name, LEVEL/NAME, or a path.

    The latest run is the one with the most recent checkpoint; runs without one come last. Raises RunError, saying
    which runs exist, where none or several fit.
    """
    runs_dir = Path(runs_dir)
    for path in (Path(reference), runs_dir / reference):
        if reference != "latest" and is_run(path):
            return path
    configs = [*runs_dir.glob(f"*/*/{CONFIG_NAME}"), *runs_dir.glob(f"{LADDERS}/*/*/{CONFIG_NAME}")]
    runs = sorted((config.parent for config in configs), key=_last_used, reverse=True)
    if not runs:
        raise RunError(f"no run {reference!r}: there are no runs in {runs_dir}")
    if reference == "latest":
        return runs[0]
    matches = [run for run in runs if run.name == reference]
    if len(matches) == 1:
        return matches[0]
    names = [str(run.relative_to(runs_dir)) for run in matches or runs]
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    problem = "several runs are named" if matches else "no run"
    raise RunError(f"{problem} {reference!r} in {runs_dir}: there are {listed}")


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
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def describe_machine(**facts: object) -> dict[str, object]:
    """Return what meta.json says: versions, git state, machine, command line and start time (UTC), then `facts`."""
    return {
        "townlet": townlet.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **_git_state(Path(__file__)),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda_devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "command": list(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


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


def _lock(path: Path) -> int:
    """Return a descriptor that holds the folder's lock until it is closed."""
    descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "(unknown)"
        os.close(descriptor)
        raise RunError(f"run {path} is held by process {holder}") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _last_used(run: Path) -> tuple[bool, float]:
    """Sort key: runs with a checkpoint after those without, then by time."""
    saved = [_modified(manifest) for manifest in run.glob("checkpoints/step_*/manifest.json")]
    return bool(saved), max(saved, default=_modified(run / CONFIG_NAME))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed since it was listed: a run in progress prunes its checkpoints
        return 0.0


def _git_state(source: Path) -> dict[str, object]:
    """Return the commit that `source` belongs to, and whether its tree has changes; None for both outside of git."""
    unknown: dict[str, object] = {"git_commit": None, "git_dirty": None}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment).stdout

    try:
        if not git("ls-files", source.name).strip():  # installed into someone else's checkout
            return unknown
        return {"git_commit": git("rev-parse", "HEAD").strip(), "git_dirty": bool(git("status", "--porcelain").strip())}
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return unknown


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
