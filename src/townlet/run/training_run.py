"""One training run: build or resume, train, evaluate, save, and lose nothing on the way."""

import json
import math
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import torch

from townlet.agent.networks import QNetwork, count_parameters
from townlet.agent.optimizers import TrainingDivergedError
from townlet.config import Task, resolved_config
from townlet.environment.make import compiles_for, make_env
from townlet.environment.types import Environment
from townlet.population.evaluation import Evaluator
from townlet.population.vectorized import VectorizedPopulation
from townlet.run import checkpoint
from townlet.run.curves import draw_curves
from townlet.run.metrics import MetricsStore, MetricsWriter, evaluation_scalars
from townlet.run.run_directory import RunDirectory, open_log
from townlet.screen.terminal import Reporter, RunHeader, Snapshot
from townlet.seeding import stream_seed

SECONDS_BETWEEN_REPORTS = 1.0
REPORTS_IN_A_RUN = 400  # records of the metrics, evenly over the steps of a run


@dataclass
class StopRequest:
    """Set by a signal; the run saves and stops after the step that it is in."""

    wanted: bool = False


@dataclass
class Plan:
    """How a run is paced, in environment steps."""

    total_steps: int
    checkpoint_every: int
    evaluate_every: int
    goal: float | None = None  # greedy score at which the run ends before that; None: never


