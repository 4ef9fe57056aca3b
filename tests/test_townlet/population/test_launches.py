"""How many operations a step of a population is: on a CUDA device each outside of a graph is a launch of the host's.

The host launches a hundred in the time of three or four thousand agents, so a few more are a few percent of a run.
"""

import pytest

from support.launches import launches
from support.learning import population_of
from townlet.config import load_level
from townlet.population.vectorized import VectorizedPopulation


@pytest.fixture(scope="module")
def population() -> VectorizedPopulation:
    """Level 2 after its first update, before a step without one."""
    population = population_of(load_level("2", {"training.num_agents": 8}))
    for _ in range(9):
        population.step()
    assert population.learner.updates > 0 and not population._learning.due(population.steps + 1)
    return population


def test_parts_of_a_step_are_no_more_operations_than_they_were(population: VectorizedPopulation) -> None:
    acting, (actions, hidden, _) = launches(population._choose)
    world, result = launches(lambda: population.env.step(actions))
    storing, _ = launches(lambda: population._record(actions, result))
    carrying, _ = launches(lambda: population._carry_on(actions, result, hidden))
    assert acting <= 54 and world <= 527 and storing <= 47 and carrying <= 8


def test_a_whole_step_is_its_parts_and_no_operation_more(population: VectorizedPopulation) -> None:
    whole, _ = launches(population.step)
    assert whole <= 54 + 527 + 47 + 8


def test_views_are_no_launches(population: VectorizedPopulation) -> None:
    features = population.observation.features
    assert launches(lambda: features.t().unsqueeze(0)[0])[0] == 0
    assert launches(lambda: features + features.t().t())[0] == 1
    assert launches(lambda: features.clone().zero_())[0] == 2
