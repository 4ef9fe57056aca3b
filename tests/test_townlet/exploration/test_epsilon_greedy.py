"""Epsilon-greedy actions: the ladder, the mask, the weights, and a stream of their own."""

import math

import pytest
import torch

from support.hashing import slow_mix
from townlet.config import load_level
from townlet.exploration.epsilon_greedy import EpsilonGreedy, epsilon_ladder
from townlet.seeding import stream_seed
from townlet.shares.share import Share

ACTIONS = ("UP", "DOWN", "LEFT", "RIGHT", "INTERACT")  # INTERACT weighs 3 among random actions on Level 2


def explore(num_agents, base, alpha=0.0, seed=0, level="2", **options):
    """Exploration on a level with the same epsilon for all where alpha is 0."""
    weights = {"training.exploration.action_weights.INTERACT": 3.0} if level == "2" else {}
    level = load_level(level, {"training.exploration.base": base, "training.exploration.alpha": alpha, **weights})
    assert level.actions == ACTIONS
    weights = level.action_weights(len(ACTIONS))
    return EpsilonGreedy(level.training.exploration, weights, num_agents, seed, **options)


def choose(exploration, q, mask, steps=0):
    """The actions of the step after so many."""
    exploration.prepare(steps)
    return exploration.select(q, mask, torch.tensor([steps]))


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
        actions = choose(explore(num_agents, base), q, mask)
        assert mask[torch.arange(num_agents), actions].all()


def test_a_single_allowed_action_is_always_taken():
    mask = torch.zeros(1000, 5, dtype=torch.bool)
    mask[:, 3] = True
    assert (choose(explore(1000, 0.9), torch.randn(1000, 5), mask) == 3).all()


@pytest.mark.parametrize("allowed", [ACTIONS, ("UP", "RIGHT", "INTERACT")])
def test_random_actions_fall_in_proportion_to_the_weights_of_what_is_allowed(allowed):
    count, epsilon = 200_000, 0.999999
    mask = torch.tensor([action in allowed for action in ACTIONS]).expand(count, 5)
    actions = choose(explore(count, epsilon, seed=4), torch.zeros(count, 5), mask)
    weights = {action: 3.0 if action == "INTERACT" else 1.0 for action in allowed}
    for index, action in enumerate(ACTIONS):
        share = weights.get(action, 0.0) / sum(weights.values())
        five_sigma = 5 * math.sqrt(count * share * (1 - share))
        assert abs(int((actions == index).sum()) - count * share) <= five_sigma


def test_in_a_level_without_weights_all_random_actions_are_equally_likely():
    count, exploration = 100_000, explore(100_000, 0.999999, level="0")
    actions = choose(exploration, torch.zeros(count, 5), torch.ones(count, 5, dtype=torch.bool))
    five_sigma = 5 * math.sqrt(count * 0.2 * 0.8)
    assert all(abs(int((actions == index).sum()) - count * 0.2) <= five_sigma for index in range(5))


def test_each_agent_explores_as_often_as_its_own_epsilon_says():
    """Greedy is UP; a random action is another one with chance 6/7 (weights 1, 1, 1, 1, 3)."""
    rounds, exploration = 10_000, explore(3, 0.4, alpha=7.0)
    q = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]).expand(3, 5)
    mask, other = torch.ones(3, 5, dtype=torch.bool), torch.zeros(3)
    for step in range(rounds):
        other += choose(exploration, q, mask, step) != 0
    for agent, epsilon in enumerate((0.4, 0.4**4.5, 0.4**8)):
        share = epsilon * 6 / 7
        assert abs(float(other[agent]) - rounds * share) <= 5 * math.sqrt(rounds * share * (1 - share))


def test_with_a_tiny_epsilon_actions_are_greedy():
    stream = torch.Generator().manual_seed(2)
    q, mask = torch.randn(5000, 5, generator=stream), torch.rand(5000, 5, generator=stream) < 0.6
    mask[:, 0] = True
    rows = zip(q.tolist(), mask.tolist(), strict=True)
    best = [max((a for a in range(5) if allowed[a]), key=values.__getitem__) for values, allowed in rows]
    assert choose(explore(5000, 1e-12), q, mask).tolist() == best


