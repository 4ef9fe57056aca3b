"""Recorded numbers over the steps of a run, smoothed and thinned to what a picture shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SMOOTHING = 40  # a trend averages over 1/40 of the records
MOST_POINTS = 400  # of a curve on a page


class Series(NamedTuple):
    """Finite records of one name, [records] each."""

    steps: Numbers
    values: Numbers

    @property
    def flat(self) -> bool:
        """Whether it has one value throughout."""
        return bool(len(self.values)) and float(np.ptp(self.values)) <= 1e-9 * max(1.0, abs(float(self.values[0])))


def series(records: Iterable[tuple[float, float]], *, positive: bool = False) -> Series:
    """Return the finite (and, for a log scale, positive) of (step, value) records."""
    all_of_them = np.array(list(records), dtype=np.float64).reshape(-1, 2)
    kept = all_of_them[np.isfinite(all_of_them[:, 1]) & ((all_of_them[:, 1] > 0) | (not positive))]
    return Series(kept[:, 0], kept[:, 1])


def trend(values: Numbers) -> Numbers | None:
    """Return the running mean over the newest 1/40 of all records; None where that is less than two."""
    window = len(values) // SMOOTHING
    if window < 2:
        return None
    sums = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first), dtype=np.float64)


def smooth(one: Series) -> Series:
    """Return the trend of a series, or the series where it is too short to have one."""
    mean = trend(one.values)
    return one if mean is None else Series(one.steps, mean)


def thin(one: Series, most: int = MOST_POINTS) -> Series:
    """Return at most so many points: means over runs of neighbours, at the last step of each."""
    if len(one.steps) <= most:
        return one
    parts = np.array_split(np.arange(len(one.steps)), most)
    return Series(one.steps[[part[-1] for part in parts]], np.array([one.values[part].mean() for part in parts]))


def per_step(counts: Series, scale: float) -> Series:
    """Turn counts since the record before into a rate: so many in `scale` steps. The first counts from step 0."""
    passed = np.diff(counts.steps, prepend=0.0)
    kept = passed > 0
    return Series(counts.steps[kept], scale * counts.values[kept] / passed[kept])


def mean_rate(rates: Series) -> float:
    """Return all steps over all the time they took, by rates since the record before; NaN where there are none.

    Half of the steps at 10 a second and half at 1,000 are 19.8 a second, not 505.
    """
    passed = np.diff(rates.steps, prepend=0.0)[rates.values > 0]
    seconds = float((passed / rates.values[rates.values > 0]).sum())
    return float(passed.sum()) / seconds if seconds > 0.0 else math.nan


def mean_of(one: Series, first: float, last: float) -> float:
    """Return the mean of the values between two shares of the records, as 0.9 and 1.0; NaN where there are none."""
    count = len(one.values)
    part = one.values[math.floor(first * count) : math.ceil(last * count)]
    return float(part.mean()) if len(part) else math.nan


def digits(values: Sequence[float] | Numbers, kept: int = 5) -> list[float | None]:
    """Round to so many digits that matter, for a file; None for what is not finite."""
    return [float(f"{value:.{kept}g}") if math.isfinite(value) else None for value in values]
