"""Training in run folders: in one to its end, and in those of a ladder, rung after rung."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from townlet.callbacks.callback import Callback
from townlet.config import Level, Task, resolved_config
from townlet.run.beginning.resuming import resume
from townlet.run.board import quiet_writer_threads
from townlet.run.ladder import Ladder, Outcome, share_out
from townlet.run.meta import describe_machine
from townlet.run.plan import Pacing, Plan, Wishes, describe, make_plan, with_budget
from townlet.run.run_directory import RunDirectory
from townlet.run.training_run import TrainingRun
from townlet.screen.device import device_named
from townlet.screen.signals import StopRequest
from townlet.screen.terminal import make_reporter
from townlet.screen.unfailing import Unfailing


def write_about(run: RunDirectory, task: Task, wishes: Wishes, **facts: object) -> None:
    """Write what a run is, how it is paced, and the machine that it runs on, into its folder. Raises RunError."""
    run.write_config(resolved_config(task))
    about = {"level": task.id, "seed": task.training.seed, "device": wishes.device}
    run.write_meta(describe_machine(**about, checkpoint_every=wishes.checkpoint_every, **facts))


def train_in(
    run: RunDirectory,
    task: Task,
    plan: Plan,
    wishes: Wishes,
    stop: StopRequest,
    begin: Callable[[TrainingRun], None],
    reporter: Unfailing | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingRun:
    """Train in a run folder to the end, after `begin` has made the run what it begins as; returns the run, closed.

    Without a `reporter` it is shown as is asked for, on the standard output.
    """
    with (
        run,
        quiet_writer_threads(),
        reporter or Unfailing(make_reporter(wishes.plain)) as shown,
        closing(TrainingRun(task, plan, run, shown, device_named(wishes.device), stop, callbacks)) as training,
    ):
        begin(training)
        training.train()
    return training


def climb(
    ladder: Ladder,
    wishes: Wishes,
    stop: StopRequest,
    show: Callable[[], Unfailing] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Iterator[TrainingRun]:
    """Train in the levels of a ladder, from where it stands to the last, or until stopped or a callback ends it.

    Gives each training, closed, when it is over. `show` makes the `reporter` of each, see `train_in`.
    """
    wishes = wishes._replace(checkpoint_every=ladder.pace.checkpoint_every)
    while rung := ladder.rung():
        plan = make_plan(rung.level, wishes, rung.goal)
        run = RunDirectory.open(rung.path)
        if not rung.begun:
            write_about(run, rung.level, wishes)

        def begin(training: TrainingRun, begun: bool = rung.begun) -> None:
            if not (begun and resume(training)):
                ladder.teach(training.population)

        training = train_in(run, rung.level, plan, wishes, stop, begin, show and show(), callbacks)
        goes_on = not stop.wanted and training.ended_by != "callback"
        if goes_on:
            score = training.marks.score
            mastered = rung.goal is not None and score is not None and score >= rung.goal
            ladder.leave(Outcome(training.population.env_steps, score, mastered))
        yield training
        if not goes_on:
            return


def describe_climb(
    levels: Sequence[Level], wishes: Wishes, total_steps: int | None, mastery: float, pace: Pacing
) -> str:
    """Tell the plan of a ladder that is not made yet to a person."""
    total = total_steps or sum(level.training.total_steps for level in levels)
    shares = zip(levels, share_out(levels, total), strict=True)
    rungs = [with_budget(level, steps, pace.evaluate_every) for level, steps in shares]
    plans = [describe(level, make_plan(level, wishes), wishes.device) for level in rungs]
    rule = f"a level is left at {mastery:.0%} of its limit, or when its steps are used up"
    return "\n\n".join([*plans, f"{'ladder':9} {total:,} steps in all; {rule}"])