def test_the_same_seed_gives_the_same_actions_and_another_seed_others():
    q, mask = torch.zeros(100, 5), torch.ones(100, 5, dtype=torch.bool)
    first, same, other = (
        [choose(explore(100, 0.9, seed=seed), q, mask, step).tolist() for step in range(3)] for seed in (1, 1, 2)
    )
    assert first == same
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_actions_at_random_are_a_hash_of_seed_agent_step_and_action_by_hand():
    """In plain integers: what explores is below epsilon, and the least of -ln(u) / weight is taken."""
    seed, epsilon, weights = stream_seed(3, "exploration"), 0.5, [1.0, 1.0, 1.0, 1.0, 3.0]
    q, mask = torch.tensor([[0.0, 9.0, 0.0, 0.0, 0.0]]), torch.ones(1, 5, dtype=torch.bool)
    exploration = explore(6, epsilon, seed=3)
    for step in (0, 1, 15, 16, 1_000_003):
        actions = choose(exploration, q.expand(6, 5), mask.expand(6, 5), step).tolist()
        for agent, action in enumerate(actions):
            at = slow_mix(slow_mix(agent ^ seed) ^ slow_mix(step))
            times = [-math.log(uniform(slow_mix(at ^ (1 + index)))) / weight for index, weight in enumerate(weights)]
            assert action == (times.index(min(times)) if uniform(slow_mix(at)) < epsilon else 1)


