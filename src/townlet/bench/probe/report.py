"""The result of a memory probe as tables, as a picture and as JSON."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from townlet.bench.probe.linear import AGES, FRAMES, SIGHTS, ProbeResult, Score
from townlet.run.curves import BLUE, GREEN, GREY, ORANGE, PURPLE
from townlet.run.run_directory import write_atomically

COLORS = (BLUE, GREEN, ORANGE, PURPLE, GREY)  # of the sources, in their order
FRAME_NAMES = {"cell": "cell of the map", "offset": "offset from the agent"}
SIGHT_NAMES = {"underfoot": "since it was underfoot", "window": "since it was in the window"}


def to_json(result: ProbeResult) -> dict[str, Any]:
    """Return plain values; `scores` is a list with an object for each score, to be read as a data frame."""
    scores = [score._asdict() for score in result.scores]
    return {**result._asdict(), "sampling": result.sampling._asdict(), "scores": scores}


def tables(result: ProbeResult) -> Iterator[Table]:
    """Yield a table of accuracies by age for each frame and sight, and one of each affordance's."""
    for sight in SIGHTS:
        for frame in FRAMES:
            table = _table(f"{FRAME_NAMES[frame]}: accuracy [%] by ticks {SIGHT_NAMES[sight]}")
            for source in result.sources:
                curve = result.curve(frame, sight, source)
                table.add_row(source, *(_percent(curve.get(age), error=True) for age in AGES))
            counts = result.curve(frame, sight, result.sources[0])
            table.add_row(
                "samples", *(f"{counts[age].samples:,}" if age in counts else "-" for age in AGES), style="dim"
            )
            yield table
    source = result.sources[0]
    table = _table(f"{source}, {FRAME_NAMES['cell']}: accuracy [%] by ticks {SIGHT_NAMES['underfoot']}")
    for name in dict.fromkeys(score.affordance for score in result.scores if score.affordance is not None):
        curve = result.curve("cell", "underfoot", source, name)
        table.add_row(name, *(_percent(curve.get(age)) for age in AGES))
    yield table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for age in AGES:
        table.add_column(age, justify="right", no_wrap=True)
    return table


def _percent(score: Score | None, error: bool = False) -> str:
    if score is None:
        return "-"
    return f"{100 * score.accuracy:.1f}" + (f"±{100 * score.error:.1f}" if error else "")


def draw(result: ProbeResult, path: Path) -> None:
    """Draw accuracy by age, a panel for each frame and sight, into a PNG. Raises OSError where it cannot be written."""
    figure = Figure(figsize=(12.5, 8.0), dpi=110, layout="constrained")
    played = f"{result.sampling.agents} agents, maps that no probe was fitted on"
    figure.suptitle(f"Where is it? Linear probes of the memory, Level {result.level}: {played}", fontsize=14)
    panels = figure.subplots(2, 2, sharey=True)
    for row, frame in zip(panels, FRAMES, strict=True):
        for axes, sight in zip(row, SIGHTS, strict=True):
            _draw_panel(axes, result, frame, sight)
    panels[0, 0].legend(frameon=False, fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_atomically(path, picture.getvalue())


def _draw_panel(axes: Axes, result: ProbeResult, frame: str, sight: str) -> None:
    axes.set_title(FRAME_NAMES[frame], loc="left", fontsize=11)
    for source, color in zip(result.sources, COLORS, strict=False):
        curve = result.curve(frame, sight, source)
        axes.errorbar(
            [list(AGES).index(age) for age in curve],
            [score.accuracy for score in curve.values()],
            [score.error for score in curve.values()],
            color=color, label=source, marker="o", markersize=3.5, linewidth=1.4, capsize=2,
        )  # fmt: skip
    axes.set_xticks(range(len(AGES)), list(AGES))
    axes.set_xlabel(f"ticks {SIGHT_NAMES[sight]}")
    axes.set_ylabel("right cell named [share of samples]")
    axes.set_ylim(0.0, 1.03)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
