"""A memory of the ground, cell by cell, read as it lies around the agent."""

import pytest
import torch

from support.learning import network_of
from support.step_by_step import COLUMNS, GROUND, ROWS
from townlet.agent.memory.ground import Ground, bands
from townlet.config import ConfigError, load_level

SURE = 50.0  # the sigmoid of it is 1


def walk(*steps):
    """Features of a window of (x, y, whether there is a place in the middle of the window)."""
    features = torch.zeros(1, len(steps), 12)  # a number that means nothing comes last
    for step, (x, y, place) in enumerate(steps):
        features[0, step, 9:11] = torch.tensor([x / (COLUMNS - 1), y / (ROWS - 1)])
        features[0, step, 4] = place
    return features


def read_of(features, reset=None):
    """What each step reads, [steps, values, rows away, columns away] for up to two each way, here at [2, 2]."""
    memory = Ground(12, GROUND, 2)
    with torch.no_grad():
        memory.address.bias[-1] = SURE
    read, _ = memory(features, memory.initial_hidden(1, features), reset)
    return read.view(features.shape[1], 2, 5, 5)


def test_cells_not_stood_on_yet_and_places_stood_on_are_read_as_they_lie_from_here_by_hand():
    """From the left end of the upper row two steps to the right; there is a place in the middle of that row."""
    missing, places = read_of(walk((0, 0, 0), (1, 0, 1), (2, 0, 0)))[-1]
    expected = torch.zeros(5, 5)
    expected[3, :3] = 1.0  # the row below, of which nothing is known
    assert torch.equal(missing, expected)
    expected = torch.zeros(5, 5)
    expected[2, 1] = 1.0  # one to the left
    assert torch.equal(places, expected)


def test_nothing_is_known_of_what_was_before_a_reset():
    missing, places = read_of(walk((1, 0, 1), (1, 1, 0)), torch.tensor([[False, True]]))[-1]
    assert missing[1, 1:4].tolist() == [1.0, 1.0, 1.0] and missing[2, 1:4].tolist() == [1.0, 0.0, 1.0]
    assert not places.any()


def test_a_cell_is_written_over_when_it_is_seen_again():
    places = read_of(walk((1, 0, 1), (2, 0, 0), (1, 0, 0)))[:, 1]
    assert places.sum(dim=(1, 2)).tolist() == [1.0, 1.0, 0.0]


def test_bands_are_twice_as_wide_each_time_and_what_lies_outside_has_its_share_by_hand():
    """From the second of eight cells: one to the left, and six to the right, the last three at once."""
    share = bands(8)[1]
    ends = [slice(0, 0), slice(0, 0), slice(0, 0), slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 4), slice(4, 7)]
    expected = torch.zeros(9, 8)
    for band, cells in enumerate([*ends, slice(7, 8)]):
        expected[band, cells] = 1.0 if band < 7 else 1.0 / 3.0
    expected[8, 7] = 1.0 / 6.0  # the sixth cell away, of those from 6 to 11
    torch.testing.assert_close(share, expected)


def test_a_network_carries_the_ground_and_sends_it_gradients():
    network = network_of(load_level("2", {"network.memory": [{"kind": "ground", "values": 3}]}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 8 * 8 * 3]
    q, _ = network(torch.rand(2, 3, 50), hidden, torch.zeros(2, 3, dtype=torch.int64))
    q.sum().backward()
    assert (network.learned[0].address.weight.grad.abs().sum(dim=1) > 0.0).all()


@pytest.mark.parametrize("position", ["one_hot", None])
def test_ground_without_a_normalised_position_is_refused_in_a_line(position):
    level = load_level("2", {"network.memory": [{"kind": "ground", "values": 2}], "observation.position": position})
    with pytest.raises(ConfigError, match=r"^network\.memory\[0\]\.kind: expected .* a normalised position"):
        network_of(level)
