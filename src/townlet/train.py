"""`python -m townlet.train`: train a population in a level."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from townlet.agent.optimizers import TrainingDivergedError
from townlet.agent.requirements import check_network
from townlet.config import ConfigError, Level, Task, load_gym_task, load_task
from townlet.environment.make import check_env
from townlet.environment.types import WorldError
from townlet.run.ladder import Ladder, find_ladder, load_levels
from townlet.run.meta import read_meta
from townlet.run.plan import Pacing, Wishes, describe, make_plan
from townlet.run.run_directory import CONFIG_NAME, RunDirectory, RunError, resolve_run
from townlet.run.saving import checkpoint
from townlet.run.saving.changes import refuse_changes
from townlet.run.saving.taught import load_taught
from townlet.run.training import climb, describe_climb, train_in, write_about
from townlet.run.training_run import TrainingFailedError, TrainingRun
from townlet.screen.command_line import DONE, FAILED, aside
from townlet.screen.process import run_as_process
from townlet.screen.signals import StopRequest, stop_on_signals
from townlet.screen.telling import tells_errors
from townlet.screen.train_flags import read_flags
from townlet.screen.what_next import say_what_next
from townlet.watch.alongside import watched

MASTERY = 0.9  # of the limit


@tells_errors(
    "townlet train", RunError, checkpoint.CheckpointError, TrainingDivergedError, TrainingFailedError, WorldError
)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = read_flags(arguments)
    try:
        with stop_on_signals() as stop:
            return _train(options, stop)
    except KeyboardInterrupt:
        aside("townlet train: stopped at once; the last checkpoint is as it was")
        return FAILED


def _train(options: argparse.Namespace, stop: StopRequest) -> int:
    ladder = find_ladder(options.resume, options.runs_dir) if options.resume else None
    if options.curriculum or ladder:
        return _climb(options, ladder, stop)
    resumed = resolve_run(options.resume, options.runs_dir, aside) if options.resume else None
    kept = (read_meta(resumed) or {}) if resumed else {}
    task, wishes = _load(options, resumed), _wishes(options, kept)
    check_env(task, print)
    if isinstance(task, Level):
        check_network(task)
    plan = make_plan(task, wishes)
    teacher = _teacher(options, resumed, kept)
    tell = partial(print, file=sys.stderr)
    taught = load_taught(teacher, options.runs_dir, task, tell) if teacher else None
    if options.dry_run:
        print(describe(task, plan, options.device, resumed))
        return DONE
    run = RunDirectory.open(resumed) if resumed else _new_run(task, options, wishes, taught and taught.path)
    beside = ExitStack()

    def begin(training: TrainingRun) -> None:
        if options.watch:
            beside.enter_context(watched(run.path, training.tell))
        if resumed and training.resume():
            if (step := training.population.env_steps) >= plan.total_steps:
                done = f"step {step:,} of {plan.total_steps:,}"
                training.tell(f"nothing is left to train: {done}; --total-steps asks for more")
        elif taught:
            training.load_weights(taught)
        run.note(checkpoint_every=wishes.checkpoint_every)

    with beside:
        training = train_in(run, task, plan, wishes, stop, begin)
    say_what_next(run.path, run.path, stop.wanted)
    return FAILED if training.aside.missing else DONE


def _climb(options: argparse.Namespace, path: Path | None, stop: StopRequest) -> int:
    """Train in the levels of a ladder: a new one, or that at `path`."""
    if options.watch:
        raise ConfigError(["--watch shows one run, got a ladder of several: townlet watch latest shows its newest"])
    wishes, mastery = _wishes(options, {}), options.mastery or MASTERY
    pace, asked = Pacing(options.checkpoint_every, options.evaluate_every), _overrides(options, of_ladder=True)
    if path is None:
        levels = load_levels(options.curriculum, asked, print)
        if options.dry_run:
            print(describe_climb(levels, wishes, options.total_steps, mastery, pace))
            return DONE
        ladder = Ladder.create(options.runs_dir, options.run_name, levels, mastery, options.total_steps, pace)
    elif asked or options.total_steps:
        raise ConfigError([f"--resume {path}: a ladder goes on as it is, without other settings"])
    else:
        ladder = Ladder.open(path)
        ladder.keep_pace(pace)
        if ladder.rung() is None:
            print("nothing is left to train: every level of the ladder is done")
    missing = climb(ladder, wishes, stop)
    say_what_next(ladder.path, ladder.newest(), stop.wanted)
    return FAILED if missing else DONE


def _load(options: argparse.Namespace, resumed: Path | None) -> Task:
    asked = _overrides(options)
    if resumed:
        config = resumed / CONFIG_NAME
        task = load_task(config, asked, print)
        refuse_changes(load_task(config), task, resumed)
        return task
    if options.gym is not None:
        return load_gym_task(options.gym, options.level, asked, print)
    return load_task(options.level or "2", asked, print)


def _teacher(options: argparse.Namespace, resumed: Path | None, kept: Mapping[str, Any]) -> Path | None:
    """The checkpoint that a run begins with the weights of: asked for, or of a run that saved none of its own yet."""
    if resumed is None:
        return options.load
    begun = checkpoint.checkpoints_in(resumed / "checkpoints")
    return Path(kept["load"]) if isinstance(kept.get("load"), str) and not begun else None


def _overrides(options: argparse.Namespace, of_ladder: bool = False) -> dict[str, Any]:
    """What is asked for by dotted keys; flags come last, and win. A ladder paces each of its levels by itself."""
    flags = {"training.seed": options.seed, "training.num_agents": options.num_agents}
    if not of_ladder:
        flags |= {"training.total_steps": options.total_steps, "evaluation.every": options.evaluate_every}
    flags = {key: value for key, value in flags.items() if value is not None}
    return {key: value for key, value in options.set if key not in flags} | flags


def _wishes(options: argparse.Namespace, kept: Mapping[str, Any]) -> Wishes:
    """What is asked for now, or was when the run began."""
    every = kept.get("checkpoint_every")
    before = every if type(every) is int and every > 0 else None
    return Wishes(options.device, options.plain, options.checkpoint_every or before)


def _new_run(task: Task, options: argparse.Namespace, wishes: Wishes, taught: Path | None) -> RunDirectory:
    run = RunDirectory.create(options.runs_dir, f"{task.id}_{task.name}", task.training.seed, options.run_name)
    write_about(run, task, wishes, load=taught and str(taught.resolve()))
    return run


if __name__ == "__main__":
    sys.exit(run_as_process(main, printing=False))
