"""Tasks as others use them: the types, and how a file becomes a level of the town or a Gymnasium task."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from townlet.level import file as level_file
from townlet.level.checks import gym_problems, level_problems, name_problems
from townlet.level.course import Stage
from townlet.level.file import ConfigError
from townlet.level.parts import (
    Adversarial,
    Affordance,
    CascadeGroup,
    Cascades,
    Curiosity,
    Drain,
    Evaluation,
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
    Priority,
    Pull,
    Recurrent,
    Replay,
    Reward,
    SpatialEncoder,
    SpectralMemory,
    Static,
    Training,
)
from townlet.level.task import GymTask, Level, Score, Task

__all__ = [
    "Adversarial",
    "Affordance",
    "CascadeGroup",
    "Cascades",
    "ConfigError",
    "Curiosity",
    "Drain",
    "Evaluation",
    "Exploration",
    "FeedForward",
    "Fresh",
    "Grid",
    "GymTask",
    "JointEncoder",
    "Layout",
    "Level",
    "Meter",
    "Milestone",
    "MultiTick",
    "Observation",
    "Part",
    "Potential",
    "PotentialMeter",
    "Priority",
    "Pull",
    "Recurrent",
    "Replay",
    "Reward",
    "Score",
    "SpatialEncoder",
    "SpectralMemory",
    "Stage",
    "Static",
    "Task",
    "Training",
    "level_problems",
    "load_level",
    "load_task",
    "resolved_config",
]


def load_task(reference: str | Path, overrides: Mapping[str, Any] | None = None) -> Level | GymTask:
    """Read, merge and check a task: a Gymnasium one where there is a key `gym`, else a level of the town.

    `reference` is an id ("2"), a name, or a path to a YAML file; `overrides` maps dotted keys to values, as
    {"training.seed": 3}. Raises ConfigError with one line for each error.
    """
    path = reference if isinstance(reference, Path) else level_file.find_level(reference)
    if "gym" in level_file.keys(path, overrides or {}):
        return level_file.load(GymTask, path, overrides or {}, gym_problems)
    return level_file.load(Level, path, overrides or {}, level_problems, name_problems)


def load_level(reference: str | Path, overrides: Mapping[str, Any] | None = None) -> Level:
    """Read, merge and check a level of the town: as `load_task`, which also raises for what is none."""
    task = load_task(reference, overrides)
    if not isinstance(task, Level):
        raise ConfigError([f"{reference}: expected a level of the town, got a task of Gymnasium ({task.gym})"])
    return task


def load_gym_task(
    env_id: str, reference: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> GymTask:
    """Load a recipe (default: the shipped one, gym.yaml) for another environment, whose id becomes the task's.

    Raises ConfigError, also where the recipe is not a Gymnasium task.
    """
    recipe = level_file.configs_directory() / "gym.yaml" if reference is None else reference
    path = recipe if isinstance(recipe, Path) else level_file.find_level(recipe)
    if "gym" not in level_file.keys(path, {}):
        raise ConfigError([f"{recipe}: expected a Gymnasium task, with a key gym, for {env_id}, got a level"])
    named = re.sub(r"[^0-9A-Za-z._-]+", "-", env_id.rpartition(":")[2]).strip("-._")[:64] or "gym"
    quoted = {"gym": json.dumps(env_id), "id": json.dumps(named)}
    return level_file.load(GymTask, path, quoted | dict(overrides or {}), gym_problems)


def resolved_config(task: Task) -> str:
    """The task as one YAML file that stands for itself: its name, its world, and then how agents learn in it."""
    values = json.loads(task.model_dump_json())
    learning = {name: values.pop(name) for name in ("yardsticks", "network", "training", "evaluation")}
    return yaml.safe_dump(values | learning, sort_keys=False, allow_unicode=True)
