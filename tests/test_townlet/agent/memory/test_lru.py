"""A linear recurrent unit: units that fade and turn at learned rates."""

import math

import pytest
import torch

from support.learning import network_of
from townlet.agent.memory.lru import LinearRecurrentUnit, scan
from townlet.agent.memory.traces import TracedUnits
from townlet.config import load_level

F, T = False, True
SIZED = 0.8  # the root of 1 - 0.6 ** 2: what comes in counts so much beside a unit that keeps 0.6


def by_hand(values, theta, memory=0.0, reset=None):
    """h after each step of one unit that keeps 0.6 a step, turns by theta, and takes in one number as it is."""
    unit = LinearRecurrentUnit(1, 1, 2)
    with torch.no_grad():
        unit.nu.fill_(math.log(-math.log(0.6)))
        unit.theta.fill_(theta)
        unit.drive.weight.copy_(torch.tensor([[1.0], [0.0]]))
        unit.drive.bias.zero_()
    flags = None if reset is None else torch.tensor([reset])
    read, (after,) = unit(torch.tensor(values).view(1, -1, 1), (torch.tensor([[[memory, 0.0]]]),), flags)
    assert torch.equal(read[0, -1], after[0, 0])
    return torch.view_as_complex(read[0]).tolist()


def test_a_unit_fades_by_its_share_and_takes_in_the_rest_by_hand():
    """5, then 3 + 4, then 4.2, of what comes in times 0.8; and three fifths of what was held before."""
    found = by_hand([5.0, 4.0, 0.0], theta=0.0)
    assert found == pytest.approx([SIZED * 5.0, SIZED * 7.0, SIZED * 4.2])
    assert by_hand([0.0, 0.0], theta=0.0, memory=10.0) == pytest.approx([6.0, 3.6])


def test_a_quarter_turn_is_counterclockwise_by_hand():
    found = by_hand([5.0, 5.0, 0.0], theta=math.pi / 2.0)
    assert found == pytest.approx([SIZED * one for one in (5.0, 5.0 + 3.0j, -1.8 + 3.0j)], abs=1e-5)


def test_nothing_is_held_across_a_reset_by_hand():
    found = by_hand([5.0, 5.0, 0.0], theta=0.0, memory=10.0, reset=[F, T, F])
    assert found == pytest.approx([SIZED * 5.0 + 6.0, SIZED * 5.0, SIZED * 3.0])


@pytest.mark.parametrize("time", [1, 2, 3, 8, 11])
def test_a_scan_is_the_recurrence_for_windows_of_any_length(time):
    stream = torch.Generator().manual_seed(0)
    factor, added = (torch.randn(2, time, 3, dtype=torch.complex128, generator=stream) for _ in range(2))
    found, held = scan(factor, added), torch.zeros(2, 3, dtype=torch.complex128)
    for step in range(time):
        held = factor[:, step] * held + added[:, step]
        torch.testing.assert_close(found[:, step], held)


def test_units_begin_by_keeping_what_they_hold_for_up_to_the_span_and_turning_by_up_to_a_half():
    torch.manual_seed(0)
    unit = LinearRecurrentUnit(2, 400, 9)
    kept = torch.exp(-torch.exp(unit.nu.detach()))
    assert 0.5 <= kept.min() < 0.55 and 0.88 < kept.max() <= 0.9  # 1 / 2 and 9 / 10
    assert 0.0 <= unit.theta.min() < 0.1 and 3.0 < unit.theta.max() <= math.pi


def test_a_network_carries_the_units_and_sends_them_gradients():
    memory = {"kind": "lru", "units": 6, "span": 20}
    network = network_of(load_level("2", {"network.memory": [memory]}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 12]
    q, _ = network(torch.rand(2, 3, 50), hidden, torch.zeros(2, 3, dtype=torch.int64))
    q.sum().backward()
    assert all(part.grad.abs().sum() > 0.0 for part in network.learned.parameters())
    assert network.input_layers()["learned.0.drive.weight"] == slice(None)


@pytest.mark.parametrize("traces", [False, True])
def test_units_that_keep_all_but_nothing_of_what_they_hold_learn(traces):
    """Of 10^9 steps |a| rounds to 1 in float32; sqrt(1 - |a|^2) is 4.5e-5, and its slope by nu half of that."""
    torch.manual_seed(0)
    unit = (TracedUnits if traces else LinearRecurrentUnit)(3, 4, 1_000_000_000)
    read, _ = unit(torch.randn(2, 8, 3), (torch.zeros(1, 2, unit.size),), None)
    read.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in unit.parameters())
    with torch.no_grad():
        unit.nu.fill_(math.log(1e-9))
    _, taken = unit._rates()
    (slope,) = torch.autograd.grad(taken.sum(), unit.nu)
    assert taken.tolist() == pytest.approx([math.sqrt(2e-9)] * 4)
    assert slope.tolist() == pytest.approx([math.sqrt(2e-9) / 2.0] * 4)
