"""Adam that decides on the device: it takes the same steps, none from what is not finite, and tells when asked."""

import copy
import math

import pytest
import torch

from support.learning import copy_of, differences
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.optimizers import DeviceAdam, HostAdam

RATE, EPSILON = 2.0**-7, 1e-5  # the rate lies on the device in float32, where this one is exact
FINE = torch.tensor(0.5)


def made(kind, seed=0):
    """An optimiser of two weights."""
    torch.manual_seed(seed)
    weights = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(4))]
    return kind(weights, RATE, EPSILON), weights


def step(optimizer, weights, seed, loss=FINE, grad_norm=FINE):
    stream = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=stream)
    optimizer.step_if_finite(loss, grad_norm)


def test_both_take_the_same_steps_bit_for_bit_at_rates_that_change():
    (host, ours), (device, theirs) = made(HostAdam), made(DeviceAdam)
    for seed in range(6):
        for optimizer, weights in ((host, ours), (device, theirs)):
            optimizer.set_learning_rate(RATE / 2**seed)
            step(optimizer, weights, seed)
        assert differences(ours, theirs) == []
    assert differences(host.state_dict(), device.state_dict()) == []
    device.check()


@pytest.mark.parametrize("steps", [0, 2])
def test_moments_and_rate_lie_where_they_lay_after_a_step_and_after_loading(steps):
    (other, theirs), (optimizer, weights) = made(HostAdam), made(DeviceAdam)
    for seed in range(steps):
        step(other, theirs, seed)
    before = [part.data_ptr() for part in (*optimizer.changed_by_steps(), optimizer.param_groups[0]["lr"])]
    step(optimizer, weights, 0)
    optimizer.load_state_dict(copy_of(other.state_dict()))
    optimizer.set_learning_rate(0.5)
    assert [part.data_ptr() for part in (*optimizer.changed_by_steps(), optimizer.param_groups[0]["lr"])] == before
    assert optimizer.param_groups[0]["lr"].item() == 0.5


def test_what_a_step_changes_is_named_in_full():
    optimizer, weights = made(DeviceAdam)
    held = [*weights, *(part for one in optimizer.state.values() for part in one.values()), optimizer.newest]
    before, named = copy_of(held), {id(part) for part in optimizer.changed_by_steps()}
    step(optimizer, weights, 0)
    assert len(differences(before, held)) == len(held) == 9  # two weights, with a counter and two moments each
    assert {id(part) for part in held} | {id(optimizer.found_inf)} == named


@pytest.mark.parametrize(
    ("loss", "grad_norm", "told"),
    [
        (math.nan, 1.0, "loss is nan"),
        (1.0, math.inf, "gradient norm is inf"),
        (-math.inf, math.nan, "-inf and"),
    ],
)
def test_from_the_first_bad_value_on_no_step_is_taken_and_it_is_named_when_asked(loss, grad_norm, told):
    optimizer, weights = made(DeviceAdam)
    step(optimizer, weights, 0)
    step(optimizer, weights, 1)
    optimizer.check()
    before = copy_of([weights, optimizer.state_dict()])
    step(optimizer, weights, 2, torch.tensor(loss), torch.tensor(grad_norm))
    step(optimizer, weights, 3)
    assert differences(before, [weights, optimizer.state_dict()]) == []
    for _ in range(2):
        with pytest.raises(TrainingDivergedError, match=rf"^update 3: expected finite values, but .*{told}"):
            optimizer.check()


def test_bad_gradients_reach_neither_weights_nor_moments():
    optimizer, weights = made(DeviceAdam)
    for weight in weights:
        weight.grad = torch.full_like(weight, math.nan)
    optimizer.step_if_finite(FINE, torch.tensor(math.nan))
    assert all(part.isfinite().all() for part in (*weights, *optimizer.state[weights[0]].values()))


@pytest.mark.parametrize(("first", "then"), [(HostAdam, DeviceAdam), (DeviceAdam, HostAdam), (DeviceAdam, DeviceAdam)])
@pytest.mark.parametrize("steps", [0, 3])
def test_either_goes_on_from_the_others_state_bit_for_bit(first, then, steps):
    (one, ours), (other, theirs) = made(first), made(then)
    for seed in range(steps):
        step(one, ours, seed)
    with torch.no_grad():
        for mine, weight in zip(theirs, ours, strict=True):
            mine.copy_(weight)
    other.load_state_dict(copy_of(one.state_dict()))
    for seed in range(10, 14):
        step(one, ours, seed)
        step(other, theirs, seed)
    assert differences(ours, theirs) == []
    assert differences(one.state_dict(), other.state_dict()) == []


def test_a_state_that_is_loaded_ends_what_was_bad_before():
    optimizer, weights = made(DeviceAdam)
    state = copy_of(optimizer.state_dict())
    step(optimizer, weights, 0, torch.tensor(math.nan))
    optimizer.load_state_dict(state)
    optimizer.check()
    before = copy_of(weights)
    step(optimizer, weights, 1)
    assert len(differences(before, weights)) == 2


def test_steps_that_look_nothing_up_are_those_of_adam_bit_for_bit_also_from_another_state():
    (optimizer, ours), (_, theirs) = made(HostAdam), made(HostAdam)
    plain = torch.optim.Adam(theirs, lr=RATE, eps=EPSILON, fused=True)
    (other, others) = made(HostAdam, seed=1)
    step(other, others, 9)
    for seed in range(7):
        if seed == 4:  # between two steps that look nothing up
            optimizer.load_state_dict(copy_of(other.state_dict()))
            plain.load_state_dict(copy_of(other.state_dict()))
        step(optimizer, ours, seed)
        for mine, weight in zip(theirs, ours, strict=True):
            mine.grad = weight.grad.clone()
        plain.step()
        assert differences(ours, theirs) == []
    assert differences(optimizer.state_dict()["state"], plain.state_dict()["state"]) == []
    assert [int(one["step"]) for one in optimizer.state.values()] == [4, 4]  # one of the other's, three after it


def test_a_copy_goes_on_by_itself_bit_for_bit():
    optimizer, ours = made(HostAdam)
    step(optimizer, ours, 0)
    step(optimizer, ours, 1)
    other, theirs = copy.deepcopy((optimizer, ours))
    for seed in (2, 3):
        step(optimizer, ours, seed)
    assert [int(one["step"]) for one in other.state.values()] == [2, 2]
    for seed in (2, 3):
        step(other, theirs, seed)
    assert differences(ours, theirs) == []
    assert differences(optimizer.state_dict(), other.state_dict()) == []
