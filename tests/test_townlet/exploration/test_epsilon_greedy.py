"""Epsilon-greedy actions: the ladder, the mask, the weights, and a stream of their own."""

import math

import pytest
import torch

from townlet.config import load_level
from townlet.exploration.epsilon_greedy import EpsilonGreedy, epsilon_ladder

ACTIONS = ("UP", "DOWN", "LEFT", "RIGHT", "INTERACT")  # INTERACT weighs 3 among random actions on Level 2


def explore(num_agents, base, alpha=0.0, seed=0, level="2"):
    """Exploration on a level with the same epsilon for all where alpha is 0."""
    weights = {"training.exploration.action_weights.INTERACT": 3.0} if level == "2" else {}
    level = load_level(level, {"training.exploration.base": base, "training.exploration.alpha": alpha, **weights})
    assert level.actions == ACTIONS
    weights = level.action_weights(len(ACTIONS))
    return EpsilonGreedy(level.training.exploration, weights, num_agents, torch.Generator().manual_seed(seed))


def test_the_ladder_by_hand():
    ladder = epsilon_ladder(5, 0.4, 7.0)
    # exponents 1, 1 + 7/4, 1 + 14/4, 1 + 21/4, 8; 0.4^0.25 = 0.795271
    expected = [0.4, 0.4**2 * 0.795271**3, 0.4**4 * 0.795271**2, 0.4**6 * 0.795271, 0.4**8]
    assert ladder.tolist() == pytest.approx(expected, rel=1e-5)
    assert ladder[4] == pytest.approx(0.00065536)


@pytest.mark.parametrize("num_agents", [2, 3, 64])
def test_the_ladder_falls_from_the_base_to_its_eighth_power(num_agents):
    expected = [0.4 ** (1 + 7 * i / (num_agents - 1)) for i in range(num_agents)]
    assert epsilon_ladder(num_agents, 0.4, 7.0).tolist() == pytest.approx(expected, rel=1e-5)
    assert expected[-1] == pytest.approx(0.4**8)


def test_a_single_agent_has_the_base():
    assert epsilon_ladder(1, 0.4, 7.0).tolist() == pytest.approx([0.4])


def test_masked_actions_are_never_chosen_at_random_nor_greedily():
    num_agents = 20_000
    mask = torch.rand(num_agents, 5, generator=torch.Generator().manual_seed(1)) < 0.4
    mask[torch.arange(num_agents), torch.arange(num_agents) % 5] = True  # at least one
    q = torch.where(mask, -100.0, 100.0)  # what is forbidden looks best
    for base in (0.999, 0.5, 1e-6):
        actions = explore(num_agents, base).select(q, mask, 0)
        assert mask[torch.arange(num_agents), actions].all()


def test_a_single_allowed_action_is_always_taken():
    mask = torch.zeros(1000, 5, dtype=torch.bool)
    mask[:, 3] = True
    assert (explore(1000, 0.9).select(torch.randn(1000, 5), mask, 0) == 3).all()


@pytest.mark.parametrize("allowed", [ACTIONS, ("UP", "RIGHT", "INTERACT")])
def test_random_actions_fall_in_proportion_to_the_weights_of_what_is_allowed(allowed):
    count, epsilon = 200_000, 0.999999
    mask = torch.tensor([action in allowed for action in ACTIONS]).expand(count, 5)
    actions = explore(count, epsilon, seed=4).select(torch.zeros(count, 5), mask, 0)
    weights = {action: 3.0 if action == "INTERACT" else 1.0 for action in allowed}
    for index, action in enumerate(ACTIONS):
        share = weights.get(action, 0.0) / sum(weights.values())
        five_sigma = 5 * math.sqrt(count * share * (1 - share))
        assert abs(int((actions == index).sum()) - count * share) <= five_sigma


def test_in_a_level_without_weights_all_random_actions_are_equally_likely():
    count, exploration = 100_000, explore(100_000, 0.999999, level="0")
    actions = exploration.select(torch.zeros(count, 5), torch.ones(count, 5, dtype=torch.bool), 0)
    five_sigma = 5 * math.sqrt(count * 0.2 * 0.8)
    assert all(abs(int((actions == index).sum()) - count * 0.2) <= five_sigma for index in range(5))


