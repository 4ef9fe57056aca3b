"""Populations learn: small budgets, greedy evaluation on unseen maps, and margins that noise cannot reach."""

import pytest
import torch

from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.evaluation import RandomPolicy, evaluate, play
from townlet.population.vectorized import VectorizedPopulation

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


def greedy_survival(reference: str, env_steps: int, **overrides: object) -> tuple[float, float]:
    """Train for so many environment steps; return greedy and random survival on the same unseen maps."""
    settings = {"training.seed": 1, "training.decay_steps": env_steps}
    level = load_level(reference, settings | {key.replace("__", "."): value for key, value in overrides.items()})
    population = VectorizedPopulation(level, VectorizedEnv(level, level.training.num_agents))
    while population.env_steps < env_steps:
        population.step()
    trained = evaluate(level, population.network, 256, seed=7, device=CPU)["mean_ep_length"]
    return trained, play(level, RandomPolicy(7, CPU), 256, 7, CPU)["mean_ep_length"]


def test_level_0_is_mastered_within_100_000_steps():
    trained, random = greedy_survival("0", 100_000)
    assert random < 450
    assert trained >= 495


def test_level_0_is_mastered_by_replay_too():
    replay = "{kind: replay, batch_size: 64, train_every: 1, min_episodes: 16, capacity: 20_000}"
    trained, _ = greedy_survival(
        "0", 100_000, training__mode=replay, training__target_every=100, training__double_q=True
    )
    assert trained >= 495


def test_level_2_learns_to_live_half_as_long_again_as_at_random_in_two_million_steps():
    trained, random = greedy_survival("2", 2_000_000, training__decay_steps=10_000_000)
    assert 85 < random < 115
    assert trained >= 150  # 190 in a full run; no policy that ignores its needs lives past 120


def test_the_space_station_lives_half_as_long_again_as_at_random():
    trained, random = greedy_survival("station", 3_000_000)
    assert trained >= 1.5 * random  # 3.9 times; at half the steps runs differ between 1.3 and 2.3 times
