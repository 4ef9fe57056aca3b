"""Levels as others use them: the types, and how a level file becomes one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townlet import level_file
from townlet.level import (
    Affordance,
    CascadeGroup,
    Cascades,
    Drain,
    Evaluation,
    Exploration,
    FeedForward,
    Fresh,
    Grid,
    JointEncoder,
    Layout,
    Level,
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
    Training,
)
from townlet.level_checks import level_problems, name_problems
from townlet.level_file import ConfigError

__all__ = [
    "Affordance",
    "CascadeGroup",
    "Cascades",
    "ConfigError",
    "Drain",
    "Evaluation",
    "Exploration",
    "FeedForward",
    "Fresh",
    "Grid",
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
    "SpatialEncoder",
    "Training",
    "load_level",
]


def load_level(reference: str | Path, overrides: Mapping[str, Any] | None = None) -> Level:
    """Read, merge and check a level.

    `reference` is an id ("2"), a name, or a path to a YAML file; `overrides` maps dotted keys to values, as
    {"training.seed": 3}. Raises ConfigError with one line for each error.
    """
    path = reference if isinstance(reference, Path) else level_file.find_level(reference)
    return level_file.load(Level, path, overrides or {}, level_problems, name_problems)
