"""One training run: build or resume, train, evaluate, save, and lose nothing on the way."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import NoReturn

import torch

from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.networks import count_parameters
from townlet.config import Task, resolved_config
from townlet.environment.make import compiles_for, make_env
from townlet.environment.types import Environment, WorldError
from townlet.population.evaluation import EvaluationStoppedError
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.curves import draw_run
from townlet.run.examiner import Examiner
from townlet.run.log import close_log, open_log
from townlet.run.metrics import MetricsWriter, evaluation_scalars
from townlet.run.pace import Pace
from townlet.run.plan import Plan, header, passes
from townlet.run.report.keeper import Keeper
from townlet.run.run_directory import RunDirectory, RunError
from townlet.run.saving import checkpoint, exported, saved
from townlet.run.side_effects import SideEffects, TrainingFailedError, reason_of
from townlet.screen.process import DONE, FAILED
from townlet.screen.signals import StopRequest
from townlet.screen.terminal import Reporter, Snapshot
from townlet.screen.what_next import stopped_and_saved

SECONDS_BETWEEN_REPORTS = 1.0
REPORTS_IN_A_RUN = 400  # records of the metrics, evenly over the steps of a run


class TrainingRun:
    """A population in a run folder. Use `resume` or `load_weights` before `train`, or neither.

    What fails beside the training is told and does not end it; `aside.missing` then names what the folder lacks.
    """

    def __init__(
        self, task: Task, plan: Plan, run: RunDirectory, reporter: Reporter, device: torch.device, stop: StopRequest
    ) -> None:
        self.task, self.plan, self.run, self.reporter, self.stop = task, plan, run, reporter, stop
        self.device, self.log = device, open_log(run.log_path, self._miss_log)
        self.aside = SideEffects(self.log, lambda text: self.reporter.message(text, "red"), lambda: self.goes_on)
        self.training = False  # whether `train` is at it
        with ExitStack() as where_it_fails:
            where_it_fails.callback(close_log, self.log)
            env = self._make_env()
            where_it_fails.callback(self._close, "the environment", env)
            with self._logs_what_is_at_fault():
                self.population = VectorizedPopulation(task, env)
            self.examiner = Examiner(task, plan, self.population, device)
            where_it_fails.pop_all()
        self.elapsed_before, self.started = 0.0, time.monotonic()
        self.learned: Mapping[str, torch.Tensor | float] = {}  # metrics of the newest update
        self.pace, self.page = Pace(), Keeper(task, run, self.aside)
        self.saved_at = -1
        self.resumed_at: int | None = None
        self.score: float | None = None  # of the newest evaluation
        self.owes_evaluation = False  # whether the process that saved what is gone on from ended before it evaluated it
        self.refused = False  # whether the newest checkpoint was, and that was told
        self.told_uncaptured = False

    @property
    def mastered(self) -> bool:
        """Whether the newest evaluation reached the plan's goal."""
        return self.plan.goal is not None and self.score is not None and self.score >= self.plan.goal

    def _make_env(self) -> Environment:
        num_agents = self.task.training.num_agents
        if compiles_for(self.task, self.task.training.total_steps // num_agents):
            self.tell("compiling the world; that takes some seconds")
        env = make_env(self.task, num_agents, self.device)
        if env.compile_failure:
            self.tell(f"the world runs uncompiled, several times slower: {env.compile_failure}", "yellow")
        return env

    @property
    def goes_on(self) -> bool:
        """Whether there are steps to come."""
        asked = self.training and self.population.env_steps < self.plan.total_steps
        return asked and not self.stop.wanted and not self.mastered

    @contextmanager
    def _logs_what_is_at_fault(self) -> Iterator[None]:
        """Let an environment that cannot be reset end the run before a step. Raises TrainingFailedError."""
        try:
            yield
        except WorldError as error:
            self.log.error("the training ends by an error before its first step", exc_info=error)
            raise TrainingFailedError(f"before the first step: {error}; more in {self.run.log_path}") from error

    @property
    def elapsed(self) -> float:
        """Seconds of training, over all processes that held this run."""
        return self.elapsed_before + time.monotonic() - self.started

    def resume(self) -> bool:
        """Go on from the newest whole checkpoint, or begin anew where none was saved yet; return whether there was one.

        Raises CheckpointError where all are damaged or of another run, or the newest does not fit, and
        TrainingFailedError where the environment cannot be reset.
        """
        begun = bool(checkpoint.checkpoints_in(self.run.checkpoints))
        if begun:
            facts = saved.facts_of(self.task, self.run.id)
            self._go_on_from(checkpoint.load_latest(self.run.checkpoints, self.tell, facts))
        else:
            self.resumed_at = -1  # what was recorded before is recorded again
            self.tell(f"no checkpoint was saved yet: begins anew from {self.run.config_path}")
        self.run.write_config(resolved_config(self.task))  # flags may have changed it, the total steps above all
        self.run.note()
        return begun

    def _go_on_from(self, found: checkpoint.Checkpoint) -> None:
        with self._logs_what_is_at_fault():
            self.elapsed_before, self.learned, self.score = saved.go_on_from(found, self.population)
        self.saved_at = self.resumed_at = found.step
        due = passes(found.step, self.plan.evaluate_every, self.population.num_agents)
        self.owes_evaluation = found.manifest.get("score") is None and (due or found.step >= self.plan.total_steps)
        self.run.id = self.run.id or found.manifest["facts"].get("run")
        self.tell(f"goes on from {found.path.name}")
        if not self.population.env.resumes:
            self.tell("environments cannot be saved: every agent begins a new episode, with a blank memory", "yellow")

    def load_weights(self, found: checkpoint.Checkpoint) -> None:
        """Begin with the weights of another checkpoint, and nothing else of it. Raises CheckpointError."""
        exported.check_interface(found, self.population.env)
        saved.load_network(self.population.network, found)
        self.population.learner.copy_to_target()

    def close(self) -> None:
        """Close the environments and the log."""
        self._close("the environment", self.population.env)
        self._close("the environment of the evaluations", self.examiner)
        close_log(self.log)

    def _close(self, name: str, held: Environment | Examiner) -> None:
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

        Raises TrainingDivergedError (nothing is saved then), CheckpointError if the last save fails, and
        TrainingFailedError where something else was raised. Raises RunError where the folder is gone for good.
        """
        self.metrics = MetricsWriter(
            self.run.metrics_path, report=self.tell, outlook=self.aside.outlook, resume_step=self.resumed_at
        )
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
        """Save what was learned before an error ended it, where the population is whole; raises TrainingFailedError."""
        step, refused = self.population.env_steps, ""
        self.log.error("step %d: the training ends by an error", step, exc_info=error)
        if self.population.whole and step > max(self.saved_at, 0):
            try:
                self._save(None)
            except checkpoint.CheckpointError as failure:
                refused = f"{failure}; "
        kept = f"{refused}saved up to step {self.saved_at:,}" if self.saved_at >= 0 else f"{refused}nothing was saved"
        raise TrainingFailedError(f"step {step:,}: {reason_of(error)}; {kept}; more in {self.run.log_path}") from error

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
            recorded = passes(step, record_every, size)
            if recorded or time.monotonic() - self.pace.shown_at >= SECONDS_BETWEEN_REPORTS:
                self._look_after_folder()
                self._record() if recorded else self._show({})
            if passes(step, plan.evaluate_every, size) and step < plan.total_steps:
                self._save_or_go_on(self._evaluate())
            elif passes(step, plan.checkpoint_every, size) and step < plan.total_steps:
                self._save_or_go_on(None)

    def _record(self) -> None:
        metrics = self.population.read_metrics() | self._learned() | self.pace.since_record(self.population)
        with self.aside.attempt("write the metrics"):
            self.metrics.write_scalars(self.population.env_steps, metrics, self.elapsed)
        self._show(metrics)
        self._tell_uncaptured()

    def _learned(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.learned.items()}

    def _tell_uncaptured(self) -> None:
        failure = self.population.learner.capture_failure
        if failure and not self.told_uncaptured:
            self.tell(f"updates run without a CUDA graph, several times slower: {failure}", "yellow")
            self.told_uncaptured = True

    def _show(self, metrics: dict[str, float]) -> None:
        self.pace.latest |= metrics
        rate, split = self.pace.measure(self.population)
        self.reporter.update(Snapshot(self.population.env_steps, self.elapsed, rate, split, self.pace.latest))

    def _evaluate(self) -> float | None:
        """Evaluate, keep and tell what that found; returns the score, None where it failed or a signal came first."""
        step, report = self.population.env_steps, None
        if not self.examiner.prepared:
            self._save_or_go_on(None)  # then a signal may end the process while a world is compiled
        with self.aside.attempt("evaluate"), suppress(EvaluationStoppedError):
            report = self.examiner.examine(lambda: self.stop.wanted)
        if report is None:
            return None
        self._look_after_folder()
        with self.aside.attempt("write the metrics"):
            self.metrics.write_scalars(step, report.memory, self.elapsed)
            self.metrics.write_evaluation(step, report.result, self.elapsed)
        self.examiner.keep(report, self.run, step, self.aside)
        self.tell(self.examiner.tell(report, step), "bold")
        self._show(report.memory | evaluation_scalars(report.result))
        self.pace.begin(self.population)
        self.score = report.score
        return report.score

    def _save(self, score: float | None) -> None:
        if score is None and self.population.env_steps == self.saved_at:
            return
        standing = saved.Standing(self.elapsed, self._learned(), self.score)
        facts = saved.facts_of(self.task, self.run.id)
        path = saved.save(self.run.checkpoints, facts, self.population, standing, score)
        self.saved_at = self.population.env_steps
        self.stop.all_is_saved(stopped_and_saved(self.run.path), FAILED if self.aside.missing else DONE)
        self.log.info(f"saved {path.name}")

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
