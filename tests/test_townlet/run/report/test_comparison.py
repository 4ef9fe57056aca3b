"""Runs beside each other: groups of seeds, with the intervals that are asked for."""

import pytest

from support.reports import Page, write_run
from townlet.config import load_task
from townlet.run.report.comparison import Shown, comparison
from townlet.run.report.record import read_record


def interval(values):
    """A mean, and its ends one below and one above: what is told must be this, and nothing else."""
    mean = sum(values) / len(values)
    return mean, mean - 1.0, mean + 1.0


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    asked = {
        "mine": [("one", (4.0, 6.0), {}), ("two", (5.0, 8.0), {"training__seed": 2})],
        "wider": [("three", (4.0, 5.0), {"network__hidden": 8})],
    }
    groups = {
        label: [read_record(load_task((run := write_run(folder, name, lengths, **changes)) / "config.yaml"), run)
                for name, lengths, changes in runs]
        for label, runs in asked.items()
    }  # fmt: skip
    (folder / "two" / "report.html").write_text("")
    task = groups["mine"][0].task
    shown = Shown("Two <things>", ["steps", "seconds"], {"random": 3.0}, task.score, interval)
    out = folder / "out.html"
    out.write_bytes(comparison(groups, folder, shown))
    return Page(out)


def curve(page, title, name):
    return next(one for one in page.charts[title]["curves"] if one["name"] == name)


def test_finals_are_means_over_seeds_with_their_intervals(page):
    heads, mine, wider = page.rows("runs")
    assert heads[1:5] == ["seeds", "greedy survival", "95% interval", "each seed"]
    assert mine == ["mine", "2", "7", "6 to 8", "6 8", "3", "2 to 4", "300", "5.0"]
    assert wider == ["wider", "1", "5", "-", "5", "1", "-", "300", "5.0"]


def test_where_agents_spend_their_time_is_the_mean_over_seeds_of_the_last_evaluations(page):
    assert page.rows("place") == [["place", "mine", "wider"], ["Chair", "65.0", "65.0"], ["elsewhere", "35.0", "35.0"]]


@pytest.mark.parametrize("title", ["Greedy survival", "Greedy survival against time"])
def test_curves_are_means_in_bands_with_each_seed_behind_them(page, title):
    mine = curve(page, title, "mine")
    assert (mine["steps"], mine["values"]) == ([100, 300], [4.5, 7.0])
    assert (mine["low"], mine["high"]) == ([3.5, 6.0], [5.5, 8.0])
    assert "low" not in curve(page, title, "wider")
    faint = [one["values"] for one in page.charts[title]["curves"] if one["style"] == "faint"]
    assert faint == [[4.0, 6.0], [5.0, 8.0]]
    assert [one["name"] for one in page.charts[title]["yardsticks"]] == ["random 3", "limit 9"]


def test_curves_of_training_are_means_over_bins_of_steps(page):
    mine = curve(page, "Survival in training", "mine")  # recorded at 100 and 300 steps, in bins that end at 150 and 300
    assert (mine["steps"], mine["values"], mine["low"]) == ([150, 300], [3.0, 4.0], [2.0, 3.0])


def test_what_differs_is_told_but_for_seeds(page):
    assert page.rows("setting") == [["setting", "mine", "wider"], ["network.hidden", "4", "8"]]


def test_runs_that_have_a_page_are_linked(page):
    assert [one["href"] for one in page.attributes("a")] == ["./two/report.html"]
    assert page.texts("dd") == ["one, seed 1; two, seed 2", "three, seed 1"]
    assert page.texts("h1") == ["Two <things>"]
