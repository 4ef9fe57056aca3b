"""`townlet compare`: several runs beside each other, in a picture, or on a page."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from townlet.bench.statistics import bootstrap_interval
from townlet.config import Score, Task, load_task
from townlet.run.curves import draw_comparison
from townlet.run.metrics import MetricsStore
from townlet.run.report.comparison import Shown, comparison
from townlet.run.report.record import read_record
from townlet.run.run_directory import RunError, resolve_run, write_atomically
from townlet.screen.command_line import DONE, Parser, aside, labelled, named_path, one_of, tells_errors

AXES = ("steps", "seconds")


@tells_errors("townlet compare", RunError, sqlite3.Error)
def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the greedy survival, or return, of several runs into one picture, and where it is asked for a page."""
    options = make_parser().parse_args(arguments)
    stores: dict[str, list[MetricsStore]] = {}
    runs: dict[str, list[tuple[Task, Path]]] = {}
    with ExitStack() as opened:
        for label, reference in options.runs:
            run = resolve_run(reference, options.runs_dir, aside)
            runs.setdefault(label or run.name, []).append((load_task(run / "config.yaml"), run))
            store = MetricsStore(run / "metrics.sqlite", read_only=True)
            opened.callback(store.close)
            stores.setdefault(label or run.name, []).append(store)
        tasks = [task for group in runs.values() for task, _ in group]
        score, known, title = _common_score(tasks), _common_yardsticks(tasks), options.title or _title(tasks)
        out = options.out or next(run for group in runs.values() for _, run in group) / "comparison.png"
        draw_comparison(stores, out, by=options.by, title=title, yardsticks=known, score=score)
        Console().print(_last_scores(stores, score))
    if options.html:
        groups = {label: [read_record(*one) for one in group] for label, group in runs.items()}
        shown = Shown(title, options.by, known, score, bootstrap_interval)
        write_atomically(options.html, comparison(groups, options.html.parent, shown))
    print(f"drawn into {out}" + (f", and as a page into {options.html}" if options.html else ""))
    return DONE


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet compare", description="Draw the greedy survival of several runs.")
    parser.add_argument(
        "runs", nargs="+", type=labelled, metavar="LABEL=RUN", help="a run; runs of one label are seeds of one thing"
    )
    parser.add_argument(
        "--out", type=named_path, metavar="FILE", help="the picture (default: comparison.png in the first run's folder)"
    )
    parser.add_argument("--html", type=named_path, metavar="FILE", help="write them as a page too, one file")
    parser.add_argument("--title", default="", help="its title")
    parser.add_argument(
        "--by", nargs="+", type=one_of(*AXES), default=[*AXES], metavar="AXIS", help="against steps, seconds or both"
    )
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


def _title(tasks: Sequence[Task]) -> str:
    first, ids = tasks[0], list(dict.fromkeys(task.id for task in tasks))
    return f"Level {first.id}, {first.title}" if len(ids) == 1 else f"Levels {', '.join(ids)}"


def _common_yardsticks(tasks: Sequence[Task]) -> dict[str, float]:
    """Return those known scores that all tasks have alike."""
    return {
        name: value
        for name, value in tasks[0].yardsticks.items()
        if all((name, value) in task.yardsticks.items() for task in tasks)
    }


def _common_score(tasks: Sequence[Task]) -> Score:
    """Return the score of all tasks, with the limit where it is the same. Raises RunError where one has another."""
    first = tasks[0].score
    for task in tasks:
        if task.score.word != first.word:
            expected = f"runs told by {first.word}, as those of level {tasks[0].id}"
            raise RunError(f"expected {expected}, got one of level {task.id}, told by {task.score.word}")
    return first if all(task.score.limit == first.limit for task in tasks) else first._replace(limit=None)


def _last_scores(stores: Mapping[str, Sequence[MetricsStore]], score: Score) -> Table:
    """The last evaluation of each label's runs: mean over seeds and its bootstrap interval, steps and minutes."""
    heads = ("runs", "seeds", f"greedy {score.word}", "95% interval", "each seed", "steps", "minutes")
    table = Table(*heads, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for label, runs in stores.items():
        last = [found[-1] for run in runs if (found := run.scores(score.key))]
        if not last:
            continue
        scores = [one.score for one in last]
        mean, low, high = bootstrap_interval(scores)
        each = " ".join(f"{one:.4g}" for one in scores)
        minutes = sum(one.elapsed for one in last) / len(last) / 60.0
        steps = f"{max(one.step for one in last):,}"
        interval = f"{low:.4g} to {high:.4g}" if len(last) > 1 else "-"  # one seed says nothing of others
        table.add_row(Text(label), str(len(last)), f"{mean:.4g}", interval, each, steps, f"{minutes:.1f}")
    return table
