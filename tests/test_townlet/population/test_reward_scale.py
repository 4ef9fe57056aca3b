"""The scale of rewards that follows from the largest return, worked out by hand, and kept with the run."""

import pytest
import torch

from support.learning import Spy, differences, everything, make_population, make_training, random_batch
from townlet.agent.learner import QLearner
from townlet.config import ConfigError, load_level
from townlet.environment.types import Observation, StepResult
from townlet.population.reward_scale import LargestReturn
from townlet.run.saving.state_form import unlike


def step(*rewards: float, dead: list[bool] | None = None) -> StepResult:
    features, none = torch.zeros(len(rewards), 1), torch.zeros(len(rewards), dtype=torch.bool)
    blank = Observation(features, torch.ones(len(rewards), 1, dtype=torch.bool))
    died = none if dead is None else torch.tensor(dead)
    return StepResult(blank, torch.tensor(rewards), died, none, features, blank.action_mask)


def scales(*steps: StepResult, gamma: float = 0.5) -> list[float]:
    """The scale after each step of two agents."""
    value, found = torch.ones(()), []
    scale = LargestReturn(value, gamma, 2)
    for one in steps:
        scale.record(one)
        found.append(float(value))
    return found


def test_the_largest_discounted_return_becomes_five_by_hand():
    """Returns are 2 and 0, then 1 + 3 = 4 and -1, then 2 and -0.5 - 4 = -4.5, then less."""
    found = scales(step(2.0, 0.0), step(3.0, -1.0), step(0.0, -4.0), step(0.0, 0.0))
    assert found == pytest.approx([5.0 / 2.0, 5.0 / 4.0, 5.0 / 4.5, 5.0 / 4.5])


def test_before_the_first_reward_the_scale_is_one():
    assert scales(step(0.0, 0.0), step(0.0, 0.1)) == pytest.approx([1.0, 50.0])


def test_a_return_ends_with_its_episode():
    """Without an end the second step's return would be 1 + 2 = 3."""
    assert scales(step(2.0, 0.0, dead=[True, False]), step(2.0, 0.0)) == pytest.approx([2.5, 2.5])


def test_what_a_population_learns_from_has_the_scale_and_what_it_stores_has_not():
    plain, scaled = (make_population("fresh", training__reward_scale=scale) for scale in (1.0, "auto"))
    for _ in range(plain.task.training.seq_len - 1):  # before anything is learned both live the same
        plain.step(), scaled.step()
    assert torch.equal(plain.buffer.rewards_extrinsic, scaled.buffer.rewards_extrinsic)
    assert float(scaled.learner.reward_scale) == pytest.approx(5.0 / float(scaled.scale.largest)) != 1.0
    assert plain.learner.reward_scale == 1.0


def test_targets_follow_the_scale_as_it_is_now():
    """With gamma 0 a target is the reward times the scale."""
    learner = QLearner(Spy(), make_training(gamma=0.0, reward_scale="auto"))
    batch = random_batch(batch=1, seq_len=3)
    batch = batch._replace(observations=torch.zeros(1, 4, 2), hidden=(torch.zeros(1, 1, 1),))
    learner.reward_scale.fill_(3.0)
    torch.testing.assert_close(learner.td_error(batch)[0], 3.0 * batch.rewards)


def test_states_that_were_saved_with_a_fixed_scale_or_before_there_was_any_are_gone_on_from():
    fixed, auto = (make_population("fresh", training__reward_scale=scale) for scale in (2.0, "auto"))
    older = {name: part for name, part in fixed.state_dict().items() if name != "reward_scale"}
    for population in (fixed, auto):
        for state in (older, fixed.state_dict(), auto.state_dict()):
            assert unlike(population.state_dict(), state, "population") is None
            population.load_state_dict(state)


def test_returns_of_more_agents_are_refused_in_a_line():
    scale, state = LargestReturn(torch.ones(()), 0.5, 2), LargestReturn(torch.ones(()), 0.5, 3).state_dict()
    with pytest.raises(ValueError, match=r"^reward_scale: expected returns of 2 agents, got \[3\]$"):
        scale.load_state_dict(state)


def test_a_resumed_population_goes_on_with_the_scale():
    population, again = (make_population("replay", training__reward_scale="auto") for _ in range(2))
    for _ in range(30):
        population.step()
    again.network.load_state_dict(population.network.state_dict())
    again.load_state_dict(population.state_dict())
    assert float(again.learner.reward_scale) == float(population.learner.reward_scale) != 1.0
    for _ in range(10):
        population.step(), again.step()
    assert differences(everything(population), everything(again)) == []


def test_a_state_from_before_there_were_scales_begins_without_a_largest_return():
    population = make_population("fresh", training__reward_scale="auto")
    state = population.state_dict()
    del state["reward_scale"]
    population.load_state_dict(state)
    assert float(population.scale.largest) == 0.0


def test_a_scale_is_a_number_above_zero_or_auto():
    for wrong in ("0.0", "-1.0", "most"):
        with pytest.raises(ConfigError, match=r"training\.reward_scale: expected auto or a number, above 0\.0, got"):
            load_level("2", {"training.reward_scale": wrong})
