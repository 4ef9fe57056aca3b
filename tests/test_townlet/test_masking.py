"""Maxima over allowed actions."""

import torch

from townlet.masking import masked_argmax, masked_max

NO, YES = False, True


def test_masked_max_and_argmax_see_allowed_actions_only():
    q = torch.tensor([[5.0, 1.0, 3.0], [5.0, -2.0, -7.0], [-1.0, -2.0, -3.0]])
    mask = torch.tensor([[NO, YES, YES], [NO, YES, YES], [YES, YES, YES]])
    assert masked_max(q, mask).tolist() == [3.0, -2.0, -1.0]
    assert masked_argmax(q, mask).tolist() == [2, 1, 0]


def test_masked_max_takes_any_leading_shape():
    q = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])  # [1, 2, 2]
    mask = torch.tensor([[[YES, NO], [YES, YES]]])
    assert masked_max(q, mask).tolist() == [[1.0, 4.0]]
    assert masked_argmax(q, mask).tolist() == [[0, 0]]


def test_a_row_without_any_allowed_action_is_worth_zero():
    q, mask = torch.tensor([[5.0, 1.0], [5.0, 1.0]]), torch.tensor([[NO, NO], [YES, YES]])
    assert masked_max(q, mask).tolist() == [0.0, 5.0]
    assert not masked_max(q, mask).isnan().any()
