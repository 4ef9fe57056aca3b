"""Curiosity: numbers worked out by hand, paid once, trained where it is paid, and resumed bit for bit."""

import pytest
import torch

from support.learning import copy_of, differences, everything, make_population, random_batch
from townlet.config import Curiosity, load_level
from townlet.environment.types import Observation, StepResult
from townlet.exploration.annealing import NoveltyWeight
from townlet.exploration.rnd import RandomNetworkDistillation, RunningMoments
from townlet.level.course import Anneal

CONFIG = {"weight": 0.5, "hidden": (8,), "embedding": 4, "learning_rate": 0.01}
KEY = "{weight: 0.5, hidden: [8], embedding: 4, learning_rate: 0.01, anneal: " + (
    "{episodes: 1, survival: 0.3, spread: 0.5, factor: 0.5}}"
)
MODES = pytest.mark.parametrize("mode", ["fresh", "replay"])
CPU = torch.device("cpu")


def make(num_agents: int = 2, obs_dim: int = 3, gamma: float = 0.5, **changes) -> RandomNetworkDistillation:
    training = load_level("2").training.model_copy(update={"gamma": gamma})
    return RandomNetworkDistillation(Curiosity(**(CONFIG | changes)), training, obs_dim, num_agents, 10, CPU)


def seen(*rows: list[float], dead: list[bool] | None = None, skipped: list[bool] | None = None) -> StepResult:
    """A step that led to these observations."""
    features, none = torch.tensor(rows), torch.zeros(len(rows), dtype=torch.bool)
    died = none if dead is None else torch.tensor(dead)
    left_out = None if skipped is None else torch.tensor(skipped)
    mask = torch.ones(len(rows), 1, dtype=torch.bool)
    blank = Observation(torch.zeros_like(features), mask)
    return StepResult(blank, torch.zeros(len(rows)), died, none, features, mask, left_out)


def errors(curiosity: RandomNetworkDistillation, *values: float) -> None:
    """Let the predictor be wrong by these numbers, a row each, whatever is seen."""
    curiosity.novelty = lambda features: torch.tensor(values)  # type: ignore[method-assign]


# --- normalisation ------------------------------------------------------------------------------------------------


def test_moments_of_several_groups_are_those_of_all_rows_together():
    """1, 2, 3, 6 and 8: mean 4, summed squares 9 + 4 + 1 + 4 + 16 = 34, variance 6.8; the 100 does not count."""
    moments = RunningMoments(1, CPU)
    moments.update(torch.tensor([[1.0], [2.0], [100.0]]), torch.tensor([True, True, False]))
    moments.update(torch.tensor([[100.0]]), torch.tensor([False]))
    moments.update(torch.tensor([[3.0], [6.0], [8.0]]), torch.tensor([True, True, True]))
    assert moments.mean.item() == pytest.approx(4.0) and moments.squares.item() == pytest.approx(34.0)
    assert moments.deviation().item() == pytest.approx(6.8**0.5)


def test_what_never_varies_has_deviation_1():
    moments = RunningMoments(2, CPU)
    assert moments.deviation().tolist() == [1.0, 1.0]
    moments.update(torch.tensor([[7.0, 0.0], [7.0, 4.0]]), torch.tensor([True, True]))
    assert moments.deviation().tolist() == [1.0, 2.0]


def test_the_networks_see_normalised_observations_clipped_at_5():
    """Feature 0: mean 2, deviation 1; feature 1 is always 3; feature 2: mean 0, deviation 0.1, so that 9 is far off."""
    curiosity, inputs = make(), []
    curiosity.seen.update(torch.tensor([[1.0, 3.0, 0.1], [3.0, 3.0, -0.1]]), torch.tensor([True, True]))
    curiosity.target.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    curiosity.predictor.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    curiosity.novelty(torch.tensor([[2.5, 3.5, 9.0], [0.0, 3.0, -9.0]]))
    expected = torch.tensor([[0.5, 0.5, 5.0], [-2.0, 0.0, -5.0]])
    torch.testing.assert_close(inputs[0], expected)
    torch.testing.assert_close(inputs[1], expected)


def test_novelty_is_the_mean_squared_error_of_the_predictor():
    curiosity, given = make(), torch.tensor([[0.3, -0.2, 1.0]])
    expected = sum((curiosity.predictor(given) - curiosity.target(given))[0].tolist()[i] ** 2 for i in range(4)) / 4
    assert curiosity.novelty(given).item() == pytest.approx(expected) and expected > 0.0


