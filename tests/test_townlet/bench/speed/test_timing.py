"""How contestants are measured, on a clock of the test's own."""

import pytest

from townlet.bench.speed import timing
from townlet.bench.speed.timing import Entry, Pace, Timing, measure_in_turn


@pytest.fixture
def clock(monkeypatch):
    """A clock that only `work` moves: `work(name, seconds)` makes a call that takes so long and is written down."""

    class Clock:
        now, calls = 0.0, []

        def work(self, name, seconds):
            def run():
                self.now += seconds
                self.calls.append(name)

            return run

    made = Clock()
    made.calls = []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: made.now)
    return made


def test_work_a_second_of_each_contestant(clock):
    entries = [Entry("slow", clock.work("slow", 0.5), 10.0), Entry("quick", clock.work("quick", 0.001), 3.0)]
    slow, quick = measure_in_turn(entries, Pace(repeats=3, seconds=1.0))
    assert slow == Timing("slow", [pytest.approx(20.0)] * 3)
    assert quick == Timing("quick", [pytest.approx(3000.0)] * 3)


def test_contestants_take_turns_and_fill_a_sample(clock):
    entries = [Entry("a", clock.work("a", 0.25), 1.0), Entry("b", clock.work("b", 0.5), 1.0)]
    told = []
    measure_in_turn(entries, Pace(repeats=2, seconds=1.0), lambda name: told.append(name) or clock.calls.append("|"))
    *_, a, b, c, d = "".join(clock.calls).split("|")
    assert (a, b, c, d) == ("aaaa", "bb", "aaaa", "bb") and told == ["a", "b", "a", "b"]


@pytest.mark.parametrize("slow", [{0}, {0, 1}, {0, 2}, {4}])
def test_slow_calls_before_all_is_warm_neither_count_nor_shorten_the_samples(clock, slow):
    def run():
        clock.now += 100.0 if len(clock.calls) in slow else 0.01
        clock.calls.append("call")

    told = []
    entries = [Entry("compiles", run, 1.0)]
    (only,) = measure_in_turn(entries, Pace(repeats=1, seconds=1.0), lambda _: told.append(len(clock.calls)))
    assert only.samples == [pytest.approx(100.0)] and len(clock.calls) - told[0] == 100


def test_the_median_is_the_sample_in_the_middle():
    assert Timing("uneven", [1.0, 100.0, 3.0]).median == 3.0
    assert Timing("even", [1.0, 100.0, 3.0, 5.0]).median == 4.0


def test_a_device_is_waited_for_before_the_clock_is_read(clock, monkeypatch):
    import torch

    cuda = torch.device("cuda")
    monkeypatch.setattr(timing.torch.cuda, "synchronize", lambda device: clock.work("wait", 2.0)())
    took = timing.seconds_of(Entry("launches", clock.work("launch", 0.0), 1.0, cuda), calls=3)
    assert clock.calls == ["wait", "launch", "launch", "launch", "wait"] and took == pytest.approx(2.0)
