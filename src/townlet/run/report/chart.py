"""What a chart of the page shows: the page's script draws it, and some of its numbers stand below it for all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from townlet.config import Score
from townlet.run.report.series import Numbers, Series, digits, smooth, thin


class Curve(NamedTuple):
    """One curve of a chart. `style`: a line, faint (noise behind its trend), dots (few points, joined), or area."""

    name: str  # "" for a faint one: it has no word of its own
    points: Series
    colour: int  # of the page's palette
    style: str = "line"
    low: Numbers | None = None  # of a band around it, [points]
    high: Numbers | None = None


class Chart(NamedTuple):
    """Curves over the same steps."""

    title: str
    unit: str  # of the values, in words
    curves: Sequence[Curve]
    says: str = ""  # one line of what it means
    yardsticks: Mapping[str, float] = {}  # lines across, by name
    log: bool = False
    least: float | None = None  # of the values' axis
    most: float | None = None
    stacked: bool = False  # areas upon each other
    small: bool = False  # several stand in a row
    across: str = "environment steps, all agents"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(len(curve.points.steps) for curve in self.curves)

    def to_json(self) -> dict[str, Any]:
        """Return it as the page's script reads it."""
        facts = {name: value for name, value in self._asdict().items() if name not in ("curves", "yardsticks", "says")}
        lines = [{"name": name, "value": value} for name, value in merged(self.yardsticks).items()]
        return facts | {"curves": [_curve(one) for one in self.curves if len(one.points.steps)], "yardsticks": lines}


def with_trend(name: str, one: Series, colour: int) -> list[Curve]:
    """Return a noisy series as two curves: faint itself, and its trend, where it is long enough to have one."""
    mean = smooth(one)
    if mean is one:
        return [Curve(name, one, colour)]
    return [Curve("", thin(one), colour, "faint"), Curve(name, thin(mean), colour)]


def merged(yardsticks: Mapping[str, float]) -> dict[str, float]:
    """Return lines by their labels, "planner 500"; those of one height are one line: "planner and limit 500"."""
    names: dict[float, list[str]] = {}
    for name, value in yardsticks.items():
        if math.isfinite(value):
            names.setdefault(float(value), []).append(name)
    return {f"{' and '.join(same)} {value:.4g}": value for value, same in names.items()}


def yardsticks_of(yardsticks: Mapping[str, float], score: Score) -> dict[str, float]:
    """Return known scores, and the greatest that there is, where there is one, by name."""
    return dict(yardsticks) | ({"limit": float(score.limit)} if score.limit is not None else {})


def _curve(one: Curve) -> dict[str, Any]:
    facts = {"name": one.name, "colour": one.colour, "style": one.style}
    facts |= {"steps": [float(step) for step in one.points.steps], "values": digits(one.points.values)}
    if one.low is not None and one.high is not None:
        facts |= {"low": digits(one.low), "high": digits(one.high)}
    return facts