def test_rewards_are_errors_over_the_deviation_of_discounted_returns():
    """Gamma 0.5, errors (2, 6), then (1, 1).

    Returns 2 and 6: mean 4, deviation 2. Then 0.5 x 2 + 1 = 2 and 0.5 x 6 + 1 = 4: of 2, 6, 2, 4 the mean is 3.5 and
    the variance (2.25 + 6.25 + 2.25 + 0.25) / 4 = 2.75.
    """
    curiosity = make()
    errors(curiosity, 2.0, 6.0)
    torch.testing.assert_close(curiosity.reward(seen([0.0] * 3, [1.0] * 3)), torch.tensor([1.0, 3.0]))
    errors(curiosity, 1.0, 1.0)
    expected = torch.full((2,), 2.75**-0.5)
    torch.testing.assert_close(curiosity.reward(seen([0.0] * 3, [1.0] * 3)), expected)
    metrics = curiosity.read_metrics()
    assert metrics["curiosity/intrinsic_mean"] == pytest.approx((1.0 + 3.0 + 2 * 2.75**-0.5) / 4)
    assert metrics["curiosity/weight"] == 0.5 and "curiosity/intrinsic_mean" not in curiosity.read_metrics()


def test_dying_shows_nothing_new_and_the_discounted_return_goes_on_after_it():
    curiosity = make()
    errors(curiosity, 2.0, 6.0)
    assert curiosity.reward(seen([0.0] * 3, [1.0] * 3, dead=[False, True])).tolist() == [2.0, 0.0]  # deviation 1
    assert curiosity.discounted.tolist() == [2.0, 0.0]
    curiosity.reward(seen([0.0] * 3, [1.0] * 3))
    assert curiosity.discounted.tolist() == [3.0, 6.0]


def test_a_tick_that_was_a_reset_is_not_seen():
    curiosity = make()
    errors(curiosity, 2.0, 6.0)
    assert curiosity.reward(seen([1.0] * 3, [9.0] * 3, skipped=[False, True])).tolist()[1] == 0.0
    assert curiosity.seen.mean.tolist() == [1.0] * 3 and curiosity.seen.count.item() == 1.0
    assert curiosity.discounted.tolist() == [2.0, 0.0]


# --- learning -----------------------------------------------------------------------------------------------------


def test_what_is_seen_often_becomes_known_and_the_target_stays():
    curiosity, batch = make(learning_rate=0.05), random_batch()
    known, target = batch.observations[:, 1:], copy_of(curiosity.target.state_dict())
    before = curiosity.novelty(known).mean().item()
    losses = [curiosity.update(batch)["curiosity/predictor_loss"].item() for _ in range(100)]
    assert losses[0] == pytest.approx(before) and losses[-1] < 0.1 * before
    assert curiosity.novelty(known + 3.0).mean().item() > 5.0 * losses[-1]
    assert differences(target, curiosity.target.state_dict()) == []


def test_the_predictor_learns_from_what_valid_steps_led_to_without_the_dead_and_the_burn_in():
    batch = random_batch(batch=2, seq_len=3, burn_in=1)
    batch.valid[0, 2] = False
    batch.terminated[1, 3] = True
    curiosity = make()
    counted = torch.stack([batch.observations[0, 2], batch.observations[0, 4], *batch.observations[1, 2:4]])
    expected = curiosity.novelty(counted).mean().item()
    assert curiosity.update(batch)["curiosity/predictor_loss"].item() == pytest.approx(expected)


def test_the_predictor_learns_from_what_cut_steps_led_to_and_not_from_the_next_episodes_first_sight():
    """A window of three steps, the second cut off: it led to what `successors` says."""
    batch = random_batch(batch=1, seq_len=3)
    successors = batch.observations[:, 1:].clone()
    successors[0, 1] = torch.tensor([0.3, -0.2, 1.0])
    curiosity = make()
    expected = sum(curiosity.novelty(one).item() for one in successors[0]) / 3
    found = curiosity.update(batch._replace(successors=successors))["curiosity/predictor_loss"].item()
    assert found == pytest.approx(expected)


def test_newest_windows_hold_what_each_step_led_to_where_somebody_is_curious():
    seen, learned = [], []
    for curious in ({"training__curiosity": KEY}, {}):
        population = make_population("fresh", max_steps=5, **curious)
        step, update = population.env.step, population.curiosity.update

        def watched(actions, step=step):
            seen.append(step(actions))
            return seen[-1]

        def noted(batch, update=update):
            learned.append(batch)
            return update(batch)

        population.env.step, population.curiosity.update = watched, noted
        for _ in range(8):
            population.step()
    with_curiosity, without = learned[:2], learned[2:]
    led_to = torch.stack([result.final_features for result in seen[:8]], dim=1)  # [num_agents, 8, obs_dim]
    assert all(batch.successors is None for batch in without) and all(batch.cut.any() for batch in learned)
    agents = torch.cat([batch.where for batch in with_curiosity]) // population.buffer.slots
    assert torch.equal(torch.cat([batch.successors for batch in with_curiosity]), led_to[agents])


