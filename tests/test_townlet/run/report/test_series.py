"""Series are smoothed, thinned and turned into rates as one would by hand."""

import math

import numpy as np
import pytest

from townlet.run.report.series import Series, digits, mean_of, mean_rate, per_step, series, smooth, thin, trend


def test_what_is_no_number_or_not_above_zero_where_it_must_be_is_left_out():
    records = [(1, 2.0), (2, math.nan), (3, -1.0), (4, math.inf), (5, 3.0)]
    assert series(records).values.tolist() == [2.0, -1.0, 3.0]
    assert series(records, positive=True).steps.tolist() == [1.0, 5.0]
    assert len(series([]).steps) == 0


def test_a_trend_is_the_mean_of_the_newest_fortieth():
    values = np.arange(80.0)  # two at a time
    assert trend(values)[:4].tolist() == [0.0, 0.5, 1.5, 2.5] and trend(values)[-1] == 78.5
    assert trend(np.arange(79.0)) is None
    short = Series(np.arange(3.0), np.arange(3.0))
    assert smooth(short) is short


def test_a_long_series_is_thinned_to_means_at_the_last_step_of_each():
    one = thin(Series(np.arange(1.0, 7.0), np.array([1.0, 3.0, 5.0, 5.0, 0.0, 2.0])), most=3)
    assert one.steps.tolist() == [2.0, 4.0, 6.0] and one.values.tolist() == [2.0, 5.0, 1.0]


def test_counts_become_rates_by_the_steps_since_the_record_before():
    rates = per_step(Series(np.array([100.0, 150.0, 350.0]), np.array([5.0, 5.0, 10.0])), 100.0)
    assert rates.values.tolist() == [5.0, 10.0, 5.0]


@pytest.mark.parametrize(("first", "last", "mean"), [(0.0, 0.1, 0.0), (0.9, 1.0, 9.0), (0.0, 1.0, 4.5)])
def test_a_share_of_the_records_has_a_mean(first, last, mean):
    assert mean_of(Series(np.arange(10.0), np.arange(10.0)), first, last) == mean


def test_a_mean_rate_is_all_steps_over_all_the_time_they_took():
    halves = Series(np.array([100.0, 200.0]), np.array([10.0, 1000.0]))
    assert mean_rate(halves) == pytest.approx(200 / (10.0 + 0.1))
    uneven = Series(np.array([300.0, 400.0]), np.array([100.0, 10.0]))
    assert mean_rate(uneven) == pytest.approx(400 / (3.0 + 10.0))
    assert math.isnan(mean_rate(Series(np.array([]), np.array([])))) and math.isnan(
        mean_rate(halves._replace(values=np.zeros(2)))
    )


def test_numbers_are_written_with_the_digits_that_matter():
    assert digits([123456.0, 0.000123456, math.nan]) == [123460.0, 0.00012346, None]
