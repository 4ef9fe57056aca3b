"""Exponents of power laws, against ones worked out by hand."""

import pytest

from townlet.bench.scale.slopes import slope_of


@pytest.mark.parametrize(
    ("costs", "exponent", "scale"),
    [
        ([3.0, 6.0, 12.0, 24.0], 1.0, 3.0),  # proportional
        ([7.0, 7.0, 7.0, 7.0], 0.0, 7.0),  # flat
        ([1.0, 4.0, 16.0, 64.0], 2.0, 1.0),
        ([64.0, 16.0, 4.0, 1.0], -2.0, 64.0),
    ],
)
def test_a_power_law_is_found_again(costs, exponent, scale):
    slope = slope_of([1, 2, 4, 8], costs)
    assert slope == (pytest.approx(exponent, abs=1e-12), 2, pytest.approx(scale))


def test_the_lower_half_does_not_count_and_the_law_goes_on():
    # doubles where the size is four times as large
    slope = slope_of([1, 4, 16, 64, 256], [100.0, 100.0, 16.0, 32.0, 64.0])
    assert slope == (pytest.approx(0.5), 16, pytest.approx(4.0)) and slope.cost(1024) == pytest.approx(128.0)


def test_of_an_odd_number_of_sizes_the_middle_one_counts_by_least_squares():
    # Base 2: x = 2, 3, 5 and y = 0, 0.2, 0.2, so means 10/3 and 0.4/3, and an exponent of (8/30) / (14/3).
    slope = slope_of([1, 2, 4, 8, 32], [9.0, 9.0, 1.0, 2**0.2, 2**0.2])
    assert slope == (pytest.approx(0.4 / 7), 4, pytest.approx(2 ** (0.4 / 3 - 0.4 / 7 * 10 / 3)))


def test_sizes_may_come_in_any_order():
    assert slope_of([8, 1, 4, 2], [24.0, 100.0, 12.0, 6.0]) == (pytest.approx(1.0), 2, pytest.approx(3.0))


def test_fewer_than_three_sizes_have_no_law():
    assert slope_of([10, 100], [5.0, 50.0]) is None and slope_of([10], [5.0]) is None and slope_of([], []) is None
    assert slope_of([1, 10, 100], [0.5, 5.0, 50.0]) == (pytest.approx(1.0), 1, pytest.approx(0.5))


@pytest.mark.parametrize(("middle", "told"), [(1.3, True), (1.5, False), (1 / 1.3, True), (1 / 1.5, False)])
def test_costs_that_lie_a_quarter_off_the_law_have_none(middle, told):
    # The middle of three is off by two thirds of what it differs from the others: 1.3 ** (2/3) is 1.19, 1.5's 1.31.
    assert (slope_of([1, 2, 4], [1.0, middle, 1.0]) is not None) is told
