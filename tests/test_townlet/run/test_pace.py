"""How fast a run goes is told since the record before."""

from types import SimpleNamespace

import pytest
import torch

from townlet.run import pace
from townlet.run.pace import Pace, Slowness, times_a_core_was_taken


def test_a_record_tells_the_rate_and_each_parts_share_of_the_time_since_the_one_before(monkeypatch):
    now, population = [100.0], SimpleNamespace(env_steps=0, seconds={"act": 1.0, "world": 0.0})
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    one, told = Pace(), []
    one.begin(population)
    for seconds, steps, act, world in ((10.0, 500, 6.0, 2.5), (4.0, 1000, 1.0, 3.0)):
        now[0] += seconds
        population.env_steps += steps
        population.seconds = {"act": population.seconds["act"] + act, "world": population.seconds["world"] + world}
        told.append(one.since_record(population))
    assert told == [
        {"time/fps": 50.0, "time/act_share": 0.6, "time/world_share": 0.25},
        {"time/fps": 250.0, "time/act_share": 0.25, "time/world_share": 0.75},
    ]


# --- what makes it slower than it need be --------------------------------------------------------------------------


class Lives:
    """A population that has lived so many seconds, in which a core was taken so often."""

    def __init__(self, monkeypatch, device: str = "cpu", threads: int = 2, tells: bool = True) -> None:
        self.now, self.taken = 1000.0, 7
        self.env, self.uncaptured = SimpleNamespace(device=torch.device(device)), dict[str, str]()
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(pace, "times_a_core_was_taken", lambda: self.taken if tells else None)
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)

    def lines(self, slowness: Slowness, seconds: float, taken: int) -> list[str]:
        self.now, self.taken = self.now + seconds, self.taken + taken
        return list(slowness.lines(self))


def test_cores_that_others_want_are_told_of_once_after_twenty_seconds(monkeypatch) -> None:
    lives, slowness = Lives(monkeypatch), Slowness()
    assert lives.lines(slowness, 5.0, 9_000) == []  # before the first look: what came before the training
    assert lives.lines(slowness, 19.0, 5_000) == []  # too soon to say
    assert lives.lines(slowness, 3.0, 500) == [
        "threads lose their core 125 times a second, as beside other programs, and all wait for the last of them; "
        "trainings side by side are faster with OMP_NUM_THREADS=1"
    ]
    assert lives.lines(slowness, 30.0, 30_000) == []


def test_cores_that_others_want_later_are_told_of_then(monkeypatch) -> None:
    lives, slowness = Lives(monkeypatch), Slowness()
    assert [lives.lines(slowness, 60.0, 20 * 60) for _ in range(10)] == [[]] * 10  # as on an idle machine
    assert len(lives.lines(slowness, 30.0, 101 * 30)) == 1  # of these thirty seconds, not of all


@pytest.mark.parametrize("other", [{"threads": 1}, {"device": "cuda"}, {"tells": False}])
def test_where_no_threads_wait_for_each_other_or_nobody_knows_nothing_is_said_of_cores(monkeypatch, other) -> None:
    lives, slowness = Lives(monkeypatch, **other), Slowness()
    assert [lives.lines(slowness, 60.0, 60_000) for _ in range(3)] == [[]] * 3


def test_each_thing_without_a_graph_is_told_of_once(monkeypatch) -> None:
    lives, slowness = Lives(monkeypatch, device="cuda"), Slowness()
    lives.uncaptured = {"updates": "no memory"}
    assert lives.lines(slowness, 1.0, 0) == ["updates run without a CUDA graph, several times slower: no memory"]
    lives.uncaptured["steps"] = "no driver"
    assert lives.lines(slowness, 1.0, 0) == ["steps run without a CUDA graph, several times slower: no driver"]
    assert lives.lines(slowness, 1.0, 0) == []


def test_of_many_threads_each_may_lose_its_core_now_and_then(monkeypatch) -> None:
    lives, slowness = Lives(monkeypatch, threads=64), Slowness()
    assert [lives.lines(slowness, 60.0, 64 * 10 * 60) for _ in range(3)] == [[]] * 3


def test_a_core_that_was_taken_is_none_that_was_given_away(monkeypatch) -> None:
    resource = pytest.importorskip("resource", reason="this system does not tell how often a core was taken")
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_nivcsw=12, ru_nvcsw=34_000))
    for platform, taken in (("linux", 12), ("darwin", None), ("win32", None)):
        monkeypatch.setattr(pace.sys, "platform", platform)
        assert times_a_core_was_taken() == taken
