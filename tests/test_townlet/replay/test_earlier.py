"""What was observed earlier in the episode of a window: which steps, how often, and whose windows have none."""

import pytest
import torch

from support.lives import MEMORY, NUM_ACTIONS, Lives
from townlet.replay.earlier import with_earlier
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer


def lived(*lives, steps, capacity=40):
    """A tape of agents that lived for so many steps; what is observed counts the steps of an episode from 100 x it."""
    tape = SequentialReplayBuffer(capacity * len(lives), len(lives), 1, NUM_ACTIONS, hidden=MEMORY)
    Lives(tape, lives, lambda agent, episode, step: 100 * episode + step).live(steps)
    return tape


def asked(tape, windows, back, draws=200):
    """All that is drawn of earlier observations in so many draws, and whether there is one, each [windows]."""
    stream = torch.Generator().manual_seed(0)
    found = [with_earlier(windows, tape, back, stream) for _ in range(draws)]
    return torch.cat([one.earlier for one in found], dim=1), found[0].has_earlier.tolist()


@pytest.mark.parametrize(("back", "steps"), [(1, {8}), (3, {6, 7, 8}), (100, set(range(9)))])
def test_it_is_any_step_of_the_episode_up_to_so_many_before_the_last_observation(back, steps):
    tape = lived("50d", steps=9)  # steps 0 to 8; the last observation is the ninth
    drawn, has = asked(tape, tape.newest_sequences(4), back)
    assert set(drawn[0].tolist()) == steps and has == [True]


def test_each_step_is_as_likely_as_any_other():
    tape = lived("50d", steps=4)
    drawn, _ = asked(tape, tape.newest_sequences(2), 100, draws=4000)
    counts = torch.bincount(drawn[0].long())
    assert counts.tolist() == pytest.approx([1000] * 4, abs=100)  # 3.6 standard deviations of 27.4


def test_no_step_of_another_episode_is_told():
    tape = lived("3d 50d", "50d", steps=6)
    drawn, has = asked(tape, tape.newest_sequences(4), 100)
    assert has == [True, True] and set(drawn[0].tolist()) == {100, 101, 102}


@pytest.mark.parametrize("end", ["d", "t"])
def test_a_window_whose_last_step_ended_the_episode_has_none(end):
    tape = lived(f"5{end} 50d", "50d", steps=5)
    assert asked(tape, tape.newest_sequences(4), 100)[1] == [False, True]


def test_what_was_written_over_is_not_told():
    tape = lived("50d", steps=30, capacity=8)  # 9 slots: steps 22 to 29, and what came after them
    stream = torch.Generator().manual_seed(0)
    told = [with_earlier(tape.newest_sequences(4), tape, 100, stream) for _ in range(200)]
    assert {int(one.earlier) for one in told if one.has_earlier} == set(range(22, 30))
    assert not all(bool(one.has_earlier) for one in told)


def test_an_episode_that_lies_in_the_place_of_an_equal_one_is_not_told_as_that():
    tape = lived(" ".join(["9d"] * 5), steps=41, capacity=39)  # 40 slots, ten an episode: the fifth over the first
    window = tape.windows(torch.tensor([6]), 2, 2)  # of what is left of the first: its steps 6, 7 and 8
    told = [with_earlier(window, tape, 100, torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert {int(one.earlier) for one in told if one.has_earlier} == {6, 7}
    assert not all(bool(one.has_earlier) for one in told)


def test_a_window_that_ends_before_its_length_has_none():
    tape = lived("50d", steps=9)
    whole, short = (tape.windows(torch.tensor([2]), length, 4) for length in (4, 3))
    assert asked(tape, whole, 100)[1] == [True] and asked(tape, short, 100)[1] == [False]
    assert set(asked(tape, whole, 100)[0][0].tolist()) == set(range(6))
