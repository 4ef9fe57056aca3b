"""What is known of where each kind of place is."""

import pytest
import torch

from support.learning import network_of
from townlet.agent.memory.sightings import LastSightings, PlacesInView, make_sightings
from townlet.config import load_level
from townlet.environment.observation import lay_out
from townlet.environment.types import ObservationLayout

# A number that says nothing, the position, and what is underfoot: one of two kinds, or nothing.
LAYOUT = ObservationLayout({"meters": slice(0, 1), "position": slice(1, 3), "underfoot": slice(3, 6)})
A, B, NOTHING = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
F, T = False, True


def walk(*steps):
    """One agent's observations, from (x, y, what is underfoot)."""
    return torch.tensor([[[0.5, x, y, *underfoot] for x, y, underfoot in steps]])


def read(steps, memory=(0, 0, 0, 0, 0, 0), reset=None):
    """What each step reads, and the memory after the last, as plain numbers."""
    sightings = LastSightings(LAYOUT)
    flags = None if reset is None else torch.tensor([reset])
    found, (after,) = sightings(walk(*steps), (torch.tensor([[memory]], dtype=torch.float32),), flags)
    return [pytest.approx(one) for one in found[0].tolist()], after[0, 0].tolist()


def test_what_is_read_is_which_way_and_how_far_the_last_place_of_each_kind_lies_by_hand():
    """Of the two kinds: known, right or left of here, below or above, how far."""
    found, after = read([(0.25, 0.5, NOTHING), (0.5, 0.5, A), (0.75, 0.5, NOTHING), (0.75, 0.25, B), (1.0, 0.0, A)])
    assert found == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, -1, 0, 0, 0, 0.25, 0],
        [1, 1, -1, 0, 1, 0, 0.5, 0],
        [1, 1, 0, -1, 0, 1, 0, 0.5],
    ]
    assert after == [1, 1, 1.0, 0.75, 0.0, 0.25]  # places, not distances: known, x, y


def test_what_was_held_before_the_window_stays_until_its_kind_is_seen_again():
    found, after = read([(0.5, 0.5, NOTHING), (0.75, 0.5, B)], memory=(1, 1, 0.25, 0.0, 0.5, 0.0))
    assert found == [[1, 1, -1, -1, 0, -1, 0.25, 1.0], [1, 1, -1, 0, 0, 0, 0.5, 0]]
    assert after == [1, 1, 0.25, 0.75, 0.5, 0.5]


def test_a_reset_forgets_all_that_was_seen_before_it_and_nothing_after():
    before, steps = (
        (1, 1, 0.5, 0.5, 0.5, 0.5),
        [(0.0, 0.0, A), (0.25, 0.0, NOTHING), (0.5, 0.0, B), (0.5, 0.25, NOTHING)],
    )
    found, after = read(steps, before, [F, T, F, F])
    assert found == [
        [1, 1, 0, 1, 0, 1, 0, 1.0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, -1, 0, 0.25],
    ]
    assert after == [0, 1, 0, 0.5, 0, 0.0]
    found, _ = read(steps, before, [F, F, T, F])
    assert found[2] == [0, 1, 0, 0, 0, 0, 0, 0]  # what an episode's first step sees is its own


def test_a_window_equals_single_steps_and_rows_stay_apart():
    sightings, stream = LastSightings(LAYOUT), torch.Generator().manual_seed(0)
    kinds = torch.randint(3, (5, 9), generator=stream)
    numbers = torch.rand(5, 9, 3, generator=stream)
    features = torch.cat([numbers, torch.nn.functional.one_hot(kinds, 3).float()], dim=-1)
    reset = torch.rand(5, 9, generator=stream) < 0.2
    memory = torch.rand(1, 5, 6, generator=stream)
    whole, (after,) = sightings(features, (memory,), reset)
    alone, _ = sightings(features[2:3], (memory[:, 2:3],), reset[2:3])
    torch.testing.assert_close(alone[0], whole[2])
    for step in range(9):
        one, (memory,) = sightings(features[:, step : step + 1], (memory,), reset[:, step : step + 1])
        torch.testing.assert_close(one[:, 0], whole[:, step])
    torch.testing.assert_close(memory, after)


def test_a_network_with_sightings_carries_them_behind_the_cells_memory():
    network = network_of(load_level("2-sightings"))
    hidden = network.initial_hidden(5)
    assert [part.shape[2] for part in hidden] == [32, 32, 14 * 3]
    features = torch.rand(5, 4, network.obs_dim)
    previous = torch.zeros(5, 4, dtype=torch.int64)
    q, after = network(features, hidden, previous)
    assert q.shape == (5, 4, 5) and [part.shape for part in after] == [part.shape for part in hidden]
    known = torch.tensor([1.0, 0.5, 0.5]).repeat_interleave(14).expand(1, 5, 42)
    assert not torch.equal(network(features, (*hidden[:2], known), previous)[0], q)


# What is underfoot, one of three kinds or nothing; how far the kinds lie to the right; and how far below.
IN_VIEW = ObservationLayout({"underfoot": slice(0, 4), "offsets": slice(4, 10)})


def test_where_offsets_are_observed_the_same_is_read_of_every_place_on_the_map_by_hand():
    """The first kind lies to the left and below, the second underfoot, the third is not on the map."""
    step = [0.0, 1.0, 0.0, 0.0, -0.25, 0.0, 0.0, 0.5, 0.0, 0.0]
    known, right, below, distance = [1, 1, 0], [-1, 0, 0], [1, 0, 0], [0.75, 0, 0]
    found, after = PlacesInView(IN_VIEW)(torch.tensor([[step]]), (), torch.tensor([[True]]))
    assert found.tolist() == [[[*known, *right, *below, *distance]]] and after == ()


def test_places_on_one_row_or_column_are_known_too():
    step = [0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, -0.5, 0.0]
    found, _ = PlacesInView(IN_VIEW)(torch.tensor([[step]]), (), None)
    assert found[0, 0, :3].tolist() == [1, 1, 0]


def test_a_level_that_shows_places_is_read_and_one_that_does_not_is_remembered():
    kinds = [type(make_sightings(lay_out(load_level(id)))) for id in ("0", "0.5", "1", "2", "3")]
    assert kinds == [LastSightings, PlacesInView, PlacesInView, LastSightings, LastSightings]


def test_a_network_that_reads_places_in_view_keeps_the_memory_of_its_cell_alone():
    level = load_level("1", {"network": load_level("2-sightings").network.model_dump()})
    network = network_of(level)
    hidden = network.initial_hidden(2)
    features, previous = torch.rand(2, 3, network.obs_dim), torch.zeros(2, 3, dtype=torch.int64)
    _, after = network(features, hidden, previous)
    assert [part.shape for part in after] == [part.shape for part in hidden] == [(1, 2, 32)] * 2
    moved = features.clone()
    moved[..., lay_out(level).slices["offsets"]] *= -1.0
    network.encoder.layer[0].weight.data.zero_()  # so that the head alone reads places
    assert not torch.equal(network(moved, hidden, previous)[0], network(features, hidden, previous)[0])
