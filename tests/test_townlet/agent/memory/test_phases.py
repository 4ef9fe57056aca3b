"""An associative memory of places, read as seen from here."""

import math

import pytest
import torch
from torch.nn import functional

from support.learning import network_of
from support.windows import a_window, check_equation, check_single_steps
from townlet.agent.memory.phases import DeltaPhases
from townlet.config import load_level

F, T = False, True
SURE = 50.0  # the sigmoid of it is 1


def by_hand(steps, reset=None):
    """What each step reads, [steps, keys, 2], for steps of (key, phase) with two keys and one phase."""
    memory = DeltaPhases(3, 2, 1, 1.0)
    with torch.no_grad():
        memory.address.weight.zero_()
        memory.address.weight[:3] = torch.eye(3)
        memory.address.bias.zero_()
        memory.address.bias[-1] = SURE
    features = torch.tensor([[(*key, phase) for key, phase in steps]])
    flags = None if reset is None else torch.tensor([reset])
    read, _ = memory(features, memory.initial_hidden(1, features), flags)
    return read.view(len(steps), 2, 2)


ONE, OTHER = (1.0, 0.0), (0.0, 1.0)


def slow(memory, features, hidden, reset):
    """The rule, and the turn back, step by step."""
    held, steps = hidden[0][0].view(len(features), memory.keys, -1), []
    for step in range(features.shape[1]):
        key, phase, strength = memory.address(features[:, step]).split((memory.keys, memory.shown, 1), dim=-1)
        key, value = functional.normalize(key, dim=-1), torch.cat([phase.cos(), phase.sin()], dim=-1)
        held = held * (~reset[:, step]).to(held.dtype).view(-1, 1, 1) * memory.keep
        found = torch.einsum("bkv,bk->bv", held, key)
        held = held + torch.einsum("bk,bv->bkv", key, torch.sigmoid(strength) * (value - found))
        cosine, sine = held.chunk(2, dim=-1)
        length, angle = torch.hypot(cosine, sine), torch.atan2(sine, cosine) - phase.unsqueeze(1)
        steps.append(torch.cat([length * angle.cos(), length * angle.sin()], dim=-1).flatten(1))
    return torch.stack(steps, dim=1)


def a_case():
    """A memory, a window with resets, and what was held before it."""
    torch.manual_seed(0)
    memory = DeltaPhases(5, 3, 2, 0.9).double()
    torch.nn.init.normal_(memory.address.weight)
    return memory, *a_window(memory)


def test_what_is_read_at_each_key_is_how_far_off_its_place_lies_by_hand():
    """One thing at a quarter turn, the other at a half: from the other, the first lies a quarter back."""
    read = by_hand([(ONE, math.pi / 2.0), (OTHER, math.pi), (OTHER, 0.0)])
    here, back, half, none = [1.0, 0.0], [0.0, -1.0], [0.0, 1.0], [0.0, 0.0]
    torch.testing.assert_close(read, torch.tensor([[here, none], [back, here], [half, here]]), atol=1e-6, rtol=0.0)


def test_nothing_is_read_of_what_lies_before_a_reset_by_hand():
    read = by_hand([(ONE, 1.0), (OTHER, 1.0)], reset=[F, T])
    torch.testing.assert_close(read[1], torch.tensor([[0.0, 0.0], [1.0, 0.0]]))


def test_a_window_equals_the_rule_step_by_step_with_its_gradient():
    memory, features, hidden, reset = a_case()
    read, _ = memory(features, hidden, reset)
    check_equation(memory, read, slow(memory, features, hidden, reset))


def test_a_window_equals_single_steps_and_rows_stay_apart():
    check_single_steps(*a_case())


def test_phases_begin_as_octaves_of_each_coordinate_of_a_position():
    address = DeltaPhases(5, 2, 4, 1.0, place=slice(1, 3)).address
    octaves = torch.tensor([[0.0, 1.5, 0.0, 0.0, 0.0], [0.0, 0.0, 1.5, 0.0, 0.0]])
    assert (
        torch.equal(address.weight[2:6], torch.cat([octaves, 2.0 * octaves]))
        and address.bias[2:6].tolist() == [0.0] * 4
    )
    assert address.weight[:2].abs().min() > 0.0


@pytest.mark.parametrize("position", ["normalised", None])
def test_a_network_carries_the_places_and_sends_them_gradients(position):
    memory = {"kind": "delta", "keys": 6, "values": 4, "keep": 1.0, "phases": True}
    changes = {"network.memory": [memory], "network.sightings": False, "observation.position": position}
    level = load_level("2", changes)
    network = network_of(level)
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 6 * 8]
    q, _ = network(torch.rand(2, 3, network.obs_dim), hidden, torch.zeros(2, 3, dtype=torch.int64))
    q.sum().backward()
    assert (network.learned[0].address.weight.grad.abs().sum(dim=1) > 0.0).all()
    place = network.learned[0].address.weight[6] != 0.0
    assert int(place.sum()) == (1 if position else network.obs_dim + 5)
