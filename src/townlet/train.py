"""`python -m townlet.train`: train a population in a level."""

import argparse
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from townlet.agent.optimizers import TrainingDivergedError
from townlet.config import ConfigError, Level, Task, load_gym_task, load_task, resolved_config
from townlet.environment.make import check_env
from townlet.environment.types import WorldError
from townlet.run import checkpoint
from townlet.run.ladder import Ladder, Outcome, find_ladder, load_levels, share_out, with_budget
from townlet.run.run_directory import RunDirectory, RunError, describe_machine, resolve_run
from townlet.run.training_run import Plan, StopRequest, TrainingRun
from townlet.screen.command_line import DONE, FAILED, WRONG_USE, tells_of_memory
from townlet.screen.terminal import make_reporter
from townlet.screen.train_flags import read_flags

CHECKPOINTS_IN_A_RUN = 20
MASTERY = 0.9  # of the limit


@tells_of_memory("townlet train")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = read_flags(arguments)
    try:
        return _train(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (RunError, checkpoint.CheckpointError, TrainingDivergedError, WorldError) as error:
        print(f"townlet train: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("townlet train: stopped at once; the last checkpoint is as it was", file=sys.stderr)
        return FAILED


def _train(options: argparse.Namespace) -> int:
    ladder = find_ladder(options.resume, options.runs_dir) if options.resume else None
    if options.curriculum or ladder:
        return _climb(options, ladder)
    resumed = resolve_run(options.resume, options.runs_dir) if options.resume else None
    task = _load(options, resumed)
    check_env(task)
    plan = make_plan(task, options)
    if options.dry_run:
        print(describe(task, plan, options.device, resumed))
        return DONE
    taught = _taught(options.load) if options.load else None
    run = RunDirectory.open(resumed) if resumed else _new_run(task, options)

    def begin(training: TrainingRun) -> None:
        if resumed:
            training.resume()
            if (step := training.population.env_steps) >= plan.total_steps:
                done = f"step {step:,} of {plan.total_steps:,}"
                training.tell(f"nothing is left to train: {done}; --total-steps asks for more")
        elif taught:
            training.load_weights(taught)

    with _stop_on_signals() as stop, _quiet_writer_threads():
        _live(task, plan, run, options, stop, begin)
    _say_what_next(run.path, run.path, stop)
    return DONE


def _live(
    task: Task,
    plan: Plan,
    run: RunDirectory,
    options: argparse.Namespace,
    stop: StopRequest,
    begin: Callable[[TrainingRun], None],
) -> TrainingRun:
    """Train in a run folder to the end, after `begin` has made the run what it begins as."""
    with (
        run,
        make_reporter(options.plain) as reporter,
        closing(TrainingRun(task, plan, run, reporter, options.device, stop)) as training,
    ):
        begin(training)
        training.train()
    return training


def _climb(options: argparse.Namespace, path: Path | None) -> int:
    """Train in the levels of a ladder, one after the other, from where it stands."""
    if path is None:
        levels = load_levels(options.curriculum, _overrides(options, budget=False))
        if options.dry_run:
            print(_describe_ladder(levels, options))
            return DONE
        mastery = options.mastery or MASTERY
        ladder = Ladder.create(options.runs_dir, options.run_name, levels, mastery, options.total_steps)
    elif _overrides(options):
        raise ConfigError([f"--resume {path}: a ladder goes on as it is, without other settings"])
    else:
        ladder = Ladder.open(path)
        if ladder.rung() is None:
            print("nothing is left to train: every level of the ladder is done")
    with _stop_on_signals() as stop, _quiet_writer_threads():
        while (rung := ladder.rung()) and not stop.wanted:
            plan = make_plan(rung.level, options, rung.goal)
            run = RunDirectory.open(rung.path)
            run.write_config(resolved_config(rung.level))
            run.write_meta(_facts(rung.level, options))

            def begin(training: TrainingRun, begun: bool = rung.begun) -> None:
                if begun:
                    training.resume()
                else:
                    ladder.teach(training.population)

            training = _live(rung.level, plan, run, options, stop, begin)
            if not stop.wanted:
                ladder.leave(Outcome(training.population.env_steps, training.score, training.mastered))
    _say_what_next(ladder.path, ladder.newest(), stop)
    return DONE


def _describe_ladder(levels: Sequence[Level], options: argparse.Namespace) -> str:
    total = options.total_steps or sum(level.training.total_steps for level in levels)
    rungs = [with_budget(level, steps) for level, steps in zip(levels, share_out(levels, total), strict=True)]
    plans = [describe(level, make_plan(level, options), options.device, None) for level in rungs]
    rule = f"a level is left at {options.mastery or MASTERY:.0%} of its limit, or when its steps are used up"
    return "\n\n".join([*plans, f"{'ladder':9} {total:,} steps in all; {rule}"])


def _load(options: argparse.Namespace, resumed: Path | None) -> Task:
    if resumed:
        return load_task(resumed / "config.yaml", _overrides(options))
    if options.gym is not None:
        return load_gym_task(options.gym, options.level, _overrides(options))
    return load_task(options.level or "2", _overrides(options))


def _taught(path: Path) -> checkpoint.Checkpoint:
    if not (path / checkpoint.MANIFEST).is_file():
        got = f"a folder without {checkpoint.MANIFEST}" if path.is_dir() else "nothing there"
        raise ConfigError([f"--load {path}: expected a checkpoint, as RUN/checkpoints/step_001000000, got {got}"])
    return checkpoint.load(path)


def _overrides(options: argparse.Namespace, budget: bool = True) -> dict[str, Any]:
    flags = {
        "training.seed": options.seed,
        "training.num_agents": options.num_agents,
        "training.total_steps": options.total_steps if budget else None,
    }
    return dict(options.set) | {key: value for key, value in flags.items() if value is not None}


def make_plan(task: Task, options: argparse.Namespace, goal: float | None = None) -> Plan:
    """Pace a run by its task and the flags; it ends before that where it reaches the goal."""
    total = task.training.total_steps
    every = options.checkpoint_every or max(1, total // CHECKPOINTS_IN_A_RUN)
    return Plan(total, every, options.evaluate_every or task.evaluation.every, goal)


def _new_run(task: Task, options: argparse.Namespace) -> RunDirectory:
    run = RunDirectory.create(options.runs_dir, f"{task.id}_{task.name}", task.training.seed, options.run_name)
    run.write_config(resolved_config(task))
    run.write_meta(_facts(task, options))
    return run


def _facts(task: Task, options: argparse.Namespace) -> dict[str, object]:
    return describe_machine(level=task.id, seed=task.training.seed, device=str(options.device))


@contextmanager
def _stop_on_signals() -> Iterator[StopRequest]:
    """The first Ctrl-C (or SIGTERM) asks the run to save and stop, the second stops it."""
    stop = StopRequest()

    def on_signal(signum: int, _frame: object) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True
        os.write(2, b"\nsaving and stopping; once more stops at once\n")

    former = {signum: signal.signal(signum, on_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


@contextmanager
def _quiet_writer_threads() -> Iterator[None]:
    """TensorBoard writes in a thread of its own, whose failure to write is told in one line, not in a traceback too."""
    former = threading.excepthook
    threading.excepthook = lambda failure: None if issubclass(failure.exc_type, OSError) else former(failure)
    try:
        yield
    finally:
        threading.excepthook = former


def describe(task: Task, plan: Plan, device: torch.device, resumed: Path | None) -> str:
    """The plan of a run, for a person."""
    training = task.training
    lines = {
        "level": f"{task.id} {task.name}: {task.description}",
        "run": f"goes on with {resumed}" if resumed else "a new one",
        "agents": f"{training.num_agents:,} on {device}, seed {training.seed}",
        "steps": f"{plan.total_steps:,} in all; a checkpoint every {plan.checkpoint_every:,}, "
        f"an evaluation of {task.evaluation.episodes} episodes every {plan.evaluate_every:,}",
        "network": task.network.kind,
        "learning": f"{training.mode.kind}, windows of {training.seq_len}",
    }
    return "\n".join(f"{name:9} {text}" for name, text in lines.items())


def _say_what_next(path: Path, newest: Path, stop: StopRequest) -> None:
    """Say where a run, or the newest one of a ladder, lies, and what can be done with it."""
    python = _python()
    print(f"\nThe run lies in {path}")
    if stop.wanted:
        print(f"It was stopped and saved. Go on with it:  {python} -m townlet.train --resume {path}")
        return
    print(f"Look at its curves:     {newest / 'curves.png'}")
    print(f"Evaluate it again:      {python} -m townlet.evaluate {newest} --episodes 512")
    if newest == path:
        print(f"Train it for longer:    {python} -m townlet.train --resume {path} --total-steps N")


def _python() -> str:
    """What starts this Python in a shell: `make train` does not enter the virtual environment that it runs in."""
    here, found = Path(sys.executable), shutil.which("python")
    if found and Path(found).absolute().parent == here.parent:
        return "python"
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


if __name__ == "__main__":
    sys.exit(main())
