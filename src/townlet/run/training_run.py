"""One training run: build or resume, train, evaluate, save, and lose nothing on the way."""

import time
from collections.abc import Callable
from contextlib import closing

import torch

from townlet.agent.networks import count_parameters
from townlet.agent.optimizers import TrainingDivergedError
from townlet.config import Task, resolved_config
from townlet.environment.make import compiles_for, make_env
from townlet.environment.types import Environment
from townlet.population.vectorized import VectorizedPopulation
from townlet.run import examiner
from townlet.run.curves import draw_curves
from townlet.run.examiner import Examiner
from townlet.run.meta import describe_machine
from townlet.run.metrics import MetricsStore, MetricsWriter, evaluation_scalars
from townlet.run.pace import Pace
from townlet.run.plan import Plan, Wishes, passes
from townlet.run.run_directory import RunDirectory, open_log
from townlet.run.saving import checkpoint, saved
from townlet.screen.signals import StopRequest
from townlet.screen.terminal import Reporter, RunHeader, Snapshot, make_reporter

SECONDS_BETWEEN_REPORTS = 1.0
REPORTS_IN_A_RUN = 400  # records of the metrics, evenly over the steps of a run


class TrainingRun:
    """A population in a run folder. Use `resume` or `load_weights` before `train`, or neither."""

    def __init__(
        self, task: Task, plan: Plan, run: RunDirectory, reporter: Reporter, device: torch.device, stop: StopRequest
    ) -> None:
        self.task, self.plan, self.run, self.reporter, self.stop = task, plan, run, reporter, stop
        self.device, self.log = device, open_log(run.log_path)
        self.population = VectorizedPopulation(task, self._make_env())
        self.examiner = Examiner(task, plan, self.population, device)
        self.elapsed_before, self.started = 0.0, time.monotonic()
        self.learned: dict[str, torch.Tensor] = {}
        self.pace = Pace()
        self.saved_at = -1
        self.resumed_at: int | None = None
        self.score: float | None = None  # of the newest evaluation
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
    def elapsed(self) -> float:
        """Seconds of training, over all processes that held this run."""
        return self.elapsed_before + time.monotonic() - self.started

    def resume(self) -> None:
        """Go on from the newest whole checkpoint. Raises CheckpointError where there is none, or it does not fit."""
        found = checkpoint.load_latest(self.run.checkpoints, self.tell)
        saved.go_on_from(found, self.population)
        self.elapsed_before, self.saved_at, self.resumed_at = found.state["elapsed"], found.step, found.step
        self.score = found.manifest.get("score")
        self.run.write_config(resolved_config(self.task))  # flags may have changed it, the total steps above all
        self.tell(f"goes on from {found.path.name}")
        if not self.population.env.resumes:
            self.tell("environments cannot be saved: every agent begins a new episode, with a blank memory", "yellow")

    def load_weights(self, found: checkpoint.Checkpoint) -> None:
        """Begin with the weights of another checkpoint, and nothing else of it. Raises CheckpointError."""
        saved.load_network(self.population.network, found)
        self.population.learner.copy_to_target()

    def close(self) -> None:
        """Close the environment and the log."""
        self.population.env.close()
        self.examiner.close()
        for handler in self.log.handlers:
            handler.close()

    def tell(self, text: str, style: str = "") -> None:
        """Say something to the person and to the log."""
        self.log.info(text)
        self.reporter.message(text, style)

    def train(self) -> None:
        """Train to the plan's end or until stopped; the last state is saved and evaluated.

        Raises TrainingDivergedError (nothing is saved then) and, if the last save fails, CheckpointError.
        """
        self.metrics = MetricsWriter(self.run.metrics_path, report=self.tell, resume_step=self.resumed_at)
        try:
            self.reporter.start(self._header())
            self._loop()
            if self.population.env_steps != self.saved_at:
                self._save(self._evaluate() if not self.stop.wanted else None)
            self._draw()
        except TrainingDivergedError as error:
            raise TrainingDivergedError(f"step {self.population.env_steps:,}: {error}") from error
        finally:
            self.metrics.close()

    def _loop(self) -> None:
        population, plan = self.population, self.plan
        size = population.num_agents
        record_every = max(size, plan.total_steps // REPORTS_IN_A_RUN)
        self.pace.begin(population)
        while population.env_steps < plan.total_steps and not self.stop.wanted and not self.mastered:
            self.learned = population.step() or self.learned
            step = population.env_steps
            if passes(step, record_every, size):
                self._record()
            elif time.monotonic() - self.pace.shown_at >= SECONDS_BETWEEN_REPORTS:
                self._show({})
            if passes(step, plan.evaluate_every, size) and step < plan.total_steps:
                self._save_or_go_on(self._evaluate())
            elif passes(step, plan.checkpoint_every, size) and step < plan.total_steps:
                self._save_or_go_on(None)

    def _record(self) -> None:
        learned = {name: float(value) for name, value in self.learned.items()}
        metrics = self.population.read_metrics() | learned | {"time/fps": self.pace.rate_since_record(self.population)}
        self.metrics.write_scalars(self.population.env_steps, metrics, self.elapsed)
        self._show(metrics)
        self._tell_uncaptured()

    def _tell_uncaptured(self) -> None:
        failure = self.population.learner.capture_failure
        if failure and not self.told_uncaptured:
            self.tell(f"updates run without a CUDA graph, several times slower: {failure}", "yellow")
            self.told_uncaptured = True

    def _show(self, metrics: dict[str, float]) -> None:
        self.pace.latest |= metrics
        rate, split = self.pace.measure(self.population)
        self.reporter.update(Snapshot(self.population.env_steps, self.elapsed, rate, split, self.pace.latest))

    def _evaluate(self) -> float:
        """Evaluate, keep and tell what that found; returns the score."""
        step, report = self.population.env_steps, self.examiner.examine()
        if report.memory:
            self.metrics.write_scalars(step, report.memory, self.elapsed)
        self.metrics.write_evaluation(step, report.result, self.elapsed)
        try:
            examiner.keep(report, self.run.evaluation, step)
        except OSError as error:
            self.tell(f"cannot write {self.run.evaluation}: {error.strerror}; training goes on", "yellow")
        self.tell(self.examiner.tell(report, step), "bold")
        self._show(report.memory | evaluation_scalars(report.result))
        self.pace.begin(self.population)
        self.score = report.score
        return report.score

    def _save(self, score: float | None) -> None:
        path = saved.save(self.run.checkpoints, self.task, self.population, self.elapsed, score)
        self.saved_at = self.population.env_steps
        self.log.info(f"saved {path.name}")

    def _save_or_go_on(self, score: float | None) -> None:
        """A disk that refuses now may take the next checkpoint; the ones before are intact."""
        try:
            self._save(score)
        except checkpoint.CheckpointError as error:
            self.tell(f"{error}; training goes on", "red")

    def _draw(self) -> None:
        try:
            task = self.task
            title = f"Level {task.id}, {task.name}: seed {task.training.seed}"
            with closing(MetricsStore(self.run.metrics_path, read_only=True)) as store:
                draw_curves(store, self.run.curves_path, title=title, yardsticks=task.yardsticks, score=task.score)
        except Exception as error:  # a picture is never worth a run
            self.tell(f"cannot draw {self.run.curves_path}: {error}", "yellow")

    def _header(self) -> RunHeader:
        task, score = self.task, self.task.score
        return RunHeader(
            level=f"{task.id} {task.name}",
            device=str(self.device),
            num_agents=self.population.num_agents,
            seed=task.training.seed,
            total_steps=self.plan.total_steps,
            max_episode_steps=score.limit,
            parameters=count_parameters(self.population.network),
            run_path=str(self.run.path),
            yardsticks=task.yardsticks,
            score=(score.word, score.rollout, f"eval/{score.key}"),
        )


def write_about(run: RunDirectory, task: Task, device: torch.device) -> None:
    """Write what a run is, and the machine that it runs on, into its folder. Raises RunError."""
    run.write_config(resolved_config(task))
    run.write_meta(describe_machine(level=task.id, seed=task.training.seed, device=str(device)))


def train_in(
    run: RunDirectory,
    task: Task,
    plan: Plan,
    wishes: Wishes,
    stop: StopRequest,
    begin: Callable[[TrainingRun], None],
) -> TrainingRun:
    """Train in a run folder to the end, after `begin` has made the run what it begins as; returns the run, closed."""
    with (
        run,
        make_reporter(wishes.plain) as reporter,
        closing(TrainingRun(task, plan, run, reporter, wishes.device, stop)) as training,
    ):
        begin(training)
        training.train()
    return training
