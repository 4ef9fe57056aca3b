"""Level to tables: what the rules look up, made once, on the device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from townlet.config import Level
from townlet.seeding import generator


class Row(NamedTuple):
    """A number for each affordance; plain numbers, so that they compile in."""

    usual: float  # of no affordance, and of all that are not listed
    others: tuple[tuple[int, float], ...]  # affordance, number


MeterRow = tuple[int, Row]  # the meter that the numbers are of


@dataclass(frozen=True)
class Tables:
    """The constants of a level; `num_affordances` stands for "no affordance", which costs and brings nothing."""

    num_maps: int
    initial: Tensor  # [num_meters] float32: with what an episode begins
    costs: tuple[MeterRow, ...]  # of one tick of an interaction, meters without any left out
    effects: tuple[MeterRow, ...]  # of one tick
    bonuses: tuple[MeterRow, ...]  # on the last tick, empty where interactions take one tick
    ticks: Row
    open_at: Tensor | None  # [(num_affordances + 1) * day_ticks] bool; None without a day
    cells: Tensor  # [num_maps * num_cells] int32 or int64: in the lowest `affordance_bits` bits the affordance there,
    affordance_bits: int  # and above them, bit by bit, which cells of the window around it hold one
    clock: Tensor | None  # [day_ticks, 2]: sine and cosine of the time of day; None where it is not observed
    place_x: Tensor  # [num_maps * num_affordances] int32, -1 where absent
    place_y: Tensor  # [num_maps * num_affordances] int32, -1 where absent

    def tensors(self) -> list[Tensor]:
        """Return those that lie on the device."""
        return [table for table in vars(self).values() if isinstance(table, Tensor)]


def make_tables(level: Level, maps: str, device: torch.device) -> Tables:
    """Build the tables of `level` for its "training" or its "evaluation" maps."""
    places = draw_places(level, maps)  # [num_maps, num_affordances]
    names, multi_tick = list(level.affordances), level.multi_tick is not None
    ticks = [level.affordances[name].ticks if multi_tick else 1 for name in names]
    spread = level.multi_tick.spread if level.multi_tick else 1.0
    costs = _by_meter(level, "costs")  # [num_meters, num_affordances]
    effects = _by_meter(level, "effects")
    per_tick = torch.tensor(ticks, dtype=torch.float64)
    affordance_at, bits = _affordance_at(level, places), len(names).bit_length()
    width = level.grid.width
    return Tables(
        num_maps=len(places),
        initial=torch.tensor([level.meters[name].initial for name in level.present_meters], device=device),
        costs=_rows(costs / per_tick),
        effects=_rows(effects * spread / per_tick),
        bonuses=_rows(effects * (1.0 - spread)),
        ticks=_row(ticks, usual=1.0),
        open_at=_open_at(level, device),
        cells=_cells(level, affordance_at, bits).flatten().to(device),
        affordance_bits=bits,
        clock=_clock(level, device),
        place_x=torch.where(places < 0, -1, places % width).int().flatten().to(device),
        place_y=torch.where(places < 0, -1, places // width).int().flatten().to(device),
    )


def draw_places(level: Level, maps: str) -> Tensor:
    """Return the cell of each affordance on each map, [num_maps, num_affordances] int64, -1 where it is absent.

    Training and evaluation maps come from one pool of distinct maps, so none is in both.
    """
    names, grid, layout = list(level.affordances), level.grid, level.layout
    placed = [names.index(name) for name in level.placed_affordances]
    if layout.kind == "fixed":
        where = [level.affordances[name].place or (0, 0) for name in level.placed_affordances]
        cells = torch.tensor([[y * grid.width + x for x, y in where]], dtype=torch.int64)
    else:
        wanted = (layout.training_maps or 0) + (layout.evaluation_maps or 0)
        cells = _pool_of_maps(level.training.seed, wanted, grid.width * grid.height, len(placed))
        cells = cells[: layout.training_maps] if maps == "training" else cells[layout.training_maps :]
    places = torch.full((len(cells), len(names)), -1, dtype=torch.int64)
    places[:, placed] = cells
    return places


@lru_cache(maxsize=8)  # drawn for the training maps, and again for those of each evaluation
def _pool_of_maps(seed: int, wanted: int, num_cells: int, num_placed: int) -> Tensor:
    """Distinct maps in the order in which they were drawn, [wanted, num_placed] int64, not to be written to."""
    stream = generator(seed, "maps")
    found: dict[tuple[int, ...], None] = {}
    while len(found) < wanted:
        shuffled = torch.rand(wanted, num_cells, generator=stream).argsort(dim=1)
        found.update(dict.fromkeys(map(tuple, shuffled[:, :num_placed].tolist())))
    return torch.tensor(list(found)[:wanted], dtype=torch.int64)


def _by_meter(level: Level, field: str) -> Tensor:
    """Costs or effects of whole interactions, [num_meters, num_affordances] float64; absent meters are left out."""
    rows = [
        [getattr(one, field).get(meter, 0.0) for one in level.affordances.values()] for meter in level.present_meters
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _rows(table: Tensor) -> tuple[MeterRow, ...]:
    return tuple((meter, _row(row.tolist(), usual=0.0)) for meter, row in enumerate(table) if row.any())


def _row(numbers: Sequence[float], usual: float) -> Row:
    others = enumerate(map(float, numbers))
    return Row(usual, tuple((affordance, number) for affordance, number in others if number != usual))


def _open_at(level: Level, device: torch.device) -> Tensor | None:
    """Opening hours: from the first hour to before the second, past midnight if that is smaller; None without a day."""
    if level.day_ticks is None:
        return None
    hour = torch.arange(level.day_ticks)
    rows = []
    for affordance in level.affordances.values():
        opening, closing = affordance.hours or (0, level.day_ticks)
        after, before = hour >= opening, hour < closing
        rows.append(after & before if opening < closing else after | before)
    rows.append(torch.zeros_like(hour, dtype=torch.bool))
    return torch.stack(rows).flatten().to(device)


def _clock(level: Level, device: torch.device) -> Tensor | None:
    if not level.observation.clock or level.day_ticks is None:
        return None
    angle = torch.arange(level.day_ticks, dtype=torch.float64) * (2.0 * math.pi / level.day_ticks)
    return torch.stack([angle.sin(), angle.cos()], dim=1).float().to(device)


def _affordance_at(level: Level, places: Tensor) -> Tensor:
    """The affordance in each cell of each map, [num_maps, num_cells] int32, num_affordances where there is none."""
    num_maps, num_affordances = places.shape
    num_cells = level.grid.width * level.grid.height
    at = torch.full((num_maps, num_cells + 1), num_affordances, dtype=torch.int32)  # the last column takes the absent
    cell = torch.where(places < 0, num_cells, places)
    at.scatter_(1, cell, torch.arange(num_affordances, dtype=torch.int32).expand(num_maps, -1))
    return at[:, :num_cells].contiguous()


def _cells(level: Level, affordance_at: Tensor, bits: int) -> Tensor:
    """All that is known of each cell in one number, so that it is looked up once, [num_maps, height, width]."""
    size = level.observation.window or 0
    height, width, reach = level.grid.height, level.grid.width, size // 2
    occupied = (affordance_at < len(level.affordances)).view(-1, height, width)
    number = torch.int32 if bits + size * size < 32 else torch.int64
    padded = torch.nn.functional.pad(occupied.to(number), (reach, reach, reach, reach))
    cells = affordance_at.view(-1, height, width).to(number)
    for index in range(size * size):
        row, column = divmod(index, size)
        cells.add_(padded[:, row : row + height, column : column + width], alpha=1 << (bits + index))
    return cells
