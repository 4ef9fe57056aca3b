"""The folder that a run's checkpoints lie in: their names, what points to them, and which of them stay.

A checkpoint in place is called `step_NNNNNNNNN`, and is whole. While it is written or removed it has a hidden name.
Where the same step is saved again, the former folder waits under a second hidden name until the new one is in place.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from townlet.run.run_directory import write_atomically

LATEST, BEST = "latest.json", "best.json"
_STEP = r"(\d{9}|[1-9]\d{9,})"  # what f"{step:09}" gives
_WHOLE = re.compile(rf"step_{_STEP}", re.ASCII)
_FORMER = re.compile(rf"\.step_{_STEP}\.old", re.ASCII)
_LEFTOVER = re.compile(rf"\.(step_{_STEP}|latest\.json|best\.json)\.tmp", re.ASCII)


def folder_names(directory: Path, step: int) -> tuple[Path, Path, Path]:
    """Return the names of a checkpoint in place, while it is written or removed, and while it is replaced."""
    name = f"step_{step:09}"
    return directory / name, directory / f".{name}.tmp", directory / f".{name}.old"


def step_called(name: str) -> int | None:
    """Return the step that a folder is called by, of a checkpoint in place or of a former one; None for other names."""
    match = _WHOLE.fullmatch(name) or _FORMER.fullmatch(name)
    return int(match[1]) if match else None


def steps_in(directory: Path) -> list[int]:
    """Return the steps of the checkpoints in place, in order. Raises OSError."""
    return sorted(int(match[1]) for entry in _entries(directory) if (match := _WHOLE.fullmatch(entry.name)))


def newest_first(directory: Path) -> list[Path]:
    """Return all checkpoints, the newest first and one in place before its former. Raises OSError."""
    found = []
    for entry in _entries(directory):
        for in_place, pattern in enumerate((_FORMER, _WHOLE)):
            if match := pattern.fullmatch(entry.name):
                found.append((int(match[1]), in_place, entry))
    return [entry for _, _, entry in sorted(found, reverse=True)]


def write_pointers(directory: Path, step: int, scores: Mapping[int, float]) -> int | None:
    """Write latest.json and best.json, and return the best step, of equal scores the earlier. Raises OSError.

    `scores` are those of the steps that have one. The pointers are for people and other programs: the folders decide.
    """
    best = max(scores, key=lambda saved: (scores[saved], -saved), default=None)
    pointers: dict[str, dict[str, object]] = {LATEST: {"checkpoint": f"step_{step:09}", "step": step}}
    if best is not None:
        pointers[BEST] = {"checkpoint": f"step_{best:09}", "step": best, "score": scores[best]}
    for name, content in pointers.items():
        write_atomically(directory / name, json.dumps(content).encode())
    return best


def prune(directory: Path, step: int, keep: int, best: int | None) -> None:
    """Take out of sight what is neither new nor best. Later steps than this one were damaged, and are left alone."""
    for saved in [earlier for earlier in steps_in(directory) if earlier <= step][:-keep]:
        if saved == best:
            continue
        folder, temporary, _ = folder_names(directory, saved)
        os.rename(folder, temporary)  # a crash within the removal then leaves no half checkpoint


def tidy(directory: Path) -> None:
    """Remove what interrupted saves left, and put a former checkpoint back where its successor never arrived."""
    for entry in _entries(directory):
        if match := _FORMER.fullmatch(entry.name):
            target = folder_names(directory, int(match[1]))[0]
            if target.exists():
                _remove(entry)
            else:
                os.rename(entry, target)
        elif _LEFTOVER.fullmatch(entry.name):
            _remove(entry)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []
