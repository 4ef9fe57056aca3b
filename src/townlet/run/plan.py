"""What is asked of a run: how it is paced, in environment steps, and where and how it is shown."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from townlet.config import Task
from townlet.screen.facts import RunHeader

T = TypeVar("T", bound=Task)
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
    minutes: float | None = None  # that a run may take, see `beginning.allowance`; None: as many as it takes


class Marks(NamedTuple):
    """What a run's evaluations came to so far, as far as its end depends on that."""

    score: float | None = None  # of the newest
    best: float = -math.inf
    waited: int = 0  # evaluations since the best one

    def after(self, score: float) -> "Marks":
        """Return them with one more evaluation."""
        return Marks(score, score, 0) if score > self.best else Marks(score, self.best, self.waited + 1)


class Ending(NamedTuple):
    """Why a run ended before its steps were used up."""

    by: str  # goal, patience or callback
    why: str  # for people


@dataclass
class Plan:
    """How a run is paced, in environment steps."""

    total_steps: int
    checkpoint_every: int
    evaluate_every: int
    goal: float | None = None  # greedy score at which the run ends before that; None: never
    patience: int | None = None  # evaluations without a better one at which it ends too; None: never

    def ending(self, task: Task, marks: Marks) -> Ending | None:
        """Return why the run ends by its evaluations so far, None where it goes on."""
        score, word = task.score, f"greedy {task.score.word}"
        if self.goal is not None and marks.score is not None and marks.score >= self.goal:
            return Ending("goal", f"{word} {score.figure(marks.score)} reached the goal of {self.goal:g}")
        if self.patience is not None and marks.waited >= self.patience:
            evaluations = "an evaluation" if marks.waited == 1 else f"{marks.waited:,} evaluations"
            return Ending("patience", f"{evaluations} without a {word} above {score.figure(marks.best)}")
        return None


def make_plan(task: Task, wishes: Wishes, goal: float | None = None) -> Plan:
    """Pace a run by its task and what is asked for; it ends before that at the task's own goal, or at this one."""
    every, stop = steps_between_checkpoints(task, wishes.checkpoint_every), task.training.stop
    goals = [one for one in (goal, stop.goal if stop else None) if one is not None]
    patience = stop.patience if stop else None
    return Plan(task.training.total_steps, every, task.evaluation.every, min(goals, default=None), patience)


def steps_between_checkpoints(task: Task, asked: int | None) -> int:
    """Return the environment steps between the checkpoints of a run: as is asked for, or evenly over the run."""
    return asked or max(1, task.training.total_steps // CHECKPOINTS_IN_A_RUN)


def with_budget(task: T, steps: int, evaluate_every: int | None = None) -> T:
    """Return the task with so many steps in all; its learning rate and evaluations are paced to them.

    With `evaluate_every` there are so many steps between evaluations, whatever the budget.
    """
    training, share = task.training, steps / task.training.total_steps
    paced = {"total_steps": steps, "decay_steps": max(1, round(training.decay_steps * share))}
    every = evaluate_every or max(1, round(task.evaluation.every * share))
    return task.model_copy(
        update={
            "training": training.model_copy(update=paced),
            "evaluation": task.evaluation.model_copy(update={"every": every}),
        }
    )


def passes(step: int, every: int, stride: int) -> bool:
    """Return whether a multiple of `every` was reached by the last `stride` environment steps."""
    return step // every > (step - stride) // every


def describe(task: Task, plan: Plan, device: str, resumed: Path | None = None, minutes: float | None = None) -> str:
    """Tell the plan of a run to a person."""
    training, apart = task.training, task.training.workers > 1 and device == "cpu"
    lines = {
        "level": f"{task.id} {task.name}: {task.description}",
        "run": f"goes on with {resumed}" if resumed else "a new one",
        "agents": f"{training.num_agents:,} on {device}, seed {training.seed}"
        + (f", in {training.workers} processes" if apart else ""),
        "steps": f"{plan.total_steps:,} in all; a checkpoint every {plan.checkpoint_every:,}, "
        f"an evaluation of {task.evaluation.episodes} episodes every {plan.evaluate_every:,}",
        **({"minutes": f"{minutes:g} at most: the steps that fit are counted when it begins"} if minutes else {}),
        **({"stops": " or ".join(early)} if (early := list(_early(task, plan))) else {}),
        **({"on cuda": ", ".join(on_cuda)} if (on_cuda := list(_on_cuda(task))) else {}),
        "network": task.network.kind,
        "learning": f"{training.mode.kind}, windows of {training.seq_len}",
    }
    return "\n".join(f"{name:9} {text}" for name, text in lines.items())


def _on_cuda(task: Task) -> Iterator[str]:
    """What the task has of its own for a CUDA device."""
    for name, value in task.on_cuda.model_dump(exclude_none=True).items() if task.on_cuda else ():
        yield f"{name} {value:,}"


def _early(task: Task, plan: Plan) -> Iterator[str]:
    """What ends a run before its steps are used up."""
    if plan.goal is not None:
        yield f"at a greedy {task.score.word} of {plan.goal:g}"
    if plan.patience is not None:
        yield f"after {plan.patience:,} evaluations without a better one"


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
