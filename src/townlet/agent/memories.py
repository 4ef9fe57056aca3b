"""The memories that a network keeps beside its cell, as a task names them."""

import torch
from torch import Tensor

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.counter import Counter, OutcomeCounter, PartCounter
from townlet.agent.memory.delta import Delta
from townlet.agent.memory.frontier import PLACE, Frontier
from townlet.agent.memory.ground import Ground
from townlet.agent.memory.lru import LinearRecurrentUnit
from townlet.agent.memory.phases import DeltaPhases
from townlet.agent.memory.sightings import make_sightings
from townlet.agent.memory.spectral import Spectral
from townlet.agent.memory.steered import SteeredSpectral
from townlet.agent.memory.traces import TracedUnits
from townlet.agent.requirements import check_memory
from townlet.config import CounterMemory, DeltaMemory, Memory, Recurrent
from townlet.environment.layout import ObservationLayout


def make_beside(config: Recurrent, layout: ObservationLayout, inputs: int, num_actions: int) -> list[Beside]:
    """Make what is kept beside the cell, in the task's order; `inputs`: the width of all that comes in."""
    ruled: list[Beside] = []
    if config.sightings:
        ruled.append(make_sightings(layout))
    if config.frontier:
        ruled.append(Frontier(layout))
    named = ((memory, f"network.memory[{index}]") for index, memory in enumerate(config.memory))
    return [*ruled, *(make_memory(memory, layout, inputs, num_actions, where) for memory, where in named)]


def make_memory(config: Memory, layout: ObservationLayout, inputs: int, num_actions: int, where: str) -> Beside:
    """Make one memory of the kind that a task names, with fresh parameters where it has any.

    Raises ConfigError, which says `where`, if it does not fit what is observed.
    """
    check_memory(config, layout, num_actions, where)
    if config.kind == "delta":
        return _make_delta(config, layout, inputs)
    if config.kind == "ground":
        return Ground(inputs, layout, config.values, config.whole)
    if config.kind == "lru":
        units = TracedUnits if config.traces else LinearRecurrentUnit
        return units(inputs, config.units, config.span)
    if config.kind == "counter":
        return _make_counter(config, layout, num_actions)
    if config.turn == "learned":
        return SteeredSpectral(
            layout.obs_dim, inputs, config.lags, config.keep, config.banks, config.squash, config.widest
        )
    return Spectral(layout.obs_dim, config.lags, config.keep, config.squash, config.widest)


def _make_delta(config: DeltaMemory, layout: ObservationLayout, inputs: int) -> Beside:
    at = layout.slices[config.at] if config.at else None
    if not config.phases:
        return Delta(inputs, config.keys, config.values, config.keep, at, config.whole)
    place, coordinates = layout.slices.get(PLACE), None
    if place is not None and layout.width(PLACE) != 2:  # not x and y: a number for each cell of a map, or no place
        coordinates = _cells(*layout.grid) if layout.grid is not None else None
        place = place if coordinates is not None else None
    return DeltaPhases(inputs, config.keys, config.values, config.keep, at, place, coordinates, config.whole)


def _cells(columns: int, rows: int) -> Tensor:
    """Return x and y of each cell in shares of the map, [cells, 2], row after row, as a position tells them."""
    x, y = torch.arange(columns) / max(columns - 1, 1), torch.arange(rows) / max(rows - 1, 1)
    return torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1)


def _make_counter(config: CounterMemory, layout: ObservationLayout, num_actions: int) -> Beside:
    obs_dim, of = layout.obs_dim, config.of
    taken = slice(obs_dim, obs_dim + num_actions)
    if of == "actions":
        of = "parts" if 1 < num_actions == layout.equal_parts else "outcomes"
    if of == "outcomes":
        return OutcomeCounter(obs_dim, taken, config.most, config.reach)
    if of == "parts":
        return PartCounter(obs_dim, taken, config.most, config.reach)
    return Counter(obs_dim, config.most)
