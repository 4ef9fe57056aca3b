"""What is asked of a run: how it is paced, in environment steps, and where and how it is shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from townlet.config import Task
from townlet.screen.facts import RunHeader

CHECKPOINTS_IN_A_RUN = 20


class Pacing(NamedTuple):
    """Environment steps between what a run does now and then, where somebody asked for some."""

    checkpoint_every: int | None = None  # None: as `CHECKPOINTS_IN_A_RUN` says
    evaluate_every: int | None = None  # None: as the task says


NO_PACE = Pacing()


class Wishes(NamedTuple):
    """What is asked of runs beside their task: the same for every rung of a ladder."""

    device: str  # its kind, cpu or cuda
    plain: bool = False  # lines in place of the dashboard
    checkpoint_every: int | None = None  # environment steps; None: as `CHECKPOINTS_IN_A_RUN` says


@dataclass
class Plan:
    """How a run is paced, in environment steps."""

    total_steps: int
    checkpoint_every: int
    evaluate_every: int
    goal: float | None = None  # greedy score at which the run ends before that; None: never

    def reached(self, task: Task, score: float | None) -> str | None:
        """Say that a score reached the goal; None where it did not."""
        if self.goal is None or score is None or not score >= self.goal:
            return None
        return f"greedy {task.score.word} {score:.1f} reached the goal of {self.goal:g}"


class Ending(NamedTuple):
    """Why a run ended before its steps were used up."""

    by: str  # goal, patience or callback
    why: str  # for people


def make_plan(task: Task, wishes: Wishes, goal: float | None = None) -> Plan:
    """Pace a run by its task and what is asked for; it ends before that where it reaches the goal."""
    total = task.training.total_steps
    every = wishes.checkpoint_every or max(1, total // CHECKPOINTS_IN_A_RUN)
    return Plan(total, every, task.evaluation.every, goal)


def passes(step: int, every: int, stride: int) -> bool:
    """Return whether a multiple of `every` was reached by the last `stride` environment steps."""
    return step // every > (step - stride) // every


def describe(task: Task, plan: Plan, device: str, resumed: Path | None = None) -> str:
    """Tell the plan of a run to a person."""
    training, apart = task.training, task.training.workers > 1 and device == "cpu"
    lines = {
        "level": f"{task.id} {task.name}: {task.description}",
        "run": f"goes on with {resumed}" if resumed else "a new one",
        "agents": f"{training.num_agents:,} on {device}, seed {training.seed}"
        + (f", in {training.workers} processes" if apart else ""),
        "steps": f"{plan.total_steps:,} in all; a checkpoint every {plan.checkpoint_every:,}, "
        f"an evaluation of {task.evaluation.episodes} episodes every {plan.evaluate_every:,}",
        "network": task.network.kind,
        "learning": f"{training.mode.kind}, windows of {training.seq_len}",
    }
    return "\n".join(f"{name:9} {text}" for name, text in lines.items())


def header(task: Task, plan: Plan, device: str, parameters: int, run: Path) -> RunHeader:
    """Return what is shown of a run throughout; `parameters` are those of its network."""
    score = task.score
    return RunHeader(
        level=f"{task.id} {task.name}",
        device=device,
        num_agents=task.training.num_agents,
        seed=task.training.seed,
        total_steps=plan.total_steps,
        max_episode_steps=score.limit,
        parameters=parameters,
        run_path=str(run),
        yardsticks=task.yardsticks,
        score=(score.word, score.rollout, f"eval/{score.key}"),
    )
