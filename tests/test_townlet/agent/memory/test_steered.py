"""Spectral memories whose turn and write gates are chosen by what comes in."""

import math

import pytest
import torch

from support.learning import network_of
from support.windows import a_window, check_single_steps
from townlet.agent.memory.spectral import Spectral
from townlet.agent.memory.steered import WHOLE, SteeredSpectral
from townlet.config import load_level

F, T = False, True
SURE = 50.0  # the tanh of it is 1, the sigmoid 1, and of its negative -1 and 0


def by_hand(steps, lags=4, keep=1.0, gates=None):
    """What h_0 and h_1 of a number u are after each step, for steps of (u, speed): the second input steers."""
    memory = SteeredSpectral(1, 3, lags, keep, 1)
    with torch.no_grad():
        memory.steer.weight.copy_(torch.tensor([[0.0, SURE, 0.0], [0.0, 0.0, SURE]]))
        memory.steer.bias.zero_()
    gates = gates or [1.0] * len(steps)
    features = torch.tensor([[(u, speed, gate) for (u, speed), gate in zip(steps, gates, strict=True)]])
    read, _ = memory(features, memory.initial_hidden(1, features), None)
    return torch.view_as_complex((read[0] * math.sqrt(lags)).view(len(steps), -1, 2)).tolist()


def test_speeds_are_followed_forwards_backwards_and_not_at_all_by_hand():
    """With four lags h_1 turns by quarters: 1, then i + 2, then -i (i + 2) + 3, then 4 - 2 i, where it stands still."""
    found = by_hand([(1.0, 0.0), (2.0, 1.0), (3.0, -1.0), (1.0, 0.0)])
    assert [one[0] for one in found] == pytest.approx([1.0, 3.0, 6.0, 7.0])
    assert [one[1] for one in found] == pytest.approx([1.0, 2.0 + 1.0j, 4.0 - 2.0j, 5.0 - 2.0j], abs=1e-5)


def test_a_share_is_kept_and_a_shut_gate_writes_nothing_by_hand():
    found = by_hand([(8.0, 0.0), (5.0, 0.0), (1.0, 1.0)], keep=0.5, gates=[1.0, -1.0, 1.0])
    assert [one[0] for one in found] == pytest.approx([8.0, 4.0, 3.0])
    assert [one[1] for one in found] == pytest.approx([8.0, 4.0, 1.0 + 2.0j], abs=1e-5)


def test_what_was_written_forwards_is_read_backwards_in_reverse_order():
    """A stack: after three cards forwards, each step back brings the last, then the one before it, to where it was."""
    found = by_hand([(3.0, 1.0), (4.0, 1.0), (5.0, 1.0), (0.0, -1.0), (0.0, -1.0)], lags=8)
    twice = torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0])
    now = [float((twice * torch.tensor(one).real).sum() / 8.0) for one in found]  # the reading at lag 0
    assert now == pytest.approx([3.0, 4.0, 5.0, 4.0, 3.0], abs=1e-5)


def test_at_full_speed_with_an_open_gate_it_is_the_memory_that_nothing_steers():
    memory, features = SteeredSpectral(3, 3, 6, 0.9, 1), torch.randn(2, 7, 3)
    with torch.no_grad():
        memory.steer.bias.fill_(SURE)
    fixed = Spectral(3, 6, 0.9)
    mine, theirs = (one(features, one.initial_hidden(2, features), None)[0] for one in (memory, fixed))
    torch.testing.assert_close(mine, theirs)


def test_the_first_bank_begins_as_forwards_and_each_other_as_steered_by_an_input_of_its_own():
    torch.manual_seed(0)
    steer = SteeredSpectral(2, 4, 6, 0.9, 8).steer
    speed, gate = (steer.weight @ torch.eye(4) + steer.bias.unsqueeze(1)).chunk(2)  # [banks, input that is 1]
    assert (speed[0] == WHOLE).all() and (gate == WHOLE).all()
    assert (speed[1:].abs() == WHOLE).all() and ((speed[1:] > 0.0).sum(dim=1) == 1).all()
    assert sorted(speed[1:5].argmax(dim=1).tolist()) == [0, 1, 2, 3]  # none is drawn again before all were
    assert len(set(speed[5:].argmax(dim=1).tolist())) == 3


