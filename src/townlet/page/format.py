"""The replay format, said once: what writes, what reads, the table in docs/replays.md and the JSON Schema follow it.

A replay is one zlib stream. Inflated it is, in this order:

- 4 bytes: the length of the header, little-endian, a multiple of 4;
- the header: JSON in UTF-8, a `Header`, with spaces at its end;
- the body: the numbers of the columns, then those of the weights, in the header's order, each from a multiple of 4 on.

A column is an array [lives, components, times], little-endian: all times of one component of one life lie together. A
life has one episode, from its first step on. Frame t is the world before step t; so a life of `length` steps has
`length + 1` frames, the last of them as its end left it. What lies after is 0. Planned steps are those of the planner,
a script that lives a life of its own from the same start.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from townlet.page.header import Header, Life, PlannedLife, Stored


class Column(NamedTuple):
    """What is recorded of each life, time after time."""

    name: str
    per: Literal["frame", "step", "planned step"]
    of: Literal["one", "axes", "meters", "actions", "terms", "units"]  # what its components are: see `components`
    stored: Stored | None  # None: whole numbers, in the smallest type that holds them; else value = low + scale * it
    unit: str
    meaning: str
    below: Callable[[Header], tuple[int, ...]] | None = None  # of whole numbers: what each component stays below
    fixed: tuple[float, float] | None = None  # the least and the greatest value, where they are not this replay's own
    together: bool = False  # whether all components have one low and scale, so that stored numbers can be compared
    needs: Literal["memory", "a planner"] | None = None  # what it is not there without


COLUMNS = {
    one.name: one
    for one in (
        Column("tick", "frame", "one", None, "ticks", "ticks that the life has lasted; the hour is `tick % day_ticks`",
               below=lambda header: (2**31,)),
        Column("position", "frame", "axes", None, "cells", "where the agent stands: its column x, its row y",
               below=lambda header: (header.world.width, header.world.height)),
        Column("progress", "frame", "one", None, "ticks", "ticks done of the interaction underfoot",
               below=lambda header: (2**31,)),
        Column("meters", "frame", "meters", "uint16", "share of full", "the meters", fixed=(0.0, 1.0)),
        Column("allowed", "frame", "one", None, "bits", "the action mask: bit i is set where action i is allowed",
               below=lambda header: (2 ** len(header.world.actions),)),
        Column("action", "step", "one", None, "index", "the action that is taken",
               below=lambda header: (len(header.world.actions),)),
        Column("completed", "step", "one", None, "index",
               "the affordance whose interaction the step ends; their number for none",
               below=lambda header: (len(header.world.affordances) + 1,)),
        Column("reward", "step", "terms", "uint16", "reward", "what each term of the reward pays"),
        Column("q", "step", "actions", "uint16", "return", "the value of each action, with the real memory",
               together=True),
        Column("q_blank", "step", "actions", "uint16", "return",
               "the same of a memory that was zeroed just before the step, with the same previous action",
               together=True, needs="memory"),
        Column("memory", "frame", "units", "uint8", "activation",
               "the hidden state that the agent comes with, zero in frame 0; where it is large, every so many frames",
               needs="memory"),
        Column("planned", "planned step", "one", None, "index", "the action that the planner takes, in its own life",
               below=lambda header: (len(header.world.actions),), needs="a planner"),
    )
}  # fmt: skip


def components(header: Header, column: Column) -> int:
    """Return how many components a column has in a replay: what stands in the header in that order."""
    world = header.world
    counts = {"one": 1, "axes": 2, "meters": len(world.meters), "actions": len(world.actions)}
    return (counts | {"terms": len(world.terms), "units": header.units})[column.of]


def times(header: Header, column: Column, every: int) -> int:
    """Return how many times a column has in a replay: frames or steps, every so many."""
    longest = max((life.length for life in header.planner or ()), default=0)
    steps = longest if column.per == "planned step" else header.steps
    return -(-(steps + (column.per == "frame")) // every)


def lives_of(header: Header, column: Column) -> Sequence[Life | PlannedLife]:
    """Return the lives whose times a column has: the recorded ones, or those of the planner."""
    return header.planner or () if column.per == "planned step" else header.lives


def columns_of(header: Header) -> list[Column]:
    """Return the columns that a replay has, in their order."""
    there = {None: True, "memory": header.units > 0, "a planner": header.planner is not None}
    return [column for column in COLUMNS.values() if there[column.needs]]
