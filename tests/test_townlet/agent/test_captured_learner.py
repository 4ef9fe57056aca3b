"""A learner whose gradient steps are captured learns what a plain one learns, and says later what went wrong.

Here without a CUDA device, over the same buffers; tests/test_townlet/test_gpu.py has the graphs.
"""

import pytest
import torch

from support.learning import copy_of, differences, make_training, random_batch, recurrent
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.learner import QLearner
from townlet.capture import Captured

RATE = {"learning_rate": 2.0**-9, "final_learning_rate": 2.0**-9}  # exact in float32, as which a graph reads it
TARGETS = [
    {"target_every": 3},
    {"target_every": None, "target_rate": 0.25},
    {"target_every": None, "double_q": False},
]


def both(seed=0, **training):
    """A plain learner and one that captures, of equal networks."""
    made = make_training(**{**RATE, **training})
    return QLearner(recurrent(seed), made), QLearner(recurrent(seed), made, capture=True)


def state_of(learner):
    return [learner.network.state_dict(), learner.state_dict()]


def batches(number):
    """Windows of every kind: two sizes, with and without resets, with a burn-in, with steps that were cut off."""
    reset = torch.zeros(4, 6, dtype=torch.bool)
    reset[1, 2] = reset[3, 0] = True
    cut = {"reset": reset, "cut": reset[:, 1:], "cut_values": torch.arange(20.0).view(4, 5)}
    kinds = [{}, {"reset": reset}, {"batch": 3}, {"burn_in": 2}, cut]
    return [random_batch(seed=seed, **kinds[seed % 5]) for seed in range(number)]


@pytest.mark.parametrize("training", TARGETS)
def test_captured_updates_are_plain_updates_bit_for_bit(training):
    plain, captured = both(**training)
    for batch in batches(15):
        one, other = plain.update(batch), captured.update(batch)
        assert differences(one, other) == []
        assert differences(state_of(plain), state_of(captured)) == []
    assert captured.updates == 15 and captured.capture_failure is None is plain.capture_failure


def test_the_learning_rate_of_a_captured_update_is_the_one_set_last():
    plain, captured = both(learning_rate=2.0**-7, final_learning_rate=2.0**-9, decay_steps=1000)
    for steps in (0, 1000, 0):
        assert plain.set_learning_rate(steps) == captured.set_learning_rate(steps)
        plain.update(random_batch())
        captured.update(random_batch())
    assert differences(state_of(plain), state_of(captured)) == []


def test_an_update_overwrites_what_the_one_before_told():
    _, captured = both()
    first = captured.update(random_batch(seed=1))
    told = copy_of(first)
    second = captured.update(random_batch(seed=2))
    assert differences(first, second) == [] and len(differences(told, second)) == 5


def test_an_update_that_is_not_finite_changes_nothing_but_the_count_and_is_told_before_it_is_saved():
    _, captured = both(target_every=2)
    good, bad = random_batch(), random_batch(rewards=torch.full((4, 5), torch.nan))
    captured.update(good)
    captured.check()
    before = copy_of([captured.network.state_dict(), captured.optimizer.state_dict()])
    captured.update(bad)
    captured.update(good)
    assert differences(before, [captured.network.state_dict(), captured.optimizer.state_dict()]) == []
    assert captured.updates == 3
    for asked in (captured.check, captured.state_dict):
        with pytest.raises(TrainingDivergedError, match=r"^update 2: expected finite values, but loss is nan"):
            asked()


def test_a_first_update_that_is_not_finite_is_told_too():
    _, captured = both()
    captured.update(random_batch(rewards=torch.full((4, 5), torch.inf)))
    with pytest.raises(TrainingDivergedError, match=r"^update 1: "):
        captured.check()


@pytest.mark.parametrize("training", TARGETS)
@pytest.mark.parametrize(("first", "then"), [(False, True), (True, False), (True, True)])
def test_a_captured_learner_goes_on_from_a_plain_one_and_the_reverse(first, then, training, tmp_path):
    made, windows = make_training(**RATE, **training), batches(8)
    learner = QLearner(recurrent(), made, capture=first)
    for batch in windows[:4]:
        learner.update(batch)
    torch.save(state_of(learner), tmp_path / "state.pt")
    resumed = QLearner(recurrent(seed=9), made, capture=then)
    resumed.update(windows[7])  # what was captured before must not come back
    network, state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.network.load_state_dict(network)
    resumed.load_state_dict(state)
    for batch in windows[4:]:
        assert differences(learner.update(batch), resumed.update(batch)) == []
    assert differences(state_of(learner), state_of(resumed)) == []


def test_a_gradient_step_that_cannot_be_captured_is_taken_all_the_same(monkeypatch):
    plain, captured = both()
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "side")
    monkeypatch.setattr(Captured, "_warm_up_on", lambda self, side, buffers: self._warm_up(buffers))
    monkeypatch.setattr(Captured, "_record_on", lambda self, side, buffers: torch.zeros(2).item())
    captured._captured.device = torch.device("cuda")
    for batch in batches(4):
        assert differences(plain.update(batch), captured.update(batch)) == []
    assert "cannot be converted to Scalar" in captured.capture_failure
