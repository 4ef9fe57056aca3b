"""What an agent sees of the town, and the mask of what it may do."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.capture import mapped
from townlet.config import Level
from townlet.environment.layout import WIDTHS
from townlet.environment.rules import Underfoot, can_act, look_up
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState, Observation


class Sight(NamedTuple):
    """An observation whose mask is not put together yet."""

    features: Tensor  # [num_agents, obs_dim] float32
    columns: list[Tensor]  # who may take each action, [num_agents] int32: 1 for who may, else 0


class Part(NamedTuple):
    """How one part of an observation is written: a row of `PARTS`."""

    encode: Callable[[Level, Tables, EnvState, Underfoot], Tensor]  # [num_agents, width] float32, where it has it
    signed: bool = False  # whether they lie in [-1, 1], else in [0, 1]


def observe(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Observation:
    """Encode the state of all agents and mask what they may not do; `underfoot` is where that state has them."""
    seen: Observation = with_bools(masked(look(level, tables, state, underfoot)))
    return seen


def look(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Sight:
    """Do the same, for `masked` to put together: to be compiled."""
    parts = [PARTS[name].encode(level, tables, state, underfoot) for name, width in WIDTHS.items() if width(level)]
    columns = [can_act(level, tables, state, underfoot, action).int() for action in level.actions]
    return Sight(torch.cat(parts, dim=1), columns)


def masked(seen: Sight) -> Observation:
    """Put the mask together, in bytes as `in_bytes` makes them."""
    # Column after column, and integers until they are stacked: bools, and what is stored row by row, would be stored
    # one by one, and bytes stacked by a kernel of their own.
    return Observation(seen.features, torch.stack(seen.columns).to(torch.uint8).t())


def in_bytes(flags: Tensor) -> Tensor:
    """Bools as bytes of 0 and 1: a compiled loop stores those side by side, and bools one by one."""
    return flags.int().to(torch.uint8)  # by way of the integers that comparisons of numbers are


def with_bools(tree: Any) -> Any:
    """Read all bytes in nested tuples as the bools that they are, where they lie."""
    return mapped(lambda part: part.view(torch.bool) if part.dtype == torch.uint8 else part, tree)


def _window(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    cell, size = underfoot.cell, level.observation.window or 0
    bit = tables.affordance_bits + torch.arange(size**2, dtype=cell.dtype, device=cell.device)
    return ((cell.unsqueeze(1) >> bit) & 1).float()


def _position(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    if level.observation.position == "one_hot":
        return _one_hot(state.y * level.grid.width + state.x, level.grid.width * level.grid.height)
    x, y = state.x / max(level.grid.width - 1, 1), state.y / max(level.grid.height - 1, 1)
    return torch.stack([x, y], dim=1)


def _offsets(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    """How far each affordance lies to the right and below, in shares of the map; 0 and 0 where it is absent."""
    maps = state.map_index  # whole rows of the tables: single numbers would not be read side by side
    x, y = tables.place_x.view(tables.num_maps, -1)[maps], tables.place_y.view(tables.num_maps, -1)[maps]
    right = (x - state.x.unsqueeze(1)) / max(level.grid.width - 1, 1)
    below = (y - state.y.unsqueeze(1)) / max(level.grid.height - 1, 1)
    present = (x >= 0).float()
    return torch.cat([right * present, below * present], dim=1)


def _meters(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    return state.meters.t()


def _underfoot(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    return _one_hot(underfoot.affordance, len(level.affordances) + 1)


def _clock(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    assert tables.clock is not None and level.day_ticks is not None
    return tables.clock[state.tick % level.day_ticks]


def _progress(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    return (state.progress / look_up(tables.ticks, underfoot.at)).unsqueeze(1)


def _age(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    return (state.tick / level.max_steps).unsqueeze(1)


def _one_hot(index: Tensor, width: int) -> Tensor:
    return (index.unsqueeze(1) == torch.arange(width, dtype=index.dtype, device=index.device)).float()


# How wide each is, and their order, is said in `layout.WIDTHS`.
PARTS = {
    "window": Part(_window),
    "position": Part(_position),
    "offsets": Part(_offsets, signed=True),
    "meters": Part(_meters),
    "underfoot": Part(_underfoot),
    "clock": Part(_clock, signed=True),
    "progress": Part(_progress),
    "age": Part(_age),
}
