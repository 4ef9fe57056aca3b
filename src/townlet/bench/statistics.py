"""Intervals of a mean over seeds, by bootstrap."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 10_000


class Interval(NamedTuple):
    """A mean over seeds, and where it lies in 95 of 100 resamples."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Sequence[float], level: float = 0.95, seed: int = 0) -> Interval:
    """Return the mean of `values`, one a seed, with the percentile interval of its bootstrap (Efron, 1979).

    Seeds are drawn with replacement, as many as there are, 10,000 times. Of one value the interval is that value.
    Raises ValueError without any.
    """
    if not len(values):
        raise ValueError("bootstrap_interval: expected at least one value, got none")
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(RESAMPLES, len(sample)))
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(sample[drawn].mean(axis=1), [tail, 100.0 - tail])
    return Interval(float(sample.mean()), float(low), float(high))
