"""Random allowed actions that cost every world the same."""

import numpy as np
import torch

from townlet.bench.worlds.choices import choices, choose_in_numpy, choose_in_torch, draw, num_draws


def test_each_allowed_action_is_picked_by_as_many_draws():
    assert num_draws(5) == 60  # a multiple of 1, 2, 3, 4 and 5
    table = choices(5)
    assert table.shape == (60, 32)
    assert sorted(table[:, 0b10110].tolist()) == [1] * 20 + [2] * 20 + [4] * 20
    assert sorted(table[:, 0b00011].tolist()) == [0] * 30 + [1] * 30
    assert table[:, 0b01000].tolist() == [3] * 60


def test_numpy_and_torch_choose_alike_and_only_what_is_allowed():
    mask = np.random.default_rng(0).random((500, 5)) < 0.5
    mask[:, 2] |= ~mask.any(axis=1)
    draws, table = draw(1, 500, 5)[0], choices(5)
    chosen = choose_in_numpy(mask, draws, table)
    assert mask[np.arange(500), chosen].all() and set(chosen) == set(range(5))
    ours = choose_in_torch(torch.from_numpy(mask), torch.from_numpy(draws), torch.from_numpy(table))
    assert ours.dtype == torch.int64 and ours.tolist() == chosen.tolist()


def test_draws_are_uniform_and_the_same_again():
    draws = draw(100, 60, 5)
    assert np.array_equal(draws, draw(100, 60, 5)) and set(draws.ravel()) == set(range(0, 60 * 32, 32))
