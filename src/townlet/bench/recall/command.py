"""`python -m townlet.bench recall`: what each kind of memory learns to hold, by four questions with known answers."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from townlet.bench.memory.results import Results, ResultsError
from townlet.bench.recall.pupils import Plan, Trial, run_trial
from townlet.bench.recall.questions import QUESTIONS
from townlet.bench.recall.report import CAPTION, Found, draw, markdown, rows_of
from townlet.level.file import configs_directory, load
from townlet.screen.command_line import DONE, FAILED, Parser, aside, positive, some_of, tells_errors


def make_parser(plan: Plan) -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet bench recall", description="Ask what each kind of memory learns to hold.")
    parser.add_argument(
        "--questions", type=some_of(QUESTIONS), default=list(QUESTIONS), metavar="A,B",
        help=f"some of {', '.join(QUESTIONS)} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--memories", type=some_of(plan.pupils), default=list(plan.pupils), metavar="A,B",
        help=f"some of {', '.join(plan.pupils)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--seeds", type=positive, default=3, help="of each (default: 3)")
    parser.add_argument("--updates", type=positive, help=f"of each pupil (default: {plan.schooling.updates:,})")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/bench/recall.json"), metavar="FILE",
        help="results are kept here as they come, and what is there is not run again (default: runs/bench/recall.json)",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="the picture (default: beside the results)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    return parser


@tells_errors("townlet bench recall", ResultsError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    plan = load(Plan, configs_directory() / "recall.yaml")
    options = make_parser(plan).parse_args(arguments)
    results = Results(options.json)
    trials = _trials(plan, options)
    try:
        _run([trial for trial in trials if not results.has(trial)], results)
    except KeyboardInterrupt:
        aside(f"stopped; what is done is in {options.json}, and the same command goes on")
        return FAILED
    _tell(_grouped(trials, results), options)
    return DONE


def _trials(plan: Plan, options: argparse.Namespace) -> list[Trial]:
    schooling = plan.schooling.model_copy(update={"updates": options.updates or plan.schooling.updates})
    return [
        Trial(name, question, seed, plan.network_of(name), schooling)
        for seed in range(options.seeds)
        for question in options.questions
        for name in options.memories
    ]


def _run(trials: Sequence[Trial], results: Results) -> None:
    """Run and keep trials, and show how they stand."""
    with Progress(console=Console(stderr=True), disable=not trials) as progress:
        task = progress.add_task("teaching", total=len(trials))
        for trial in trials:
            progress.update(task, description=trial.key)
            results.keep(trial, run_trial(trial))
            progress.advance(task)


def _grouped(trials: Sequence[Trial], results: Results) -> Found:
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for trial in trials:
        found.setdefault(trial.question, {}).setdefault(trial.name, []).append(results.records[trial.key])
    return found


def _tell(found: Found, options: argparse.Namespace) -> None:
    """Show tables, draw the picture, and write the page where one is wanted. Raises OSError."""
    console = Console()
    for name, pupils in found.items():
        question, (head, *rows) = QUESTIONS[name], rows_of(pupils)
        table = Table(*head, title=f"{question.title} By {question.axis}", title_justify="left", box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(CAPTION)
    picture = options.plot or options.json.with_suffix(".png")
    draw(found, picture)
    console.print(f"written: {picture}", soft_wrap=True)
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(markdown(found))
