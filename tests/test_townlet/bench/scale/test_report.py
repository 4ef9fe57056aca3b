"""The table and the facts of `bench scale`, of rows made by hand."""

import pytest

from townlet.bench.scale.report import Axis, draw_panels, lay_out, seconds_word, size_word, slopes_as_facts
from townlet.bench.speed.report import Report, Row

AXES = {"agents": Axis("agents", "agent-step"), "grid": Axis("cells a side", "agent-step")}


@pytest.fixture
def report():
    sizes = {1: [9e-3, 2e-3, 1e-3], 256: [3e-3], 4096: [4e-3], 16_384: [0.016], 65_536: [0.064]}
    rows = [Row("agents: world's step", size, samples, {"units": size}) for size, samples in sizes.items()]
    rows.append(Row("grid: world's step", 4, [3e-3], {"units": 8}))
    return Report("scale", "A title", "seconds of a call", "what the curve changes", {}, rows)


def test_times_are_short():
    told = [seconds_word(value) for value in (12.34, 1.0, 0.0041, 95.4e-6, 63.2e-9, 4e-12)]
    assert told == ["12 s", "1 s", "4.1 ms", "95 µs", "63 ns", "0.004 ns"]


def test_sizes_are_short():
    assert [size_word(size) for size in (1, 4096, 65_536, 10_000_000)] == ["1", "4,096", "65.5k", "10M"]


def test_each_curve_has_its_ends_its_cost_of_one_and_its_exponent(report):
    lines = lay_out(report, AXES)
    assert lines.rows == [
        ["by agents", "", "", "agent-step", "", ""],
        # 64 ms of 65,536; sixteen times as much for sixteen times as many
        ["  world's step", "1: 2 ms", "65.5k: 64 ms", "980 ns", "1.00", "4,096"],
        ["by cells a side", "", "", "agent-step", "", ""],
        ["  world's step", "4: 3 ms", "4: 3 ms", "380 µs", "-", "-"],
    ]
    assert len(lines.heads) == 6


def test_where_costs_follow_no_law_none_is_told(report):
    report.rows[3].samples[:] = [0.064]
    assert lay_out(report, AXES).rows[1][-2:] == ["-", "-"] and slopes_as_facts(report) == {}


def test_exponents_are_facts(report):
    assert slopes_as_facts(report) == {
        "agents: world's step, exponent": pytest.approx(1.0),
        "agents: world's step, from": 4096,
    }


def test_next_to_nothing_has_no_sign(report):
    report.rows[3].samples[:] = report.rows[4].samples[:] = [0.00399999]
    assert lay_out(report, AXES).rows[1][-2:] == ["0.00", "4,096"]


def test_each_curve_is_a_panel_with_its_law(report, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("townlet.bench.scale.report.save", lambda figure, path: drawn.append((figure, path)))
    draw_panels(report, tmp_path / "it.png", AXES)
    (figure, path), *none = drawn
    assert not none and path == tmp_path / "it.png"
    agents, grid = figure.axes
    law = agents.lines[1]
    assert law.get_xdata().tolist() == [4096, 65_536] and law.get_ydata().tolist() == pytest.approx([0.004, 0.064])
    assert agents.lines[0].get_ydata().tolist() == [0.002, 0.003, 0.004, 0.016, 0.064]  # medians
    assert [text.get_text() for text in agents.get_legend().get_texts()] == ["world's step ~ agents^1.00"]
    assert len(grid.lines) == 1 and grid.get_xlabel() == "cells a side"
    low, high = grid.get_ylim()
    assert low < 0.0015 and high > 0.006  # a flat curve of 3 ms is not stretched over the panel
