"""The level as it is, and what a curriculum is to a population."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from townlet.config import Adversarial, Level, Task
from townlet.curriculum.adversarial import AdversarialCurriculum
from townlet.environment.types import Environment, StepResult


class Curriculum(Protocol):
    """What says how hard the world is for each agent, and learns how they do."""

    def step(self, env: Environment, actions: Tensor) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64, in a world as hard as it is for each."""
        ...

    def record(self, q: Tensor, action_mask: Tensor, result: StepResult) -> None:
        """Take note of a step: q and action_mask [num_agents, num_actions] that it was chosen by, and its result."""
        ...

    def read_metrics(self) -> dict[str, float]:
        """Return how it stands, by metric name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        ...


class StaticCurriculum:
    """The level as it is, from the first step to the last."""

    def step(self, env: Environment, actions: Tensor) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64."""
        return env.step(actions)

    def record(self, q: Tensor, action_mask: Tensor, result: StepResult) -> None:
        """Nothing depends on it."""

    def read_metrics(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is nothing to go on from."""


def make_curriculum(task: Task, env: Environment) -> Curriculum:
    """Choose the curriculum that a task names."""
    named = task.training.curriculum
    if isinstance(task, Level) and isinstance(named, Adversarial):
        return AdversarialCurriculum(task, named, env.num_agents, env.device)
    return StaticCurriculum()
