"""What is left within a window of what was written before, by hand."""

import torch

from townlet.agent.memory.shares import equal_shares_left, shares_left

F, T = False, True


def test_shares_are_the_products_of_what_later_steps_leave_by_hand():
    """The columns: what was held before the window, then what was written at the first, second and third step."""
    log_keep = torch.tensor([[0.5, 0.25, 0.1]]).log()
    expected = [[0.5, 1.0, 0.0, 0.0], [0.125, 0.25, 1.0, 0.0], [0.0125, 0.025, 0.1, 1.0]]
    torch.testing.assert_close(shares_left(log_keep, None)[0], torch.tensor(expected))


def test_nothing_is_left_across_a_reset_by_hand():
    log_keep = torch.tensor([[0.5, 0.25, 0.1]]).log().expand(2, -1)
    left = shares_left(log_keep, torch.tensor([[F, T, F], [T, F, F]]))
    second = [[0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.1, 1.0]]
    first = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.25, 1.0, 0.0], [0.0, 0.025, 0.1, 1.0]]
    torch.testing.assert_close(left, torch.tensor([second, first]))


def test_a_share_of_nothing_has_no_gradient_that_is_not_finite():
    """What lies ahead would be the inverse of a share: of 500 steps at a thousandth each, infinite."""
    log_keep = torch.full((1, 500), 0.001).log().requires_grad_()
    shares_left(log_keep, None).sum().backward()
    assert log_keep.grad.isfinite().all() and (log_keep.grad > 0.0).any()


def test_shares_of_steps_that_leave_the_same_are_its_powers_by_hand():
    like = torch.zeros(2, 3, 7, dtype=torch.float64)
    halves = [[0.5, 1.0, 0.0, 0.0], [0.25, 0.5, 1.0, 0.0], [0.125, 0.25, 0.5, 1.0]]
    wholes = [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    assert equal_shares_left(0.5, like, None).tolist() == [halves]
    assert equal_shares_left(1.0, like, None).tolist() == [wholes]
    flags = torch.tensor([[F, T, F], [F, F, F]])
    cut = [[0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.5, 1.0]]
    assert equal_shares_left(0.5, like, flags).tolist() == [cut, halves]
