"""Which environment a task has: the one place that knows."""

from typing import Literal

import torch

from townlet.config import GymTask, Level, Task
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import Environment
from townlet.environment.vectorized_env import VectorizedEnv, repays_compiling


def make_env(
    task: Task,
    num_agents: int,
    device: torch.device | str = "cpu",
    seed: int | None = None,
    compile: bool | Literal["auto"] = "auto",
    maps: Literal["training", "evaluation"] = "training",
) -> Environment:
    """Make the environment of a task for `num_agents` agents at once.

    `seed` is the task's own where it is None; `maps` tells training's episodes from evaluation's, which never meet;
    `compile` fuses the town's step, as `VectorizedEnv` says. Raises ConfigError where Gymnasium has no such
    environment, or it is none that agents here can act in.
    """
    if isinstance(task, Level):
        return VectorizedEnv(task, num_agents, device, seed, compile, maps)
    assert isinstance(task, GymTask)
    root = task.training.seed if seed is None else seed
    return GymEnvironment.from_id(task.gym, num_agents, device, root, maps, task.max_steps, task.gym_options)


def check_env(task: Task) -> None:
    """Raise ConfigError where a task's environment cannot be made; the town's always can."""
    if isinstance(task, GymTask):
        make_env(task, 1).close()


def compiles_for(task: Task, steps: int) -> bool:
    """Whether so many steps of one environment repay what compiling it takes; only the town's can be compiled."""
    return isinstance(task, Level) and repays_compiling(steps)
