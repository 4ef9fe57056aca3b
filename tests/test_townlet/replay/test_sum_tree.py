"""A point from 0 to below the total lies in the share of one number, found by sums of sums."""

import pytest
import torch

from townlet.replay.sum_tree import SumTree


def whole(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def found(tree, *points):
    rows, beyond = tree.find(whole(*points))
    return list(zip(rows.tolist(), beyond.tolist(), strict=True))


def levels(tree):
    return tree.numbers.tolist(), tree.blocks.tolist(), tree.tops.tolist()


def stream(seed):
    return torch.Generator().manual_seed(seed)


def test_seven_numbers_are_added_up_by_two_and_those_sums_by_two_again():
    tree = SumTree(whole(3, 0, 2, 5, 0, 1, 4))
    assert levels(tree) == ([3, 0, 2, 5, 0, 1, 4, 0], [3, 7, 1, 4], [10, 5])
    assert tree.total == 15


def test_a_point_lies_in_the_first_row_up_to_which_the_numbers_add_up_to_more():
    tree = SumTree(whole(3, 0, 2, 5, 0, 1, 4))
    assert found(tree, 0, 2.5, 3, 4.5, 5) == [(0, 0), (0, 2.5), (2, 0), (2, 1.5), (3, 0)]
    assert found(tree, 9.75, 10, 11, 14.5) == [(3, 4.75), (5, 0), (6, 0), (6, 3.5)]


def test_numbers_that_are_set_change_the_sums_above_them_and_no_others():
    tree = SumTree(whole(3, 0, 2, 5, 0, 1, 4))
    tree.set(torch.tensor([1, 5]), whole(4, 7))
    assert levels(tree) == ([3, 4, 2, 5, 0, 7, 4, 0], [7, 7, 7, 4], [14, 11])
    assert found(tree, 3, 14, 21) == [(1, 0), (5, 0), (6, 0)]
    tree.set(torch.tensor([6, 6, 0, 1]), whole(0, 0, 0, 0))
    assert levels(tree) == ([0, 0, 2, 5, 0, 7, 0, 0], [0, 7, 7, 0], [7, 7])
    assert found(tree, 0, 13.5) == [(2, 0), (5, 6.5)]


@pytest.mark.parametrize(
    ("rows", "branching"), [(1, 2), (8, 2), (9, 3), (27, 3), (28, 4), (64, 4), (1000, 10), (1001, 11)]
)
def test_rows_found_are_those_of_a_plain_cumulative_sum(rows, branching):
    numbers = torch.randint(0, 4, (rows,), generator=stream(rows)).double()
    numbers[rows // 2] = 9.0
    tree, total = SumTree(numbers), numbers.cumsum(0)
    assert tree.branching == branching
    points = torch.rand(500, dtype=torch.float64, generator=stream(1)) * total[-1]
    first, beyond = tree.find(points)
    assert torch.equal(first, torch.searchsorted(total, points, right=True))
    assert torch.equal(beyond, points - (total[first] - numbers[first]))


def test_sums_after_many_changes_are_those_of_the_numbers_to_the_last_bit():
    generator = stream(3)
    tree = SumTree(torch.rand(300, dtype=torch.float64, generator=generator))
    for _ in range(200):
        rows = torch.randperm(300, generator=generator)[:5]
        tree.set(rows, 10.0 ** torch.randint(-6, 7, (5,), generator=generator).double())
    assert levels(tree) == levels(SumTree(tree.numbers[:300]))


def test_no_row_that_holds_zero_is_found_however_sums_are_rounded():
    """A sum differs in its last bit with the order of adding: a point may lie past all of a block as added up."""
    for seed in range(40):
        numbers = torch.rand(1000, dtype=torch.float64, generator=stream(seed))
        numbers[torch.arange(1000) % 100 >= 97] = 0.0  # the last ones below each top
        tree = SumTree(numbers)
        ends = tree.tops.cumsum(0)
        below = torch.nextafter(ends, torch.zeros_like(ends))
        first, beyond = tree.find(torch.cat([ends[:-1], below]))
        assert first.tolist() == [*range(100, 1000, 100), *range(96, 1000, 100)]
        assert (beyond >= 0.0).all() and (beyond < numbers[first]).all()
