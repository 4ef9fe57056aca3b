"""Several runs beside each other, as a page: groups of seeds, with intervals of what they came to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element

import numpy as np

from townlet.config import Score
from townlet.run.report.chart import Chart, Curve, yardsticks_of
from townlet.run.report.differences import differences
from townlet.run.report.document import Block, build
from townlet.run.report.markup import element, pairs, short, spoken, table
from townlet.run.report.record import Record
from townlet.run.report.run_map import ELSEWHERE, shares_by_place
from townlet.run.report.series import Series
from townlet.run.run_directory import REPORT_NAME

Groups = Mapping[str, Sequence[Record]]  # by label: runs of one label are seeds of one thing
IntervalOf = Callable[[Sequence[float]], tuple[float, float, float]]  # a mean over seeds, and its interval
BINS = 40  # of a curve of training, over the steps that all seeds of a group took
SEED = "training.seed"  # in which the runs of a group differ anyway
ACROSS = {"steps": "environment steps, all agents", "seconds": "seconds of training"}


class Shown(NamedTuple):
    """How runs are compared."""

    title: str
    by: Sequence[str]  # a chart of the score for each: steps, seconds
    known: Mapping[str, float]  # scores that are known, of all runs alike
    score: Score
    interval: IntervalOf


def comparison(groups: Groups, folder: Path, shown: Shown) -> bytes:
    """Return the page of several runs, that will lie in `folder`."""
    seeds = ", ".join(f"{label} ({len(runs)} seed{'s' if len(runs) > 1 else ''})" for label, runs in groups.items())
    says = "Bands and intervals are 95% intervals of the mean over seeds, by bootstrap; one seed has none."
    head = [element("h1", shown.title), element("p", seeds), element("p", says, class_="note")]
    blocks = [
        Block("What they came to", after=[_finals(groups, shown)]),
        Block("On the way", [*_charts(groups, shown)]),
        Block("Where they spend their time", after=_stays(groups)),
        Block("What differs between them", after=_differences(groups)),
        Block("The runs", after=[_runs(groups, folder)]),
    ]
    return build(shown.title, head, blocks)


def _charts(groups: Groups, shown: Shown) -> Iterator[Chart]:
    score, of = shown.score, shown.interval
    lines = yardsticks_of(shown.known, score)
    least = 0.0 if score.limit is not None else None
    for field in shown.by:
        curves = _evaluated(groups, f"eval/{score.key}", field, of)
        name = f"Greedy {score.word}" + (" against time" if field == "seconds" else "")
        yield Chart(name, score.word, curves, f"On {score.unseen}.", lines, least=least, across=ACROSS[field])
    gap = _evaluated(groups, "memory/ablation_gap", "steps", of)
    yield Chart(
        "What memory is worth", score.word, gap, f"{score.word.capitalize()} lost without it.", {"no gain": 0.0}
    )
    yield Chart(f"{score.word.capitalize()} in training", score.word, _trained(groups, score.rollout, of), least=least)
    yield Chart("Speed", "environment steps a second", _trained(groups, "time/fps", of), least=0.0)


def _evaluated(groups: Groups, name: str, by: str, of: IntervalOf) -> list[Curve]:
    """Each seed faintly, and for each group the mean where all of its seeds were evaluated, with its band."""
    curves = []
    for colour, (label, runs) in enumerate(groups.items()):
        evaluated = [record for record in runs if len(record[name].steps)]
        if not evaluated:
            continue
        found = [record[name] for record in evaluated]
        across = [_places(record, one, by) for record, one in zip(evaluated, found, strict=True)]
        if len(found) > 1:
            curves += [Curve("", Series(x, one.values), colour, "faint") for x, one in zip(across, found, strict=True)]
        shared = sorted(set.intersection(*(set(one.steps.tolist()) for one in found)))
        at = [[one.steps.tolist().index(step) for step in shared] for one in found]
        rows = np.array([one.values[index] for one, index in zip(found, at, strict=True)])
        places = np.mean([x[index] for x, index in zip(across, at, strict=True)], axis=0)
        curves.append(_banded(label, places, rows, colour, of, "dots"))
    return curves


def _places(record: Record, one: Series, by: str) -> np.ndarray:
    """Where the points of a series stand: at their steps, or the seconds of their evaluations."""
    if by == "steps":
        return one.steps
    seconds = {evaluation["step"]: evaluation["elapsed"] for evaluation in record.evaluations}
    return np.array([seconds.get(int(step), math.nan) for step in one.steps])


def _trained(groups: Groups, name: str, of: IntervalOf) -> list[Curve]:
    """For each group the mean over seeds, in bins of steps, with its band."""
    curves = []
    for colour, (label, runs) in enumerate(groups.items()):
        found = [record[name] for record in runs if len(record[name].steps)]
        if not found:
            continue
        end = min(one.steps[-1] for one in found)
        count = min(BINS, *(len(one.steps) for one in found))
        edges = np.linspace(0.0, end, count + 1)
        rows = np.array([_binned(one, edges) for one in found])
        kept = np.isfinite(rows).all(axis=0)
        curves.append(_banded(label, edges[1:][kept], rows[:, kept], colour, of, "line"))
    return curves


def _binned(one: Series, edges: np.ndarray) -> list[float]:
    """The mean of what was recorded after each edge up to the next; NaN where nothing was."""
    ends = np.searchsorted(one.steps, edges, side="right")
    return [float(one.values[a:b].mean()) if b > a else math.nan for a, b in pairwise(ends)]


def _banded(label: str, places: np.ndarray, rows: np.ndarray, colour: int, of: IntervalOf, style: str) -> Curve:
    """The mean of rows [seeds, points], and where there are several its interval."""
    if len(rows) == 1:
        return Curve(label, Series(places, rows[0]), colour, style)
    mean, low, high = (np.array(part) for part in zip(*(of(column.tolist()) for column in rows.T), strict=True))
    return Curve(label, Series(places, mean), colour, style, low, high)


def _finals(groups: Groups, shown: Shown) -> Element:
    score, of = shown.score, shown.interval
    heads = [
        "runs",
        "seeds",
        f"greedy {score.word}",
        "95% interval",
        "each seed",
        "memory gap",
        "95% interval",
        "steps",
        "minutes",
    ]
    rows = []
    for label, runs in groups.items():
        scores, gaps = (
            [one.values[-1] for run in runs if len((one := run[name]).values)]
            for name in (f"eval/{score.key}", "memory/ablation_gap")
        )
        each = " ".join(f"{one:.4g}" for one in scores)
        steps, minutes = f"{max(run.step for run in runs):,}", sum(run.seconds for run in runs) / len(runs) / 60.0
        rows.append([label, str(len(runs)), *_told(scores, of), each, *_told(gaps, of), steps, f"{minutes:.1f}"])
    return table(heads, rows, f"The last evaluation of each, on {score.unseen}")


def _stays(groups: Groups) -> list[Element]:
    """On which places greedy agents stand: means over the seeds whose newest evaluation counted it."""
    last = {label: [run.evaluations[-1] for run in runs if run.evaluations] for label, runs in groups.items()}
    shares = {label: [shares_by_place(one) for one in found if one.get("visits")] for label, found in last.items()}
    if not any(shares.values()):
        return []
    places = dict.fromkeys(place for found in shares.values() for one in found for place in one if place != ELSEWHERE)
    rows = [
        [spoken(place), *(_mean_percent([one[place] for one in found if place in one]) for found in shares.values())]
        for place in [*places, ELSEWHERE]
    ]
    return [table(["place", *shares], rows, "% of the steps of greedy agents, by the last evaluation of each")]


def _mean_percent(shares: Sequence[float]) -> str:
    return f"{100 * sum(shares) / len(shares):.1f}" if shares else "-"


def _told(values: Sequence[float], of: IntervalOf) -> tuple[str, str]:
    """A mean, and its interval where there are several."""
    if not values:
        return "-", "-"
    mean, low, high = of(values)
    return short(mean), f"{low:.4g} to {high:.4g}" if len(values) > 1 else "-"


def _differences(groups: Groups) -> list[Element]:
    runs = [(label, record.task) for label, records in groups.items() for record in records]
    rows = []
    for key, values in differences([task for _, task in runs]).items():
        if key != SEED:
            by_label = {
                label: [value for (name, _), value in zip(runs, values, strict=True) if name == label]
                for label in groups
            }
            rows.append([key, *(" or ".join(dict.fromkeys(found)) for found in by_label.values())])
    if not rows:
        return [element("p", "Nothing but their seeds.")]
    return [table(["setting", *groups], rows, "Settings that are not the same in all", "words")]


def _runs(groups: Groups, folder: Path) -> Element:
    """Links to the runs' own pages, where they have one."""
    rows = []
    for label, records in groups.items():
        whole = element("span")
        for record in records:
            page = record.path / REPORT_NAME
            address = "./" + quote(Path(os.path.relpath(page, folder)).as_posix())
            name = f"{record.path.name}, seed {record.task.training.seed}"
            link = element("a", name, href=address) if page.is_file() else element("span", name)
            link.tail = "" if record is records[-1] else "; "
            whole.append(link)
        rows.append((label, whole))
    return pairs(rows)
