"""What an agent sees of the town, and the mask of what it may do."""

import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.rules import Underfoot, can_interact, can_move, look_up
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState, Observation

SIGNED = ("offsets", "clock")  # parts whose features lie in [-1, 1]; those of all others lie in [0, 1]


def observe(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Observation:
    """Encode the state of all agents and mask what they may not do; `underfoot` is where that state has them."""
    parts = [part for part in _features(level, tables, state, underfoot) if part is not None]
    return Observation(torch.cat(parts, dim=1), action_mask(level, tables, state, underfoot))


def action_mask(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> Tensor:
    """What each agent may do, [num_agents, num_actions] bool: stay on the grid, use what is open and can be paid."""
    columns = []
    for action in level.actions:
        if action == "WAIT":
            columns.append(torch.ones_like(state.x, dtype=torch.bool))
        elif action == "INTERACT":
            columns.append(can_interact(level, tables, state.tick, state.meters, underfoot))
        else:
            columns.append(can_move(level, state, action))
    # Column after column, and integers until they are stacked: bools, and what is stored row by row, would be stored
    # one by one. Compared, and not read as bools: no kernel for a GPU can be made of that.
    return (torch.stack([column.int() for column in columns]) != 0).t()


def _features(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot) -> list[Tensor | None]:
    """The parts of the observation, each [num_agents, width] float32, None where the level has it not."""
    seen = level.observation
    return [
        _window(level, tables, underfoot.cell),
        _position(level, state),
        _offsets(level, tables, state) if seen.offsets else None,
        state.meters.t(),
        _one_hot(underfoot.affordance, len(level.affordances) + 1),
        _clock(level, tables, state),
        (state.progress / look_up(tables.ticks, underfoot.at)).unsqueeze(1) if seen.progress else None,
        (state.tick / level.max_steps).unsqueeze(1) if seen.age else None,
    ]


def _one_hot(index: Tensor, width: int) -> Tensor:
    return (index.unsqueeze(1) == torch.arange(width, dtype=index.dtype, device=index.device)).float()


def _window(level: Level, tables: Tables, cell: Tensor) -> Tensor | None:
    if level.observation.window is None:
        return None
    bit = tables.affordance_bits + torch.arange(level.observation.window**2, dtype=cell.dtype, device=cell.device)
    return ((cell.unsqueeze(1) >> bit) & 1).float()


def _position(level: Level, state: EnvState) -> Tensor | None:
    if level.observation.position is None:
        return None
    if level.observation.position == "one_hot":
        return _one_hot(state.y * level.grid.width + state.x, level.grid.width * level.grid.height)
    x, y = state.x / max(level.grid.width - 1, 1), state.y / max(level.grid.height - 1, 1)
    return torch.stack([x, y], dim=1)


def _offsets(level: Level, tables: Tables, state: EnvState) -> Tensor:
    """How far each affordance lies to the right and below, in shares of the map; 0 and 0 where it is absent."""
    maps = state.map_index  # whole rows of the tables: single numbers would not be read side by side
    x, y = tables.place_x.view(tables.num_maps, -1)[maps], tables.place_y.view(tables.num_maps, -1)[maps]
    right = (x - state.x.unsqueeze(1)) / max(level.grid.width - 1, 1)
    below = (y - state.y.unsqueeze(1)) / max(level.grid.height - 1, 1)
    present = (x >= 0).float()
    return torch.cat([right * present, below * present], dim=1)


def _clock(level: Level, tables: Tables, state: EnvState) -> Tensor | None:
    if tables.clock is None or level.day_ticks is None:
        return None
    return tables.clock[state.tick % level.day_ticks]
