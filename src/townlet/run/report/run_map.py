"""Where greedy agents spend their time: a map of the cells that they were in, and the places that they stood on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any
from xml.etree.ElementTree import Element

from townlet.config import Level
from townlet.run.report.markup import Content, bar, element, folded, spoken, table
from townlet.run.report.record import Record

Cells = Sequence[Sequence[float]]  # of a map, row by row
WIDE, LARGEST, SMALLEST = 560, 100, 8  # of the map and of a cell, in pixels
LETTERED = 40  # pixels: in a smaller cell there is no room for words
NARROW = 8  # columns that have room for words on a telephone too
LEAST_TOLD = 0.0005  # of the steps: of a cell with less nothing is written
MOST_TOLD = 400  # cells: of a larger map no cell has words or numbers of its own
ELSEWHERE = "elsewhere"


def where(record: Record) -> list[Element]:
    """Say where greedy agents were by the newest evaluation that counted it: on a map, and place by place."""
    task, counted = record.task, [one for one in record.evaluations if one.get("visits")]
    if not counted or not isinstance(task, Level):
        return []
    first, last = shares_by_place(counted[0]), shares_by_place(counted[-1])
    most = max([1e-9, *(share for one in (first, last) for name, share in one.items() if name != ELSEWHERE)])
    rows: list[list[Content]] = [
        [spoken(name), _percent(share), bar(share / most, first.get(name, 0.0) / most) if name != ELSEWHERE else ""]
        for name, share in last.items()
    ]
    heads = ["place", "% of steps", "newest (bar), first (mark)"]
    return [element("div", _figure(task, counted[-1]), table(heads, rows, "Where greedy agents stand"), class_="where")]


def shares_by_place(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of an evaluation's steps that began on each place, the greatest first, and last elsewhere."""
    visits = evaluation["visits"]
    total = max(sum(chain.from_iterable(visits["cells"])), 1)
    shares = {name: count / total for name, count in sorted(visits["places"].items(), key=lambda one: -one[1])}
    return shares | {ELSEWHERE: 1.0 - sum(shares.values())}


def _figure(level: Level, evaluation: Mapping[str, Any]) -> Element:
    counts = evaluation["visits"]["cells"]
    total = max(sum(chain.from_iterable(counts)), 1)
    shares = [[count / total for count in row] for row in counts]
    others = "" if level.layout.kind == "fixed" else " Each map has its places in other cells."
    says = f"% of the {total:,} steps of greedy agents, after {evaluation['step']:,} steps of training."
    named = element("figcaption", element("strong", "Where the population spends its time"), f" {says}{others}")
    told = [folded("The numbers", _numbers(shares))] if sum(map(len, shares)) <= MOST_TOLD else []
    return element("figure", named, _map(level, shares), *told, class_="map fine" if len(shares[0]) > NARROW else "map")


def _map(level: Level, shares: Cells) -> Element:
    """The map as a drawing: the more steps began in a cell, the fuller its colour."""
    height, width = len(shares), len(shares[0])
    side = max(SMALLEST, min(LARGEST, WIDE // width))
    most, few = max(map(max, shares)) or 1.0, width * height <= MOST_TOLD
    names = _names(level)
    ground = element("rect", class_="ground", width=str(width * side), height=str(height * side))
    cells = [
        _cell(x, y, side, share / most, _words(share, names.get((x, y), ""), side) if few else [])
        for y, row in enumerate(shares)
        for x, share in enumerate(row)
        if share or few
    ]
    label = "A map of the town: how much of its time the population spends in each cell."
    size = {"width": str(width * side), "viewBox": f"0 0 {width * side} {height * side}"}
    return element("svg", ground, *cells, role="img", aria_label=label, **size)


def _cell(x: int, y: int, side: int, strength: float, words: Sequence[Element]) -> Element:
    box = {"width": str(side), "height": str(side), "fill_opacity": f"{strength:.2f}"}
    return element("g", element("rect", class_="cell", **box), *words, transform=f"translate({x * side} {y * side})")


def _words(share: float, name: str, side: int) -> list[Element]:
    """What is written in a cell: its share, and above that what stands there."""
    if side < LETTERED:
        return []
    middle = f"{side / 2:g}"
    number = element(
        "text", _percent(share) if share >= LEAST_TOLD else "", x=middle, y=f"{side * (0.68 if name else 0.5):g}"
    )
    if not name:
        return [number]
    size = min(14.0, 0.2 * side, 1.6 * side / len(name))  # so that a long name stays within its cell
    return [element("text", name, class_="name", x=middle, y=f"{0.3 * side:g}", font_size=f"{size:.1f}"), number]


def _names(level: Level) -> dict[tuple[int, int], str]:
    """What stands where, by column and row; nothing where each map has it elsewhere."""
    if level.layout.kind != "fixed":
        return {}
    places = {name: level.affordances[name].place for name in level.placed_affordances}
    return {place: spoken(name) for name, place in places.items() if place}


def _numbers(shares: Cells) -> Element:
    heads = ["row", *(f"column {x}" for x in range(1, len(shares[0]) + 1))]
    rows = [[str(y), *map(_percent, row)] for y, row in enumerate(shares, start=1)]
    return table(heads, rows, "% of the steps in each cell")


def _percent(share: float) -> str:
    """Write a share as a percentage for a narrow place: 31, 4.2, 0.1; nothing for none."""
    if not share:
        return ""
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"
