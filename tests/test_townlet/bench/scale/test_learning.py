"""Sweeps over learning: which windows are learned from, and which tapes are sampled."""

import pytest
import torch

from support.sweeps import Watch, asked_for_tests
from townlet.bench.scale import learning as scale_learning
from townlet.bench.scale.learning import LIFE, Writer, bytes_of, free_bytes, sweep_batch, sweep_capacity, sweep_windows
from townlet.config import ConfigError
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer


@pytest.fixture
def watch(monkeypatch):
    made = Watch()
    monkeypatch.setattr(scale_learning, "time_calls", made)
    return made


def shapes(watch):
    """Windows and length of the batches that updates were timed of."""
    return [tuple(call.args[0].actions.shape) for call in watch.calls.values()]


def test_windows_of_each_length_as_many_as_a_minibatch_of_the_level_has(watch):
    rows = sweep_windows(asked_for_tests(), [1, 3, 16])
    assert shapes(watch) == [(2, 1), (2, 3), (2, 16)]  # 8 agents in 4 minibatches
    names = [("windows: an update", 1, 2), ("windows: an update", 3, 6), ("windows: an update", 16, 32)]
    assert [(row.name, row.size, row.facts["units"]) for row in rows] == names


def test_windows_of_a_level_that_replays_are_those_of_its_batch(watch):
    settings = {"training.num_agents": 4, "training.mode.batch_size": 5, "training.mode.min_episodes": 1}
    sweep_windows(asked_for_tests(level="2-replay", settings=settings), [4])
    assert shapes(watch) == [(5, 4)]


def test_returns_over_more_steps_than_a_window_has_are_cut_to_it(watch):
    settings = {"training.num_agents": 8, "training.n_step": 4, "training.trace_decay": 0.0}
    rows = sweep_windows(asked_for_tests(settings=settings), [2, 8])
    assert [row.size for row in rows] == [2, 8]
    assert [call.func.__self__.training.n_step for call in watch.calls.values()] == [2, 4]


def test_each_number_of_windows_of_the_levels_length(watch):
    rows = sweep_batch(asked_for_tests(), [1, 12])
    assert shapes(watch) == [(1, 8), (12, 8)]
    assert [(row.name, row.facts["units"]) for row in rows] == [("batch: an update", 8), ("batch: an update", 96)]


def test_a_length_that_the_level_forbids_is_left_out(watch):
    asked = asked_for_tests()
    assert [row.size for row in sweep_windows(asked, [2, 600])] == [2]
    (note,) = asked.notes
    assert note.startswith("windows 600 is left out: ") and "training.seq_len" in note


def test_tapes_are_full_before_they_are_sampled(watch):
    rows = sweep_capacity(asked_for_tests(), [800, 2000])
    assert [(row.name, row.size) for row in rows] == [
        (f"capacity: {name}", size) for size in (800, 2000) for name in ("append", "append and sample")
    ]
    assert rows[0].facts["units"] == 8 and rows[1].facts["units"] == 64 * 8  # a step; a batch of the level's
    for size in (800, 2000):
        append, both = (watch.calls["capacity", size, name] for name in ("append", "append and sample"))
        buffer = append.buffer
        slots = size // 8 + 1  # of a ring; one in LIFE or so ends an episode, and one is written next
        assert buffer.slots == slots and 8 * (slots - 2 - slots // LIFE) <= buffer.num_transitions < 8 * slots
        appended = buffer.appended
        assert both().actions.shape == (64, 8) and buffer.appended == appended + 1
        assert watch.facts["capacity", size, "append and sample"]["bytes"] == bytes_of(buffer)


def test_each_append_is_one_step_and_each_agent_ends_at_a_time_of_its_own():
    buffer = SequentialReplayBuffer(capacity=900, num_agents=3, obs_dim=2, num_actions=4)
    writer = Writer(buffer, ())
    for _ in range(2 * LIFE):
        writer()
    assert buffer.appended == 2 * LIFE and int(buffer.ended) == 6
    ends = buffer.terminated.view(3, -1).nonzero().tolist()
    assert ends == [[0, 99], [0, 200], [1, 98], [1, 199], [2, 97], [2, 198]]  # an episode of T steps takes T + 1 slots
    after_the_last = buffer.windows(torch.tensor([99]), 1, 1).observations[0, 1]
    assert torch.equal(after_the_last, writer.features[0, 0])


def test_what_would_not_fit_into_half_of_the_free_memory_is_left_out_with_a_note(watch, monkeypatch):
    monkeypatch.setattr(scale_learning, "free_bytes", lambda _: 10_000_000)
    asked = asked_for_tests()
    rows = sweep_capacity(asked, [800, 10_000])  # 0.6 and 7.4 MB
    assert {row.size for row in rows} == {800}
    (note,) = asked.notes
    assert note.startswith(
        "a tape of 10,000 transitions is left out: expected at most 50% of 10MB of free memory, got 7.4"
    )


def test_a_level_that_does_not_replay_has_no_tape_to_fill(watch):
    with pytest.raises(ConfigError, match=r"--replay: expected a level that learns by replay, got 2, of mode fresh"):
        sweep_capacity(asked_for_tests(replay="2"), [800])


def test_bytes_of_a_tape():
    buffer = SequentialReplayBuffer(
        capacity=16, num_agents=2, obs_dim=3, num_actions=2, hidden=(torch.zeros(1, 2, 5), torch.zeros(1, 2, 5))
    )
    # 2 rings of 9 slots. A slot: 3 numbers, 2 flags of a mask, two actions of 8, two rewards, three flags, a step; and
    # two memories of 5 numbers. Then a cursor of 8 and a length of 4 an agent, 4 newest steps, and a count.
    slot = 3 * 4 + 2 + 2 * 8 + 2 * 4 + 3 + 4 + 2 * 5 * 4
    assert bytes_of(buffer) == 18 * slot + 2 * (8 + 4) + 4 * 2 * 8 + 8


def test_free_memory_is_more_than_nothing():
    assert free_bytes(torch.device("cpu")) > 10_000_000
