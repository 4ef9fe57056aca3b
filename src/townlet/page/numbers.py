"""Numbers as a replay holds them: whole ones as they are, others scaled to 8 or 16 bits."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from townlet.page.format import Column
from townlet.page.header import ColumnRow, Stored

Array = NDArray[Any]
WHOLE: tuple[Stored, ...] = ("uint8", "uint16", "uint32")  # types of whole numbers, the smallest first


class StoredColumn(NamedTuple):
    """A column's numbers, and what they are scaled by."""

    stored: Array  # [lives, components, times], of an unsigned type
    low: tuple[float, ...] | None  # None for whole numbers
    scale: tuple[float, ...] | None


def store(column: Column, values: Array, lived: Array) -> StoredColumn:
    """Scale `values` [lives, components, times] as a column says, and put 0 where nobody `lived` [lives, times].

    Raises ValueError, with an agent's row, where a number that was lived is none, or is not what the column holds.
    """
    counts = np.broadcast_to(lived[:, None], values.shape)
    wrong = ~np.isfinite(values) & counts
    if wrong.any():
        life, component, time = np.argwhere(wrong)[0].tolist()
        where = f"{column.name}: life {life}, component {component}, {column.per} {time}"
        raise ValueError(f"{where}: expected a finite number, got {values[life, component, time]}")
    if column.stored is None:
        kept = np.where(counts, values, 0)
        fits = [kind for kind in WHOLE if kept.max(initial=0) <= np.iinfo(kind).max and kept.min(initial=0) >= 0]
        if not fits:
            got = f"{kept.min():g} to {kept.max():g}"
            raise ValueError(f"{column.name}: expected whole numbers from 0 to {np.iinfo(WHOLE[-1]).max}, got {got}")
        return StoredColumn(kept.astype(fits[0]), None, None)
    (low, high), steps = _range(column, values, counts), np.iinfo(column.stored).max
    scale = np.where(high > low, (high - low) / steps, 1.0)
    stored = np.rint((np.where(counts, values, low[:, None]) - low[:, None]) / scale[:, None]).clip(0, steps)
    return StoredColumn(stored.astype(column.stored), tuple(low.tolist()), tuple(scale.tolist()))


def load(row: ColumnRow, stored: Array) -> Array:
    """Return what stored numbers [lives, components, times] stand for: whole ones as int64, others as float32."""
    if row.low is None or row.scale is None:
        return stored.astype(np.int64)
    low, scale = (np.array(numbers)[:, None] for numbers in (row.low, row.scale))
    return (low + scale * stored).astype(np.float32)


def _range(column: Column, values: Array, counts: Array) -> tuple[Array, Array]:
    """The least and the greatest value of each component, [components]."""
    if column.fixed is not None:
        least, most = (np.full(values.shape[1], bound) for bound in column.fixed)
        return least, most
    axes = (0, 1, 2) if column.together else (0, 2)
    least = np.where(counts, values, np.inf).min(axis=axes)
    most = np.where(counts, values, -np.inf).max(axis=axes)
    return np.broadcast_to(least, values.shape[1]), np.broadcast_to(most, values.shape[1])
