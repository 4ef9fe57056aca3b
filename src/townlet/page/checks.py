"""What the parts of a replay must be to each other; a file that says otherwise is not read."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from townlet.page.format import COLUMNS, Column, columns_of, components, times
from townlet.page.header import ColumnRow, Header, Life, PlannedLife, World
from townlet.page.numbers import WHOLE, Array

WORD = 4  # bytes: whatever begins in a replay, begins at a multiple of it


def mistakes(header: Header, body: bytes | memoryview) -> Iterator[str]:
    """Tell what is wrong with a replay, each in a line "where: expected X, got Y"; each relies on those before."""
    yield from _in_world(header.world)
    yield from _in_lives(header)
    yield from _in_columns(header)
    yield from _in_places(header, len(body))
    for row in header.columns:
        if row.low is None:
            yield from _in_whole_numbers(header, row, array_of(row, body))
    for weight in header.weights or ():
        numbers = np.frombuffer(body, "<f4", prod(weight.shape), weight.offset)
        if not np.isfinite(numbers).all():
            yield f"weights {weight.name}: expected finite numbers, got {numbers[~np.isfinite(numbers)][0]}"


def array_of(row: ColumnRow, body: bytes | memoryview) -> Array:
    """Return a column's stored numbers where they lie, [lives, components, times]."""
    kind = np.dtype(row.type).newbyteorder("<")
    return np.frombuffer(body, kind, prod(row.shape), row.offset).reshape(row.shape)


def padded(size: int) -> int:
    """Return the next multiple of `WORD`."""
    return -(-size // WORD) * WORD


def size_of(row: ColumnRow) -> int:
    """Return how many bytes a column's numbers take."""
    return prod(row.shape) * np.dtype(row.type).itemsize


def _in_world(world: World) -> Iterator[str]:
    meters = len(world.meters)
    for name, index in (
        *(("drains", one.meter) for one in world.drains),
        *(("drains", one.by or 0) for one in world.drains),
        *(("cascades", pull.source) for group in world.cascades for pull in group.pulls),
        *(("cascades", pull.target) for group in world.cascades for pull in group.pulls),
    ):
        if index >= meters:
            yield f"world.{name}: expected a meter below {meters}, got {index}"
    for one in world.affordances:
        for name in ("cost", "effect", "bonus", "whole_cost", "whole_effect"):
            if (count := len(getattr(one, name))) != meters:
                yield f"world.affordances {one.name}: expected {meters} numbers as {name}, got {count}"


def _in_lives(header: Header) -> Iterator[str]:
    for index, life in enumerate(header.lives):
        yield from (f"lives[{index}]: expected {wrong}" for wrong in _in_life(header.world, life))
    longest = max(life.length for life in header.lives)
    if longest != header.steps:
        yield f"steps: expected {longest}, the length of the longest life, got {header.steps}"
    if header.planner is not None and len(header.planner) != len(header.lives):
        yield f"planner: expected a life for each of {len(header.lives)}, got {len(header.planner)}"
    for index, planned in enumerate(header.planner or ()):
        yield from (f"planner[{index}]: expected {wrong}" for wrong in _in_end(header.world, planned))


def _in_life(world: World, life: Life) -> Iterator[str]:
    if len(life.places) != len(world.affordances):
        yield f"{len(world.affordances)} places, got {len(life.places)}"
    for place in life.places:
        if place is not None and (place[0] >= world.width or place[1] >= world.height):
            yield f"places on {world.width}x{world.height} cells, got {list(place)}"
    yield from _in_end(world, life)


def _in_end(world: World, life: Life | PlannedLife) -> Iterator[str]:
    if (life.ended == "death") != (life.cause is not None):
        yield f"a cause of deaths alone, got {life.cause} of one that ended by {life.ended}"
    if life.cause is not None and life.cause >= len(world.meters):
        yield f"a meter below {len(world.meters)} as cause, got {life.cause}"


def _in_columns(header: Header) -> Iterator[str]:
    expected, got = [one.name for one in columns_of(header)], [row.name for row in header.columns]
    if expected != got:
        yield f"columns: expected {', '.join(expected)}, got {', '.join(got)[:200] or 'none'}"
        return
    for row in header.columns:
        yield from (f"columns {row.name}: expected {wrong}" for wrong in _in_column(header, COLUMNS[row.name], row))


def _in_column(header: Header, column: Column, row: ColumnRow) -> Iterator[str]:
    count = components(header, column)
    shape = (len(header.lives), count, times(header, column, row.every))
    if row.shape != shape:
        yield f"shape {list(shape)}, got {list(row.shape)}"
    if row.every != 1 and column.of != "units":
        yield f"every 1, got {row.every}"
    kinds = WHOLE if column.stored is None else (column.stored,)
    if row.type not in kinds:
        yield f"type {' or '.join(kinds)}, got {row.type}"
    for name, numbers in (("low", row.low), ("scale", row.scale)):
        wanted = None if column.stored is None else count
        if (got := None if numbers is None else len(numbers)) != wanted:
            yield f"{'no' if wanted is None else wanted} {name}, got {'none' if got is None else got}"


def _in_places(header: Header, size: int) -> Iterator[str]:
    """Columns and weights lie one after the other, and fill the body."""
    weights = header.weights or ()
    names = [f"weights {one.name}" for one in weights]
    if len(set(names)) < len(names):
        yield "weights: expected each name once, got one twice"
    parts = [(f"columns {row.name}", row.offset, size_of(row)) for row in header.columns]
    parts += [(name, one.offset, 4 * prod(one.shape)) for name, one in zip(names, weights, strict=True)]
    end = 0
    for name, offset, taken in parts:
        if offset != end:
            yield f"{name}: expected offset {end}, got {offset}"
        end += padded(taken)
    if end != size:
        yield f"body: expected {end:,} bytes, got {size:,}"


def _in_whole_numbers(header: Header, row: ColumnRow, stored: Array) -> Iterator[str]:
    below: Callable[[Header], tuple[int, ...]] | None = COLUMNS[row.name].below
    for component, limit in enumerate(below(header) if below else ()):
        if (most := int(stored[:, component].max(initial=0))) >= limit:
            yield f"columns {row.name}: expected numbers below {limit}, got {most}"
