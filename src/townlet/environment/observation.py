"""What an agent sees of the town, and the mask of what it may do."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.rules import Underfoot, can_act, look_up
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState, Observation, ObservationLayout


class Part(NamedTuple):
    """One part of an observation: a row of `PARTS`."""

    width: Callable[[Level], int]  # how many numbers; 0 where the level has it not
    encode: Callable[[Level, Tables, EnvState, Underfoot], Tensor]  # [num_agents, width] float32, where it has it
    signed: bool = False  # whether they lie in [-1, 1], else in [0, 1]


def lay_out(level: Level) -> ObservationLayout:
    """Lay out the observation of a level, in the order in which `observe` writes it."""
    slices, start = {}, 0
    for name, part in PARTS.items():
        if width := part.width(level):
            slices[name] = slice(start, start + width)
            start += width
    return ObservationLayout(slices, level.observation.window, (level.grid.width, level.grid.height))


def observe(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Observation:
    """Encode the state of all agents and mask what they may not do; `underfoot` is where that state has them."""
    parts = [part.encode(level, tables, state, underfoot) for part in PARTS.values() if part.width(level)]
    return Observation(torch.cat(parts, dim=1), action_mask(level, tables, state, underfoot))


def action_mask(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    """What each agent may do, [num_agents, num_actions] bool: stay on the grid, use what is open and can be paid."""
    # Column after column, and integers until they are stacked: bools, and what is stored row by row, would be stored
    # one by one.
    columns = torch.stack([can_act(level, tables, state, underfoot, action).int() for action in level.actions])
    if columns.device.type == "cpu":  # bytes that are read as bools: to compare would store bools one by one
        return columns.to(torch.uint8).t().view(torch.bool)
    return (columns != 0).t()  # no kernel for a GPU can be made of that reading


def _window(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    cell, size = underfoot.cell, level.observation.window or 0
    bit = tables.affordance_bits + torch.arange(size**2, dtype=cell.dtype, device=cell.device)
    return ((cell.unsqueeze(1) >> bit) & 1).float()


def _position_width(level: Level) -> int:
    one_hot = level.grid.width * level.grid.height
    return {None: 0, "normalised": 2, "one_hot": one_hot}[level.observation.position]


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


# In the order in which they follow one another; what each holds is said in `level.parts.Observation`.
PARTS = {
    "window": Part(lambda level: (level.observation.window or 0) ** 2, _window),
    "position": Part(_position_width, _position),
    "offsets": Part(lambda level: 2 * len(level.affordances) * level.observation.offsets, _offsets, signed=True),
    "meters": Part(lambda level: len(level.present_meters), _meters),
    "underfoot": Part(lambda level: len(level.affordances) + 1, _underfoot),
    "clock": Part(lambda level: 2 * level.observation.clock, _clock, signed=True),
    "progress": Part(lambda level: int(level.observation.progress), _progress),
    "age": Part(lambda level: int(level.observation.age), _age),
}
