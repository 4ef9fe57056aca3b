"""The page as one file: a template, styles, scripts, charts as JSON, and a policy that lets in nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from townlet.page.html import hash_source
from townlet.run.report import markup
from townlet.run.report.chart import Chart
from townlet.run.report.markup import element, folded, short, table

SITE = Path(__file__).parent / "site"
STYLES, SCRIPTS = ("uplot/uPlot.min.css", "report.css"), ("uplot/uPlot.iife.min.js", "report.js")
MOST_ROWS = 12  # of the numbers under a chart


class Block(NamedTuple):
    """A part of the page."""

    title: str
    charts: Sequence[Chart] = ()
    before: Sequence[Element] = ()  # above the charts
    after: Sequence[Element] = ()  # below them


def build(title: str, head: Sequence[Element], blocks: Sequence[Block]) -> bytes:
    """Return the page's file. Blocks and charts with nothing in them are left out."""
    charts = list[dict[str, Any]]()
    sections = []
    for block in blocks:
        drawn = [chart for chart in block.charts if not chart.empty]
        if drawn or block.before or block.after:
            figures = [_figure(chart, len(charts) + index) for index, chart in enumerate(drawn)]
            charts += [chart.to_json() for chart in drawn]
            grid = [element("div", *figures, class_="charts")] if figures else []
            sections.append(markup.section(block.title, *block.before, *grid, *block.after))
    styles, scripts = [_asset(name) for name in STYLES], [_asset(name) for name in SCRIPTS]
    page = Template(_asset("report.html")).substitute(
        title=html.escape(title),
        policy=_policy(styles, scripts),
        styles="\n".join(f"<style>{one}</style>" for one in styles),
        head=markup.html(head),
        main=markup.html(sections),
        charts=embedded(charts),
        scripts="\n".join(f"<script>{one}</script>" for one in scripts),
    )
    return page.encode("utf-8", "replace")


def embedded(value: object) -> str:
    """Write JSON that may stand within a script element: no text in it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))  # which escapes all that is not ASCII
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _figure(chart: Chart, index: int) -> Element:
    named = [element("figcaption", element("strong", chart.title), *([" ", chart.says] if chart.says else []))]
    rows = folded("The numbers", _numbers(chart))
    place = element("div", class_="chart", data_chart=str(index))
    return element("figure", *named, place, rows, class_="small" if chart.small else "wide")


def _numbers(chart: Chart) -> Element:
    """Some points of a chart as a table: the first, the last, and some between."""
    curves = [curve for curve in chart.curves if curve.name and len(curve.points.steps)]
    steps = sorted({float(step) for curve in curves for step in curve.points.steps})
    count = min(len(steps), MOST_ROWS)
    chosen = [steps[index * (len(steps) - 1) // max(count - 1, 1)] for index in range(count)]
    values = [dict(zip(curve.points.steps.tolist(), curve.points.values.tolist(), strict=True)) for curve in curves]
    rows = [[f"{step:,.0f}", *(short(one[step]) if step in one else "" for one in values)] for step in chosen]
    return table([chart.across, *(curve.name for curve in curves)], rows, f"{chart.title}, {chart.unit}")


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Nothing from anywhere, and no script or style but those that the page was written with."""
    allowed = {"script-src": scripts, "style-src": styles}
    rules = [" ".join([kind, *map(hash_source, texts)]) for kind, texts in allowed.items()]
    return "; ".join(["default-src 'none'", *rules, "img-src data:", "base-uri 'none'", "form-action 'none'"])


@cache
def _asset(name: str) -> str:
    return (SITE / name).read_text(encoding="utf-8").strip()
