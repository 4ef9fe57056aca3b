"""What `bench scale` shows: for each curve its ends and its exponent in a table, and a panel in the picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from townlet.bench.scale.slopes import Slope, slope_of
from townlet.bench.speed.report import COLOURS, Lines, Report, Row, short
from townlet.run.curves import save

COLUMNS = 3  # of panels
LEAST_RANGE = 10.0  # of times in a panel, so that what is flat looks flat
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


class Axis(NamedTuple):
    """What a curve is drawn against, and of what one call does several."""

    size: str  # as agents
    unit: str  # as agent-step


def seconds_word(seconds: float) -> str:
    """Write a time as people read it: 12 s, 4.1 ms, 95 µs, 63 ns."""
    for unit, name in UNITS:
        if seconds >= unit or name == "ns":
            return f"{float(f'{seconds / unit:.2g}'):g} {name}"
    raise AssertionError


def size_word(size: int) -> str:
    """Write a size: 4,096, but 65.5k and 10M."""
    return short(size) if size >= 10_000 else f"{size:,}"


def exponent_word(slope: Slope) -> str:
    """Write an exponent; next to nothing is 0.00, with no sign."""
    return f"{round(slope.exponent, 2) + 0.0:.2f}"


def curves_of(report: Report) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of each curve by what was timed, in the order in which they were measured."""
    curves: dict[str, dict[str, list[Row]]] = {}
    for row in report.rows:
        curve, _, name = row.name.partition(": ")
        curves.setdefault(curve, {}).setdefault(name, []).append(row)
    return curves


def slope_of_rows(rows: Sequence[Row]) -> Slope | None:
    """Fit the medians; None where they follow no law."""
    return slope_of([row.size for row in rows], [row.median for row in rows])


def slopes_as_facts(report: Report) -> dict[str, float]:
    """Return numbers for the JSON: of each curve that has one, its exponent and the size from which on it holds."""
    slopes = {
        f"{curve}: {name}": slope_of_rows(rows)
        for curve, timed in curves_of(report).items()
        for name, rows in timed.items()
    }
    return {
        f"{name}, {what}": value
        for name, slope in slopes.items()
        if slope
        for what, value in (("exponent", slope.exponent), ("from", slope.start))
    }


def lay_out(report: Report, axes: Mapping[str, Axis]) -> Lines:
    """Lay out a group of lines for each curve, and for each thing timed the time of a call at both ends."""
    lines: list[list[str]] = []
    for curve, timed in curves_of(report).items():
        lines.append([f"by {axes[curve].size}", "", "", axes[curve].unit, "", ""])
        for name, rows in timed.items():
            first, last, slope = rows[0], rows[-1], slope_of_rows(rows)
            ends = [f"{size_word(row.size)}: {seconds_word(row.median)}" for row in (first, last)]
            named = [exponent_word(slope), size_word(slope.start)] if slope else ["-", "-"]
            lines.append([f"  {name}", *ends, seconds_word(last.median / last.facts["units"]), *named])
    return Lines(["time of a call", "smallest", "largest", "of one", "slope", "from"], lines)


def draw_panels(report: Report, path: Path, axes: Mapping[str, Axis]) -> None:
    """Draw a panel for each curve, both axes in logarithms, with the fitted laws dashed, into a PNG. Raises OSError.

    Bands reach from the least to the greatest sample.
    """
    curves = curves_of(report)
    across = min(COLUMNS, len(curves))
    down = -(-len(curves) // across)
    figure = Figure(figsize=(4.6 * across, 3.7 * down + 0.4), dpi=110, layout="constrained")
    figure.suptitle(report.title, x=0.01, ha="left", fontsize=12)
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for panel, (curve, timed) in zip(panels, curves.items(), strict=False):
        for colour, (name, rows) in zip(COLOURS, timed.items(), strict=False):
            _draw_rows(panel, name, rows, colour, axes[curve].size)
        _finish(panel, [row.size for rows in timed.values() for row in rows], axes[curve].size)
    for panel in panels[len(curves) :]:
        panel.set_axis_off()
    save(figure, path)


def _draw_rows(panel: Axes, name: str, rows: Sequence[Row], colour: str, size: str) -> None:
    sizes, slope = [row.size for row in rows], slope_of_rows(rows)
    label = f"{name} ~ {size}^{exponent_word(slope)}" if slope else name
    panel.plot(
        sizes, [row.median for row in rows], color=colour, marker="o", markersize=3.5, linewidth=1.2, label=label
    )
    low, high = [min(row.samples) for row in rows], [max(row.samples) for row in rows]
    panel.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    if slope:
        ends = [slope.start, max(sizes)]
        panel.plot(ends, [slope.cost(end) for end in ends], color=colour, linestyle="--", linewidth=0.9, alpha=0.7)


def _finish(panel: Axes, sizes: Sequence[int], size: str) -> None:
    ticks = sorted(set(sizes))
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(ticks, [size_word(tick) for tick in ticks], fontsize=7)
    panel.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: seconds_word(seconds)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(axis="y", labelsize=7)
    panel.set_xlabel(size, fontsize=9)
    low, high = panel.get_ylim()
    wider = max(1.0, LEAST_RANGE * low / high) ** 0.5
    low, high = low / wider, high * wider
    panel.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    panel.grid(alpha=0.2)
    panel.legend(frameon=False, fontsize=8, loc="upper left")
