"""Run folders with numbers that are known, written without training, and their pages read back."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from support.rooms import room, write_level
from townlet.config import load_task, resolved_config
from townlet.run.metrics import MetricsStore
from townlet.run.report.run_page import write_report

# Two records of the room, whose breath is the one cause of death, and what greedy lives came to after each.
RECORDS: dict[int, dict[str, float]] = {
    100: {
        "rollout/ep_len_mean": 3.0, "rollout/ep_rew_mean": 2.0, "rollout/survival_rate": 0.2, "deaths/breath": 8.0,
        "meters/breath_mean": 0.5, "meters/calm_mean": 0.75, "affordance/Chair_uses": 4.0, "train/loss": 0.5,
        "train/td_error": 0.25, "train/epsilon": 0.125, "time/fps": 1000.0, "time/act_share": 0.25,
    },
    300: {
        "rollout/ep_len_mean": 4.0, "rollout/ep_rew_mean": 3.0, "rollout/survival_rate": 0.6, "deaths/breath": 4.0,
        "meters/breath_mean": 0.25, "meters/calm_mean": 1.0, "affordance/Chair_uses": 30.0, "train/loss": 0.25,
        "train/td_error": 0.125, "train/epsilon": 0.125, "time/fps": 3000.0, "time/act_share": 0.75,
    },
}  # fmt: skip
RESULT = {"episodes": 4, "mean_reward": 5.0, "std_ep_length": 0.5, "survival_rate": 0.75, "deaths": {"breath": 1}}
# Of ten steps in the room's three cells, and at last of twenty.
VISITS = (
    {"cells": [[5, 5, 0]], "places": {"Chair": 2}},
    {"cells": [[15, 4, 1]], "places": {"Chair": 13}},
)


def write_run(folder: Path, name: str = "run", lengths: tuple[float, ...] = (4.5, 6.5), **changes: Any) -> Path:
    """Write a run's folder: the `RECORDS`, and an evaluation of such a mean length at each; `changes` as of `room`."""
    run = folder / name
    run.mkdir(parents=True)
    task = load_task(write_level(folder, room(**changes)))
    (run / "config.yaml").write_text(resolved_config(task))
    store = MetricsStore(run / "metrics.sqlite")
    for (step, values), length, visits in zip(RECORDS.items(), lengths, VISITS, strict=True):
        store.write_scalars(step, values, elapsed=float(step))
        store.write_scalars(step, {"memory/ablation_gap": length - 4.0}, elapsed=float(step))
        result = RESULT | {"mean_ep_length": length, "memory_ablation_gap": length - 4.0, "visits": visits}
        store.write_evaluation(step, result, elapsed=float(step))
    store.close()
    return run


class Page(HTMLParser):
    """A page as a browser reads it: its elements by tag, with their attributes and the text within them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        texts: list[str] = []
        self.elements.append((tag, dict(attrs), texts))
        self._open.append((tag, texts))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, texts in self._open:
            texts.append(data)

    def texts(self, tag: str) -> list[str]:
        """What stands within each element of a tag."""
        return ["".join(texts) for found, _, texts in self.elements if found == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a tag."""
        return [attributes for found, attributes, _ in self.elements if found == tag]

    @property
    def charts(self) -> dict[str, dict[str, Any]]:
        """The charts that its script draws, by title."""
        return {chart["title"]: chart for chart in json.loads(self.texts("script")[0])}

    @property
    def tables(self) -> list[list[list[str]]]:
        """The rows of each table, their cells as text."""
        tables: list[list[list[str]]] = []
        for tag, _, texts in self.elements:
            if tag == "table":
                tables.append([])
            elif tag == "tr":
                tables[-1].append([])
            elif tag in ("th", "td"):
                tables[-1][-1].append("".join(texts))
        return tables

    def rows(self, head: str) -> list[list[str]]:
        """The rows of the first table with such a first heading."""
        return next(table for table in self.tables if table[0][0] == head)


def page_of(run: Path) -> Page:
    """The page of a run, written into its folder."""
    write_report(load_task(run / "config.yaml"), run, run / "report.html")
    return Page(run / "report.html")
