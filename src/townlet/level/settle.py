"""What a task asks for, as far as the number of its agents allows it, and as a device suits it."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from townlet.level.parts import Fresh
from townlet.level.task import Task

T = TypeVar("T", bound=Task)
Tell = Callable[[str], object]  # says one line to a person
ON_CUDA = {  # the keys of a task for which those of its `on_cuda` stand
    "num_agents": "training.num_agents",
    "minibatches": "training.mode.minibatches",
    "total_steps": "training.total_steps",
    "decay_steps": "training.decay_steps",
    "learning_rate": "training.learning_rate",
    "evaluate_every": "evaluation.every",
}


def settle(task: T, tell: Tell | None = None) -> T:
    """Return the task with minibatches of equal size: as many as it asks for, or fewer; `tell` is told of fewer."""
    training, mode = task.training, task.training.mode
    if not isinstance(mode, Fresh) or training.num_agents % mode.minibatches == 0:
        return task
    most = min(mode.minibatches, training.num_agents)
    parts = next(parts for parts in range(most, 0, -1) if training.num_agents % parts == 0)
    if tell is not None:
        asked = f"the most up to {mode.minibatches} that part {training.num_agents:,} agents alike"
        tell(f"training.mode.minibatches: {parts}, {asked}")
    settled = training.model_copy(update={"mode": mode.model_copy(update={"minibatches": parts})})
    return task.model_copy(update={"training": settled})


def taken_on_cuda(task: Task, asked: Collection[str]) -> dict[str, Any]:
    """Return what a run of a task takes on a CUDA device, by dotted keys: its `on_cuda`, but for what was asked for.

    `asked` are dotted keys; whoever asks for a whole part of the task asks for all keys in it.
    """
    said = task.on_cuda.model_dump(exclude_none=True) if task.on_cuda else {}
    taken = {ON_CUDA[name]: value for name, value in said.items()}
    return {key: value for key, value in taken.items() if not any(f"{key}.".startswith(f"{one}.") for one in asked)}
