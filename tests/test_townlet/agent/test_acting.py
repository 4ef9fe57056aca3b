"""Acting: memory and previous action of each agent, carried from step to step and dropped at an episode's end."""

import pytest
import torch

from support.learning import HIDDEN, NUM_ACTIONS, OBS_DIM, feed_forward, joint, random_hidden, recurrent
from townlet.agent.acting import Memory, carry_on, initial_memory, q_values
from townlet.environment.types import Observation


def observation(num_agents, seed=0):
    features = torch.randn(num_agents, OBS_DIM, generator=torch.Generator().manual_seed(seed))
    return Observation(features, torch.ones(num_agents, NUM_ACTIONS, dtype=torch.bool))


def test_at_an_episodes_start_there_is_no_memory_and_no_previous_action():
    memory = initial_memory(recurrent(), 3, torch.device("cpu"))
    assert [part.shape for part in memory.hidden] == [(1, 3, HIDDEN)] * 2
    assert not any(part.any() for part in memory.hidden)
    assert memory.previous_actions.tolist() == [NUM_ACTIONS] * 3  # stands for none
    assert initial_memory(feed_forward(), 3, torch.device("cpu")).hidden == ()


def test_acting_gives_plain_values_without_a_graph():
    network = recurrent()
    memory = initial_memory(network, 3, torch.device("cpu"))
    q, hidden = q_values(network, observation(3), memory)
    assert q.shape == (3, NUM_ACTIONS)
    assert not any(one.requires_grad or one.grad_fn is not None for one in (q, *hidden))


def test_acting_leaves_the_memory_as_it_was():
    network, memory = recurrent(), Memory(random_hidden(3), torch.tensor([0, 1, 2]))
    kept = [part.clone() for part in (*memory.hidden, memory.previous_actions)]
    _, hidden = q_values(network, observation(3), memory)
    assert all(
        torch.equal(part, copy) for part, copy in zip((*memory.hidden, memory.previous_actions), kept, strict=True)
    )
    assert not torch.equal(hidden[0], memory.hidden[0])


def test_acting_step_by_step_gives_the_q_values_that_learning_unrolls():
    """Seven steps, in which agent 1 dies at step 2 and agent 2 meets its time limit at step 4."""
    network = recurrent(0, joint(previous_action=True, skip=True, dueling=True))
    memory, stored = initial_memory(network, 3, torch.device("cpu")), []
    ended = torch.zeros(7, 3, dtype=torch.bool)
    ended[2, 1] = ended[4, 2] = True
    for t in range(7):
        seen = observation(3, seed=t)
        q, hidden = q_values(network, seen, memory)
        stored.append((seen.features, memory.previous_actions, q))
        memory = carry_on(hidden, q.argmax(dim=1), ended[t], NUM_ACTIONS)
    features, previous, acted = (torch.stack(part, dim=1) for part in zip(*stored, strict=True))
    reset = torch.cat([torch.zeros(1, 3, dtype=torch.bool), ended[:-1]]).t()  # [3, 7]
    unrolled, after = network(features, network.initial_hidden(3), previous, reset)
    torch.testing.assert_close(unrolled, acted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after, memory.hidden, rtol=1e-5, atol=1e-6)  # no episode ended at the last step


def test_only_ended_rows_start_the_next_episode_at_zero():
    hidden, ended = random_hidden(4), torch.tensor([False, True, False, True])
    memory = carry_on(hidden, torch.tensor([1, 1, 0, 0]), ended, NUM_ACTIONS)
    for part, before in zip(memory.hidden, hidden, strict=True):
        assert not part[:, [1, 3]].any()
        assert torch.equal(part[:, [0, 2]], before[:, [0, 2]])  # bit for bit
    assert memory.previous_actions.tolist() == [1, NUM_ACTIONS, 0, NUM_ACTIONS]


@pytest.mark.parametrize("everyone", [False, True])
def test_all_or_no_rows_may_end(everyone):
    hidden = random_hidden(4)
    memory = carry_on(hidden, torch.tensor([1, 1, 0, 0]), torch.full((4,), everyone), NUM_ACTIONS)
    assert bool(memory.hidden[0].any()) is not everyone
    assert memory.previous_actions.tolist() == ([NUM_ACTIONS] * 4 if everyone else [1, 1, 0, 0])


def test_a_memory_of_not_a_number_is_dropped_with_its_episode():
    """Zero times NaN is NaN: rows are selected, not multiplied."""
    hidden = tuple(torch.full((1, 2, HIDDEN), torch.nan) for _ in range(2))
    memory = carry_on(hidden, torch.tensor([0, 0]), torch.tensor([True, False]), NUM_ACTIONS)
    assert not memory.hidden[0][:, 0].any()
    assert memory.hidden[0][:, 1].isnan().all()


def test_without_memory_the_previous_action_is_carried_all_the_same():
    memory = carry_on((), torch.tensor([1, 0]), torch.tensor([False, True]), NUM_ACTIONS)
    assert memory.hidden == () and memory.previous_actions.tolist() == [1, NUM_ACTIONS]


def test_the_memory_of_chosen_agents_alone_is_set_to_zero():
    memory = Memory(random_hidden(3), torch.tensor([0, 1, 2]))
    after = memory.without(torch.tensor([True, False, True]))
    for now, before in zip(after.hidden, memory.hidden, strict=True):
        assert not now[:, [0, 2]].any() and torch.equal(now[:, 1], before[:, 1]) and before[:, [0, 2]].any()
    assert after.previous_actions is memory.previous_actions  # what was done is no part of it


@pytest.mark.parametrize(("agents", "got"), [([True, False], r"\[2\] torch.bool"), ([0, 1, 2], r"\[3\] torch.int64")])
def test_a_choice_of_agents_that_does_not_fit_is_refused(agents, got):
    memory = Memory(random_hidden(3), torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=rf"agents: expected \[3\] torch.bool, got {got}"):
        memory.without(torch.tensor(agents))


def test_another_hidden_state_is_put_in_place_as_a_copy():
    memory, other = Memory(random_hidden(3), torch.tensor([0, 1, 2])), random_hidden(3, seed=7)
    kept = [part.clone() for part in other]
    after = memory.with_hidden(other)
    other[0].zero_()
    assert all(torch.equal(now, part) for now, part in zip(after.hidden, kept, strict=True))


@pytest.mark.parametrize("num_agents", [2, 4])
def test_a_hidden_state_of_another_shape_is_refused_with_both(num_agents):
    memory = Memory(random_hidden(3), torch.tensor([0, 1, 2]))
    got = [[1, num_agents, HIDDEN]] * 2
    expected = f"hidden: expected {[[1, 3, HIDDEN]] * 2}, got {got}"
    with pytest.raises(ValueError) as refused:
        memory.with_hidden(random_hidden(num_agents))
    assert str(refused.value) == expected


def test_a_memory_is_what_its_state_says():
    memory = Memory(random_hidden(3), torch.tensor([0, 1, 2]))
    same = Memory.of_state(memory.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(same.hidden, memory.hidden, strict=True))
    assert torch.equal(same.previous_actions, memory.previous_actions)
    assert Memory.of_state(Memory((), torch.tensor([1])).state_dict()).hidden == ()
