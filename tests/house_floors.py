"""Where the boxes of a map stand: on floors, each above all that it leads to, so that few ways cross."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

LANE, APART = 20, 36  # width of a way that passes a floor, and space between what stands on one
STRAIGHT = 8  # how much more a lane draws than a box
SWEEPS = 24  # up and down the house, until nothing gets better


class Way(NamedTuple):
    """A way from one box down to another, and the lanes in which it passes the floors between, from above."""

    above: str
    below: str
    lanes: tuple[str, ...]

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.above, *self.lanes, self.below)


class Floors(NamedTuple):
    """A house that is laid out."""

    order: list[list[str]]  # boxes and lanes of each floor from left to right, the lowest floor first
    x: dict[str, int]  # the middle of each box and lane, from the left edge of the widest floor
    width: int
    ways: list[Way]


def lay_out(names: Sequence[str], pairs: Iterable[tuple[str, str]], box_width: int) -> Floors:
    """Lay out boxes by `pairs` of who leads to whom, which must not run in a circle."""
    needed = without_detours(set(pairs))
    floor = floors_of(names, needed)
    ways = [Way(above, below, _lanes(above, below, floor)) for above, below in sorted(needed)]
    order: list[list[str]] = [[] for _ in range(max(floor.values()) + 1)]
    for name in sorted(names):
        order[floor[name]].append(name)
    for way in ways:
        for number, lane in enumerate(way.lanes, start=1):
            order[floor[way.above] - number].append(lane)
    steps = [step for way in ways for step in pairwise(way.stops)]
    order = _with_few_crossings(order, steps)
    widths = {name: box_width if name in floor else LANE for row in order for name in row}
    x = _places(order, steps, widths)
    for way in ways:
        _straighten(way, order, x, widths)
    left = min(x[name] - box_width // 2 for name in names)
    right = max(x[name] + box_width // 2 for name in names)
    return Floors(order, {name: place - left for name, place in x.items()}, right - left, ways)


def without_detours(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The pairs without those that others lead to as well: the transitive reduction."""
    below: dict[str, set[str]] = {}
    for above, other in pairs:
        below.setdefault(above, set()).add(other)

    def reached(start: str) -> set[str]:
        seen, waiting = set[str](), list(below.get(start, ()))
        while waiting:
            new = below.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen  # from a neighbour on

    return {(above, other) for above, other in pairs if other not in reached(above)}


def floors_of(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The floor of each box: the longest way down from it, in steps. One without any lies just below its importers."""
    floor, pairs = dict.fromkeys(names, 0), list(pairs)
    for _ in floor:  # no way is longer
        for above, below in pairs:
            floor[above] = max(floor[above], floor[below] + 1)
    assert all(floor[above] > floor[below] for above, below in pairs), "expected no circle"
    for name in floor.keys() - {above for above, _ in pairs}:
        floor[name] = min((floor[above] for above, below in pairs if below == name), default=1) - 1
    return floor


def _lanes(above: str, below: str, floor: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"{above} > {below} {number}" for number in reversed(range(floor[below] + 1, floor[above])))


def _with_few_crossings(order: list[list[str]], steps: list[tuple[str, str]]) -> list[list[str]]:
    """Sort each floor by the middle of what it is joined to, above and below by turns, and keep the best."""
    best, fewest = order, _crossings(order, steps)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        place = {name: index for row in order for index, name in enumerate(row)}
        order = [list(row) for row in order]
        for row in reversed(order) if down else order:
            joined = {name: _joined(name, steps, down) for name in row}
            middle = {
                name: sum(place[one] for one in others) / len(others) if others else place[name]
                for name, others in joined.items()
            }
            row.sort(key=lambda name: (middle[name], name))
            place |= {name: index for index, name in enumerate(row)}
        if (crossings := _crossings(order, steps)) < fewest:
            best, fewest = order, crossings
    return best


def _joined(name: str, steps: list[tuple[str, str]], upwards: bool) -> list[str]:
    return (
        [above for above, below in steps if below == name]
        if upwards
        else [below for above, below in steps if above == name]
    )


def _crossings(order: list[list[str]], steps: list[tuple[str, str]]) -> int:
    floor = {name: number for number, row in enumerate(order) for name in row}
    place = {name: index for row in order for index, name in enumerate(row)}
    return sum(
        floor[one[0]] == floor[other[0]] and (place[one[0]] - place[other[0]]) * (place[one[1]] - place[other[1]]) < 0
        for index, one in enumerate(steps)
        for other in steps[:index]
    )


def _places(order: list[list[str]], steps: list[tuple[str, str]], widths: dict[str, int]) -> dict[str, int]:
    """The middle of each box and lane: drawn to what it is joined to, without two in one place."""
    x: dict[str, float] = {}
    for row in order:
        whole = sum(widths[name] for name in row) + APART * (len(row) - 1)
        start = -whole / 2
        for name in row:
            x[name] = start + widths[name] / 2
            start += widths[name] + APART
    for _ in range(SWEEPS * 4):
        for row in [*order, *reversed(order)]:
            x |= _apart(row, {name: _wanted(name, x, steps, widths) for name in row}, widths)
    return {name: round(place) for name, place in x.items()}


def _straighten(way: Way, order: list[list[str]], x: dict[str, int], widths: dict[str, int]) -> None:
    """Put the lanes of a way below one another where one of their places is free, in the order of all their floors."""
    at = [(row, row.index(lane)) for row in order for lane in row if lane in way.lanes]
    sides = [
        (name, 1 if index < middle else -1) for row, middle in at for index, name in enumerate(row) if index != middle
    ]
    for place in [x[lane] for lane in way.lanes]:
        if all(side * (place - x[name]) >= (widths[name] + LANE) / 2 + APART / 2 for name, side in sides):
            x.update(dict.fromkeys(way.lanes, place))
            return


def _wanted(name: str, x: dict[str, float], steps: list[tuple[str, str]], widths: dict[str, int]) -> float:
    """The mean of what a box or lane is joined to; lanes count more, so that a long way is straight."""
    joined = {one: STRAIGHT if widths[one] == LANE else 1 for up in (True, False) for one in _joined(name, steps, up)}
    return sum(x[one] * weight for one, weight in joined.items()) / sum(joined.values()) if joined else x[name]


def _apart(row: list[str], wanted: dict[str, float], widths: dict[str, int]) -> dict[str, float]:
    """Places near the wanted ones, in the same order: the mean of pushing to the right and pushing to the left."""
    pushed: list[list[float]] = []
    for names, sign in ((row, 1), (row[::-1], -1)):
        places: list[float] = []
        for index, name in enumerate(names):
            place = sign * wanted[name]
            if index:
                place = max(place, places[-1] + (widths[names[index - 1]] + widths[name]) / 2 + APART)
            places.append(place)
        pushed.append([sign * place for place in places][::sign])
    return {name: (right + left) / 2 for name, right, left in zip(row, *pushed, strict=True)}
