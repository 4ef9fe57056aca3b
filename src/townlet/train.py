"""`python -m townlet.train`: train a population in a level."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from townlet.agent.optimizers import TrainingDivergedError
from townlet.config import ConfigError, Task, load_gym_task, load_task
from townlet.environment.make import check_env
from townlet.environment.types import WorldError
from townlet.run import checkpoint
from townlet.run.climb import climb, describe_climb
from townlet.run.ladder import Ladder, find_ladder, load_levels
from townlet.run.plan import Wishes, describe, make_plan
from townlet.run.run_directory import RunDirectory, RunError, resolve_run
from townlet.run.training_run import TrainingFailedError, TrainingRun, train_in, write_about
from townlet.screen.command_line import DONE, FAILED, WRONG_USE, Parser, device_named, positive, setting, share, whole
from townlet.screen.process import run_as_process
from townlet.screen.signals import StopRequest, stop_on_signals
from townlet.screen.what_next import say_what_next

MASTERY = 0.9  # of the limit


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet train", description="Train a population of agents that remember.")
    parser.add_argument("--level", help="a level's id, name or file (default: 2)")
    parser.add_argument("--gym", metavar="ENV_ID", help="an environment of Gymnasium: id, or module:id")
    parser.add_argument("--curriculum", metavar="LEVELS", help="one level after the other, as 0,0.5,1,2: a ladder")
    parser.add_argument(
        "--mastery",
        type=share,
        help="greedy survival that ends a level of a ladder, as a share of its limit (default: 0.9)",
    )
    parser.add_argument(
        "--seed",
        type=whole,
        help="what all chance follows from: maps, first weights, exploring (default: as the level says)",
    )
    parser.add_argument("--num-agents", type=positive, help="agents in the town")
    parser.add_argument("--total-steps", type=positive, help="environment steps, summed over agents")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level"
    )
    parser.add_argument("--run-name", help="name of the run's folder (default: time and seed)")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    parser.add_argument("--resume", metavar="latest|RUN", help="go on with a run")
    parser.add_argument("--load", type=Path, metavar="CHECKPOINT", help="begin with the weights of a checkpoint folder")
    parser.add_argument(
        "--checkpoint-every", type=positive, metavar="STEPS", help="environment steps between checkpoints"
    )
    parser.add_argument(
        "--evaluate-every", type=positive, metavar="STEPS", help="environment steps between evaluations"
    )
    parser.add_argument("--plain", action="store_true", help="plain lines in place of the dashboard")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, print the plan, and stop")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    fixed = options.level or options.gym is not None or options.load
    if options.resume and (fixed or options.run_name or options.curriculum or options.seed is not None):
        flags = "--level, --gym, --curriculum, --load, --run-name and --seed"
        parser.error(f"--resume goes on as it is: {flags} do not go with it")
    if options.curriculum and fixed:
        parser.error("--curriculum begins with its first level: --level, --gym and --load do not go with it")
    if options.mastery and not options.curriculum:
        parser.error("--mastery is of a ladder: it goes with --curriculum")
    try:
        with stop_on_signals() as stop:
            return _train(options, stop)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (RunError, checkpoint.CheckpointError, TrainingDivergedError, TrainingFailedError, WorldError) as error:
        print(f"townlet train: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("townlet train: stopped at once; the last checkpoint is as it was", file=sys.stderr)
        return FAILED


def _train(options: argparse.Namespace, stop: StopRequest) -> int:
    ladder = find_ladder(options.resume, options.runs_dir) if options.resume else None
    if options.curriculum or ladder:
        return _climb(options, ladder, stop)
    resumed = resolve_run(options.resume, options.runs_dir) if options.resume else None
    task, wishes = _load(options, resumed), _wishes(options)
    check_env(task)
    plan = make_plan(task, wishes)
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

    training = train_in(run, task, plan, wishes, stop, begin)
    say_what_next(run.path, run.path, stop.wanted)
    return FAILED if training.aside.missing else DONE


def _climb(options: argparse.Namespace, path: Path | None, stop: StopRequest) -> int:
    """Train in the levels of a ladder: a new one, or that at `path`."""
    wishes, mastery = _wishes(options), options.mastery or MASTERY
    if path is None:
        levels = load_levels(options.curriculum.split(","), _overrides(options, budget=False))
        if options.dry_run:
            print(describe_climb(levels, wishes, options.total_steps, mastery))
            return DONE
        ladder = Ladder.create(options.runs_dir, options.run_name, levels, mastery, options.total_steps)
    elif _overrides(options):
        raise ConfigError([f"--resume {path}: a ladder goes on as it is, without other settings"])
    else:
        ladder = Ladder.open(path)
        if ladder.rung() is None:
            print("nothing is left to train: every level of the ladder is done")
    missing = climb(ladder, wishes, stop)
    say_what_next(ladder.path, ladder.newest(), stop.wanted)
    return FAILED if missing else DONE


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


def _wishes(options: argparse.Namespace) -> Wishes:
    return Wishes(options.device, options.plain, options.checkpoint_every, options.evaluate_every)


def _new_run(task: Task, options: argparse.Namespace) -> RunDirectory:
    run = RunDirectory.create(options.runs_dir, f"{task.id}_{task.name}", task.training.seed, options.run_name)
    write_about(run, task, options.device)
    return run


if __name__ == "__main__":
    sys.exit(run_as_process(main, printing=False))
