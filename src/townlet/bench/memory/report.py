"""What a benchmark says to people: a table on the screen, the same in Markdown, and pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from townlet.bench.memory.results import Summary, Together
from townlet.bench.memory.trials import Record
from townlet.bench.statistics import Interval, bootstrap_interval
from townlet.run.curves import BLUE, GREY, ORANGE, log_ticks, save

HEADS = ("agent", "size", "solved", "return", "1000 steps", "seconds")
WIDTHS = (12, 7, 6, 15, 14, 14)  # so that the parts stand under one head
CAPTION = (
    "Size in parameters. Greedy return at the end, and training until it reached the bar: environment steps, seconds "
    "without evaluation. Means over seeds [95% bootstrap intervals]."
)
COLOURS = {"recurrent": BLUE, "control": GREY, "peer": ORANGE}
LABELS = {"recurrent": "recurrent", "control": "no memory", "peer": "RecurrentPPO"}


def cells(summary: Summary) -> tuple[str, ...]:
    """Write what one agent did on one task; "-" where no seed was solved.

    An interval that is nothing but the mean, as of one seed, is left out.
    """
    return (
        LABELS[summary.agent],
        f"{summary.parameters:,}",
        f"{summary.solved} of {summary.seeds}",
        _interval(summary.score),
        _interval(summary.steps and Interval(*(steps / 1000 for steps in summary.steps))),
        _interval(summary.seconds),
    )


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    mean, low, high = (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" for value in interval)
    return mean if low == high else f"{mean} [{low}, {high}]"


def cells_together(one: Together) -> tuple[str, ...]:
    """Write what one agent did on several tasks."""
    return (LABELS[one.agent], "-", f"{one.seeds} seed{'s' * (one.seeds > 1)}", _interval(one.score), "-", "-")


def table(summaries: Sequence[Summary], together: Sequence[Together] = ()) -> Group:
    """Lay out all summaries for a terminal of 80 columns or more, a part for each task under one head."""
    parts, before = list[RenderableType](), None
    lines = [(f"{summary.row}, bar {summary.bar:g}", cells(summary)) for summary in summaries]
    lines += [(_mean_of(one), cells_together(one)) for one in together]
    for head, line in lines:
        if head != before:
            columns = [Column(name, min_width=width) for name, width in zip(HEADS, WIDTHS, strict=True)]
            parts.append(Text(f"\n{head}", style="bold"))
            parts.append(
                part := Table(*columns, box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=not before)
            )
            before = head
        part.add_row(*line)
    return Group(*parts, Text(f"\n{CAPTION}"))


def _mean_of(one: Together) -> str:
    return f"mean of {one.rows} tasks"


def markdown(summaries: Sequence[Summary], together: Sequence[Together] = ()) -> str:
    """Write the table for a page."""
    lines = [("task", "bar", *HEADS), ["---"] * (2 + len(HEADS))]
    lines += [(summary.row, f"{summary.bar:g}", *cells(summary)) for summary in summaries]
    lines += [(_mean_of(one), "-", *cells_together(one)) for one in together]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + f"\n{CAPTION}\n"


def comparisons(summaries: Sequence[Summary]) -> list[str]:
    """Say how many times as long RecurrentPPO took as our agents, where both reached the bar."""
    by_key, said = {(summary.row, summary.agent): summary for summary in summaries}, []
    for row in dict.fromkeys(summary.row for summary in summaries):
        ours, theirs = by_key.get((row, "recurrent")), by_key.get((row, "peer"))
        if ours and theirs and ours.steps and ours.seconds and theirs.steps and theirs.seconds:
            steps, seconds = theirs.steps.mean / ours.steps.mean, theirs.seconds.mean / ours.seconds.mean
            said.append(f"{row}: RecurrentPPO needs {steps:.1f} times the steps and {seconds:.1f} times the seconds")
    return said


def draw(row: str, agents: dict[str, list[Record]], path: Path) -> None:
    """Draw greedy return on one task against steps and seconds into a PNG. Raises OSError.

    A thin line is a seed, the thick one their mean with its bootstrap interval; a seed that has reached the bar, and so
    has stopped, goes on with its last value.
    """
    figure = Figure(figsize=(11.0, 4.2), dpi=110, layout="constrained")
    figure.suptitle(row, fontweight="bold")
    for axes, by in zip(figure.subplots(1, 2, sharey=True), ("steps", "seconds"), strict=True):
        for agent, records in agents.items():
            _draw_agent(axes, records, by, agent)
        axes.axhline(next(iter(agents.values()))[0]["bar"], color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        log_ticks(axes.xaxis)
        axes.set_xlabel("environment steps" if by == "steps" else "seconds of training")
        axes.grid(alpha=0.2)
    figure.axes[0].set_ylabel("greedy return")
    figure.axes[0].legend(frameon=False)
    save(figure, path)


def _draw_agent(axes: Axes, records: Sequence[Record], by: str, agent: str) -> None:
    curves = [([point[by] for point in one["points"]], [point["score"] for point in one["points"]]) for one in records]
    for places, scores in curves:
        axes.plot(places, scores, color=COLOURS[agent], linewidth=0.6, alpha=0.4)
    grid = np.unique(np.concatenate([places for places, _ in curves]))
    grid = grid[grid >= max(places[0] for places, _ in curves)]  # from where all seeds were evaluated
    held = [[scores[np.searchsorted(places, at, side="right") - 1] for at in grid] for places, scores in curves]
    bands = [bootstrap_interval(column) for column in zip(*held, strict=True)]
    axes.plot(grid, [band.mean for band in bands], color=COLOURS[agent], linewidth=2.0, label=LABELS[agent])
    axes.fill_between(
        grid, [band.low for band in bands], [band.high for band in bands], color=COLOURS[agent], alpha=0.15, linewidth=0
    )
