"""Cells: the loop with resets against PyTorch's own LSTM and GRU, how they begin, and how far they reach back."""

import pytest
import torch
from torch import nn

from support.learning import random_hidden
from townlet.agent.memory.cells import GRU, LSTM, make_cell

CELLS = pytest.mark.parametrize(("kind", "theirs"), [("lstm", nn.LSTM), ("gru", nn.GRU)], ids=["lstm", "gru"])
SIZE = 4


def pair(kind, theirs, input_size=5):
    """A cell, and PyTorch's own with the same parameters."""
    torch.manual_seed(0)
    ours, other = make_cell(kind, input_size, SIZE), theirs(input_size, SIZE, batch_first=True)
    other.load_state_dict(ours.state_dict())
    return ours, other


def memory_of(cell, batch, seed=0):
    """A memory that is not zero, of as many parts as the cell's."""
    return random_hidden(batch, seed)[: len(cell.initial_hidden(1))]


def run(cell, inputs, hidden):
    """Outputs and memory of PyTorch's cell, which takes a tensor where there is one part."""
    outputs, after = cell(inputs, hidden if len(hidden) > 1 else hidden[0])
    return outputs, after if isinstance(after, tuple) else (after,)


def gradients(cell, loss):
    """Gradients of all parameters by name."""
    cell.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {name: one.grad.clone() for name, one in cell.named_parameters()}


def random_inputs(batch=3, time=6, size=5, seed=1):
    return torch.randn(batch, time, size, generator=torch.Generator().manual_seed(seed))


# --- how they begin -----------------------------------------------------------------------------------------------


def test_the_forget_gate_starts_open():
    lstm = LSTM(3, 4)
    total = lstm.bias_ih_l0 + lstm.bias_hh_l0  # [input, forget, cell, output]
    assert total[4:8].tolist() == [1.0] * 4
    assert (torch.cat([total[:4], total[8:]]).abs() <= 1.0).all()  # each bias within 1/sqrt(4)


def test_the_update_gate_starts_so_that_a_gru_keeps_what_it_has():
    gru = GRU(3, 4)
    total = gru.bias_ih_l0 + gru.bias_hh_l0  # [reset, update, new]
    assert total[4:8].tolist() == [1.0] * 4
    assert (torch.cat([total[:4], total[8:]]).abs() <= 1.0).all()
    with torch.no_grad():
        for one in (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0[8:], gru.bias_hh_l0[8:]):
            one.zero_()
    _, (h,) = gru(torch.zeros(1, 1, 3), (torch.ones(1, 1, 4),))
    assert h[0, 0].tolist() == pytest.approx([0.731059] * 4)  # sigmoid(1) of the 1 that was there, and of 0 the rest


@CELLS
def test_initial_memory_is_zero_with_a_row_for_each_agent_and_parts_of_its_own(kind, theirs):
    parts = make_cell(kind, 3, SIZE).initial_hidden(7)
    assert [part.shape for part in parts] == [(1, 7, SIZE)] * (2 if kind == "lstm" else 1)
    assert not any(part.any() for part in parts)
    assert len({part.data_ptr() for part in parts}) == len(parts)


# --- the loop with resets against PyTorch's cell ------------------------------------------------------------------


UNROLLS = pytest.mark.parametrize(
    ("kind", "theirs", "unroll"),
    [
        ("lstm", nn.LSTM, LSTM.unroll_by_pieces),
        ("lstm", nn.LSTM, LSTM.unroll_by_steps),
        ("gru", nn.GRU, GRU.forward),
    ],
    ids=["lstm-pieces", "lstm-steps", "gru"],
)


@UNROLLS
def test_the_loop_without_a_flag_equals_pytorchs_cell_values_and_gradients(kind, theirs, unroll):
    ours, other = pair(kind, theirs)
    results = []
    for way in ("loop", "fused", "theirs"):
        features = random_inputs().requires_grad_(True)
        start = tuple(part.clone().requires_grad_(True) for part in memory_of(ours, 3))
        if way == "theirs":
            outputs, after = run(other, features, start)
        else:
            flags = torch.zeros(3, 6, dtype=torch.bool)
            outputs, after = unroll(ours, features, start, flags) if way == "loop" else ours(features, start)
        weighting = torch.arange(outputs.numel()).view_as(outputs) / 10
        loss = (outputs * weighting).sum() + after[0].sum() - after[-1].square().sum()
        found = gradients(other if way == "theirs" else ours, loss)
        results.append((outputs, *after, features.grad, *(part.grad for part in start), *found.values()))
    for one in results[1:]:
        torch.testing.assert_close(one, results[0], rtol=1e-4, atol=1e-5)


