"""The learning curves of a run as one picture."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from townlet.config import Score, Task
from townlet.run.metrics import MetricsStore
from townlet.run.report.chart import merged, yardsticks_of
from townlet.run.report.series import series, trend
from townlet.run.run_directory import write_atomically

if TYPE_CHECKING:  # it is imported by what draws: a training begins without it
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#8A5A99", "#666666"
SKY, AMBER, BLACK = "#56B4E9", "#E69F00", "#000000"
RUNS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK)  # in the order in which they are given


def draw_curves(store: MetricsStore, path: Path, *, title: str, yardsticks: Mapping[str, float], score: Score) -> None:
    """Draw what a run learned, and how fast, against environment steps into a PNG, whole or not at all.

    `yardsticks` are scores that are known, by name (random, scripted). What memory is worth, and how epsilon falls,
    have panels where there is something to see: an epsilon that stays is told in the title. Raises OSError where the
    file cannot be written, and sqlite3.Error where the store fails.
    """
    epsilon = series(store.scalars("train/epsilon"))
    panels: dict[str, Callable[[Axes], None]] = {"score": lambda axes: _draw_score(axes, store, yardsticks, score)}
    if store.scalars("memory/ablation_gap"):
        panels["memory"] = lambda axes: _draw_memory(axes, store, score)
    panels |= {name: partial(draw, store=store) for name, draw in _OF_LEARNING.items()}
    if epsilon.flat:
        title += f", epsilon {epsilon.values[0]:.3g} throughout"
    elif len(epsilon.steps):
        panels["epsilon"] = lambda axes: _draw_epsilon(axes, store)
    arranged = _ARRANGED[len(panels)]
    width = 12.5 if len(arranged) == len("AB;CD") else 16.0
    figure = _figure(title, width, 7.5)
    places = figure.subplot_mosaic(arranged)
    for place, draw in zip(sorted(places), panels.values(), strict=True):
        draw(places[place])
        _finish(places[place])
        if place in arranged.partition(";")[2]:
            places[place].set_xlabel("environment steps, all agents")
    save(figure, path)


def draw_run(task: Task, metrics: Path, path: Path) -> None:
    """Draw the curves of a run of a task, by its file of metrics, as `draw_curves` does."""
    title = f"Level {task.id}, {task.title}: seed {task.training.seed}"
    with closing(MetricsStore(metrics, read_only=True)) as store:
        draw_curves(store, path, title=title, yardsticks=task.yardsticks, score=task.score)


def draw_comparison(
    runs: Mapping[str, Sequence[MetricsStore]],
    path: Path,
    *,
    by: Sequence[str],
    title: str,
    yardsticks: Mapping[str, float],
    score: Score,
) -> None:
    """Draw the greedy score of several runs into a PNG, whole or not at all; a panel for each of `by`: steps, seconds.

    Runs under one label are seeds of the same thing: each is a thin line, their mean, where all were evaluated, a thick
    one. Raises OSError where the file cannot be written, and sqlite3.Error where a store fails.
    """
    figure = _figure(title, 6.25 + 3.15 * len(by), 4.8)
    panels = {"steps": ("step", "environment steps, all agents"), "seconds": ("elapsed", "seconds")}
    for axes, (field, name) in zip(
        figure.subplots(1, len(by), sharey=True, squeeze=False)[0], [panels[one] for one in by], strict=True
    ):
        for color, (label, stores) in zip(cycle(RUNS), runs.items(), strict=False):
            _draw_seeds(axes, stores, field, score.key, color, label)
        axes.set_ylabel(f"greedy {score.word} on {score.unseen}{_unit(score)}")
        axes.set_xlabel(name)
        _draw_yardsticks(axes, yardsticks, score)
        _finish(axes)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all. Raises OSError."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_atomically(path, picture.getvalue())


def _figure(title: str, width: float, height: float) -> Figure:
    """A figure of so many inches, which keeps room between its panels."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), dpi=110, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    figure.suptitle(title, fontsize=14, fontweight="bold")
    return figure


def _draw_seeds(axes: Axes, stores: Sequence[MetricsStore], field: str, key: str, color: str, label: str) -> None:
    seeds = [[(one.step, getattr(one, field), one.score) for one in store.scores(key)] for store in stores]
    for seed in seeds:
        axes.plot([x for _, x, _ in seed], [y for _, _, y in seed], color=color, linewidth=0.8, alpha=0.5)
    shared = sorted(set.intersection(*({step for step, _, _ in seed} for seed in seeds))) if seeds else []
    means = [np.mean([(x, y) for seed in seeds for at, x, y in seed if at == step], axis=0) for step in shared]
    axes.plot([x for x, _ in means], [y for _, y in means], color=color, linewidth=2.0, marker="o", ms=3.5, label=label)


def format_steps(steps: float, _position: object = None) -> str:
    """Return a short number for an axis: 2M, 1.5M, 250k, 40."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:.4g}{letter}"
    return f"{steps:.4g}"


def log_ticks(axis: Axis) -> None:
    """Name the ticks of a logarithmic axis in one way: 5k, 10k, 20k, without powers between them."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(format_steps)
    axis.set_minor_formatter(NullFormatter())