class TrainingRun:
    """A population in a run folder. Use `resume` or `load_weights` before `train`, or neither."""

    def __init__(
        self, task: Task, plan: Plan, run: RunDirectory, reporter: Reporter, device: torch.device, stop: StopRequest
    ) -> None:
        self.task, self.plan, self.run, self.reporter, self.stop = task, plan, run, reporter, stop
        self.device, self.log = device, open_log(run.log_path)
        self.population = VectorizedPopulation(task, self._make_env())
        self.evaluator = self._make_evaluator()
        self.elapsed_before, self.started = 0.0, time.monotonic()
        self.learned: dict[str, torch.Tensor] = {}
        self.pace = _Pace()
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

    def _make_evaluator(self) -> Evaluator:
        task, seed = self.task, stream_seed(self.task.training.seed, "evaluation")
        times = (1 + bool(self.population.hidden)) * (self.plan.total_steps // self.plan.evaluate_every)
        return Evaluator(task, task.evaluation.episodes, seed, self.device, times)

    @property
    def elapsed(self) -> float:
        """Seconds of training, over all processes that held this run."""
        return self.elapsed_before + time.monotonic() - self.started

    def resume(self) -> None:
        """Go on from the newest whole checkpoint. Raises CheckpointError where there is none, or it does not fit."""
        found = checkpoint.load_latest(self.run.checkpoints, self.tell)
        try:
            _load_network(self.population.network, found)
            self.population.load_state_dict(found.state["population"])
        except (KeyError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise checkpoint.CheckpointError(
                f"{found.path}: expected a checkpoint of this level, got {reason}"
            ) from error
        self.elapsed_before, self.saved_at, self.resumed_at = found.state["elapsed"], found.step, found.step
        self.score = found.manifest.get("score")
        self.run.write_config(resolved_config(self.task))  # flags may have changed it, the total steps above all
        self.tell(f"goes on from {found.path.name}")
        if not self.population.env.resumes:
            self.tell("environments cannot be saved: every agent begins a new episode, with a blank memory", "yellow")

    def load_weights(self, found: checkpoint.Checkpoint) -> None:
        """Begin with the weights of another checkpoint, and nothing else of it. Raises CheckpointError."""
        _load_network(self.population.network, found)
        self.population.learner.copy_to_target()

    def close(self) -> None:
        """Close the environment and the log."""
        self.population.env.close()
        self.evaluator.close()
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
            if _passes(step, record_every, size):
                self._record()
            elif time.monotonic() - self.pace.shown_at >= SECONDS_BETWEEN_REPORTS:
                self._show({})
            if _passes(step, plan.evaluate_every, size) and step < plan.total_steps:
                self._save_or_go_on(self._evaluate())
            elif _passes(step, plan.checkpoint_every, size) and step < plan.total_steps:
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

    def _evaluate(self) -> dict[str, Any]:
        """Evaluate greedily in unseen episodes, with memory and, where there is one, without."""
        population, task, step, score = self.population, self.task, self.population.env_steps, self.task.score
        result = self.evaluator.evaluate(population.network)
        if population.hidden:
            forgetful = self.evaluator.evaluate(population.network, forget_every=1)
            result["memory_ablation_gap"] = result[score.key] - forgetful[score.key]
            memory = {"memory/ablation_gap": result["memory_ablation_gap"]}
            drift = population.stored_state_drift()
            if drift is not None:
                memory["memory/stored_state_drift"] = drift
            self.metrics.write_scalars(step, memory, self.elapsed)
            self.pace.latest |= memory
        self.score = result[score.key]
        self.metrics.write_evaluation(step, result, self.elapsed)
        self._keep_evaluation(step, result)
        known = ", ".join(f"{name} {value:g}" for name, value in task.yardsticks.items())
        beside = f" ({known})" if known else ""
        self.tell(f"step {step:,}: greedy {score.word} {score.tell(result)} on {score.unseen}{beside}", "bold")
        self._show(evaluation_scalars(result))
        self.pace.begin(population)
        return result

    def _keep_evaluation(self, step: int, result: dict[str, Any]) -> None:
        try:
            self.run.evaluation.mkdir(exist_ok=True)
            (self.run.evaluation / f"step_{step:09}.json").write_text(json.dumps({"step": step, **result}, indent=1))
        except OSError as error:
            self.tell(f"cannot write {self.run.evaluation}: {error.strerror}; training goes on", "yellow")

    def _save(self, result: dict[str, Any] | None) -> None:
        population = self.population
        state = {"population": population.state_dict(), "elapsed": self.elapsed}
        score = None if result is None else result[self.task.score.key]
        facts = {"level": self.task.id, "seed": self.task.training.seed}
        model, step = population.network.state_dict(), population.env_steps
        path = checkpoint.save(self.run.checkpoints, step, model, state, best_score=score, facts=facts)
        self.saved_at = step
        self.log.info(f"saved {path.name}")

    def _save_or_go_on(self, result: dict[str, Any] | None) -> None:
        """A disk that refuses now may take the next checkpoint; the ones before are intact."""
        try:
            self._save(result)
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


def _passes(step: int, every: int, stride: int) -> bool:
    """Whether a multiple of `every` was reached by the last `stride` environment steps."""
    return step // every > (step - stride) // every


@dataclass
class _Pace:
    """Steps a second and where the time went, since the last evaluation."""

    latest: dict[str, float] = field(default_factory=dict)
    shown_at: float = -math.inf
    began: float = 0.0
    began_step: int = 0
    recorded: float = 0.0
    recorded_step: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, population: VectorizedPopulation) -> None:
        """Measure from now on."""
        self.began, self.began_step, self.seconds = time.monotonic(), population.env_steps, dict(population.seconds)
        self.recorded, self.recorded_step = self.began, self.began_step

    def rate(self, population: VectorizedPopulation) -> float:
        """Environment steps a second since `begin`."""
        return (population.env_steps - self.began_step) / max(time.monotonic() - self.began, 1e-9)

    def rate_since_record(self, population: VectorizedPopulation) -> float:
        """Environment steps a second since this was last called, or since `begin`."""
        now, step = time.monotonic(), population.env_steps
        rate = (step - self.recorded_step) / max(now - self.recorded, 1e-9)
        self.recorded, self.recorded_step = now, step
        return rate

    def measure(self, population: VectorizedPopulation) -> tuple[float, dict[str, float]]:
        """Environment steps a second, and the share of the time that each part of a step took."""
        self.shown_at = time.monotonic()
        passed = max(self.shown_at - self.began, 1e-9)
        split = {name: (total - self.seconds[name]) / passed for name, total in population.seconds.items()}
        return self.rate(population), split


def _load_network(network: QNetwork, found: checkpoint.Checkpoint) -> None:
    """Give a network the weights of a checkpoint. Raises CheckpointError, naming the first that does not fit."""
    parts = (network.state_dict(), found.model)
    shapes, got = ({name: list(one.shape) for name, one in part.items()} for part in parts)
    for name in shapes | got:
        if shapes.get(name) != got.get(name):
            expected = f"weights of this level's network, {name} {shapes.get(name, 'not there')}"
            raise checkpoint.CheckpointError(f"{found.path}: expected {expected}, got {got.get(name, 'none')}")
    network.load_state_dict(found.model)
