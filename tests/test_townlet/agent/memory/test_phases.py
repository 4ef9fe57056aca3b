"""An associative memory of places, read as seen from here."""

import math

import pytest
import torch

from support.learning import network_of
from townlet.agent.memory.phases import DeltaPhases
from townlet.config import load_level
from townlet.environment.layout import lay_out

F, T = False, True
SURE = 50.0  # the sigmoid of it is 1


def by_hand(steps, reset=None):
    """What each step reads, [steps, keys, 3], for steps of (key, phase) with two keys and one phase."""
    memory = DeltaPhases(3, 2, 1, 1.0)
    with torch.no_grad():
        memory.address.weight.zero_()
        memory.address.weight[:3] = torch.eye(3)
        memory.address.bias.zero_()
        memory.address.bias[-1] = SURE
    features = torch.tensor([[(*key, phase) for key, phase in steps]])
    flags = None if reset is None else torch.tensor([reset])
    read, _ = memory(features, memory.initial_hidden(1, features), flags)
    return read.view(len(steps), 2, 3)


ONE, OTHER = (1.0, 0.0), (0.0, 1.0)


def test_what_is_read_at_each_key_is_how_far_off_its_place_lies_by_hand():
    """One thing at a quarter turn, the other at a half: from the other, the first lies a quarter back."""
    read = by_hand([(ONE, math.pi / 2.0), (OTHER, math.pi), (OTHER, 0.0)])
    here, back, half, none = [1.0, 0.0, 0.0], [0.0, -1.0, -1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    torch.testing.assert_close(read, torch.tensor([[here, none], [back, here], [half, here]]), atol=1e-6, rtol=0.0)


def test_nothing_is_read_of_what_lies_before_a_reset_by_hand():
    read = by_hand([(ONE, 1.0), (OTHER, 1.0)], reset=[F, T])
    torch.testing.assert_close(read[1], torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))


def test_a_small_angle_is_read_as_a_whole_way_by_hand():
    """A fifth of a radian ahead: the sine is 0.1987, twelve times that 2.384, and its tanh 0.9831."""
    across, along, way = by_hand([(ONE, 0.2), (OTHER, 0.0)])[1, 0].tolist()
    assert (across, along, way) == pytest.approx((0.98007, 0.19867, 0.98315), abs=1e-5)


def test_phases_of_a_position_are_octaves_of_each_coordinate_and_of_nothing_else_by_hand():
    """At a key that is always the same: x goes by 1/6 and y by -1/3, all else by anything."""
    memory = DeltaPhases(5, 1, 4, 1.0, place=slice(1, 3))
    features = torch.tensor([[[9.0, 0.5, 1.0, -3.0, 2.0], [-4.0, 0.5 - 1 / 6, 1.0 + 1 / 3, 8.0, 0.0]]])
    with torch.no_grad():
        memory.address.bias[:] = torch.tensor([SURE, SURE])
    held = memory.value_of(memory.shown_by(features, features[..., :0]))
    angles = [0.75, 1.5, 1.5, 3.0]
    assert held[0, 0].tolist() == pytest.approx([*map(math.cos, angles), *map(math.sin, angles)])
    here = memory.shown_by(features, features[..., :0])
    assert (here[0, 1] - here[0, 0]).tolist() == pytest.approx([-0.25, 0.5, -0.5, 1.0])


def test_a_position_of_a_number_for_each_cell_has_the_phases_of_its_coordinates_by_hand():
    """The second column of three and the last row of two: 0.5 and 1."""
    small = {"grid": {"width": 3, "height": 2}, "placed_affordances": ["Bed", "Job"]}
    few = {"layout.training_maps": 4, "layout.evaluation_maps": 4}
    level = load_level("2", {**small, **few, "observation.position": "one_hot"})
    memory, place = network_of(level).learned[0], lay_out(level).slices["position"]
    features = torch.zeros(1, 1, 64)
    features[0, 0, place.start + 4] = 1.0
    shown = memory.shown_by(features, features[..., :0])
    assert shown[0, 0].tolist() == pytest.approx([0.75, 1.5])


@pytest.mark.parametrize("position", ["normalised", "one_hot", None])
def test_a_network_carries_the_places_and_sends_them_gradients(position):
    memory = {"kind": "delta", "keys": 6, "values": 4, "keep": 1.0, "phases": True}
    changes = {"network.memory": [memory], "observation.position": position}
    level = load_level("2", changes)
    network = network_of(level)
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 6 * 8]
    q, _ = network(torch.rand(2, 3, network.obs_dim), hidden, torch.zeros(2, 3, dtype=torch.int64))
    q.sum().backward()
    weight = network.learned[0].address.weight
    assert (weight.grad.abs().sum(dim=1) > 0.0).all() and len(weight) == (6 + 1 if position else 6 + 4 + 1)
