"""What a task asks for, as far as the number of its agents allows it."""

from collections.abc import Callable
from typing import TypeVar

from townlet.level.parts import Fresh
from townlet.level.task import Task

T = TypeVar("T", bound=Task)
Tell = Callable[[str], object]  # says one line to a person


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
