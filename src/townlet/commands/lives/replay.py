"""`townlet replay`: record what a trained agent does, step by step, in a file that a page plays back."""

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from townlet.config import ConfigError, GymTask, Level, Task, load_task
from townlet.environment.types import WorldError
from townlet.evaluate import REFERENCE, evaluation_seed, find_checkpoint, load_world, trained_network
from townlet.page.html import to_html
from townlet.page.recorder import Wanted
from townlet.page.replay import Replay, ReplayError, unpack
from townlet.run.run_directory import REPLAY_SUFFIX, REPLAYS, RunError, write_atomically
from townlet.run.saving.checkpoint import Checkpoint, CheckpointError
from townlet.run.saving.replays import origin_of, record_greedy
from townlet.run.saving.saved import find_run, folder_for
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, positive, setting, tells_errors, whole
from townlet.screen.device import device_named


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="townlet replay", description="Record greedy lives on maps that training never saw, for a page to play."
    )
    parser.add_argument("run", type=named, metavar="RUN", help=REFERENCE)
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
    parser.add_argument(
        "--out",
        type=named_path,
        metavar="FILE",
        help="write it there (default: the run's replays, or beside an export here, or the page alone)",
    )
    parser.add_argument(
        "--html", type=named_path, metavar="FILE", help="write a page that plays it, one file for any browser"
    )
    parser.add_argument(
        "--beside",
        type=named,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="in the page, the lives of another checkpoint on the same maps, side by side; may be repeated",
    )
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors("townlet replay", RunError, CheckpointError, WorldError, ReplayError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    wanted = find(options)
    packed = record_run(options, wanted)
    if options.out is None and options.html is None:
        wanted.path.parent.mkdir(exist_ok=True)
    path = options.out or (None if options.html else wanted.path)
    if path is not None:
        write_atomically(path, packed)
    if options.html is not None:
        beside = [record_beside(options, wanted, name) for name in options.beside]
        write_atomically(options.html, to_html(packed, title_of(unpack(packed)), beside).encode())
    told = describe(packed)
    for written in filter(None, (path, options.html)):
        print(f"{written}: {told}")
    return DONE


class Found(NamedTuple):
    """What a command line asks to be recorded, and where the recording lies by itself."""

    run: Path
    learned: Level
    world: Level
    checkpoint: Checkpoint
    path: Path


def find(options: Namespace) -> Found:
    """Return what is to be recorded. Raises ConfigError, RunError and CheckpointError."""
    if options.beside and options.html is None:
        raise ConfigError(["--beside: expected --html beside it, for it is in the page that lives are compared"])
    run, checkpoint = find_run(options.run, options.runs_dir, options.checkpoint, tell=aside)
    learned = _level(load_task(run / "config.yaml"))
    world = _level(load_world(learned, options.level or run / "config.yaml", dict(options.set)))
    world = world.model_copy(update={"network": learned.network})  # what plays is the network that learned
    found = find_checkpoint(run, learned, checkpoint)
    return Found(run, learned, world, found, folder_for(run, REPLAYS) / _file_name(options, learned, world, found))


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


def title_of(one: Replay) -> str:
    """Say in a few words what the page of a replay shows."""
    run = one.header.origin.run
    return f"Townlet: level {one.header.level.id}" + (f", {run}" if run else "")


def _level(task: Task) -> Level:
    if isinstance(task, GymTask):
        raise ConfigError([f"replay: expected a level of the town, got a task of Gymnasium ({task.gym})"])
    assert isinstance(task, Level)
    return task


def record_run(options: Namespace, wanted: Found, planner: bool = True) -> bytes:
    """Play lives and record them, and the planner's from the same starts where it can plan; returns the replay's file.

    Raises WorldError and ReplayError.
    """
    run, learned, world, found, _ = wanted
    seed = evaluation_seed(learned) if options.seed is None else options.seed
    network = trained_network(learned, found, options.device)
    kept = Wanted(range(options.agents), options.steps, options.weights, options.memory_every, planner)
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        progress.add_task(f"playing and recording {options.agents} lives", total=None)
        return record_greedy(world, network, kept, origin_of(run, learned, world, found, seed), options.device)


def record_beside(options: Namespace, wanted: Found, name: str) -> bytes:
    """Record the same lives by another checkpoint, without its weights. Raises as `find` and `record_run` do."""
    other = find_checkpoint(wanted.run, wanted.learned, name)
    without = Namespace(**vars(options) | {"weights": False})
    return record_run(without, wanted._replace(checkpoint=other), planner=False)


def _file_name(options: Namespace, learned: Level, world: Level, found: Checkpoint) -> str:
    """A name that says what was asked for, so that other recordings lie beside it."""
    parts = [found.path.name, f"{options.agents}x{options.steps}"]
    parts += [f"level-{world.id}"] if world.id != learned.id else []
    parts += [f"seed-{options.seed}"] if options.seed is not None else []
    parts += [] if options.weights else ["no-weights"]
    parts += [f"memory-every-{options.memory_every}"] if options.memory_every is not None else []
    parts += [f"{key}-{value}".replace("/", "-") for key, value in options.set]
    return "_".join(parts)[:200] + REPLAY_SUFFIX
