"""`townlet runs`: which runs there are, what they came to, and how much room they take."""

import json
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from townlet.config import ConfigError, load_task
from townlet.run.metrics import MetricsStore, plain
from townlet.run.run_directory import CONFIG_NAME, HOLDER, runs_in
from townlet.run.saving.checkpoint_folder import steps_in
from townlet.screen.command_line import DONE, Parser, named_path
from townlet.screen.facts import format_count
from townlet.watch.folder import is_there


def main(arguments: Sequence[str] | None = None) -> int:
    """List the runs of a folder, the newest first."""
    parser = Parser(prog="townlet runs", description="List runs, the newest first, as latest means it.")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    runs = [about(run, options.runs_dir) for run in runs_in(options.runs_dir)]
    if options.json:
        print(json.dumps(plain(runs), allow_nan=False))
    elif runs:
        Console().print(_table(runs))
    else:
        print(f"there are no runs in {options.runs_dir}", file=sys.stderr)
    return DONE


def about(run: Path, runs_dir: Path) -> dict[str, Any]:
    """Return what is told of a run: steps are those that are saved or evaluated, its score that of the newest agent."""
    told: dict[str, Any] = {"run": run.relative_to(runs_dir).as_posix(), "level": None, "steps": 0, "score": None}
    try:
        task = load_task(run / CONFIG_NAME)
    except ConfigError:
        return told | {"bytes": _size(run), "state": "unreadable"}
    told |= {"level": task.id, "total_steps": task.training.total_steps, "told_by": task.score.word}
    with suppress(OSError):
        told["steps"] = max(steps_in(run / "checkpoints"), default=0)
    with suppress(OSError, sqlite3.Error), closing(MetricsStore(run / "metrics.sqlite", read_only=True)) as store:
        if scores := store.scores(task.score.key):
            told |= {"steps": max(told["steps"], scores[-1].step), "score": scores[-1].score}
    state = "training" if is_there(run / HOLDER) else "stopped"
    return told | {"bytes": _size(run), "state": "over" if told["steps"] >= task.training.total_steps else state}


def _size(run: Path) -> int:
    sizes = []
    for path in run.rglob("*"):
        with suppress(OSError):  # a run in progress removes files
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return sum(sizes)


def _table(runs: Iterable[dict[str, Any]]) -> Table:
    heads: list[Column | str] = [
        Column("run", overflow="fold"), "level", Column("steps", justify="right"),
             Column("greedy", justify="right"), Column("size", justify="right"), "state"]  # fmt: skip
    table = Table(*heads, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for run in runs:
        score = "-" if run["score"] is None else f"{run['score']:.1f}"
        size = f"{run['bytes'] / 1e6:,.1f} MB"
        table.add_row(Text(run["run"]), run["level"] or "-", format_count(run["steps"]), score, size, run["state"])
    return table
