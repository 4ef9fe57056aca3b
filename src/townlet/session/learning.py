"""`townlet.learn`: train from Python, as `townlet train` does from the command line."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from townlet.callbacks.callback import Callback
from townlet.callbacks.listeners import CallbackError, check
from townlet.config import ConfigError
from townlet.run.beginning.asked import Asked, overridden, prepare
from townlet.run.beginning.climbing import Climb
from townlet.run.ladder import find_ladder
from townlet.run.plan import Pacing, Wishes
from townlet.run.training import climb
from townlet.screen.command_line import aside
from townlet.screen.notebook import reporter_for
from townlet.screen.signals import Interruption, StopRequest, stop_on_signals
from townlet.screen.unfailing import Unfailing
from townlet.session.keywords import Place, check_counts, check_minutes, check_together, device_of, text_of, texts_of
from townlet.session.run import Run
from townlet.train import carry_out


def learn(
    level: Place | float | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    gym: str | None = None,
    curriculum: Sequence[Place | float] | None = None,
    mastery: float | None = None,
    seed: int | None = None,
    num_agents: int | None = None,
    total_steps: int | None = None,
    minutes: float | None = None,
    device: torch.device | str = "auto",
    run_name: str | None = None,
    runs_dir: Place = "runs",
    resume: Place | None = None,
    load: Place | None = None,
    checkpoint_every: int | None = None,
    evaluate_every: int | None = None,
    watch: bool = False,
    progress: bool | str = True,
) -> Run:
    """Train a population in a level, and return the run. It is the training of `townlet train`, weight for weight.

    `level` is an id, a name or a file (default: 2), `gym` the id of an environment of Gymnasium; `curriculum` trains in
    one level after the other, and the last run is returned. `overrides` are what `--set` is there, as
    {"training.gamma": 0.9}, and other keywords are the flags of the same name. `callbacks` are told how it goes, see
    `Callback`. `progress` is shown beside the standard output: in a notebook as a bar, in a terminal as the dashboard,
    elsewhere as lines; "plain" always as lines, False not at all. Ctrl-C, or the stop button of a notebook, saves and
    returns the run; a second time it raises KeyboardInterrupt at once.

    Raises ConfigError for what is asked wrongly, RunError, CheckpointError, WorldError, TrainingDivergedError and
    TrainingFailedError, each as the command tells it, in a line; and what a callback raised, after all was saved.
    """
    check(callbacks)
    keys, teacher = overridden(overrides or {}, seed=seed, num_agents=num_agents), None if load is None else Path(load)
    asked = Asked(text_of(level), gym, text_of(resume), teacher, keys, run_name, Path(runs_dir))
    levels, pace = texts_of(curriculum), Pacing(checkpoint_every, evaluate_every)
    check_counts(total_steps=total_steps, checkpoint_every=checkpoint_every, evaluate_every=evaluate_every)
    check_minutes(minutes, asked, levels)
    check_together(asked, levels, mastery, seed)
    wishes = Wishes(device_of(device), checkpoint_every=checkpoint_every, minutes=minutes)
    with _beside(callbacks, watch, progress) as beside:
        path = find_ladder(asked.resume, asked.runs_dir) if asked.resume else None
        if levels or path:
            return _climb(Climb(path, levels, mastery, total_steps, keys, pace, *asked[-2:]), wishes, beside)
        keys = overridden(keys, total_steps=total_steps, evaluate_every=evaluate_every)
        return _train(asked._replace(overrides=keys), wishes, beside)


class _Beside(NamedTuple):
    """Who is told of a training, where it is shown, and what may stop it."""

    callbacks: Sequence[Callback]
    watch: bool
    show: Callable[[], Unfailing]
    tell: Callable[[str], None]
    stop: StopRequest


@contextmanager
def _beside(callbacks: Sequence[Callback], watch: bool, progress: bool | str) -> Iterator[_Beside]:
    """Let Ctrl-C stop what is trained within it, and give this process all else back as it was.

    What a callback raises is raised as it is.
    """
    reporter_for(progress)  # refuses what it does not know, before anything is made
    tell = aside if progress else _keep_quiet
    with _products_as_before(), stop_on_signals(Interruption(), (signal.SIGINT,)) as stop:
        try:
            yield _Beside(callbacks, watch, lambda: Unfailing(reporter_for(progress), sys.stderr), tell, stop)
        except CallbackError as error:
            raise (error.__cause__ or error) from None


def _train(asked: Asked, wishes: Wishes, beside: _Beside) -> Run:
    ready = prepare(asked, wishes, beside.tell, beside.tell)
    return Run.of(carry_out(ready, beside.stop, beside.watch, beside.show(), beside.callbacks, beside.tell))


def _climb(asked: Climb, wishes: Wishes, beside: _Beside) -> Run:
    """Train in the levels of a ladder; returns the last that was trained in, with those below it."""
    if beside.watch:
        raise ConfigError(["watch shows one run, got a ladder of several: townlet watch latest shows its newest"])
    ladder = asked.ladder(beside.tell)
    runs = [Run.of_rung(path, outcome) for path, outcome in zip(ladder.paths, ladder.outcomes, strict=False)]
    runs += [Run.of(training) for training in climb(ladder, wishes, beside.stop, beside.show, beside.callbacks)]
    return replace(runs[-1], rungs=tuple(runs))


@contextmanager
def _products_as_before() -> Iterator[None]:
    """Give this process back how it multiplies matrices, which a training changes."""
    before = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _keep_quiet(line: str) -> None:
    """Say nothing."""
