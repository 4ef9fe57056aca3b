"""A replay in Python: read from a file, or packed into one."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from townlet.level.errors import explain
from townlet.page.checks import array_of, mistakes, padded
from townlet.page.format import Column, columns_of, lives_of
from townlet.page.header import FORMAT, ColumnRow, Header, Life, WeightRow
from townlet.page.numbers import Array, StoredColumn, load, store

# What a file may take at most, so that one that lies about its size fills no memory.
MOST_FILE, MOST_HEADER, MOST_BODY = 64 << 20, 1 << 20, 128 << 20
MOST_MISTAKES = 100  # of a header, that are worth putting into words
LENGTH = 4  # bytes before the header that say how long it is


class ReplayError(Exception):
    """A replay cannot be read or made; one line: where, what was expected, and what came."""


class Replay:
    """Lives that were recorded: `replay["meters"]` is a column [lives, components, times], see format.COLUMNS.

    Whole numbers are int64, others float32, as exact as their type on disk. What lies after a life's end is of no life.
    `header` says the rest, `weights` holds the network's, [] by name, where they were recorded.
    """

    def __init__(self, header: Header, body: bytes | memoryview) -> None:
        self.header, self._body = header, body
        self._rows = {row.name: row for row in header.columns}

    @property
    def lives(self) -> Sequence[Life]:
        """The agents' lives, in the order of the columns' rows."""
        return self.header.lives

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __getitem__(self, name: str) -> Array:
        """A column's values, [lives, components, times]. Raises KeyError where there is none of that name."""
        return load(self._rows[name], array_of(self._rows[name], self._body))

    def row(self, name: str) -> ColumnRow:
        """What the header says of a column. Raises KeyError."""
        return self._rows[name]

    def pack(self) -> bytes:
        """Return the bytes of its file."""
        return _deflate(self.header, bytes(self._body))

    @property
    def weights(self) -> dict[str, Array] | None:
        """The network's weights in float32, by name; None where they were not recorded."""
        if self.header.weights is None:
            return None
        flat = {row: np.frombuffer(self._body, "<f4", prod(row.shape), row.offset) for row in self.header.weights}
        return {row.name: numbers.reshape(row.shape).copy() for row, numbers in flat.items()}


# --- reading -----------------------------------------------------------------------------------------------------


