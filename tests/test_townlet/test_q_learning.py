"""The whole of it: real levels, real populations, and weights that learn."""

import pytest
import torch

from support.learning import copy_of, population_of
from townlet.config import load_level


def live(reference, steps=200):
    """Let the population of a level live; the weights at its start, and the population."""
    population = population_of(load_level(reference))
    before = copy_of(population.network.state_dict())
    for _ in range(steps):
        population.step()
    return before, population


@pytest.fixture(scope="module")
def level_2():
    return live("2")


@pytest.fixture(scope="module")
def reference():
    return live("2-reference")


def test_recurrent_parameters_update(level_2):
    """Two hundred steps of Level 2 change the weights of the memory, and so all others."""
    before, population = level_2
    after = population.network.state_dict()
    assert population.learner.updates > 0
    assert not torch.equal(after["cell.weight_hh_l0"], before["cell.weight_hh_l0"])
    assert all(not torch.equal(after[name], before[name]) for name in before)
    assert all(bool(value.isfinite().all()) for value in after.values())


def test_recurrent_parameters_update_in_the_reference_level(reference):
    before, population = reference
    after = population.network.state_dict()
    assert population.learner.updates > 0
    assert not torch.equal(after["cell.weight_hh_l0"], before["cell.weight_hh_l0"])
    assert all(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("lived", ["level_2", "reference"])
def test_a_past_changes_the_q_values_of_the_present_along_the_path_of_learning(lived, request):
    """A window from the run: the same last observation after another first one, and without what was remembered."""
    _, population = request.getfixturevalue(lived)
    batch = population.buffer.sample_sequences(8, population.task.training.seq_len)
    network = population.network
    other = batch.observations.clone()
    other[:, 0] = other[:, 0].roll(1, dims=0)
    one, _ = network(batch.observations, batch.hidden, batch.previous_actions)
    another, _ = network(other, batch.hidden, batch.previous_actions)
    forgotten, _ = network(batch.observations, network.initial_hidden(8), batch.previous_actions)
    assert one.requires_grad
    assert not torch.equal(one[:, -1], another[:, -1])
    assert not torch.equal(one[:, -1], forgotten[:, -1])


def test_zeroing_the_acting_memory_changes_the_next_q_values(level_2):
    _, population = level_2
    with torch.no_grad():
        features = population.observation.features.unsqueeze(1)
        previous = population.memory.previous_actions.unsqueeze(1)
        with_memory, _ = population.network(features, population.hidden, previous)
        without, _ = population.network(features, population.network.initial_hidden(population.num_agents), previous)
    running = population.hidden[0][0].any(dim=1)
    assert running.sum() > 100  # many die on the same tick, and have just begun again
    assert (with_memory[running] - without[running]).abs().amax(dim=(1, 2)).min() > 0
