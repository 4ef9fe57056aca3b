"""`python -m townlet.train`: train a population in a level.

A plan is made and told without PyTorch, which takes long to import: what needs it is imported where it is used.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from townlet.agent.divergence import TrainingDivergedError
from townlet.callbacks.callback import Callback
from townlet.config import ConfigError, Tell
from townlet.environment.types import WorldError
from townlet.run.beginning.asked import Asked, Prepared, overridden, prepare
from townlet.run.plan import Pacing, Wishes, describe
from townlet.run.run_directory import RunError
from townlet.run.saving.manifest import CheckpointError
from townlet.run.side_effects import TrainingFailedError
from townlet.screen.command_line import DONE, FAILED, aside, tells_errors
from townlet.screen.process import run_as_process
from townlet.screen.signals import StopRequest, stop_on_signals
from townlet.screen.train_flags import read_flags
from townlet.screen.what_next import say_what_next
from townlet.watch.alongside import watched

if TYPE_CHECKING:
    from townlet.run.training_run import TrainingRun
    from townlet.screen.unfailing import Unfailing


@tells_errors("townlet train", RunError, CheckpointError, TrainingDivergedError, TrainingFailedError, WorldError)
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
    ladder = _find_ladder(options) if options.resume else None
    if options.curriculum or ladder:
        return _climb(options, ladder, stop)
    of_run = {name: getattr(options, name) for name in ("level", "gym", "resume", "load", "run_name", "runs_dir")}
    ready = prepare(Asked(**of_run, overrides=_overrides(options)), _wishes(options), print, aside)
    if options.dry_run:
        print(describe(ready.task, ready.plan, options.device, ready.resumed, options.minutes))
        return DONE
    training = carry_out(ready, stop, options.watch)
    say_what_next(training.run.path, training.run.path, stop.wanted)
    return FAILED if training.aside.missing else DONE


def carry_out(
    ready: Prepared,
    stop: StopRequest,
    watch: bool,
    reporter: "Unfailing | None" = None,
    callbacks: Sequence[Callback] = (),
    say: Tell = print,
) -> "TrainingRun":
    """Train what is prepared, to its end or until stopped, and show it in a browser too where somebody is to `watch`.

    `reporter` and `callbacks` are as in `train_in`, and what is raised as in `TrainingRun.train`. What is measured
    before it begins is told by `say`, a line each. Returns the run, closed.
    """
    from townlet.run.beginning.allowance import allowed
    from townlet.run.training import train_in

    ready = allowed(ready, stop, say)
    run = ready.open_folder()

    def begin(training: "TrainingRun") -> None:
        if watch:
            beside.enter_context(watched(run.path, training.tell))
        ready.begin(training)

    with ExitStack() as beside:
        return train_in(run, ready.task, ready.plan, ready.wishes, stop, begin, reporter, callbacks)


def _find_ladder(options: argparse.Namespace) -> Path | None:
    from townlet.run.ladder import find_ladder

    found = find_ladder(options.resume, options.runs_dir)
    if found and options.resume == "latest":
        aside(f"latest is {found}")
    return found


def _climb(options: argparse.Namespace, path: Path | None, stop: StopRequest) -> int:
    """Train in the levels of a ladder: a new one, or that at `path`."""
    from townlet.run.beginning.climbing import Climb
    from townlet.run.training import climb

    if options.watch:
        raise ConfigError(["--watch shows one run, got a ladder of several: townlet watch latest shows its newest"])
    wishes, pace = _wishes(options), Pacing(options.checkpoint_every, options.evaluate_every)
    of_ladder = {name: getattr(options, name) for name in ("mastery", "total_steps", "run_name", "runs_dir")}
    overrides = _overrides(options, of_ladder=True)
    asked = Climb(path, options.curriculum or (), overrides=overrides, pace=pace, **of_ladder)
    if options.dry_run:
        print(asked.plan(wishes, print))
        return DONE
    ladder = asked.ladder(print)
    missing = {name for training in climb(ladder, wishes, stop) for name in training.aside.missing}
    say_what_next(ladder.path, ladder.newest(), stop.wanted)
    return FAILED if missing else DONE


def _overrides(options: argparse.Namespace, of_ladder: bool = False) -> dict[str, Any]:
    """What is asked for by dotted keys. A ladder paces each of its levels by itself."""
    of_each = {"seed": options.seed, "num_agents": options.num_agents}
    of_one = {"total_steps": options.total_steps, "evaluate_every": options.evaluate_every}
    return overridden(dict(options.set), **of_each, **({} if of_ladder else of_one))


def _wishes(options: argparse.Namespace) -> Wishes:
    return Wishes(options.device, options.plain, options.checkpoint_every, options.minutes)


if __name__ == "__main__":
    sys.exit(run_as_process(main, printing=False))
