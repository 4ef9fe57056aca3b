"""`townlet replay`: record what a trained agent does, step by step, in a file that a page plays back."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from townlet.config import ConfigError, GymTask, Level, Task, load_task
from townlet.environment.types import WorldError
from townlet.evaluate import evaluation_seed, find_checkpoint, find_run, load_world, trained_network
from townlet.page.recorder import Wanted
from townlet.page.replay import ReplayError, unpack
from townlet.run.run_directory import RunError, write_atomically
from townlet.run.saving.checkpoint import Checkpoint, CheckpointError
from townlet.run.saving.replays import REPLAYS, SUFFIX, origin_of, record_greedy
from townlet.screen.command_line import (
    DONE,
    FAILED,
    WRONG_USE,
    Parser,
    cannot_write,
    device_named,
    named,
    named_path,
    positive,
    setting,
    whole,
)


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="townlet replay", description="Record greedy lives on maps that training never saw, for a page to play."
    )
    parser.add_argument(
        "run", type=named, metavar="RUN", help="a run's folder or name, latest, or a checkpoint's own folder"
    )
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument(
        "--level", type=named, help="another level to play in: an id, a name or a file (default: the run's own)"
    )
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level's world"
    )
    parser.add_argument("--agents", type=positive, default=16, help="how many lives (default: 16)")
    parser.add_argument("--steps", type=positive, default=500, help="of each life at most (default: 500)")
    parser.add_argument(
        "--seed", type=whole, help="which maps and starts (default: those of the run's own evaluations)"
    )
    parser.add_argument(
        "--weights",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the network's weights too, with which a page can go on from any step (default: yes)",
    )
    parser.add_argument(
        "--memory-every", type=positive, metavar="N", help="the memory of every N-th frame (default: by its size)"
    )
    parser.add_argument("--out", type=named_path, metavar="FILE", help="write it there (default: the run's replays)")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    try:
        run, checkpoint = _find_run(options)
        learned = _level(load_task(run / "config.yaml"))
        world = _level(load_world(learned, options.level or run / "config.yaml", dict(options.set)))
        world = world.model_copy(update={"network": learned.network})  # what plays is the network that learned
        found = find_checkpoint(run, learned, checkpoint)
        packed = _record(options, run, learned, world, found)
        path = options.out or run / REPLAYS / _file_name(options, learned, world, found)
        if options.out is None:
            path.parent.mkdir(exist_ok=True)
        write_atomically(path, packed)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (RunError, CheckpointError, WorldError, ReplayError) as error:
        print(f"townlet replay: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        return cannot_write("townlet replay", error)
    print(f"{path}: {describe(packed)}")
    return DONE


def describe(packed: bytes) -> str:
    """Say in one line what a replay's file holds."""
    one = unpack(packed)
    lengths, facts = [life.length for life in one.lives], one.header
    died = sum(life.ended == "death" for life in one.lives)
    holds = [name for name, there in (("memory", facts.memory), ("weights", facts.weights)) if there]
    return (
        f"{len(packed) / 1000:,.0f} KB, {len(lengths)} lives in level {facts.level.id} by {facts.origin.checkpoint}, "
        f"{sum(lengths) / len(lengths):.1f} steps on average and {facts.steps} at most, {died} ended by death"
        + (f"; with {' and '.join(holds)}" if holds else "")
    )


def _find_run(options: Namespace) -> tuple[Path, str]:
    """The run's folder, and the name of its checkpoint. Raises ConfigError where one is named twice, and RunError."""
    run, itself = find_run(options.run, options.runs_dir)
    if itself and options.checkpoint is not None:
        wrong = f"--checkpoint: expected none beside a checkpoint's own folder, got {options.checkpoint}"
        raise ConfigError([wrong])
    return run, itself or options.checkpoint or "latest"


def _level(task: Task) -> Level:
    if isinstance(task, GymTask):
        raise ConfigError([f"replay: expected a level of the town, got a task of Gymnasium ({task.gym})"])
    assert isinstance(task, Level)
    return task


def _record(options: Namespace, run: Path, learned: Level, world: Level, found: Checkpoint) -> bytes:
    seed = evaluation_seed(learned) if options.seed is None else options.seed
    network = trained_network(learned, found, options.device)
    wanted = Wanted(range(options.agents), options.steps, options.weights, options.memory_every)
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        progress.add_task(f"playing and recording {options.agents} lives", total=None)
        return record_greedy(world, network, wanted, origin_of(run, learned, world, found, seed), options.device)


def _file_name(options: Namespace, learned: Level, world: Level, found: Checkpoint) -> str:
    """A name that says what was asked for, so that other recordings lie beside it."""
    parts = [found.path.name, f"{options.agents}x{options.steps}"]
    parts += [f"level-{world.id}"] if world.id != learned.id else []
    parts += [f"seed-{options.seed}"] if options.seed is not None else []
    parts += [] if options.weights else ["no-weights"]
    parts += [f"memory-every-{options.memory_every}"] if options.memory_every is not None else []
    parts += [f"{key}-{value}".replace("/", "-") for key, value in options.set]
    return "_".join(parts)[:200] + SUFFIX
