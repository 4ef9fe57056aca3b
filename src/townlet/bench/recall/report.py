"""What memories answered, as tables and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from townlet.bench.recall.questions import QUESTIONS, Question
from townlet.run.curves import GREY, RUNS, save

Found = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]  # records of all seeds, by question and pupil
STYLES = ("-", "--", ":")
CAPTION = (
    "Right answers [%] on fresh episodes, means over seeds, by size of the question: 1, 2 to 3, 4 to 7 and so on. "
    "Parameters are trained; numbers are held for each agent."
)


def rows_of(pupils: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Write the head, then a row for each pupil."""
    sizes = sorted({size for records in pupils.values() for one in records for size in one["right"]}, key=int)
    rows = [["memory", "parameters", "numbers", *sizes]]
    for name, records in pupils.items():
        facts = [f"{records[0]['parameters']:,}", f"{records[0]['held']:,}"]
        shares = (fmean(one["right"][size] for one in records) for size in sizes)
        rows.append([name, *facts, *(f"{100 * share:.0f}" for share in shares)])
    return rows


def markdown(found: Found) -> str:
    """Write a table for each question."""
    parts = []
    for name, pupils in found.items():
        question, (head, *rows) = QUESTIONS[name], rows_of(pupils)
        lines = [head, ["---"] * len(head), *rows]
        table = "".join("| " + " | ".join(line) + " |\n" for line in lines)
        parts.append(f"{question.title} By {question.axis}:\n\n{table}\n")
    return "".join(parts) + CAPTION + "\n"


def draw(found: Found, path: Path) -> None:
    """Draw a panel for each question, a curve for each pupil, into a PNG. Raises OSError."""
    figure = Figure(figsize=(12.5, 4.2 * ((len(found) + 1) // 2)), dpi=110, layout="constrained")
    panels = figure.subplots((len(found) + 1) // 2, 2, sharey=True, squeeze=False).flatten()
    for axes, (name, pupils) in zip(panels, found.items(), strict=False):
        _draw_panel(axes, QUESTIONS[name], pupils)
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    save(figure, path)


def _draw_panel(axes: Axes, question: Question, pupils: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    axes.set_title(question.title, loc="left", fontweight="bold")
    for number, (name, records) in enumerate(pupils.items()):
        sizes = sorted(records[0]["right"], key=int)
        shares = [fmean(one["right"][size] for one in records) for size in sizes]
        color = RUNS[(number - 1) % len(RUNS)] if number else GREY
        style = STYLES[(number - 1) // len(RUNS) if number else 2]
        axes.plot([int(size) for size in sizes], shares, style, color=color, marker="o", markersize=3.5, label=name)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(question.axis)
    axes.set_ylabel("right answers")
    axes.set_ylim(0.0, 1.03)
    axes.grid(alpha=0.2)
