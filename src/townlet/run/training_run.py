"""One training run: build or resume, train, evaluate, save, and lose nothing on the way."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import torch

from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.networks import count_parameters
from townlet.callbacks.callback import Callback, Moment
from townlet.callbacks.listeners import CallbackError, Listeners
from townlet.config import Task
from townlet.environment.make import make_training_env
from townlet.environment.types import Environment, WorldError
from townlet.population.evaluation import EvaluationStoppedError
from townlet.population.shared import populate
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.board import Board
from townlet.run.curves import draw_run
from townlet.run.examiner import Examiner
from townlet.run.log import close_log, open_log
from townlet.run.metrics import MetricsWriter
from townlet.run.pace import Pace, Slowness
from townlet.run.plan import Ending, Marks, Plan, header, passes
from townlet.run.report.keeper import Keeper
from townlet.run.run_directory import RunDirectory, RunError
from townlet.run.saving import checkpoint, saved
from townlet.run.side_effects import SideEffects, TrainingFailedError, reason_of
from townlet.screen.process import DONE, FAILED
from townlet.screen.signals import StopRequest
from townlet.screen.terminal import Reporter, Snapshot
from townlet.screen.what_next import stopped_and_saved

SECONDS_BETWEEN_REPORTS = 1.0
REPORTS_IN_A_RUN = 400  # records of the metrics, evenly over the steps of a run


class TrainingRun:
    """A population in a run folder. What it begins with, other than nothing, is in `beginning.resuming`.

    What fails beside the training is told and does not end it; `aside.missing` then names what the folder lacks.
    """

    def __init__(
        self,
        task: Task,
        plan: Plan,
        run: RunDirectory,
        reporter: Reporter,
        device: torch.device,
        stop: StopRequest,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.task, self.plan, self.run, self.reporter, self.stop = task, plan, run, reporter, stop
        moment = Moment(run.path, task, 0, plan.total_steps, _stop=self._stop_for, _tell=self.tell)
        self.listeners = Listeners([Board(run.path), *callbacks], moment)
        self.device, self.log = device, open_log(run.log_path, self._miss_log)
        self.aside = SideEffects(self.log, lambda text: self.reporter.message(text, "red"), lambda: self.goes_on)
        self.training = False  # whether `train` is at it
        with ExitStack() as where_it_fails:
            where_it_fails.callback(close_log, self.log)
            with self.logs_what_is_at_fault():
                self.population = populate(task, device, partial(make_training_env, task, device, self.tell))
            where_it_fails.callback(self._close, "the environment", self.population)
            self.examiner = Examiner(task, plan, self.population, device)
            where_it_fails.pop_all()
        self.elapsed_before, self.started = 0.0, time.monotonic()
        self.learned: Mapping[str, torch.Tensor | float] = {}  # metrics of the newest update
        self.pace, self.page = Pace(), Keeper(task, run, self.aside)
        self.saved_at = -1
        self.resumed_at: int | None = None
        self.marks = Marks()
        self.owes_evaluation = False  # whether the process that saved what is gone on from ended before it evaluated it
        self.ending: Ending | None = None  # why there is no step to come though steps are left; None: it goes on
        self.refused = False  # whether the newest checkpoint was, and that was told
        self.slowness = Slowness()

    @property
    def goes_on(self) -> bool:
        """Whether there are steps to come."""
        return self.training and not self.stop.wanted and not self.done

    @property
    def done(self) -> bool:
        """Whether no step is left: all were lived, or there is another reason to end."""
        return self.population.env_steps >= self.plan.total_steps or self.ending is not None

    @property
    def ended_by(self) -> str:
        """What a training that is over was ended by: steps, goal, patience, callback or interrupt."""
        if self.population.env_steps >= self.plan.total_steps:
            return "steps"
        return self.ending.by if self.ending else "interrupt"

    @contextmanager
    def logs_what_is_at_fault(self) -> Iterator[None]:
        """Let a world that cannot be reset, or a worker, end the run before a step. Raises TrainingFailedError."""
        try:
            yield
        except WorldError as error:
            self.log.error("the training ends by an error before its first step", exc_info=error)
            raise TrainingFailedError(f"before the first step: {error}; more in {self.run.log_path}") from error

    @property
    def elapsed(self) -> float:
        """Seconds of training, over all processes that held this run."""
        return self.elapsed_before + time.monotonic() - self.started

    def close(self) -> None:
        """Close the environments and the log."""
        self._close("the environment", self.population)
        self._close("the environment of the evaluations", self.examiner)
        close_log(self.log)

    def _close(self, name: str, held: Environment | Examiner | VectorizedPopulation) -> None:
        with self.aside.attempt(f"close {name}"):
            held.close()

    def tell(self, text: str, style: str = "") -> None:
        """Say something to the person and to the log."""
        self.log.info(text)
        self.reporter.message(text, style)

    def _miss_log(self, text: str) -> None:
        self.aside.missing.add("write the log")
        self.reporter.message(text, "red")

    def train(self) -> None:
        """Train to the plan's end or until stopped; the last state is saved and evaluated.

        Raises TrainingDivergedError (nothing is saved then), CheckpointError if the last save fails, CallbackError
        where a callback raised an error, and TrainingFailedError where something else was raised. Raises RunError where
        the folder is gone for good.
        """
        self.metrics = MetricsWriter(
            self.run.metrics_path, report=self.tell, outlook=self.aside.outlook, resume_step=self.resumed_at
        )
        with self.listeners.to_the_end(lambda: self.ended_by):
            self.training = True
            try:
                parameters = count_parameters(self.population.network)
                self.reporter.start(header(self.task, self.plan, str(self.device), parameters, self.run.path))
                self._live()
            finally:
                self.training = self.stop.unsaved = False
                with self.aside.attempt("write the metrics"):
                    if not self.metrics.close():
                        self.aside.missing.add("write the metrics")
            with self.aside.attempt(f"draw {self.run.curves_path}"):
                draw_run(self.task, self.run.metrics_path, self.run.curves_path)
            self.page.write()
            if gone := self.run.gone():
                raise RunError(f"{gone} was deleted or moved away while the run ended")

    def _live(self) -> None:
        """Train, and save the last state, whatever ends it."""
        try:
            self._tell("on_start", resumed_at=None if self.resumed_at is None else max(self.resumed_at, 0))
            self._loop()
            self._look_after_folder()
            if self.population.env_steps != self.saved_at:
                self._save(None if self.stop.wanted else self._evaluate())
        except TrainingDivergedError as error:
            raise TrainingDivergedError(f"step {self.population.env_steps:,}: {error}") from error
        except (checkpoint.CheckpointError, RunError):
            raise
        except (Exception, SystemExit) as error:  # of an environment, or for want of memory
            self._give_up(error)

    def _give_up(self, error: BaseException) -> NoReturn:
        """Save what was learned before an error ended it, where the population is whole.

        Raises the error of a callback as it is, and TrainingFailedError for any other.
        """
        step, refused = self.population.env_steps, ""
        self.log.error("step %d: the training ends by an error", step, exc_info=error)
        if self.population.whole and step > max(self.saved_at, 0):
            try:
                with suppress(CallbackError):
                    self._save(None)
            except checkpoint.CheckpointError as failure:
                refused = f"{failure}; "
        kept = f"{refused}saved up to step {self.saved_at:,}" if self.saved_at >= 0 else f"{refused}nothing was saved"
        more = f"{kept}; more in {self.run.log_path}"
        if isinstance(error, CallbackError) and error.__cause__:
            error.__cause__.add_note(f"step {step:,}: {error}; {more}")
            raise error
        raise TrainingFailedError(f"step {step:,}: {reason_of(error)}; {more}") from error

    def _loop(self) -> None:
        population, plan = self.population, self.plan
        size = population.num_agents
        record_every = max(size, plan.total_steps // REPORTS_IN_A_RUN)
        self.pace.begin(population)
        if self.owes_evaluation:
            self._save_or_go_on(self._evaluate())
        while self.goes_on:
            self.stop.unsaved = True
            self.learned = population.step() or self.learned
            step = population.env_steps
            if self.listeners.stepwise:
                self._tell("on_step")
            recorded = passes(step, record_every, size)
            if recorded or time.monotonic() - self.pace.shown_at >= SECONDS_BETWEEN_REPORTS:
                self._look_after_folder()
                self._record() if recorded else self._show({})
            if passes(step, plan.evaluate_every, size) and step < plan.total_steps:
                self._save_or_go_on(self._evaluate())
            elif passes(step, plan.checkpoint_every, size) and step < plan.total_steps:
                self._save_or_go_on(None)

    def _tell(self, hook: str, **news: Any) -> None:
        """Tell callbacks how the run stands, and what is new."""
        now = {"steps": self.population.env_steps, "elapsed": self.elapsed, "goes_on": self.goes_on}
        self.listeners.tell(hook, **now, **news)

    def _stop_for(self, why: str, by: str = "callback") -> None:
        """Let no step come any more."""
        if self.goes_on:
            self.ending = Ending(by, why)
            self.tell(f"stopped: {why}", "bold")
            self.metrics.write_event(self.population.env_steps, "stopped", why, self.elapsed)

    def _record(self) -> None:
        metrics = self.population.read_metrics() | self._learned() | self.pace.since_record(self.population)
        with self.aside.attempt("write the metrics"):
            self.metrics.write_scalars(self.population.env_steps, metrics, self.elapsed)
        self._show(metrics)
        self._tell("on_record", metrics=metrics)
        for line in self.slowness.lines(self.population):
            self.tell(line, "yellow")

    def _learned(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.learned.items()}

    def _show(self, metrics: dict[str, float]) -> None:
        self.pace.latest |= metrics
        rate, split = self.pace.measure(self.population)
        self.reporter.update(Snapshot(self.population.env_steps, self.elapsed, rate, split, self.pace.latest))

    def _evaluate(self) -> float | None:
        """Evaluate, keep and tell what that found; returns the score, None where it failed or a signal came first."""
        step, report = self.population.env_steps, None
        if not self.examiner.prepared:
            self._save_or_go_on(None)  # then a signal may end the process while a world is compiled
        with self.aside.attempt("evaluate"), suppress(EvaluationStoppedError), self.population.paused():
            report = self.examiner.examine(lambda: self.stop.wanted)
        if report is None:
            return None
        self._look_after_folder()
        with self.aside.attempt("write the metrics"):
            self.metrics.write_scalars(step, report.memory, self.elapsed)
            self.metrics.write_evaluation(step, report.result, self.elapsed)
        self.examiner.keep(report, self.run, step, self.aside)
        self.tell(self.examiner.tell(report, step), "bold")
        self._show(report.metrics)
        self.marks = self.marks.after(report.score)
        if ending := self.plan.ending(self.task, self.marks):
            self._stop_for(ending.why, ending.by)
        self._tell("on_evaluation", metrics=report.metrics, evaluation=report.result)
        self.pace.begin(self.population)
        return report.score

    def _save(self, score: float | None) -> None:
        if score is None and self.population.env_steps == self.saved_at:
            return
        standing = saved.Standing(self.elapsed, self._learned(), self.marks)
        facts = saved.facts_of(self.task, self.run.id)
        path = saved.save(self.run.checkpoints, facts, self.population, standing, score)
        self.saved_at = self.population.env_steps
        self.stop.all_is_saved(stopped_and_saved(self.run.path), FAILED if self.aside.missing else DONE)
        self.log.info(f"saved {path.name}")
        self._tell("on_checkpoint", checkpoint=path)

    def _save_or_go_on(self, score: float | None) -> None:
        """A disk that refuses now may take the next checkpoint; the ones before are intact."""
        try:
            self._save(score)
            self.refused = False
            self.page.renew()
        except checkpoint.CheckpointError as error:
            if not self.refused:
                self.tell(f"{error}{self.aside.outlook()}", "red")
            self.refused = True

    def _look_after_folder(self) -> None:
        """Write the run's folder again where it was deleted or moved away. Raises RunError where that fails."""
        if gone := self.run.gone():
            self.run.write_again()  # before the log is
            self.tell(f"{gone} was deleted or moved away: what the run needs is written again", "red")
            self.saved_at = -1
            self._save_or_go_on(None)
