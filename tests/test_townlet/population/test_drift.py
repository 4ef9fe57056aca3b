"""How stale memories are: Q from a stored memory against Q from an unroll of the whole episode."""

import pytest
import torch

from support.learning import Spy, make_population, population_of
from townlet.config import load_level
from townlet.population.drift import q_distance


def test_the_distance_by_hand():
    """Spy has Q(o) = o + h / 2, with the memory from before the window."""
    network = Spy(scale=1.0, decay=0.5)
    features = torch.tensor([[[1.0, 1.0], [2.0, 2.0], [0.5, 0.5]]])
    previous, reset = torch.tensor([[2, 0, 0]]), torch.tensor([[True, False, False]])
    # The unroll begins at zero and has 0.5 and 0.5; a stored memory of 3 adds 1.5 to both.
    assert q_distance(network, features, previous, reset, (torch.full((1, 1, 1), 3.0),)) == pytest.approx(1.5)


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_there_is_no_drift_while_the_weights_stay(mode):
    population = make_population(mode, training__learning_rate=1e-12, training__final_learning_rate=1e-12)
    for _ in range(40):
        population.step()
    assert population.stored_state_drift() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("stored_every", [2, 4])
def test_between_stored_memories_there_is_none_to_have_drifted(stored_every):
    still = {"training__learning_rate": 1e-12, "training__final_learning_rate": 1e-12}
    population = make_population("replay", training__mode__stored_every=stored_every, **still)
    for _ in range(40):
        population.step()
    assert population.stored_state_drift() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_memories_drift_when_the_recurrent_weights_change(mode):
    population = make_population(mode, training__learning_rate=1e-12, training__final_learning_rate=1e-12)
    for _ in range(40):
        population.step()
    with torch.no_grad():
        population.network.cell.weight_hh_l0.add_(0.3)
        population.network.cell.weight_ih_l0.add_(0.3)
    assert population.stored_state_drift() > 1e-3


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_measuring_the_drift_changes_nothing(mode):
    measured, other = make_population(mode), make_population(mode)
    for _ in range(30):
        for population in (measured, other):
            population.step()
        measured.stored_state_drift()
    torch.testing.assert_close(measured.network.state_dict(), other.network.state_dict(), rtol=0, atol=0)
    assert torch.equal(measured.hidden[0], other.hidden[0])


def test_a_population_without_memory_or_without_a_past_has_no_drift():
    assert make_population("fresh").stored_state_drift() is None
    assert make_population("replay").stored_state_drift() is None
    population = population_of(load_level("1", {"training.num_agents": 8, "training.mode.minibatches": 2}))
    population.step()
    assert population.stored_state_drift() is None
