"""Single transitions are sequences of one: the same tape, the same rules."""

import pytest
import torch

from support.lives import NO_ACTION, NUM_ACTIONS, Lives, action_at, forbidden, make_episode, make_steps, same, seen
from townlet.replay.replay_buffer import ReplayBuffer
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer


def make_buffer(capacity, num_agents=1, seed=0, kind=ReplayBuffer):
    generator = torch.Generator().manual_seed(seed)
    return kind(capacity, num_agents, obs_dim=1, num_actions=NUM_ACTIONS, generator=generator)


def lived(capacity, *lives, steps, **options):
    buffer = make_buffer(capacity, len(lives), **options)
    Lives(buffer, lives).live(steps)
    return buffer


def test_a_sample_is_an_observation_an_action_and_its_successor():
    batch = lived(20, "2d 3t", "9d", steps=6).sample(300)
    assert batch.observations.shape == (300, 2, 1)
    assert batch.actions.shape == batch.rewards.shape == batch.terminated.shape == (300, 1)
    assert batch.hidden == () and batch.reset is None
    assert batch.valid.all()
    # agent 0: 0 1d | 10 11 12t | 20; agent 1: 100 to 105. After an end comes the final observation, not the reset one.
    successors = {0: 1, 1: 2, 10: 11, 11: 12, 12: 13, 20: 21} | {step: step + 1 for step in range(100, 106)}
    pairs = {(before, after) for before, after in seen(batch)}
    assert pairs == set(successors.items())
    for row, (before, after) in enumerate(seen(batch)):
        assert batch.actions[row, 0] == action_at(before)
        assert batch.rewards[row, 0] == before
        assert batch.terminated[row, 0] == (before == 1)  # a time limit is no death
        assert forbidden(batch.action_mask[row]) == [(before + 1) % NUM_ACTIONS, (after + 1) % NUM_ACTIONS]
        previous = NO_ACTION if before in (0, 10, 20, 100) else action_at(before - 1)
        assert batch.previous_actions[row].tolist() == [previous, action_at(before)]


def test_every_transition_is_equally_likely_also_in_a_ring_that_has_wrapped():
    # Agent 0: 0 1 2 | 10 11 12 13 | 20 | 30 31 and the successor of 31, of which 8 slots keep 12 13 | 20 | 30 31 32.
    buffer = lived(14, "3d 4t 1d", "", steps=10)
    values, counts = buffer.sample(24_000).observations[:, 0, 0].int().unique(return_counts=True)
    assert values.tolist() == [12, 13, 20, 30, 31, 103, 104, 105, 106, 107, 108, 109]
    assert ((counts - 2000) ** 2 / 2000).sum() < 31.26  # chi-square, 11 degrees of freedom, 0.001


def test_a_sample_is_a_sequence_of_one():
    lives = ["2d 3t", "9d"]
    transitions = lived(20, *lives, steps=8, seed=4)
    sequences = lived(20, *lives, steps=8, seed=4, kind=SequentialReplayBuffer)
    assert same(transitions.sample(16, 0.5)._asdict(), sequences.sample_sequences(16, 1, 0, 0.5)._asdict())


def test_intrinsic_rewards_are_mixed_in_once():
    batch = lived(20, "2d 3t", steps=6).sample(40, intrinsic_weight=0.25)
    assert torch.equal(batch.rewards, batch.observations[:, :1, 0] + 250.0)


def test_a_batch_of_one_keeps_its_dimensions():
    one, two = (lived(20, "2d 3t", steps=6, seed=2).sample(size) for size in (1, 2))
    assert one.observations.shape == (1, 2, 1) and one.rewards.shape == (1, 1)
    assert same(one._asdict(), two.rows(torch.tensor([0]))._asdict())


def test_stored_episodes_are_sampled_too():
    buffer = make_buffer(10)
    buffer.store_episode(make_episode(make_steps(0, 0, 2, "d")))
    assert {tuple(row) for row in seen(buffer.sample(40))} == {(0, 1), (1, 2)}


def test_an_empty_buffer_is_an_error():
    with pytest.raises(ValueError, match="got an empty buffer"):
        make_buffer(10).sample(1)
