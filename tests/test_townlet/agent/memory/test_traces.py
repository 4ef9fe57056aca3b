"""Linear recurrent units with traces: what was before a window is learned from as if it were in it."""

import copy
import math
from itertools import pairwise

import pytest
import torch

from support.learning import network_of
from support.windows import a_window, check_single_steps
from townlet.agent.memory.lru import LinearRecurrentUnit
from townlet.agent.memory.traces import TracedUnits
from townlet.config import ConfigError, load_level

F, T = False, True
TRACED = {"kind": "lru", "units": 3, "span": 8, "traces": True}
WHOLE, CUT = [0, 24], [0, 1, 5, 13, 14, 24]  # an episode of 24 steps as one window, and as five


def a_unit():
    """One unit that keeps 0.6 a step, does not turn, and takes in 0.8 times one number."""
    unit = TracedUnits(1, 1, 2)
    with torch.no_grad():
        unit.nu.fill_(math.log(-math.log(0.6)))
        unit.theta.zero_()
        unit.drive.weight.copy_(torch.tensor([[1.0], [0.0]]))
        unit.drive.bias.zero_()
    return unit


def after(unit, values, reset=None):
    """The memory after so many steps."""
    features, flags = torch.tensor(values).view(1, -1, 1), None if reset is None else torch.tensor([reset])
    return unit(features, unit.initial_hidden(1, features), flags)[1][0]


def real_parts(memory):
    """Of h, dh/da, and dh/dW for what comes in and for 1."""
    assert not memory[0, 0, 1::2].any()
    return memory[0, 0, ::2].tolist()


def gradient(call, hidden, parameters, reset, weights, cuts):
    """That of all windows between cuts, added up; each begins with what the one before it left, as plain values."""
    total = [torch.zeros_like(part) for part in parameters]
    for steps in (slice(*ends) for ends in pairwise(cuts)):
        read, hidden = call(steps, hidden, reset[:, steps])
        hidden = tuple(part.detach() for part in hidden)
        for sofar, part in zip(total, torch.autograd.grad((read * weights[:, steps]).sum(), parameters), strict=True):
            sofar += part
    return total


def episodes(inputs):
    """Four rows of 24 steps with resets, as doubles."""
    torch.manual_seed(0)
    features, reset = torch.randn(4, 24, inputs, dtype=torch.float64), torch.rand(4, 24) < 0.1
    assert reset[:, 1:].any(dim=1).sum() >= 2
    return features, reset


def test_what_h_owes_to_its_parameters_is_kept_by_hand():
    """Of 5, 4, 0: h = 0.8 (5, 3 + 4, 4.2); dh/da sums up the h before each step; dh/dW what came in, and ones."""
    unit = a_unit()
    assert real_parts(after(unit, [5.0])) == pytest.approx([4.0, 0.0, 5.0, 1.0])
    assert real_parts(after(unit, [5.0, 4.0])) == pytest.approx([5.6, 4.0, 7.0, 1.6])
    assert real_parts(after(unit, [5.0, 4.0, 0.0])) == pytest.approx([3.36, 0.6 * 4.0 + 5.6, 4.2, 1.96])


def test_a_window_of_one_step_learns_from_the_two_before_it_by_hand():
    """It reads a W (5 a + 4) with W = w sqrt(1 - a^2): to w that is 0.6 * 0.8 * 7, and to a 8 - 0.75 * 4.2."""
    unit = a_unit()
    before = after(unit, [5.0, 4.0]).detach()
    read, _ = unit(torch.zeros(1, 1, 1), (before,), None)
    assert read[0, 0].tolist() == pytest.approx([3.36, 0.0])
    read[0, 0, 0].backward()
    assert unit.drive.weight.grad[0, 0] == pytest.approx(3.36)
    assert unit.drive.bias.grad[0] == pytest.approx(0.8 * (0.36 + 0.6 + 1.0))
    assert unit.nu.grad[0] == pytest.approx(4.85 * 0.6 * math.log(0.6))  # a = exp(-exp(nu)): da/dnu = a log a


def test_nothing_is_owed_across_a_reset_by_hand():
    unit = a_unit()
    assert real_parts(after(unit, [5.0, 4.0, 3.0], [F, T, F])) == pytest.approx([0.8 * 5.4, 3.2, 5.4, 1.6])
    assert real_parts(after(unit, [5.0, 4.0], [F, T])) == pytest.approx([3.2, 0.0, 4.0, 1.0])


