"""`townlet`: one command with a word for each of the others."""

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import gymnasium
from rich.console import Console
from rich.table import Table
from rich.text import Text

from townlet import evaluate, novelty, train, transfer
from townlet.bench import __main__ as bench
from townlet.bench.statistics import bootstrap_interval
from townlet.command_line import (
    DONE,
    FAILED,
    WRONG_USE,
    Parser,
    cannot_write,
    labelled,
    positive,
    run_word,
    setting,
    whole,
)
from townlet.config import ConfigError, Level, Score, Task, load_level, load_task
from townlet.environment.vector_checker import VectorEnvError, check_vector_env
from townlet.level_file import shipped_levels
from townlet.level_picture import level_picture, levels_table, summary
from townlet.level_schema import schema_text
from townlet.training.curves import draw_comparison
from townlet.training.metrics import MetricsStore
from townlet.training.run_directory import RunError, resolve_run

USAGE = """usage: townlet COMMAND ...

  train      train a population in a level
  evaluate   play greedy episodes with a trained agent on unseen maps
  transfer   play trained agents in other levels, all in one table
  novelty    draw how new each cell of a town is to a curious agent
  compare    draw the greedy survival of several runs into one picture
  levels     list the shipped levels, or draw one
  validate   check level files
  schema     print the JSON Schema of level files, for editors
  check-env  check a vector environment of Gymnasium, by its id
  bench      benchmarks, as python -m townlet.bench

townlet COMMAND --help says more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {
        "train": train.main,
        "evaluate": evaluate.main,
        "transfer": transfer.main,
        "novelty": novelty.main,
        "compare": compare,
        "levels": levels,
        "validate": validate,
        "schema": schema,
        "check-env": check_env,
        "bench": bench.main,
    }
    try:
        return run_word(words, commands, USAGE, "townlet", "townlet --help")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"townlet {words[0]}: stopped", file=sys.stderr)
        return FAILED


def compare(arguments: Sequence[str]) -> int:
    """Draw the greedy survival, or return, of several runs into one picture."""
    parser = Parser(prog="townlet compare", description="Draw the greedy survival of several runs.")
    parser.add_argument(
        "runs", nargs="+", type=labelled, metavar="LABEL=RUN", help="a run; runs of one label are seeds of one thing"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.png"), help="the picture (default: comparison.png)"
    )
    parser.add_argument("--title", default="", help="its title")
    parser.add_argument(
        "--by", nargs="+", choices=("steps", "seconds"), default=["steps", "seconds"], help="against what"
    )
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    stores: dict[str, list[MetricsStore]] = {}
    tasks: list[Task] = []
    try:
        with ExitStack() as opened:
            for label, reference in options.runs:
                run = resolve_run(reference, options.runs_dir)
                tasks.append(load_task(run / "config.yaml"))
                store = MetricsStore(run / "metrics.sqlite", read_only=True)
                opened.callback(store.close)
                stores.setdefault(label or run.name, []).append(store)
            score = _common_score(tasks)
            first, ids = tasks[0], list(dict.fromkeys(task.id for task in tasks))
            title = f"Level {first.id}, {first.name}" if len(ids) == 1 else f"Levels {', '.join(ids)}"
            known = dict(
                item for item in first.yardsticks.items() if all(item in task.yardsticks.items() for task in tasks)
            )
            draw_comparison(
                stores, options.out, by=options.by, title=options.title or title, yardsticks=known, score=score
            )
            Console().print(_last_scores(stores, score))
    except (RunError, sqlite3.Error) as error:
        print(f"townlet compare: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        return cannot_write("townlet compare", error)
    print(f"drawn into {options.out}")
    return DONE


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
        last = [run.evaluations()[-1] for run in runs if run.evaluations()]
        if not last:
            continue
        scores = [float(one[score.key]) for one in last]
        mean, low, high = bootstrap_interval(scores)
        each = " ".join(f"{one:.4g}" for one in scores)
        minutes = sum(one["elapsed"] for one in last) / len(last) / 60.0
        steps = f"{max(one['step'] for one in last):,}"
        interval = f"{low:.4g} to {high:.4g}" if len(last) > 1 else "-"  # one seed says nothing of others
        table.add_row(Text(label), str(len(last)), f"{mean:.4g}", interval, each, steps, f"{minutes:.1f}")
    return table


def levels(arguments: Sequence[str]) -> int:
    """List the shipped levels, or draw one."""
    parser = Parser(prog="townlet levels", description="List the shipped levels, or draw one level.")
    parser.add_argument("level", nargs="?", help="a level's id, name or file, to draw it (default: list all)")
    parser.add_argument("--map", type=whole, default=0, metavar="N", help="which of its maps (default: 0)")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of it")
    options = parser.parse_args(arguments)
    if options.level is None:
        if options.map or options.set:
            parser.error("--map and --set: expected a level to draw, got none")
        Console().print(levels_table(load_level(path) for path in shipped_levels().values()))
        return DONE
    level = load_level(options.level, dict(options.set))
    try:
        picture = level_picture(level, options.map)
    except ValueError as error:
        parser.error(f"--map: {error}")
    Console().print(picture)
    return DONE


def validate(arguments: Sequence[str]) -> int:
    """Check level files; one line for each error."""
    parser = Parser(prog="townlet validate", description="Check level files.")
    parser.add_argument("level", nargs="+", help="a level's id, name or file")
    wrong = False
    for reference in parser.parse_args(arguments).level:
        try:
            task = load_task(reference)
            about = summary(task) if isinstance(task, Level) else f"Gymnasium's {task.gym}"
            print(f"{reference}: level {task.id}, {task.name}, is right: {about}")
        except ConfigError as error:
            wrong = True
            print(error, file=sys.stderr)
    return WRONG_USE if wrong else DONE


def schema(arguments: Sequence[str]) -> int:
    """Print the JSON Schema of level files, for editors."""
    parser = Parser(prog="townlet schema", description="Print the JSON Schema of level files, for editors.")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there")
    options = parser.parse_args(arguments)
    if options.out is None:
        print(schema_text(), end="")
        return DONE
    try:
        options.out.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        return cannot_write("townlet schema", error)
    print(f"written into {options.out}; a line for each level file: # yaml-language-server: $schema={options.out}")
    return DONE


def check_env(arguments: Sequence[str]) -> int:
    """Check that a vector environment of Gymnasium does what it declares."""
    parser = Parser(prog="townlet check-env", description="Check a vector environment of Gymnasium, ours or another.")
    parser.add_argument("env", metavar="ENV_ID", help="an id, or MODULE:ID where a module registers it")
    parser.add_argument("--num-envs", type=positive, default=4, help="how many sub-environments (default: 4)")
    parser.add_argument("--steps", type=positive, default=1000, help="at most so many steps (default: 1000)")
    options = parser.parse_args(arguments)
    try:
        env = gymnasium.make_vec(options.env, num_envs=options.num_envs)
    except Exception as error:  # a module or an environment of a stranger may raise anything
        reason = " ".join(str(error).split())
        parser.error(f"ENV_ID: expected a registered environment, got {options.env!r}: {reason}")
    try:
        check_vector_env(env, steps=options.steps)
    except VectorEnvError as error:
        print(f"{options.env}: {error}", file=sys.stderr)
        return FAILED
    finally:
        env.close()
    print(f"{options.env}: right, with autoreset mode {env.metadata['autoreset_mode'].value}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
