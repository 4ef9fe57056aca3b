"""How a cost grows with a size: the exponent of a power law, by least squares."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Slope(NamedTuple):
    """`cost = scale * size ** exponent` from the size `start` on: an exponent of 0 is flat, of 1 proportional."""

    exponent: float
    start: int
    scale: float

    def cost(self, size: float) -> float:
        """Return what the law says of a size."""
        return float(self.scale * size**self.exponent)


def slope_of(sizes: Sequence[int], costs: Sequence[float]) -> Slope | None:
    """Fit a straight line through logarithms of costs over the upper half of the sizes; None for fewer than two sizes.

    Of an odd number of sizes the middle one belongs to that half. Costs of the lower half are mostly those of a call,
    whatever it does. `sizes` are different ones, and all numbers above 0.
    """
    pairs = sorted(zip(sizes, costs, strict=True))
    if len(pairs) < 2:
        return None
    upper = pairs[min(len(pairs) // 2, len(pairs) - 2) :]
    exponent, intercept = statistics.linear_regression(
        *zip(*((math.log(s), math.log(c)) for s, c in upper), strict=True)
    )
    return Slope(exponent, upper[0][0], math.exp(intercept))
