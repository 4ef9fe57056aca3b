"""The seconds of each part of a loop, by a clock that a test sets."""

import time

from townlet.population.stopwatch import Stopwatch


def test_each_part_gets_the_time_since_the_one_before_and_between_loops_nothing_counts(monkeypatch):
    clock = iter([10.0, 11.0, 13.0, 20.0, 20.5, 24.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    watch = Stopwatch("act", "world")
    assert watch.seconds == {"act": 0.0, "world": 0.0}
    for _ in range(2):
        watch.begin()
        watch.end("act")
        watch.end("world")
    assert watch.seconds == {"act": 1.0 + 0.5, "world": 2.0 + 4.0}
