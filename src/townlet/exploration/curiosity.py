"""Which curiosity a task has: the one place that knows."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from townlet.config import Task
from townlet.environment.types import Environment, StepResult
from townlet.exploration.rnd import RandomNetworkDistillation
from townlet.sequences import SequenceBatch


class NoCuriosity:
    """What is new is worth nothing, and nothing is learned of it."""

    weight = None

    def reward(self, result: StepResult) -> None:
        """Return None: there is the world's reward alone."""

    def update(self, batch: SequenceBatch) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def read_metrics(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def cut(self) -> None:
        """No episode counts."""

    def state_dict(self) -> None:
        """Return None."""

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """There is nothing to go on from. Raises ValueError for a state of some curiosity."""
        if state is not None:
            raise ValueError("curiosity: expected none, got a state with some")


AnyCuriosity = RandomNetworkDistillation | NoCuriosity


def make_curiosity(task: Task, env: Environment) -> AnyCuriosity:
    """Choose the curiosity that a task names."""
    training = task.training
    if training.curiosity is None:
        return NoCuriosity()
    return RandomNetworkDistillation(
        training.curiosity, training, env.obs_dim, env.num_agents, task.max_steps, env.device
    )
