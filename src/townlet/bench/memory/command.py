"""`python -m townlet.bench memory`: public tasks of memory, tried by our agents, a control and a peer."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from townlet.bench.memory.plan import Trial, load_plan, trials_of
from townlet.bench.memory.report import comparisons, draw, markdown, table
from townlet.bench.memory.results import Grouped, Results, ResultsError, Together, put_together, summarise
from townlet.bench.memory.trials import Record, Standing, run_side_by_side
from townlet.config import ConfigError
from townlet.environment.make import check_env
from townlet.environment.types import WorldError
from townlet.screen.command_line import DONE, FAILED, Parser, positive, tells_errors


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet bench memory", description="Try public tasks of memory.")
    parser.add_argument(
        "--plan",
        default="memory",
        help="memory, kit (what each part of the learner brings), popgym (twelve tasks by one recipe), t_maze (long "
        "ones), or a YAML file",
    )
    parser.add_argument("--tasks", type=lambda text: text.split(","), metavar="A,B", help="rows (default: all)")
    parser.add_argument("--seeds", type=positive, default=5, help="of each row and agent (default: 5)")
    parser.add_argument(
        "--first-seed",
        type=positive,
        default=100,
        help="the lowest (default: 100; recipes were tuned on 0 to 9)",
    )
    parser.add_argument("--no-peers", action="store_true", help="leave RecurrentPPO out")
    parser.add_argument("--jobs", type=positive, default=2, help="trials at once, a thread each (default: 2)")
    parser.add_argument(
        "--json",
        type=Path,
        default=None,
        metavar="FILE",
        help="results are kept here as they come, and what is there is not run again (default: runs/bench/PLAN.json)",
    )
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="where pictures go (default: beside the results)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--probe", metavar="RUN", help="ask a trained agent's memory instead: --probe RUN --help")
    return parser


@tells_errors("townlet bench memory", ResultsError, WorldError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if any(word.partition("=")[0] == "--probe" for word in words):
        from townlet.bench.probe import command as probe  # nothing else here needs it

        return probe.main(words)
    options = make_parser().parse_args(words)
    options.json = options.json or Path("runs/bench") / f"{Path(options.plan).stem}.json"
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    plan = load_plan(options.plan)
    trials = trials_of(plan, options.tasks, seeds, peers=not options.no_peers)
    results = Results(options.json)
    check_packages(trials)
    console, failed = Console(), 0
    try:
        failed = _run([trial for trial in trials if not results.has(trial)], results, options.jobs, console)
    except KeyboardInterrupt:
        console.print(f"stopped; what is done is in {options.json}, and the same command goes on")
        failed = 1
    if grouped := results.of(trials):
        together = put_together(trials, grouped) if plan.one_scale else []
        folder = options.plot or options.json.parent
        _tell(grouped, together, console, folder, options.markdown)
        console.print(f"results in {results.path}, pictures in {folder}", highlight=False)
    return FAILED if failed else DONE


def check_packages(trials: Sequence[Trial]) -> None:
    """Raise ConfigError, before anything is run, where a task's environment or the peer cannot be made."""
    for task in {trial.row: trial.task for trial in trials}.values():
        check_env(task)
    if any(trial.agent == "peer" for trial in trials):
        try:
            import sb3_contrib  # noqa: F401
        except ImportError as error:
            expected = "expected sb3-contrib, of the extra townlet[bench], or --no-peers"
            raise ConfigError([f"peer: {expected}, got {error}"]) from error


def _run(trials: Sequence[Trial], results: Results, processes: int, console: Console) -> int:
    """Run and keep trials, and show how they stand; returns how many failed."""
    failed = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[score]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not trials) as progress:
        total = progress.add_task("all", total=len(trials), score="")
        budgets, shown = {trial.key: trial.budget for trial in trials}, dict[str, TaskID]()

        def look(news: list[Standing]) -> None:
            for one in news:
                if one.key not in shown:
                    shown[one.key] = progress.add_task(one.key, total=budgets[one.key], score="")
                progress.update(shown[one.key], completed=one.steps, score=f"return {one.score:.2f}")

        for trial, outcome in run_side_by_side(trials, processes, look):
            if trial.key in shown:
                progress.update(shown[trial.key], visible=False)  # its news may still come
            progress.advance(total)
            progress.print(_line(trial, outcome), markup=False, highlight=False, soft_wrap=True)
            if isinstance(outcome, str):
                failed += 1
            else:
                results.keep(trial, outcome)
    return failed


def _line(trial: Trial, outcome: Record | str) -> str:
    if isinstance(outcome, str):
        return f"{trial.key}: failed, {outcome}"
    last, solved = outcome["points"][-1], outcome["solved"]
    if solved is None:
        return f"{trial.key}: return {last['score']:.3f} after {last['steps']:,} steps, {last['seconds']:.1f} s"
    return f"{trial.key}: reached {trial.bar:g} after {solved['steps']:,} steps, {solved['seconds']:.1f} s"


def _tell(grouped: Grouped, together: Sequence[Together], console: Console, folder: Path, page: Path | None) -> None:
    """Show the table, draw a picture of each row, and write the page, where one is wanted."""
    summaries = [summarise(row, agent, records) for (row, agent), records in grouped.items()]
    console.print(table(summaries, together))
    for line in comparisons(summaries):
        console.print(line, highlight=False)
    folder.mkdir(parents=True, exist_ok=True)
    for row in dict.fromkeys(row for row, _ in grouped):
        draw(row, {agent: records for (of, agent), records in grouped.items() if of == row}, folder / f"{row}.png")
    if page is not None:
        page.write_text(markdown(summaries, together))