def uniform(hashed):
    """The middle of the part of (0, 1) that a hash falls into, of 2 ** 23."""
    return (hashed // 2**9 + 0.5) / 2**23


def test_pytorchs_own_random_stream_neither_moves_nor_matters():
    q, mask = torch.zeros(100, 5), torch.ones(100, 5, dtype=torch.bool)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = choose(explore(100, 0.9), q, mask)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    assert torch.equal(choose(explore(100, 0.9), q, mask), first)


@pytest.mark.parametrize("steps", [0, 5, 15, 16, 40])
def test_a_step_draws_the_same_wherever_a_run_goes_on(steps):
    """Whatever was drawn before, and not drawn: what is asked for is the step's."""
    q, mask = torch.zeros(50, 5), torch.ones(50, 5, dtype=torch.bool)
    whole, resumed = explore(50, 0.5), explore(50, 0.5)
    lived = [choose(whole, q, mask, step) for step in range(steps + 3)]
    for step in range(steps, steps + 3):
        assert torch.equal(choose(resumed, q, mask, step), lived[step])
    assert torch.equal(choose(whole, q, mask, 0), lived[0])  # a state of an earlier step was loaded


def test_an_agent_draws_the_same_beside_any_number_of_others_and_in_any_share():
    q, mask = torch.zeros(12, 5), torch.ones(12, 5, dtype=torch.bool)
    for step in (0, 7, 100):
        whole = choose(explore(12, 0.7), q, mask, step)
        assert torch.equal(choose(explore(8, 0.7), q[:8], mask[:8], step), whole[:8])
        shares = [choose(explore(12, 0.7, share=Share(rank, 3)), q[:4], mask[:4], step) for rank in range(3)]
        assert torch.equal(torch.cat(shares), whole)


# --- the quality of what is drawn, by chi-square: its mean is cells - 1, its variance twice that -------------------


def chi_square(counts, expected):
    return float(((counts - expected) ** 2 / expected).sum())


def bound(cells):
    """Five sigma, and a little."""
    return cells - 1 + 5 * math.sqrt(2 * (cells - 1)) + 5


def drawn(num_agents, steps, seed=0, base=0.999999):
    """Actions that all are at random, all of the same weight, [steps, num_agents]."""
    q, mask = torch.full((num_agents, 5), 0.0), torch.ones(num_agents, 5, dtype=torch.bool)
    exploration = explore(num_agents, base, seed=seed, level="0")
    return torch.stack([choose(exploration, q, mask, step) for step in range(steps)])


@pytest.mark.parametrize(("agents", "steps"), [(1, 4096), (4, 1024), (512, 64)])
def test_every_agent_and_every_step_is_uniform_and_independent_of_the_one_beside_it(agents, steps):
    actions = drawn(agents, steps)
    counts = torch.bincount(actions.flatten(), minlength=5).double()
    assert chi_square(counts, agents * steps / 5) < bound(5)
    beside = [(actions[:-1], actions[1:]), (actions[:-7], actions[7:])]  # a step apart, and seven
    if agents > 1:
        beside += [(actions[:, :-1], actions[:, 1:]), (actions[:-1, :-1], actions[1:, 1:])]  # an agent apart; both
    for one, other in beside:
        pairs = torch.bincount((5 * one + other).flatten(), minlength=25).double()
        assert chi_square(pairs, one.numel() / 25) < bound(25)


def test_two_seeds_draw_independently():
    pairs = torch.bincount((5 * drawn(512, 32, seed=1) + drawn(512, 32, seed=2)).flatten(), minlength=25).double()
    assert chi_square(pairs, 512 * 32 / 25) < bound(25)


def test_which_action_it_is_does_not_depend_on_how_seldom_an_agent_explores():
    """One step in a hundred explores: the hash that says so is the root of those that choose."""
    q, mask = torch.full((40_000, 5), -100.0), torch.ones(40_000, 5, dtype=torch.bool)
    q[:, 2] = 100.0  # the greedy action
    exploration, counts = explore(40_000, 0.01, level="0"), torch.zeros(5, dtype=torch.float64)
    for step in range(32):
        counts += torch.bincount(choose(exploration, q, mask, step), minlength=5)
    counts[2] -= 40_000 * 32 * 0.99
    assert chi_square(counts[[0, 1, 3, 4]], 40_000 * 32 * 0.01 / 5) < bound(5)


def test_no_agent_repeats_what_another_drew_some_steps_before():
    """Were the step's own number hashed with the agent's, half of the steps of two agents could be the same."""
    actions = drawn(64, 256).t()  # [num_agents, steps]
    for shift in range(1, 256, 5):
        order = torch.arange(256) ^ shift  # a step and an agent that differ by the same bits
        alike = (actions.unsqueeze(0) == actions[:, order].unsqueeze(1)).double().mean(dim=2)
        assert alike.max() < 0.2 + 6.5 * math.sqrt(0.2 * 0.8 / 256)


def test_epsilon_falls_from_one_to_each_agents_rung_over_the_warm_up():
    level = load_level("2", {"training.exploration.base": 0.4, "training.exploration.warm_up": 1000})
    exploration = EpsilonGreedy(level.training.exploration, [1.0] * 5, 2, 0)
    rungs = [0.4, 0.4**8]
    assert exploration.epsilon(0).tolist() == [1.0, 1.0]
    assert exploration.epsilon(125).tolist() == pytest.approx([1 - 0.25 * (1 - rung) for rung in rungs])
    for steps in (500, 10**9):
        assert exploration.epsilon(steps).tolist() == exploration.ladder.tolist() == pytest.approx(rungs)


def test_during_the_warm_up_all_explore():
    level = load_level("2", {"training.exploration.base": 0.0001, "training.exploration.warm_up": 40_000})
    exploration = EpsilonGreedy(level.training.exploration, [1.0, 1.0, 1.0, 1.0, 3.0], 4000, 0)
    q, mask = torch.tensor([[0.0, 0.0, 9.0, 0.0, 0.0]]).repeat(4000, 1), torch.ones(4000, 5, dtype=torch.bool)
    greedy = [(choose(exploration, q, mask, steps) == 2).float().mean().item() for steps in (0, 5, 10)]
    # INTERACT weighs 3, the four moves 1 each: a seventh of random actions is the greedy one
    assert greedy == pytest.approx([1 / 7, 0.5 + 0.5 / 7, 1.0], abs=0.03)
