"""Offsets read as directions."""

import pytest
import torch

from townlet.agent.memory.sightings import directions
from townlet.agent.networks import make_network
from townlet.config import load_level
from townlet.environment.layout import ObservationLayout


def test_a_direction_is_two_signs_and_a_distance_by_hand():
    right, below = torch.tensor([0.25, 0.0, -0.75, 0.0]), torch.tensor([-0.5, 0.125, 0.0, 0.0])  # of four places
    assert directions(right, below).tolist() == [1, 0, -1, 0, -1, 1, 0, 0, 0.75, 0.125, 0.75, 0]


@pytest.mark.parametrize("kind", ["feed_forward", "recurrent"])
def test_a_network_takes_in_the_directions_of_the_offsets_that_it_observes(kind):
    """Two places: 0.25 to the right and 0.5 above; 0.5 to the left and on the same row."""
    layout = ObservationLayout({"meters": slice(0, 1), "offsets": slice(1, 5)})
    options = {"hidden": [6]} if kind == "feed_forward" else {
        "encoder": {"kind": "joint", "width": 6}, "hidden": 6, "head": 6
    }  # fmt: skip
    network_config = {"network": {"kind": kind, "directions": True, "previous_action": True, **options}}
    config = load_level("1", network_config).network
    network = make_network(config, layout, 3)
    seen, first = [], next(module for module in network.modules() if isinstance(module, torch.nn.Linear))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = torch.tensor([[[0.9, 0.25, -0.5, -0.5, 0.0]]])  # right of both, then below of both
    network(features, network.initial_hidden(1), torch.tensor([[2]]))
    previous, directed = [0, 0, 1], [1, -1, -1, 0, 0.75, 0.5]
    assert seen[0].flatten().tolist() == pytest.approx([*features.flatten().tolist(), *previous, *directed])