def test_each_agent_explores_as_often_as_its_own_epsilon_says():
    """Greedy is UP; a random action is another one with chance 6/7 (weights 1, 1, 1, 1, 3)."""
    rounds, exploration = 20_000, explore(3, 0.4, alpha=7.0)
    q = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]).expand(3, 5)
    mask, other = torch.ones(3, 5, dtype=torch.bool), torch.zeros(3)
    for _ in range(rounds):
        other += exploration.select(q, mask, 0) != 0
    for agent, epsilon in enumerate((0.4, 0.4**4.5, 0.4**8)):
        share = epsilon * 6 / 7
        assert abs(float(other[agent]) - rounds * share) <= 5 * math.sqrt(rounds * share * (1 - share))


def test_with_a_tiny_epsilon_actions_are_greedy():
    stream = torch.Generator().manual_seed(2)
    q, mask = torch.randn(5000, 5, generator=stream), torch.rand(5000, 5, generator=stream) < 0.6
    mask[:, 0] = True
    rows = zip(q.tolist(), mask.tolist(), strict=True)
    best = [max((a for a in range(5) if allowed[a]), key=values.__getitem__) for values, allowed in rows]
    assert explore(5000, 1e-12).select(q, mask, 0).tolist() == best


def test_the_same_seed_gives_the_same_actions_and_another_seed_others():
    q, mask = torch.zeros(100, 5), torch.ones(100, 5, dtype=torch.bool)
    one, same, other = explore(100, 0.9, seed=1), explore(100, 0.9, seed=1), explore(100, 0.9, seed=2)
    first = [one.select(q, mask, 0).tolist() for _ in range(3)]
    assert first == [same.select(q, mask, 0).tolist() for _ in range(3)]
    assert first != [other.select(q, mask, 0).tolist() for _ in range(3)]


def test_random_numbers_come_from_its_own_stream_alone():
    q, mask = torch.zeros(100, 5), torch.ones(100, 5, dtype=torch.bool)
    undisturbed, disturbed = explore(100, 0.9), explore(100, 0.9)
    torch.manual_seed(0)
    expected_next = torch.rand(3)
    torch.manual_seed(0)
    first = undisturbed.select(q, mask, 0)
    assert torch.equal(torch.rand(3), expected_next)  # the global stream has not moved
    torch.manual_seed(123)  # nor does it matter
    assert torch.equal(disturbed.select(q, mask, 0), first)


def test_what_it_draws_does_not_depend_on_q():
    """Greedy and random steps take as many random numbers: a run's stream does not depend on what was learned."""
    mask = torch.ones(50, 5, dtype=torch.bool)
    one, other = explore(50, 0.5, seed=3), explore(50, 0.5, seed=3)
    one.select(torch.zeros(50, 5), mask, 0)
    other.select(torch.randn(50, 5), mask, 0)
    assert torch.equal(one.generator.get_state(), other.generator.get_state())


def test_epsilon_falls_from_one_to_each_agents_rung_over_the_warm_up():
    level = load_level("2", {"training.exploration.base": 0.4, "training.exploration.warm_up": 1000})
    exploration = EpsilonGreedy(level.training.exploration, [1.0] * 5, 2, torch.Generator())
    rungs = [0.4, 0.4**8]
    assert exploration.epsilon(0).tolist() == [1.0, 1.0]
    assert exploration.epsilon(250).tolist() == pytest.approx([1 - 0.25 * (1 - rung) for rung in rungs])
    for steps in (1000, 10**9):
        assert exploration.epsilon(steps).tolist() == pytest.approx(rungs)


def test_during_the_warm_up_all_explore():
    level = load_level("2", {"training.exploration.base": 0.0001, "training.exploration.warm_up": 10})
    exploration = EpsilonGreedy(
        level.training.exploration, [1.0, 1.0, 1.0, 1.0, 3.0], 4000, torch.Generator().manual_seed(0)
    )
    q, mask = torch.tensor([[0.0, 0.0, 9.0, 0.0, 0.0]]).repeat(4000, 1), torch.ones(4000, 5, dtype=torch.bool)
    greedy = [(exploration.select(q, mask, steps) == 2).float().mean().item() for steps in (0, 5, 10)]
    # INTERACT weighs 3, the four moves 1 each: a seventh of random actions is the greedy one
    assert greedy == pytest.approx([1 / 7, 0.5 + 0.5 / 7, 1.0], abs=0.03)