def test_a_stack_still_reads_in_reverse_where_weights_have_wandered():
    """After 150 steps forth and as many back, a bias that moved by 0.3 has led no bank half a step astray."""
    memory = SteeredSpectral(2, 2, 312, 1.0, 3)
    with torch.no_grad():
        memory.steer.bias += 0.3
        speed = torch.tanh(memory.steer(torch.eye(2))[:, 1:3])  # [input that is 1, banks that turn back]
    assert (150 * speed.sum(dim=0)).abs().max() < 0.5


def test_inputs_are_drawn_of_what_is_observed_before_what_was_done():
    for seed in range(20):
        torch.manual_seed(seed)
        memory = SteeredSpectral(3, 5, 6, 0.9, 12)
        drawn = memory.steer.weight[1:12].argmax(dim=1).tolist()
        assert sorted(drawn[:3]) == [0, 1, 2] and sorted(drawn[3:5]) == [3, 4]
        assert sorted(drawn[5:8]) == [0, 1, 2] and sorted(drawn[8:10]) == [3, 4] and drawn[10] < 3


def test_wide_observations_come_in_as_random_sums_and_steer_as_they_are():
    torch.manual_seed(0)
    wide, narrow = SteeredSpectral(3, 4, 6, 0.9, 2, widest=2), SteeredSpectral(2, 3, 6, 0.9, 2, widest=2)
    assert "mix" not in narrow.state_dict() and wide.width == narrow.width == 2 * 2 * 2 * 4
    wide.mix.copy_(torch.tensor([[1.0, 0.0], [10.0, 0.0], [0.0, -1.0]]))
    with torch.no_grad():
        for one in (wide, narrow):
            one.steer.weight.zero_()
        wide.steer.weight[1, 2] = SURE  # the third number turns the second bank, though sums alone are written
        narrow.steer.weight[1, 2] = SURE
    seen = torch.tensor([[[1.0, 2.0, 3.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])
    sums = torch.tensor([[[21.0, -3.0, 3.0], [1.0, 0.0, 0.0]]])
    found, after = wide(seen, wide.initial_hidden(1, seen), None)
    by_hand, kept = narrow(sums, narrow.initial_hidden(1, sums), None)
    torch.testing.assert_close(found, by_hand)
    torch.testing.assert_close(after, kept)


@pytest.mark.parametrize("widest", [None, 2], ids=["all", "sums"])
def test_a_window_equals_single_steps_and_rows_stay_apart(widest):
    torch.manual_seed(0)
    memory = SteeredSpectral(3, 5, 6, 0.9, 4, widest=widest).double()
    check_single_steps(memory, *a_window(memory, 5))


@pytest.mark.parametrize("flagged", [False, True])
def test_the_gradient_by_hand_is_that_of_small_differences_also_of_what_was_held_before(flagged):
    torch.manual_seed(0)
    memory = SteeredSpectral(2, 3, 4, 0.9, 2).double()
    torch.nn.init.normal_(memory.steer.weight)
    reset = torch.tensor([[F, F, T], [T, F, F]]) if flagged else None
    features = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    held = torch.randn(1, 2, memory.size, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda features, held: memory(features, (held,), reset)[0], (features, held))


def test_a_network_sends_gradients_into_a_learned_memory_and_carries_it_behind_those_of_rules():
    memory = {"kind": "spectral", "lags": 4, "keep": 1.0, "turn": "learned"}
    network = network_of(load_level("2", {"network.memory": [memory], "network.sightings": True}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, network.ruled[0].size, 2 * 50 * 3]
    features, previous = torch.rand(2, 3, 50), torch.zeros(2, 3, dtype=torch.int64)
    known = network.read_beside(features, hidden, previous)
    q, after = network(features, hidden, previous, beside=known)
    torch.testing.assert_close(q, network(features, hidden, previous)[0])
    assert [part.shape[2] for part in after] == [32, 32, 300]
    q.sum().backward()
    assert network.learned[0].steer.weight.grad.abs().sum() > 0.0
    assert network.input_layers()["learned.0.steer.weight"] == slice(None)
