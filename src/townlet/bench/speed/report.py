"""What a benchmark of speed leaves: one JSON object, a table on the screen and in Markdown, and a picture.

The JSON object has

- `benchmark`: env, learner, train or scale; `options`: what it was run with;
- `machine`: versions, git state, processor, threads, CUDA devices (`describe_machine`);
- `unit`: of all medians and samples, as agent-steps/s; `size`: what `size` counts in the rows, as agents;
- `rows`: a list with, for each thing measured, `name`, `size`, `median`, `samples` (one a repeat, measured in turn) and
  `facts`, numbers that belong to this row alone, as `share_of_matmul`;
- `facts`: numbers that belong to the whole run; `notes`: lines on what was left out, and why.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Column, Table

from townlet.run.curves import BLUE, GREEN, GREY, ORANGE, PURPLE, format_steps, log_ticks, save
from townlet.run.meta import describe_machine
from townlet.run.run_directory import write_atomically

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, GREY, "black")  # of the names, in the order of the rows


class Row(NamedTuple):
    """One thing that was measured."""

    name: str
    size: int
    samples: list[float]  # in the report's unit, one a repeat
    facts: Mapping[str, float] = {}

    @property
    def median(self) -> float:
        """The sample in the middle."""
        return statistics.median(self.samples)


@dataclass
class Report:
    """Everything that a benchmark of speed found."""

    benchmark: str
    title: str
    unit: str
    size: str
    options: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as the head of this module says."""
        rows = [{**row._asdict(), "median": row.median} for row in self.rows]
        return {
            "benchmark": self.benchmark, "title": self.title, "options": dict(self.options),
            "machine": describe_machine(), "unit": self.unit, "size": self.size, "rows": rows, "facts": self.facts,
            "notes": self.notes,
        }  # fmt: skip


class Lines(NamedTuple):
    """A table in words."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def short(value: float | None) -> str:
    """Write a number as people read it: 17.3M, 940k, 0.71; "-" for none."""
    if value is None:
        return "-"
    return format_steps(float(f"{value:.3g}"))


def by_size(report: Report) -> Lines:
    """Lay out medians, a line for each name and a column for each size."""
    found = {(row.name, row.size): row.median for row in report.rows}
    names, sizes = dict.fromkeys(name for name, _ in found), sorted({size for _, size in found})
    rows = [[name, *(short(found.get((name, size))) for size in sizes)] for name in names]
    return Lines([f"{report.unit} at {report.size}", *(f"{size:,}" for size in sizes)], rows)


def screen_table(report: Report, lines: Lines) -> Table:
    """Lay the lines out for a terminal."""
    columns = [Column(head, justify="left" if index == 0 else "right") for index, head in enumerate(lines.heads)]
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in lines.rows:
        table.add_row(*row)
    return table


def markdown(report: Report, lines: Lines) -> str:
    """Write the lines for a page, with what was left out and the machine under them."""
    head = [lines.heads, ["---"] * len(lines.heads), *lines.rows]
    body = "".join("| " + " | ".join(line) + " |\n" for line in head)
    machine = describe_machine()
    devices = str(machine["cuda_devices"]).strip("[]").replace("'", "") or "no CUDA device"
    where = f"{machine['cpu']}, {machine['threads']} of {machine['cpu_count']} threads, {devices}"
    notes = [*report.notes, f"Machine: {where}; PyTorch {machine['torch']}"]
    return f"{report.title}\n\n{body}\n" + "\n\n".join(f"{note[0].upper()}{note[1:]}." for note in notes) + "\n"


def draw(report: Report, path: Path) -> None:
    """Draw a curve for each name against size, both axes in logarithms, into a PNG. Raises OSError.

    Bands reach from the least to the greatest sample. What was measured at one size alone is a line across.
    """
    figure = Figure(figsize=(8.0, 5.0), dpi=110, layout="constrained")
    axes, sizes = figure.subplots(), sorted({row.size for row in report.rows})
    for index, name in enumerate(dict.fromkeys(row.name for row in report.rows)):
        rows = sorted((row for row in report.rows if row.name == name), key=lambda row: row.size)
        places, colour = [row.size for row in rows], COLOURS[index % len(COLOURS)]
        if len(rows) == 1 < len(sizes):
            axes.axhline(rows[0].median, color=colour, linestyle=":", label=name)
            continue
        axes.plot(places, [row.median for row in rows], color=colour, marker="o", markersize=3.5, label=name)
        low, high = [min(row.samples) for row in rows], [max(row.samples) for row in rows]
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    log_ticks(axes.yaxis)
    axes.set_xlabel(report.size)
    axes.set_ylabel(report.unit)
    axes.set_title(report.title, loc="left", fontsize=11)
    axes.grid(alpha=0.2)
    axes.legend(frameon=False)
    save(figure, path)


Draw = Callable[[Report, Path], None]


def deliver(
    report: Report,
    lines: Lines,
    console: Console,
    json_path: Path | None,
    plot: Path | None,
    page: Path | None,
    picture: Draw = draw,
) -> None:
    """Show the table, and write what was asked for; `picture` draws the plot. Raises OSError."""
    console.print(report.title, style="italic", highlight=False, markup=False)
    console.print(screen_table(report, lines))
    for note in report.notes:
        console.print(f"{note}.", style="dim", highlight=False, markup=False)
    for path in filter(None, (json_path, plot, page)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if json_path:
        write_atomically(json_path, json.dumps(report.to_json(), indent=1).encode())
    if plot:
        picture(report, plot)
    if page:
        write_atomically(page, markdown(report, lines).encode())
