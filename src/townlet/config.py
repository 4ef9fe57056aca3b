"""Tasks as others use them: the types, and how a file becomes a level of the town or a Gymnasium task."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townlet.level import file as level_file
from townlet.level.checks.whole import gym_problems, level_problems, name_problems
from townlet.level.course import Evaluation, Replays, Stage
from townlet.level.file import OF_LEARNING, ConfigError
from townlet.level.images import Images, SeeingFeedForward, SeeingRecurrent
from townlet.level.memories import CounterMemory, DeltaMemory, GroundMemory, Memory
from townlet.level.parts import (
    Adversarial,
    Affordance,
    CascadeGroup,
    Cascades,
    Curiosity,
    Drain,
    Exploration,
    FeedForward,
    Fresh,
    Grid,
    JointEncoder,
    Layout,
    Meter,
    Milestone,
    MultiTick,
    Observation,
    Part,
    Potential,
    PotentialMeter,
    Prediction,
    Priority,
    Pull,
    Recall,
    Recurrent,
    Replay,
    Reward,
    SpatialEncoder,
    Static,
    Stop,
    Training,
)
from townlet.level.settle import Tell, settle, taken_on_cuda
from townlet.level.task import GymTask, Level, Score, Task, anchored
from townlet.level.yaml_text import write_yaml

__all__ = [
    "OF_LEARNING",
    "Adversarial",
    "Affordance",
    "CascadeGroup",
    "Cascades",
    "ConfigError",
    "CounterMemory",
    "Curiosity",
    "DeltaMemory",
    "Drain",
    "Evaluation",
    "Exploration",
    "FeedForward",
    "Fresh",
    "Grid",
    "GroundMemory",
    "GymTask",
    "Images",
    "JointEncoder",
    "Layout",
    "Level",
    "Memory",
    "Meter",
    "Milestone",
    "MultiTick",
    "Observation",
    "Part",
    "Potential",
    "PotentialMeter",
    "Prediction",
    "Priority",
    "Pull",
    "Recall",
    "Recurrent",
    "Replay",
    "Replays",
    "Reward",
    "Score",
    "SeeingFeedForward",
    "SeeingRecurrent",
    "SpatialEncoder",
    "Stage",
    "Static",
    "Stop",
    "Task",
    "Tell",
    "Training",
    "level_problems",
    "load_level",
    "load_task",
    "resolved_config",
    "taken_on_cuda",
]


def load_task(
    reference: str | Path, overrides: Mapping[str, Any] | None = None, tell: Tell | None = None
) -> Level | GymTask:
    """Read, merge and check a task: a Gymnasium one where there is a key `gym`, else a level of the town.

    `reference` is an id ("2"), a name, or a path to a YAML file; `overrides` maps dotted keys to values, as
    {"training.seed": 3}. What is asked for and cannot be is settled, see `settle`, and `tell` told in a line. Raises
    ConfigError with one line for each error.
    """
    path = reference if isinstance(reference, Path) else level_file.find_level(reference)
    if "gym" in level_file.keys(path, overrides or {}):
        return settle(anchored(level_file.load(GymTask, path, overrides or {}, gym_problems), path.parent), tell)
    return settle(level_file.load(Level, path, overrides or {}, level_problems, name_problems), tell)


def load_level(reference: str | Path, overrides: Mapping[str, Any] | None = None, tell: Tell | None = None) -> Level:
    """Read, merge and check a level of the town: as `load_task`, which also raises for what is none."""
    task = load_task(reference, overrides, tell)
    if not isinstance(task, Level):
        raise ConfigError([f"{reference}: expected a level of the town, got a task of Gymnasium ({task.gym})"])
    return task


def load_gym_task(
    env_id: str,
    reference: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    tell: Tell | None = None,
) -> GymTask:
    """Load a recipe (default: the shipped one, gym.yaml) for another environment, whose id becomes the task's.

    `tell` is as in `load_task`. Raises ConfigError, also where the recipe is not a Gymnasium task.
    """
    recipe = level_file.configs_directory() / "gym.yaml" if reference is None else reference
    path = recipe if isinstance(recipe, Path) else level_file.find_level(recipe)
    if "gym" not in level_file.keys(path, {}):
        raise ConfigError([f"{recipe}: expected a Gymnasium task, with a key gym, for {env_id}, got a level"])
    named = re.sub(r"[^0-9A-Za-z._-]+", "-", env_id.rpartition(":")[2]).strip("-._")[:64] or "gym"
    given = {"id": write_yaml(named)} | dict(overrides or {}) | {"gym": write_yaml(env_id)}
    return settle(anchored(level_file.load(GymTask, path, given, gym_problems), path.parent), tell)


def resolved_config(task: Task) -> str:
    """The task as one YAML file that stands for itself: its name, its world, and then how agents learn in it."""
    values = task.model_dump()  # not through JSON, which has no infinity
    learning = {name: values.pop(name) for name in ("yardsticks", *OF_LEARNING) if name in values}
    return write_yaml(values | learning)
