"""How sweeps time calls, on a clock of the test's own."""

import pytest

from support.sweeps import asked_for_tests
from townlet.bench.scale.sweeps import time_calls
from townlet.bench.speed import timing
from townlet.bench.speed.report import Row


def test_samples_are_seconds_of_one_call(monkeypatch):
    now = [0.0]

    def takes(seconds):
        return lambda: now.__setitem__(0, now[0] + seconds)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    told = []
    asked = asked_for_tests(tell=told.append)
    rows = time_calls(asked, "grid", 4096, {"quick": takes(0.002), "slow": takes(0.5)}, {"units": 3})
    assert rows == [
        Row("grid: quick", 4096, [pytest.approx(0.002)] * 2, {"units": 3}),
        Row("grid: slow", 4096, [pytest.approx(0.5)] * 2, {"units": 3}),
    ]
    assert told == ["grid, 4,096: quick", "grid, 4,096: slow"] * 2


def test_settings_and_changes_are_laid_over_the_level_changes_last():
    asked = asked_for_tests(settings={"max_steps": 20, "grid.width": 9})
    level = asked.load({"grid.width": 10})
    assert (level.id, level.max_steps, level.grid.width, level.grid.height) == ("2", 20, 10, 8)
    assert asked.load(reference=asked.replay).id == "2-replay"


def test_what_is_left_out_is_told_in_a_line():
    asked = asked_for_tests()
    asked.leave_out("a map", ValueError("too\n  small"))
    assert asked.notes == ["a map is left out: too small"]
