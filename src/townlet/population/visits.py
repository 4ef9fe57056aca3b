"""Where agents spend their time: counted on the device while they are evaluated, and read once at the end."""

from typing import Any

import torch
from torch import Tensor

from townlet.config import Level, Task
from townlet.environment.types import Environment


class NoVisits:
    """Counts nothing: there is no map."""

    def record(self, running: Tensor) -> None:
        """Count nothing."""

    def summary(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Visits:
    """The steps that agents begin in each cell of a town, and on each of its places."""

    def __init__(self, level: Level, env: Environment) -> None:
        self.level, self.env, self.kinds = level, env, len(level.affordances) + 1  # the last of them is none
        self.begin()

    def begin(self) -> None:
        """Forget what was counted."""
        cells = self.level.grid.width * self.level.grid.height
        self.counts = torch.zeros(cells * self.kinds, dtype=torch.int64, device=self.env.device)

    def record(self, running: Tensor) -> None:
        """Count where those are who are about to take a step that counts, `running` [num_agents] bool."""
        standing = self.env.standing()
        assert standing is not None
        self.counts.index_add_(0, standing.cell * self.kinds + standing.affordance, running.long())

    def summary(self) -> dict[str, Any]:
        """Return `visits`: `cells`, a list of counts for each row, and `places`, by name those that are on the map."""
        level, grid = self.level, self.level.grid
        counts = self.counts.view(grid.height, grid.width, self.kinds).cpu()
        by_kind = zip(level.affordances, counts.sum(dim=(0, 1)).tolist(), strict=False)
        places = {name: count for name, count in by_kind if name in level.placed_affordances}
        return {"visits": {"cells": counts.sum(dim=2).tolist(), "places": places}}


def make_visits(task: Task, env: Environment) -> Visits | NoVisits:
    """Return what counts in an environment of a task."""
    return Visits(task, env) if isinstance(task, Level) else NoVisits()
