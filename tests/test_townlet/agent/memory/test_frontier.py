"""A memory of the ground: what was seen, and what is known of it."""

import pytest
import torch

from support.learning import network_of
from support.windows import check_single_steps
from townlet.agent.memory.frontier import Frontier
from townlet.config import load_level
from townlet.environment.types import ObservationLayout
from townlet.environment.vectorized_env import VectorizedEnv

# A map of 5 columns and 3 rows through a window of 3, and a number that says nothing.
LAYOUT = ObservationLayout({"window": slice(0, 9), "meters": slice(9, 10), "position": slice(10, 12)}, 3, (5, 3))
MAP = ["A....", ".....", "..B.C"]
F, T = False, True


def see(x, y):
    """What stands in the nine cells around (x, y) of the map, row by row, and where that is."""
    around = [(x + dx, y + dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    window = [float(0 <= x < 5 and 0 <= y < 3 and MAP[y][x] != ".") for x, y in around]
    return [*window, 0.5, x / 4, y / 2]


def walk(*cells, memory=None, reset=None):
    """What each step reads, and the memory after the last, row by row of the map."""
    frontier = Frontier(LAYOUT)
    hidden = frontier.initial_hidden(1, torch.zeros(1)) if memory is None else (torch.tensor([[memory]]),)
    flags = None if reset is None else torch.tensor([reset])
    read, (after,) = frontier(torch.tensor([[see(*cell) for cell in cells]]), hidden, flags)
    return [pytest.approx(one) for one in read[0].tolist()], after[0].view(3, 5).int().tolist()


def test_a_sight_is_written_and_a_place_is_known_once_it_was_underfoot_by_hand():
    assert walk((1, 1))[1] == [[2, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 2, 0, 0]]
    assert walk((1, 1), (1, 2))[1] == [[2, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 2, 0, 0]]
    assert walk((1, 1), (1, 2), (2, 2))[1] == [[2, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 3, 1, 0]]
    # What was once underfoot stays known when it is seen from afar again; what lies beyond the edge is nowhere.
    assert walk((2, 2), (1, 2), (0, 2))[1] == [[0, 0, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 3, 1, 0]]


def test_what_is_read_is_which_way_and_how_far_the_nearest_unknown_place_and_unseen_ground_lie_by_hand():
    """Both known, right or left, below or above, how far in shares of the map: a column is 1/4, a row 1/2."""
    read, _ = walk((1, 1), (2, 2), (4, 1))
    assert read == [
        # A and B are two steps away, and A comes first in the map; column 3 is unseen, two to the right.
        [1, 1, -1, 1, -1, 0, 0.75, 0.5],
        # B is underfoot, A lies two to the left and two above; the corner with C, two to the right, is unseen.
        [1, 1, -1, 1, -1, 0, 1.5, 0.5],
        # C is right below; all ground was seen.
        [1, 0, 0, 0, 1, 0, 0.5, 0],
    ]


def test_when_all_is_known_there_is_no_way_to_read():
    read, after = walk((4, 2), memory=[3.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 2])
    assert read == [[0] * 8] and after[2][4] == 3


def test_a_reset_forgets_the_ground_seen_before_it_and_nothing_after():
    read, after = walk((1, 1), (4, 1), (4, 0), reset=[F, T, F])
    assert after == [[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 2]]
    assert read[1] == [1, 1, 0, -1, 1, 0, 0.5, 0.5]  # C below, column 2 to the left: A and B are forgotten


def test_a_window_equals_single_steps_and_rows_stay_apart():
    env = VectorizedEnv(load_level("2"), 6, compile=False)
    frontier, stream = Frontier(env.observation_layout), torch.Generator().manual_seed(0)
    seen = [env.step(torch.randint(4, (6,), generator=stream)).observation.features for _ in range(9)]
    features, reset = torch.stack(seen, dim=1), torch.rand(6, 9, generator=stream) < 0.2
    hidden = (torch.randint(4, (1, 6, 64), generator=stream).float(),)
    check_single_steps(frontier, features, hidden, reset)


@pytest.mark.parametrize(("width", "height"), [(12, 12), (16, 9)])
def test_what_was_seen_in_the_town_is_what_stands_there(width, height):
    """Agents who walk at random: each cell in their memory is as the map has it, and all around them is in it."""
    level = load_level("2.5", {"grid": {"width": width, "height": height}})
    env = VectorizedEnv(level, 4, compile=False)
    frontier, stream = Frontier(env.observation_layout), torch.Generator().manual_seed(0)
    hidden = frontier.initial_hidden(4, torch.zeros(1))
    for _ in range(60):
        features = env.step(torch.randint(4, (4,), generator=stream)).observation.features
        _, hidden = frontier(features.unsqueeze(1), hidden, None)
    assert int(env.state.episode.max()) == 0
    held = hidden[0][0].view(4, height, width)
    for agent in range(4):
        first = int(env.state.map_index[agent]) * 144
        stands = (env.tables.cells[first : first + 144] % 16 < 14).view(height, width)
        x, y = int(env.state.x[agent]), int(env.state.y[agent])
        assert bool((held[agent, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] > 0).all())
        assert torch.equal(held[agent] >= 2, stands & (held[agent] > 0))
        assert 20 < int((held[agent] > 0).sum()) < 144


def test_a_network_carries_the_ground_behind_the_sightings():
    network = network_of(load_level("2-sightings", {"network.frontier": True}))
    hidden = network.initial_hidden(5)
    assert [part.shape[2] for part in hidden] == [32, 32, 14 * 3, 64]
    features, previous = torch.rand(5, 4, network.obs_dim), torch.zeros(5, 4, dtype=torch.int64)
    q, after = network(features, hidden, previous)
    assert [part.shape for part in after] == [part.shape for part in hidden]
    known = torch.full((1, 5, 64), 3.0)
    assert not torch.equal(network(features, (*hidden[:3], known), previous)[0], q)
    assert torch.equal(network(features, (*hidden[:3], known), previous)[1][3], known)
