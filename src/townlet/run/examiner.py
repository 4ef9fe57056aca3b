"""The evaluations of a run: what its population can do by now, in episodes that it never saw."""

import json
from typing import Any, NamedTuple

import torch

from townlet.config import Task
from townlet.page.recorder import Noted
from townlet.population.evaluation import Evaluator, Stopped, tell_cut
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.metrics import evaluation_scalars, plain
from townlet.run.plan import Plan
from townlet.run.run_directory import RunDirectory
from townlet.run.saving.replays import Recorder
from townlet.run.side_effects import SideEffects
from townlet.seeding import stream_seed

# Episodes without memory: lives differ by about 120 steps then, so their mean is known to 11, for a gap of hundreds.
WITHOUT_MEMORY = 128


class Report(NamedTuple):
    """What an evaluation found."""

    result: dict[str, Any]  # as `Evaluator.evaluate` returns it; `memory_ablation_gap` and ..._episodes with memory
    score: float
    memory: dict[str, float]  # metrics of the memory, by name; empty without one
    noted: Noted | None  # what was played, where the level records replays

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers of it, by the names of metrics."""
        return self.memory | evaluation_scalars(self.result)


def make_evaluator(task: Task, population: VectorizedPopulation, device: torch.device, times: int) -> Evaluator:
    """Return what plays the evaluations of a population's run, so many `times`."""
    episodes, seed = task.evaluation.episodes, stream_seed(task.training.seed, "evaluation")
    without_memory = min(episodes, WITHOUT_MEMORY) if population.hidden else 0
    return Evaluator(task, episodes, seed, device, times, without_memory)


class Examiner:
    """Evaluates a population greedily, always in the same episodes."""

    def __init__(self, task: Task, plan: Plan, population: VectorizedPopulation, device: torch.device) -> None:
        self.task, self.population = task, population
        self.evaluator = make_evaluator(task, population, device, plan.total_steps // plan.evaluate_every)
        self.recorder = Recorder(task, self.evaluator.seed)
        self.prepared = False  # whether there is a world for evaluations: making it may take seconds

    def examine(self, stopped: Stopped) -> Report:
        """Evaluate with memory and, where there is one, without.

        Raises EvaluationStoppedError where `stopped`, which is asked before each step, says so, and WorldError.
        """
        population, key = self.population, self.task.score.key
        noted, memory = Noted() if self.recorder.rule else None, dict[str, float]()
        result, forgetful = self.evaluator.compare(population.network, stopped, noted)
        if forgetful is not None:
            result["memory_ablation_gap"] = result[key] - forgetful[key]
            result["memory_ablation_episodes"] = forgetful["episodes"]
            memory["memory/ablation_gap"] = result["memory_ablation_gap"]
            drift = population.stored_state_drift()
            if drift is not None:
                memory["memory/stored_state_drift"] = drift
        self.prepared = True
        return Report(result, result[key], memory, noted)

    def tell(self, report: Report, step: int) -> str:
        """Say in one line what an evaluation found."""
        score = self.task.score
        known = ", ".join(f"{name} {value:g}" for name, value in self.task.yardsticks.items())
        beside = f" ({known})" if known else ""
        cut = f"; {told}" if (told := tell_cut(self.task, report.result)) else ""
        return f"step {step:,}: greedy {score.word} {score.tell(report.result)} on {score.unseen}{beside}{cut}"

    def keep(self, report: Report, run: RunDirectory, step: int, aside: SideEffects) -> None:
        """Write what an evaluation found, and where it is due what was lived, into the run's folder."""
        with aside.attempt(f"write {run.evaluation}"):
            run.evaluation.mkdir(exist_ok=True)
            text = json.dumps(plain({"step": step, **report.result}), indent=1, allow_nan=False)
            (run.evaluation / f"step_{step:09}.json").write_text(text)
        if report.noted is not None and self.recorder.due(self.population, run, step):
            with aside.attempt("record a replay"):
                self.recorder.keep(report.noted, self.population, run, step)

    def close(self) -> None:
        """Close the world of the evaluations. Raises WorldError."""
        self.evaluator.close()
