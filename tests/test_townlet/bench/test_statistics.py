"""Bootstrap intervals, on cases that are worked out by hand."""

import pytest

from townlet.bench.statistics import bootstrap_interval


def test_two_seeds_by_hand():
    """Resamples of {0, 1} have means 0, 1/2, 1 with chances 1/4, 1/2, 1/4: the middle 40% are all 1/2."""
    assert bootstrap_interval([0.0, 1.0]) == (0.5, 0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], level=0.4) == (0.5, 0.5, 0.5)


def test_three_seeds_by_hand():
    """Of 27 resamples of {0, 0, 3} 8 have mean 0, 12 mean 1, 6 mean 2 and 1 (3.7%) mean 3."""
    assert bootstrap_interval([0.0, 0.0, 3.0]) == (1.0, 0.0, 3.0)
    assert bootstrap_interval([0.0, 0.0, 3.0], level=0.9) == (1.0, 0.0, 2.0)


def test_equal_seeds_leave_no_doubt():
    assert bootstrap_interval([2.5] * 5) == (2.5, 2.5, 2.5)


def test_one_seed_is_its_own_interval():
    assert bootstrap_interval([7.0]) == (7.0, 7.0, 7.0)


def test_the_same_values_give_the_same_interval():
    assert bootstrap_interval([1.0, 5.0, 2.0, 8.0]) == bootstrap_interval([1.0, 5.0, 2.0, 8.0])


def test_no_seed_is_an_error():
    with pytest.raises(ValueError, match="expected at least one value, got none"):
        bootstrap_interval([])
