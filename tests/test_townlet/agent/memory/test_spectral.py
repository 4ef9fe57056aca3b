"""The last sights, kept as a spectrum."""

import math

import pytest
import torch

from support.learning import network_of
from support.windows import check_single_steps
from townlet.agent.memory.spectral import Spectral
from townlet.config import load_level

F, T = False, True


def read(values, lags=2, keep=1.0, memory=None, reset=None, squash=False):
    """What each step reads of one number, in the order Re h_0, Im h_0, Re h_1, ...; and the memory after the last."""
    spectral = Spectral(1, lags, keep, squash)
    hidden = spectral.initial_hidden(1, torch.zeros(1)) if memory is None else (torch.tensor([[memory]]),)
    flags = None if reset is None else torch.tensor([reset])
    found, (after,) = spectral(torch.tensor(values).view(1, -1, 1), hidden, flags)
    return found[0], after[0, 0]


def test_accumulators_turn_keep_a_share_and_add_what_is_seen_by_hand():
    """With two lags h_0 turns not at all and h_1 by half a turn; each is told over the root of two."""
    found, after = read([1.0, 2.0, 3.0], keep=0.5)
    sums, differences = [1.0, 2.5, 4.25], [1.0, 1.5, 2.25]  # s / 2 + u; u - d / 2
    expected = torch.tensor([[s, 0.0, d, 0.0] for s, d in zip(sums, differences, strict=True)])
    torch.testing.assert_close(found, expected / math.sqrt(2.0))
    torch.testing.assert_close(after, expected[-1])


def test_a_quarter_turn_is_counterclockwise_by_hand():
    """With four lags h_1 turns by a quarter: 1, then i + 2, then -1 + 2 i + 3."""
    found, _ = read([1.0, 2.0, 3.0], lags=4)
    torch.testing.assert_close(found[:, 2:4], torch.tensor([[1.0, 0.0], [2.0, 1.0], [2.0, 2.0]]) / 2.0)


@pytest.mark.parametrize("keep", [1.0, 0.9])
def test_the_value_of_any_lag_is_a_linear_reading(keep):
    """The inverse transform at a lag gives what was seen then, times keep ** lag, as long as nothing is older."""
    lags, seen = 8, [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, -6.0]
    found, _ = read(seen, lags, keep)
    h = torch.view_as_complex(found[-1].view(-1, 2).contiguous()) * math.sqrt(lags)
    twice = torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0])  # but for the first and the last, h_k stands for h_(n - k) too
    for lag in range(lags):
        turned = torch.polar(torch.ones(5), torch.arange(5) * (-2.0 * math.pi * lag / lags))
        value = float((twice * (h * turned).real).sum() / lags)
        assert value == pytest.approx(seen[-1 - lag] * keep**lag, abs=1e-4)


def test_squashed_the_logarithm_of_each_part_is_read_and_the_part_itself_kept_by_hand():
    """Sums of 100, -1 and 5 are 100, 99 and 104; with alternating signs 100, -101 and 106, of which -101 stays < 0."""
    found, after = read([100.0, -1.0, 5.0], squash=True)
    held = [[100.0, 0.0, 100.0, 0.0], [99.0, 0.0, -101.0, 0.0], [104.0, 0.0, 106.0, 0.0]]
    logarithms = [[math.copysign(math.log(1.0 + abs(x)), x) for x in row] for row in held]
    torch.testing.assert_close(found, torch.tensor(logarithms) / math.sqrt(2.0))
    torch.testing.assert_close(after, torch.tensor(held[-1]))


def test_wide_observations_come_in_as_random_sums_and_narrow_ones_as_they_are():
    narrow, wide = Spectral(2, 2, 1.0, widest=2), Spectral(3, 2, 1.0, widest=2)
    assert narrow.state_dict() == {} and (narrow.width, wide.width) == (8, 8)
    wide.mix.copy_(torch.tensor([[1.0, 0.0], [10.0, 0.0], [0.0, -1.0]]))
    seen = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]]])
    found, _ = wide(seen, wide.initial_hidden(1, seen), None)
    by_hand, _ = narrow(torch.tensor([[[21.0, -3.0], [1.0, 0.0]]]), narrow.initial_hidden(1, seen), None)
    torch.testing.assert_close(found, by_hand)


def test_random_sums_are_kept_with_the_weights_and_nothing_is_learned_in_them():
    wide, other = Spectral(50, 2, 1.0, widest=20), Spectral(50, 2, 1.0, widest=20)
    assert not wide.learned and not torch.equal(wide.mix, other.mix)
    other.load_state_dict(wide.state_dict())
    assert torch.equal(wide.mix, other.mix)


def test_a_reset_forgets_what_was_seen_before_it_and_nothing_after():
    found, _ = read([7.0, 1.0, 2.0], keep=0.5, memory=[9.0, 9.0, 9.0, 9.0], reset=[F, T, F])
    torch.testing.assert_close(found[1:], read([1.0, 2.0], keep=0.5)[0])


def test_a_window_equals_single_steps_and_rows_stay_apart():
    spectral, stream = Spectral(3, 6, 0.9), torch.Generator().manual_seed(0)
    features, reset = torch.randn(4, 9, 3, generator=stream), torch.rand(4, 9, generator=stream) < 0.2
    hidden = (torch.randn(1, 4, spectral.size, generator=stream),)
    check_single_steps(spectral, features, hidden, reset)


def test_a_network_tells_the_same_sight_after_another_past_apart_at_any_lag_below_those_kept():
    memory = [{"kind": "spectral", "lags": 16, "keep": 1.0}]
    network = network_of(load_level("2", {"network.memory": memory}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 2 * 50 * 9]
    features, previous = torch.rand(1, 16, 50).expand(2, -1, -1).clone(), torch.zeros(2, 16, dtype=torch.int64)
    features[1, 0, 0] += 1.0  # fifteen steps before the last
    blank = tuple(torch.zeros_like(part) for part in hidden)
    _, after = network(features, hidden, previous)
    last = features[:, -1:]
    only_spectral = (*blank[:2], after[2])  # nothing of the cell's
    q, _ = network(last, only_spectral, previous[:, -1:])
    assert not torch.allclose(q[0], q[1], atol=1e-5)
