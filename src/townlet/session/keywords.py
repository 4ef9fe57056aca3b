"""What is asked of a training by keywords, read and checked as flags are."""

import argparse
import math
import os
from collections.abc import Sequence

import torch

from townlet.config import ConfigError
from townlet.run.beginning.asked import Asked
from townlet.screen.device_kinds import kind_named

Place = os.PathLike[str] | str


def text_of(named: Place | float | None) -> str | None:
    """Return what names a level or a run as text; levels may be named by numbers."""
    return os.fspath(named) if isinstance(named, os.PathLike) else None if named is None else str(named)


def texts_of(curriculum: Sequence[Place | float] | None) -> list[str]:
    """Return the levels of a ladder as text, none where no ladder is asked for. Raises ConfigError."""
    if isinstance(curriculum, str) or (curriculum is not None and not curriculum):
        raise ConfigError([f"curriculum: expected a list of levels, got {curriculum!r}"])
    return [text for one in curriculum or () if (text := text_of(one)) is not None]


def device_of(device: torch.device | str) -> str:
    """Return the kind of a device, cpu or cuda. Raises ConfigError."""
    try:
        return kind_named(str(device))
    except argparse.ArgumentTypeError as error:
        raise ConfigError([f"device: {error}"]) from None


def check_counts(**counts: int | None) -> None:
    """Raise ConfigError for what is no number of steps; None is none that was asked for."""
    for name, count in counts.items():
        if count is not None and (type(count) is not int or count < 1):
            raise ConfigError([f"{name}: expected a whole number, at least 1, got {count!r}"])


def check_together(asked: Asked, levels: Sequence[str], mastery: float | None, seed: int | None) -> None:
    """Raise ConfigError for keywords that do not go together; `levels` are those of a ladder."""
    fixed = any(one is not None for one in (asked.level, asked.gym, asked.load))
    if asked.resume is not None and (fixed or levels or asked.run_name is not None or seed is not None):
        keywords = "level, gym, curriculum, load, run_name and seed"
        raise ConfigError([f"resume goes on as it is: {keywords} do not go with it"])
    if levels and fixed:
        raise ConfigError(["curriculum begins with its first level: level, gym and load do not go with it"])
    if mastery is None:
        return
    if not levels:
        raise ConfigError(["mastery is of a ladder: it goes with curriculum"])
    if not 0.0 < mastery <= 1.0:
        raise ConfigError([f"mastery: expected a number above 0 and up to 1, got {mastery}"])


def check_minutes(minutes: float | None, asked: Asked, levels: Sequence[str]) -> None:
    """Raise ConfigError for minutes that are none, or that are not of one new run."""
    if minutes is None:
        return
    if not 0.0 < minutes < math.inf:
        raise ConfigError([f"minutes: expected a number above 0, got {minutes}"])
    if levels or asked.resume is not None:
        raise ConfigError(["minutes is of one new run: resume and curriculum do not go with it"])
