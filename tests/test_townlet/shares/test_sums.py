"""Sums in memory that several processes share, and when each of them may write and read there."""

import os
import threading

import pytest
import torch

from support.shares import linked
from townlet.shares import sums
from townlet.shares.sums import BYTES, Sums, shared_memory

ROOM = BYTES // 4  # float32 numbers of each process


class Scripted:
    """A link to a process that is played: `hear` does what it does meanwhile, `tell` looks at what it would see."""

    def __init__(self, meanwhile, look):
        self.hear, self.tell = meanwhile, look


@pytest.fixture
def memory():
    """The file of three processes, and what lies in it: [3, ROOM], the sum first."""
    with shared_memory(3) as file:
        yield file, torch.from_file(str(file), shared=True, size=3 * ROOM, dtype=torch.float32).view(3, ROOM)


def test_the_first_adds_what_was_handed_in_once_it_hears_so_and_tells_of_the_sum_once_it_is_there(memory):
    file, held = memory
    held[1:, :2] = 777.0  # of the sum before
    told = []

    def hand_in(rank, numbers):
        return lambda: held[rank, :2].copy_(torch.tensor(numbers))

    def look(rank):
        return lambda: told.append((rank, held[0, :2].tolist()))

    links = [Scripted(hand_in(1, [10.0, 20.0]), look(1)), Scripted(hand_in(2, [300.0, 400.0]), look(2))]
    values = torch.tensor([1.0, 2.0])
    Sums(0, links, file).add(values)
    assert told == [(1, [311.0, 422.0]), (2, [311.0, 422.0])]
    assert values.tolist() == [311.0, 422.0]


def test_another_hands_in_before_it_says_so_and_takes_the_sum_once_it_hears_of_it(memory):
    file, held = memory
    held[0, :2] = 777.0  # the sum before
    told = []

    def say():
        told.append(held[2, :2].tolist())

    values = torch.tensor([1.0, 2.0])
    Sums(2, [Scripted(lambda: held[0, :2].copy_(torch.tensor([311.0, 422.0])), say)], file).add(values)
    assert told == [[1.0, 2.0]]
    assert values.tolist() == [311.0, 422.0]
    assert not held[1].any()  # that is another's


def test_numbers_are_added_in_the_order_of_processes(memory):
    """In float32 1e8 swallows a 1: 1e8 - 1e8 + 1 is 1, in any other order it is 0."""
    file, held = memory
    held[1, 0], held[2, 0] = -1e8, 1.0
    values = torch.tensor([1e8])
    Sums(0, [Scripted(lambda: None, lambda: None)] * 2, file).add(values)
    assert values.tolist() == [1.0]


def added(*values):
    """What each of several processes, here threads, has after it added its values to those of the others."""

    def add(rank, links, file):
        Sums(rank, links, file).add(values[rank])

    with shared_memory(len(values)) as file:
        threads = [
            threading.Thread(target=add, args=(rank, links, file), daemon=True)
            for rank, links in enumerate(linked(len(values)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    return values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_four_add_numbers_of_any_kind_and_shape(dtype):
    parts = [torch.tensor([[1, 2], [3, 4]], dtype=dtype) * 10**rank for rank in range(4)]
    for found in added(*parts):
        assert found.dtype == dtype and found.tolist() == [[1111, 2222], [3333, 4444]]
    for found in added(*[torch.tensor(rank, dtype=dtype) for rank in range(4)]):
        assert found.shape == () and found.item() == 6


def test_more_numbers_than_there_is_room_for_are_added_in_pieces(monkeypatch):
    monkeypatch.setattr(sums, "BYTES", 1024)  # of 256 numbers
    for found in added(torch.arange(700.0), 2.0 * torch.arange(700.0)):
        assert torch.equal(found, 3.0 * torch.arange(700.0))


def test_where_there_is_nothing_to_add_nobody_waits(memory):
    Sums(1, [], memory[0]).add(torch.zeros(0))


def test_who_is_late_is_waited_for_beyond_the_time_awake(monkeypatch):
    monkeypatch.setattr(sums, "SECONDS_AWAKE", 0.001)
    (link,), (other,) = linked(2)
    said = []

    def say():
        said.append("here")
        other.tell()

    threading.Timer(0.03, say).start()
    link.hear()
    assert said == ["here"]


@pytest.mark.skipif(not hasattr(os, "sched_yield"), reason="nobody yields a core here")
@pytest.mark.parametrize(("takes", "yields"), [(0.0004, 50), (0.0006, 1)])
def test_who_waits_holds_a_core_for_20_ms_and_not_where_others_want_it(monkeypatch, takes, yields):
    (link,), _ = linked(2)
    clock = [0.0]

    def give_way():
        clock.append(clock[-1] + takes)

    class Clock:
        perf_counter = staticmethod(lambda: clock[-1])

    monkeypatch.setattr(sums, "time", Clock)
    monkeypatch.setattr(sums.os, "sched_yield", give_way)
    link._stay_awake()
    assert len(clock) - 1 == yields


def test_what_is_said_in_place_of_a_sum_stays_to_be_read():
    (link,), (other,) = linked(2)
    other.told.write(b"broken")
    other.told.flush()
    with pytest.raises(EOFError):
        link.hear()
    assert link.heard.peek() == b"broken"


def test_who_ended_is_not_waited_for():
    (link,), (other,) = linked(2)
    other.told.close()
    with pytest.raises(EOFError):
        link.hear()


def test_the_memory_is_gone_once_all_have_opened_it():
    with shared_memory(2) as file:
        assert file.stat().st_size == 2 * BYTES
    assert not os.path.exists(file)
