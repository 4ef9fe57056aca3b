"""A row for each kind of place, which holds what was written when that kind was last underfoot."""

import torch

from support.learning import network_of
from townlet.agent.sightings import LastSightings
from townlet.config import load_level
from townlet.environment.types import ObservationLayout

# A number, and what is underfoot: one of two kinds, or none.
LAYOUT = ObservationLayout({"number": slice(0, 1), "underfoot": slice(1, 4)})
A, B, NONE = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
F, T = False, True


def writer() -> LastSightings:
    """Writes tanh of the number, and twice that number's."""
    sightings = LastSightings(LAYOUT, width=2)
    with torch.no_grad():
        sightings.write.weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]))
        sightings.write.bias.zero_()
    return sightings


def walk(*steps: tuple[float, list[float]]) -> torch.Tensor:
    return torch.tensor([[[number, *underfoot] for number, underfoot in steps]])


def written(number: float) -> list[float]:
    return torch.tanh(torch.tensor([number, 2.0 * number])).tolist()


NOTHING = [0.0, 0.0]


def test_a_row_holds_what_was_written_when_its_kind_was_last_underfoot_by_hand():
    features = walk((0.1, NONE), (0.2, A), (0.3, NONE), (0.4, B), (0.5, A), (0.6, NONE))
    read, memory = writer()(features, torch.zeros(1, 1, 4), None)
    expected = [
        NOTHING + NOTHING,
        written(0.2) + NOTHING,
        written(0.2) + NOTHING,
        written(0.2) + written(0.4),
        written(0.5) + written(0.4),
        written(0.5) + written(0.4),
    ]
    torch.testing.assert_close(read[0], torch.tensor(expected))
    torch.testing.assert_close(memory[0, 0], read[0, -1])


def test_what_was_held_before_the_window_stays_until_its_kind_is_seen_again():
    before = torch.tensor([[[0.9, 0.8, 0.7, 0.6]]])
    read, _ = writer()(walk((0.1, NONE), (0.2, B)), before, None)
    torch.testing.assert_close(read[0], torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, *written(0.2)]]))


def test_a_reset_forgets_all_that_was_seen_before_it_and_nothing_after():
    before = torch.full((1, 1, 4), 0.9)
    features = walk((0.1, A), (0.2, NONE), (0.3, B), (0.4, NONE))
    read, _ = writer()(features, before, torch.tensor([[F, T, F, F]]))
    expected = [[*written(0.1), 0.9, 0.9], NOTHING + NOTHING, NOTHING + written(0.3), NOTHING + written(0.3)]
    torch.testing.assert_close(read[0], torch.tensor(expected))
    seen_at_once, _ = writer()(features, before, torch.tensor([[F, F, T, F]]))
    torch.testing.assert_close(seen_at_once[0, 2], torch.tensor(NOTHING + written(0.3)))


def test_a_window_equals_single_steps_and_rows_stay_apart():
    sightings, stream = writer(), torch.Generator().manual_seed(0)
    kinds = torch.randint(3, (5, 9), generator=stream)
    numbers = torch.rand(5, 9, 1, generator=stream)
    features = torch.cat([numbers, torch.nn.functional.one_hot(kinds, 3).float()], dim=-1)
    reset = torch.rand(5, 9, generator=stream) < 0.2
    memory = torch.rand(1, 5, 4, generator=stream)
    whole, after = sightings(features, memory, reset)
    for step in range(9):
        one, memory = sightings(features[:, step : step + 1], memory, reset[:, step : step + 1])
        torch.testing.assert_close(one[:, 0], whole[:, step])
    torch.testing.assert_close(memory, after)
    alone, _ = sightings(features[2:3], torch.rand(1, 1, 4), torch.ones(1, 9, dtype=torch.bool))
    assert alone.shape == (1, 9, 4)


def test_the_gradient_reaches_what_was_written_within_the_window():
    sightings = writer()
    read, _ = sightings(walk((0.2, A), (0.3, NONE), (0.4, NONE)), torch.zeros(1, 1, 4), None)
    read[0, -1].sum().backward()
    # d tanh(0.2)/dw = (1 - tanh^2 0.2) * 0.2 for the first row of the weight, and with 0.4 for the second
    slope = 1.0 - torch.tanh(torch.tensor([0.2, 0.4])) ** 2
    torch.testing.assert_close(sightings.write.weight.grad[:, 0], slope * 0.2)


def test_a_network_with_sightings_carries_them_behind_the_cells_memory():
    level = load_level("2", {"network.sightings": 3})
    network = network_of(level)
    hidden = network.initial_hidden(5)
    assert [part.shape[2] for part in hidden] == [64, 64, 14 * 3]
    features = torch.rand(5, 4, network.obs_dim)
    previous = torch.zeros(5, 4, dtype=torch.int64)
    q, after = network(features, hidden, previous)
    assert q.shape == (5, 4, 5) and [part.shape for part in after] == [part.shape for part in hidden]
    changed = (*hidden[:2], hidden[2] + 0.5)
    assert not torch.equal(network(features, changed, previous)[0], q)