def read(path: Path | str) -> Replay:
    """Read a replay file. Raises ReplayError, whatever the file holds."""
    path = Path(path)
    try:
        if not path.is_file():
            raise ReplayError(f"{path}: expected a file, got {'something else' if path.exists() else 'nothing there'}")
        with open(path, "rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > MOST_FILE:
                raise ReplayError(f"{path}: expected at most {MOST_FILE:,} bytes, got {size:,}")
            packed = file.read(MOST_FILE)
    except OSError as error:
        raise ReplayError(f"{path}: expected a readable file, got {error.strerror}") from error
    return unpack(packed, str(path))


def unpack(packed: bytes, where: str = "replay") -> Replay:
    """Read a replay from the bytes of its file; `where` begins what a ReplayError says."""
    inflated = _inflate(packed, where)
    length = int.from_bytes(inflated[:LENGTH], "little")
    if len(inflated) < LENGTH or length % 4 or length > min(MOST_HEADER, len(inflated) - LENGTH):
        most = min(MOST_HEADER, max(len(inflated) - LENGTH, 0))
        raise ReplayError(f"{where}: expected the length of a header, a multiple of 4 up to {most:,}, got {length:,}")
    header = _read_header(inflated[LENGTH : LENGTH + length], where)
    body = memoryview(inflated)[LENGTH + length :]  # not copied
    if wrong := next(mistakes(header, body), None):
        raise ReplayError(f"{where}: {wrong}")
    return Replay(header, body)


def _inflate(packed: bytes, where: str) -> bytes:
    stream, most = zlib.decompressobj(), LENGTH + MOST_HEADER + MOST_BODY
    try:
        inflated = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise ReplayError(f"{where}: expected a whole replay of Townlet, got other bytes ({error})") from error
    if len(inflated) > most:
        raise ReplayError(f"{where}: expected at most {most:,} bytes once inflated, got more")
    if not stream.eof:
        raise ReplayError(f"{where}: expected a whole replay of Townlet, got one that is cut off")
    if stream.unused_data:
        raise ReplayError(f"{where}: expected nothing after its end, got {len(stream.unused_data):,} bytes")
    return inflated


def _read_header(text: bytes, where: str) -> Header:
    try:
        return Header.model_validate_json(text)
    except ValidationError as error:
        raise ReplayError(f"{where}: {_told(error, text)}") from error


def _told(error: ValidationError, text: bytes) -> str:
    """Say in one line what is wrong with a header."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return "expected a header of JSON, got other text"
    got = values.get("format") if isinstance(values, dict) else None
    if got != FORMAT:
        ours = isinstance(got, str) and got.startswith(FORMAT.rpartition("/")[0])
        said = f"{str(got)[:40]!r}, of another version of Townlet" if ours else "none" if got is None else "another"
        return f"format: expected {FORMAT!r}, got {said}"
    if error.error_count() > MOST_MISTAKES:
        return f"expected a header of {FORMAT}, got one with {error.error_count():,} mistakes"
    key, expected, got = explain(Header, error, values)[0]
    return f"{'.'.join(map(str, key))[:120]}: expected {expected}, got {got}"


# --- writing -----------------------------------------------------------------------------------------------------


def pack(header: Header, values: Mapping[str, Array], every: int, weights: Mapping[str, Array] | None) -> bytes:
    """Return the bytes of a replay's file.

    `header` has no columns and no weights yet; `values` [lives, components, times] are all columns by name, the memory
    every so many frames. Raises ReplayError where they are not what a replay holds.
    """
    rows, parts, offset = list[ColumnRow](), list[bytes](), 0
    for column in columns_of(header):
        strided = every if column.of == "units" else 1
        try:
            one = store(column, values[column.name], _lived(header, column, values[column.name].shape[-1], strided))
        except ValueError as error:
            raise ReplayError(str(error)) from error
        rows.append(_row(column.name, one, strided, offset))
        offset = _add(parts, one.stored.astype(one.stored.dtype.newbyteorder("<")), offset)
    tensors = list[WeightRow]()
    for name, tensor in (weights or {}).items():
        tensors.append(WeightRow(name=name, shape=tensor.shape, offset=offset))
        offset = _add(parts, tensor.astype("<f4"), offset)
    whole = header.model_copy(update={"columns": tuple(rows), "weights": None if weights is None else tuple(tensors)})
    return _deflate(whole, b"".join(parts))


def _lived(header: Header, column: Column, count: int, every: int) -> Array:
    """At which times of a column each life was lived, [lives, times] bool."""
    lengths = np.array([life.length for life in lives_of(header, column)])[:, None]
    at = np.arange(count) * every
    return at <= lengths if column.per == "frame" else at < lengths


def _row(name: str, one: StoredColumn, every: int, offset: int) -> ColumnRow:
    facts: dict[str, Any] = {"name": name, "type": one.stored.dtype.name, "shape": one.stored.shape}
    return ColumnRow(**facts, every=every, offset=offset, low=one.low, scale=one.scale)


def _add(parts: list[bytes], numbers: Array, offset: int) -> int:
    """Add numbers to the parts of a body; returns where the next begin."""
    content = np.ascontiguousarray(numbers).tobytes()
    parts.append(content.ljust(padded(len(content)), b"\0"))
    return offset + len(parts[-1])


def _deflate(header: Header, body: bytes) -> bytes:
    text = header.model_dump_json(exclude_none=False).encode()
    text = text.ljust(padded(len(text)), b" ")
    limits = (("header", len(text), MOST_HEADER), ("body", len(body), MOST_BODY))
    wrong = [f"{name}: expected at most {most:,} bytes, got {size:,}" for name, size, most in limits if size > most]
    if first := next(iter(wrong), None) or next(mistakes(header, body), None):
        raise ReplayError(f"replay: {first}")
    packed = zlib.compress(len(text).to_bytes(LENGTH, "little") + text + body)
    if len(packed) > MOST_FILE:
        raise ReplayError(f"replay: expected at most {MOST_FILE:,} bytes, got {len(packed):,}")
    return packed
