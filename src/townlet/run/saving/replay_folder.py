"""The folder that a run's replays lie in: their names, what they say, and which of them stay."""

import contextlib
import re
from pathlib import Path

_OWN = re.compile(r"step_(\d{9,})(?:_stage-(\d+))?\.replay", re.ASCII)  # other recordings have other names
_EVALUATED = re.compile(r"step_(\d{9,})\.json", re.ASCII)
_LEFTOVER = re.compile(r"\.step_\d{9,}(_stage-\d+)?\.replay\.tmp", re.ASCII)


def last_stage(folder: Path) -> int:
    """Return the highest stage that the replays of a folder are of; 0 without any. A resumed run knows it by that."""
    with contextlib.suppress(OSError):  # who writes into it tells of a folder that cannot be read
        return max((int(named[2] or 0) for named in _own(folder)), default=0)
    return 0


def last_evaluation(folder: Path, step: int) -> int:
    """Return at which step the evaluation before that of `step` was, by the files of a folder; 0 without any.

    Evaluations are unevenly apart, for steps come as many at once as agents live, and a resumed run knows only files.
    """
    with contextlib.suppress(OSError):
        found = (_EVALUATED.fullmatch(path.name) for path in folder.iterdir())
        return max((at for named in found if named and (at := int(named[1])) < step), default=0)
    return 0


def prune(folder: Path, keep: int) -> None:
    """Remove all replays of the run's own but the newest `keep`, and what a process left that was killed."""
    newest_first = sorted(_own(folder), key=lambda named: int(named[1]), reverse=True)
    for named in newest_first[keep:]:
        (folder / named[0]).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _own(folder: Path) -> list[re.Match[str]]:
    """The names of the replays that a run wrote by its level's rule."""
    if not folder.is_dir():
        return []
    return [named for path in folder.iterdir() if (named := _OWN.fullmatch(path.name))]