def _draw_score(axes: Axes, store: MetricsStore, yardsticks: Mapping[str, float], score: Score) -> None:
    axes.set_title(score.word.capitalize(), loc="left", fontsize=11)
    axes.set_ylabel("episode length [steps]" if _unit(score) else "return of an episode")
    _plot_trend(axes, store, score.rollout, BLUE, "training")
    _plot(axes, store, f"eval/{score.key}", ORANGE, "greedy evaluation", marker="o", markersize=3.5)
    _draw_yardsticks(axes, yardsticks, score)


def _unit(score: Score) -> str:
    return " [steps]" if score.key == "mean_ep_length" else ""


def _draw_yardsticks(axes: Axes, yardsticks: Mapping[str, float], score: Score) -> None:
    """Lines for known scores and for the greatest possible one, named at their right ends; equal ones are one line."""
    lines = merged(yardsticks_of(yardsticks, score))
    for label, height in lines.items():
        axes.axhline(height, color=GREY, linewidth=0.9, linestyle=":" if label.startswith("limit ") else "--", zorder=1)
    if score.limit is not None:
        axes.set_ylim(bottom=0)
    bottom, top = axes.get_ylim()
    top = max([top, *(1.05 * height for height in lines.values())])
    bottom = min([bottom, *lines.values()])
    axes.set_ylim(bottom, top)
    for (label, _), height in zip(lines.items(), _spread(list(lines.values()), 0.06 * (top - bottom)), strict=True):
        axes.annotate(
            label, (1, height), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
            va="center", fontsize=8.5, color=GREY, annotation_clip=False,
        )  # fmt: skip


def _draw_memory(axes: Axes, store: MetricsStore, score: Score) -> None:
    axes.set_title("What memory is worth", loc="left", fontsize=11)
    axes.set_ylabel(f"greedy {score.word} lost without it{_unit(score)}")
    axes.axhline(0.0, color=GREY, linewidth=0.9, linestyle="--", zorder=1)
    _plot(axes, store, "memory/ablation_gap", GREEN, "with memory less without", marker="o", markersize=3.5)


def _draw_loss(axes: Axes, store: MetricsStore) -> None:
    axes.set_title("Loss and gradient", loc="left", fontsize=11)
    axes.set_ylabel("loss, gradient norm [log scale]")
    _plot_trend(axes, store, "train/grad_norm", GREEN, "gradient norm", positive=True)
    _plot_trend(axes, store, "train/loss", BLUE, "loss", positive=True)
    if axes.lines:
        axes.set_yscale("log")
        log_ticks(axes.yaxis)


def _draw_values(axes: Axes, store: MetricsStore) -> None:
    axes.set_title("Values", loc="left", fontsize=11)
    axes.set_ylabel("mean Q [discounted reward]")
    _plot_trend(axes, store, "train/q_mean", BLUE, "mean Q")


def _draw_speed(axes: Axes, store: MetricsStore) -> None:
    axes.set_title("Speed", loc="left", fontsize=11)
    axes.set_ylabel("environment steps per second")
    axes.yaxis.set_major_formatter(format_steps)
    _plot_trend(axes, store, "time/fps", BLUE, "steps per second")
    axes.set_ylim(bottom=0)


def _draw_epsilon(axes: Axes, store: MetricsStore) -> None:
    axes.set_title("Exploration", loc="left", fontsize=11)
    axes.set_ylabel("epsilon [share of random actions]")
    _plot(axes, store, "train/epsilon", PURPLE, "epsilon")
    axes.set_ylim(0, 1.05)


_OF_LEARNING = {"loss": _draw_loss, "values": _draw_values, "speed": _draw_speed}
_ARRANGED = {4: "AB;CD", 5: "AAB;CDE", 6: "ABC;DEF"}  # panels by how many there are, the score first


def _plot_trend(axes: Axes, store: MetricsStore, name: str, color: str, label: str, *, positive: bool = False) -> None:
    """Plot a noisy series faintly, with its running mean over it."""
    one = series(store.scalars(name), positive=positive)
    mean = trend(one.values)
    if mean is None:
        _plot(axes, store, name, color, label, positive=positive)
        return
    axes.plot(one.steps, one.values, color=color, linewidth=0.6, alpha=0.3)
    axes.plot(one.steps, mean, color=color, linewidth=1.6, label=label)


def _plot(
    axes: Axes, store: MetricsStore, name: str, color: str, label: str, *, positive: bool = False, **style: Any
) -> None:
    steps, values = series(store.scalars(name), positive=positive)
    if len(steps) == 1:  # a line needs two points
        style.setdefault("marker", "o")
    if steps.size:
        axes.plot(steps, values, color=color, linewidth=1.4, label=label, **style)


def _finish(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(format_steps)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        # Above the axes: no curve can run under it.
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.01, 0.98), ncols=2, frameon=False, fontsize=9, handlelength=1.4
        )
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no data yet", transform=axes.transAxes, ha="center", va="center", color=GREY)


def _spread(heights: list[float], gap: float) -> list[float]:
    """Return label heights at least `gap` apart, each as near above its own as that allows."""
    placed: dict[int, float] = {}
    below = -math.inf
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        placed[index] = below = max(heights[index], below + gap)
    return [placed[index] for index in range(len(heights))]
