"""The planner's lives: what a script that knows the whole map does from the starts of lives that are recorded."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.rules import tick
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState
from townlet.page.header import Ended, PlannedLife
from townlet.page.numbers import Array
from townlet.play.planner import Planner


class Planned(NamedTuple):
    """What the planner did, a life for each start."""

    lives: tuple[PlannedLife, ...]
    actions: Array  # [lives, 1, steps] int64; what lies after a life's end is of no life


def plan(level: Level, tables: Tables, start: EnvState, steps: int | None = None) -> Planned:
    """Live from `start`, an entry a life, to each life's end, or for so many steps; a level in which it can plan."""
    planner, state = Planner(level, tables), start
    actions, died, ended, cause = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
    over = torch.zeros_like(start.x, dtype=torch.bool)
    while len(actions) < (steps or level.max_steps) and not over.all():
        actions.append(planner.act(state))
        done = tick(level, tables, state, actions[-1])
        died.append(done.terminated)
        ended.append(done.terminated | done.truncated)
        cause.append(done.cause)
        state, over = done.state, over | ended[-1]
    ends = zip(*(_by_life(column) for column in (died, ended, cause)), strict=True)
    return Planned(tuple(end_of(*rows) for rows in ends), _by_life(actions)[:, None])


def end_of(died: Array, ended: Array, cause: Array) -> PlannedLife:
    """Return how a life ended, by who died, whose life was over and of what, each [steps]: at the first end."""
    ends = np.flatnonzero(ended)
    length = int(ends[0]) + 1 if len(ends) else len(ended)
    dies = bool(died[length - 1])
    how: Ended = "death" if dies else "limit" if len(ends) else "cut"
    return PlannedLife(length=length, ended=how, cause=int(cause[length - 1]) if dies else None)


def _by_life(column: list[Tensor]) -> Array:
    """One time after the other, each [lives], as [lives, times]."""
    values: Array = torch.stack(column, dim=-1).cpu().numpy()
    return values