@UNROLLS
def test_the_loop_with_flags_equals_fresh_starts_of_each_row_values_and_gradients(kind, theirs, unroll):
    """Each row cut by hand at its flags, each piece through PyTorch's cell from zero."""
    ours, other = pair(kind, theirs)
    features, hidden = random_inputs(), memory_of(ours, 3)
    flags = {0: [], 1: [2, 3], 2: [0, 5]}
    reset = torch.zeros(3, 6, dtype=torch.bool)
    for row, at in flags.items():
        reset[row, at] = True
    outputs, after = unroll(ours, features, hidden, reset)
    expected, last = [], []
    for row, at in flags.items():
        start = tuple(part[:, row : row + 1] for part in hidden)
        pieces = []
        for begin, end in zip([0, *at], [*at, 6], strict=True):
            if begin in at:
                start = tuple(torch.zeros(1, 1, SIZE) for _ in hidden)
            if end > begin:
                piece, start = run(other, features[row : row + 1, begin:end], start)
                pieces.append(piece)
        expected.append(torch.cat(pieces, dim=1))
        last.append(start)
    expected = torch.cat(expected)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
    for part, found in enumerate(after):
        torch.testing.assert_close(found, torch.cat([one[part] for one in last], dim=1), rtol=1e-5, atol=1e-6)
    weighting = torch.arange(outputs.numel()).view_as(outputs) / 10
    found, wanted = gradients(ours, (outputs * weighting).sum()), gradients(other, (expected * weighting).sum())
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)


# --- any length, any batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flagged", [False, True], ids=["fused", "loop"])
@pytest.mark.parametrize("time", [1, 8, 40, 128])
@CELLS
def test_a_window_of_any_length_equals_single_steps_and_reaches_back_to_its_first(kind, theirs, time, flagged):
    torch.manual_seed(0)  # with some others too little is left of 128 steps for a float32
    cell, features = make_cell(kind, 5, SIZE), random_inputs(batch=2, time=time)
    with torch.no_grad():
        cell.bias_ih_l0[SIZE : 2 * SIZE] = 5.0  # gates that keep what is there, so that 128 steps are not too far
    features.requires_grad_(True)
    hidden = memory_of(cell, 2)
    outputs, after = cell(features, hidden, torch.zeros(2, time, dtype=torch.bool) if flagged else None)
    steps, carried = [], hidden
    for t in range(time):
        output, carried = cell(features[:, t : t + 1], carried)
        steps.append(output)
    torch.testing.assert_close(torch.cat(steps, dim=1), outputs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(carried, after, rtol=1e-4, atol=1e-5)
    outputs[:, -1].square().sum().backward()
    assert (features.grad.abs().sum(dim=2) > 0).all()


@pytest.mark.parametrize("flagged", [False, True], ids=["fused", "loop"])
@CELLS
def test_rows_of_a_batch_do_not_touch(kind, theirs, flagged):
    cell, features = make_cell(kind, 5, SIZE), random_inputs(batch=5)
    hidden = memory_of(cell, 5)
    reset = torch.rand(5, 6, generator=torch.Generator().manual_seed(2)) < 0.3 if flagged else None
    outputs, after = cell(features, hidden, reset)
    for rows in ([3], [4, 0], [0, 1, 2, 3, 4]):
        flags = None if reset is None else reset[rows]
        some, left = cell(features[rows], tuple(part[:, rows] for part in hidden), flags)
        torch.testing.assert_close(some, outputs[rows], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(left, tuple(part[:, rows] for part in after), rtol=1e-5, atol=1e-6)


@CELLS
def test_a_gradient_ends_at_a_reset_and_at_no_other_row(kind, theirs):
    cell, features = make_cell(kind, 5, SIZE), random_inputs().requires_grad_(True)
    reset = torch.zeros(3, 6, dtype=torch.bool)
    reset[1, 3] = True
    outputs, _ = cell(features, memory_of(cell, 3), reset)
    outputs[:, -1].square().sum().backward()
    reached = features.grad.abs().sum(dim=2) > 0
    assert reached.tolist() == [[True] * 6, [False] * 3 + [True] * 3, [True] * 6]
