"""Curves are drawn from whatever there is, whole or not at all."""

import math
import os

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from townlet.config import load_level
from townlet.run import curves
from townlet.run.curves import draw_comparison, draw_curves, format_steps
from townlet.run.metrics import MetricsStore

SURVIVAL = load_level("0").score
YARDSTICKS = {"random": 58.0, "scripted": 310.0}


@pytest.fixture
def store(tmp_path):
    store = MetricsStore(tmp_path / "metrics.sqlite")
    yield store
    store.close()


@pytest.fixture
def figures(monkeypatch):
    """The figures that were drawn."""
    drawn = []

    class KeptFigure(Figure):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            drawn.append(self)

    monkeypatch.setattr(curves, "Figure", KeptFigure)
    return drawn


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def assert_png(path):
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
    assert not list(path.parent.glob(".*"))


def test_an_empty_store_says_no_data_yet(tmp_path, store, figures):
    draw_curves(store, tmp_path / "curves.png", title="Level 2", yardsticks={}, score=SURVIVAL)
    assert_png(tmp_path / "curves.png")
    assert texts_of(figures[0]).count("no data yet") == 4


@pytest.mark.filterwarnings("error")
def test_a_full_store_shows_every_curve_yardstick_and_unit(tmp_path, store, figures):
    for step in range(0, 2_000_000, 10_000):
        values = {"rollout/ep_len_mean": 60 + step / 1e4, "train/loss": 1 / (step + 1), "train/grad_norm": 2.0}
        values |= {"train/q_mean": -1.0, "train/epsilon": 0.1, "time/fps": 2e4}
        store.write_scalars(step, values, elapsed=1.0)
    store.write_evaluation(1_000_000, {"mean_ep_length": 200.0}, elapsed=1.0)
    draw_curves(store, tmp_path / "curves.png", title="Level 2", yardsticks=YARDSTICKS, score=SURVIVAL)
    assert_png(tmp_path / "curves.png")
    texts = texts_of(figures[0])
    expected = {
        "Level 2, epsilon 0.1 throughout",
        "training",
        "greedy evaluation",
        "loss",
        "gradient norm",
        "mean Q",
        "steps per second",
    }
    expected |= {"random 58", "scripted 310", "limit 500", "episode length [steps]", "2M"}
    assert expected <= set(texts)
    assert "no data yet" not in texts
    assert len(figures[0].axes[0].lines[0].get_xdata()) == 200 and len(figures[0].axes) == 4


def test_what_memory_is_worth_and_an_epsilon_that_falls_have_panels_of_their_own(tmp_path, store, figures):
    for step, epsilon in ((10, 1.0), (20, 0.5)):
        store.write_scalars(step, {"train/epsilon": epsilon, "memory/ablation_gap": 100.0 + step}, elapsed=1.0)
    draw_curves(store, tmp_path / "curves.png", title="Level 2", yardsticks={}, score=SURVIVAL)
    memory, epsilon = figures[0].axes[1], figures[0].axes[5]
    assert memory.get_ylabel() == "greedy survival lost without it [steps]"
    assert memory.lines[1].get_ydata().tolist() == [110.0, 120.0] and epsilon.lines[0].get_ydata().tolist() == [
        1.0,
        0.5,
    ]
    assert "Level 2" in texts_of(figures[0])


def test_lines_of_one_height_are_one_line_with_one_label(tmp_path, store, figures):
    known = {"planner": 500.0, "random": 101.0}
    draw_curves(store, tmp_path / "curves.png", title="", yardsticks=known, score=SURVIVAL)
    labels = {text for text in texts_of(figures[0]) if "500" in text or "101" in text}
    assert labels == {"planner and limit 500", "random 101"}


def test_ticks_of_a_logarithmic_axis_are_named_in_one_way(tmp_path, store, figures):
    for step, loss in ((1, 6000.0), (2, 25_000.0)):
        store.write_scalars(step, {"train/loss": loss}, elapsed=1.0)
    draw_curves(store, tmp_path / "curves.png", title="", yardsticks={}, score=SURVIVAL)
    axis = figures[0].axes[1].yaxis
    named = [text.get_text() for text in axis.get_ticklabels(which="both") if text.get_text()]
    assert {"10k", "20k"} <= set(named) and not [name for name in named if "10^" in name]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0, 1e-30, 1e30])
def test_odd_values_are_drawn_or_left_out(tmp_path, store, value):
    names = ("rollout/ep_len_mean", "train/loss", "train/grad_norm", "train/q_mean", "train/epsilon", "time/fps")
    store.write_scalars(64, dict.fromkeys(names, value), elapsed=1.0)
    draw_curves(store, tmp_path / "curves.png", title="", yardsticks={"random": math.nan}, score=SURVIVAL)
    assert_png(tmp_path / "curves.png")


def test_a_failed_write_keeps_the_former_picture(tmp_path, store, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_bytes(b"former")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left"):
        draw_curves(store, path, title="", yardsticks={}, score=SURVIVAL)
    assert path.read_bytes() == b"former" and not list(tmp_path.glob(".*"))


def test_each_of_seven_runs_has_a_colour_of_its_own(tmp_path, store, figures):
    for step in (10, 20):
        store.write_evaluation(step, {"mean_ep_length": 200.0}, elapsed=1.0)
    runs = {label: [store] for label in "abcdefg"}
    draw_comparison(runs, tmp_path / "c.png", by=["steps"], title="", yardsticks={}, score=SURVIVAL)
    colours = {line.get_label(): line.get_color() for line in figures[0].axes[0].lines}
    assert len({colours[label] for label in "abcdefg"}) == 7


@pytest.mark.parametrize(
    ("steps", "text"), [(0, "0"), (40, "40"), (1500, "1.5k"), (250_000, "250k"), (2e6, "2M"), (1.25e9, "1.25G")]
)
def test_steps_are_short(steps, text):
    assert format_steps(steps) == text


def test_labels_are_spread_and_keep_their_order():
    assert curves._spread([310.0, 320.0, 58.0], 30.0) == [310.0, 340.0, 58.0]
    assert curves._spread([], 30.0) == []