@MODES
def test_intrinsic_rewards_lie_apart_and_are_mixed_once_into_what_is_learned_from(mode):
    immortal = {"meters__energy__lethal": False, "meters__mood__lethal": True, "max_steps": 100}  # in one episode
    population = (
        make_population(mode, training__curiosity=KEY, training__mode__min_episodes=0, **immortal)
        if (mode == "replay")
        else make_population(mode, training__curiosity=KEY, **immortal)
    )
    learned, paid = [], []
    update, write = population.learner.update, population.buffer.write

    def watched(batch):
        learned.append(batch)
        return update(batch)

    def noted(*parts, rewards_intrinsic, **more):
        paid.append((parts[3], rewards_intrinsic))
        write(*parts, rewards_intrinsic=rewards_intrinsic, **more)

    population.learner.update, population.buffer.write = watched, noted
    for _ in range(8):
        population.step()
    extrinsic, intrinsic = (torch.stack(part, dim=1) for part in zip(*paid, strict=True))  # [num_agents, 8]
    assert intrinsic.min() >= 0.0 and (intrinsic > 0.0).float().mean() > 0.9
    batch, slots = learned[-1], population.buffer.slots
    agent, first = batch.where // slots, batch.where % slots
    step = (first[:, None] + torch.arange(8)).clamp(max=7)
    mixed = extrinsic[agent[:, None], step] + 0.5 * intrinsic[agent[:, None], step]
    torch.testing.assert_close(batch.rewards[batch.valid], mixed[batch.valid])
    assert batch.valid.sum() >= 8


# --- annealing ----------------------------------------------------------------------------------------------------


def weight_after(lives: list[list[int]], **changes) -> list[float]:
    """The weight after each round of lives, one an agent, of a limit of 10 steps."""
    rule = Anneal(**({"episodes": 1, "survival": 0.8, "spread": 0.1, "factor": 0.5} | changes))
    config = Curiosity(**CONFIG, anneal=rule)
    weight, weights = NoveltyWeight(config, len(lives[0]), 10, CPU), []
    for lengths in lives:
        for step in range(1, 11):
            done = torch.tensor([length == step for length in lengths])
            weight.record(torch.tensor([length >= step for length in lengths]), done)
        weights.append(weight.weight.item())
    return weights


def test_the_weight_falls_when_survival_is_high_and_steady():
    assert weight_after([[9, 9], [9, 8], [10, 10]]) == [0.25, 0.125, 0.0625]  # 0.9 and 0.8: deviation 0.05
    assert weight_after([[7, 8]]) == [0.5]  # 0.75 is not high
    assert weight_after([[10, 7]]) == [0.5]  # 0.85 is high, a deviation of 0.15 not steady


def test_the_weight_falls_by_whole_windows_of_every_agent():
    assert weight_after([[9, 9]] * 4, episodes=2) == [0.5, 0.25, 0.25, 0.125]
    assert weight_after([[9, 0], [9, 0], [0, 9]]) == [0.5, 0.5, 0.25]  # the other agent has no episode yet
    assert weight_after([[2, 2], [9, 9], [9, 9]], episodes=2) == [0.5, 0.5, 0.25]  # a bad one goes out of sight


def test_without_a_rule_the_weight_stays():
    weight = NoveltyWeight(Curiosity(**CONFIG), 1, 10, CPU)
    for _ in range(50):
        weight.record(torch.tensor([True]), torch.tensor([True]))
    assert weight.weight.item() == 0.5


# --- in a population ----------------------------------------------------------------------------------------------


@MODES
def test_a_curious_population_resumes_bit_for_bit(mode):
    whole = make_population(mode, training__curiosity=KEY)
    for _ in range(60):
        whole.step()
    assert 0.0 < whole.curiosity.weight.item() < 0.5  # annealed at least once
    kept, weights = copy_of(whole.state_dict()), copy_of(whole.network.state_dict())
    again = make_population(mode, training__curiosity=KEY)
    again.network.load_state_dict(weights)
    again.load_state_dict(kept)
    learned: set[str] = set()
    for population in (whole, again):
        for _ in range(40):
            learned |= population.step().keys()
    assert differences(everything(whole), everything(again)) == []
    assert differences(kept["curiosity"]["predictor"], everything(whole)["population"]["curiosity"]["predictor"])
    assert set(whole.read_metrics()) >= {"curiosity/weight", "curiosity/intrinsic_mean"}
    assert "curiosity/predictor_loss" in learned


def test_a_state_without_curiosity_is_refused_by_name():
    curious, plain = make_population("fresh", training__curiosity=KEY), make_population("fresh")
    with pytest.raises(ValueError, match="curiosity: expected some, got a state without"):
        curious.load_state_dict(plain.state_dict())
    with pytest.raises(ValueError, match="curiosity: expected none, got a state with some"):
        plain.load_state_dict(curious.state_dict())


def test_curiosity_of_no_weight_left_changes_nothing_that_is_learned():
    """It draws from a stream of its own, and zero times what is new is nothing."""
    curious, plain = make_population("fresh", training__curiosity=KEY), make_population("fresh")
    curious.curiosity.annealing.weight = torch.tensor(0.0)
    for population in (curious, plain):
        for _ in range(40):
            population.step()
    assert differences(curious.network.state_dict(), plain.network.state_dict()) == []