def test_gradients_of_an_episodes_windows_add_up_to_that_of_one_window_over_all_of_it():
    """With resets within; without traces they do not."""
    features, reset = episodes(5)
    traced, weights = TracedUnits(5, 3, 8).double(), torch.randn(4, 24, 6, dtype=torch.float64)
    plain = LinearRecurrentUnit(5, 3, 8).double()
    plain.load_state_dict(traced.state_dict())

    def of(units, cuts):
        def call(steps, hidden, flags):
            return units(features[:, steps], hidden, flags)

        return gradient(call, units.initial_hidden(4, features), list(units.parameters()), reset, weights, cuts)

    expected = of(plain, WHOLE)
    torch.testing.assert_close(of(traced, CUT), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(of(traced, WHOLE), expected, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(of(plain, CUT), expected, strict=True):
        assert (mine - theirs).norm() > 0.1 * theirs.norm()


def test_they_add_up_in_a_network_too_beside_a_cell_whose_own_do_not():
    level = load_level("2", {"network.memory": [TRACED], "network.hidden": 6})
    network = network_of(level).double()
    features, reset = episodes(50)
    previous, weights = torch.randint(6, (4, 24)), torch.randn(4, 24, 5, dtype=torch.float64)
    learned, cell = list(network.learned.parameters()), list(network.cell.parameters())

    def call(steps, hidden, flags):
        return network(features[:, steps], hidden, previous[:, steps], flags)

    whole, cut = (
        gradient(call, network.initial_hidden(4), learned + cell, reset, weights, cuts) for cuts in (WHOLE, CUT)
    )
    torch.testing.assert_close(cut[: len(learned)], whole[: len(learned)], rtol=1e-10, atol=1e-10)
    assert any((mine - theirs).norm() > 0.01 * theirs.norm() for mine, theirs in zip(cut, whole, strict=True))


def test_a_window_equals_single_steps_and_rows_stay_apart():
    torch.manual_seed(0)
    units = TracedUnits(5, 3, 8).double()
    check_single_steps(units, *a_window(units))


def test_what_is_read_is_what_units_without_traces_read_bit_for_bit():
    torch.manual_seed(0)
    traced = TracedUnits(5, 3, 8)
    plain, features = LinearRecurrentUnit(5, 3, 8), torch.randn(2, 7, 5)
    plain.load_state_dict(copy.deepcopy(traced.state_dict()))
    before = torch.randn(1, 2, traced.size)
    h = before.view(2, 3, -1, 2)[:, :, 0].reshape(1, 2, 6)
    assert torch.equal(traced(features, (before,), None)[0], plain(features, (h,), None)[0])


@pytest.mark.parametrize("kind", [{"kind": "delta", "keys": 3, "values": 2}, {"kind": "spectral", "lags": 4}])
def test_memories_that_cannot_keep_traces_refuse_them(kind):
    with pytest.raises(ConfigError, match=r"memory\[0\].*traces"):
        load_level("2", {"network.memory": [{**kind, "keep": 1.0, "traces": True}]})


def error_of(kind, updates=200, rate=0.05):
    """What a head is off by that tells one of six noisy inputs of three steps ago, learned in windows of one step."""
    torch.manual_seed(0)
    units, head = kind(6, 3, 8), torch.nn.Linear(6, 1)
    weights = [*units.parameters(), *head.parameters()]
    optimizer, errors = torch.optim.Adam(weights, rate), []
    seen = torch.randn(updates + 3, 64, 6)
    hidden = units.initial_hidden(64, seen)
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = rate * (1.0 - update / updates)
        read, hidden = units(seen[update + 3].unsqueeze(1), hidden, None)
        hidden = tuple(part.detach() for part in hidden)
        loss = (head(read)[:, 0, 0] - seen[update, :, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.detach())
    return float(torch.stack(errors[-50:]).mean())


def test_what_lies_before_a_window_is_learned_with_traces_and_not_without():
    """Which of the inputs to keep, and how it turns until it is asked for; guessing is off by 1."""
    assert error_of(TracedUnits) < 0.1
    assert error_of(LinearRecurrentUnit) > 0.8
