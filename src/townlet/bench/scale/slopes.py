"""How a cost grows with a size: the exponent of a power law, by least squares, where the costs follow one."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

LEAST_SIZES = 3  # through two points there is always a law
FARTHEST = 1.25  # factor by which a cost may lie off the law


class Slope(NamedTuple):
    """`cost = scale * size ** exponent` from the size `start` on: an exponent of 0 is flat, of 1 proportional."""

    exponent: float
    start: int
    scale: float

    def cost(self, size: float) -> float:
        """Return what the law says of a size."""
        return float(self.scale * size**self.exponent)


def slope_of(sizes: Sequence[int], costs: Sequence[float]) -> Slope | None:
    """Fit a straight line through logarithms of costs over the upper half of the sizes; None where it tells nothing.

    It tells something of at least three sizes, none of whose costs is more than a quarter off the law. The upper half
    has three at least, and of an odd number of sizes the middle one. Costs of the lower half are mostly those of a
    call, whatever it does. `sizes` are different ones, and all numbers above 0.
    """
    pairs = sorted(zip(sizes, costs, strict=True))
    if len(pairs) < LEAST_SIZES:
        return None
    upper = pairs[min(len(pairs) // 2, len(pairs) - LEAST_SIZES) :]
    exponent, intercept = statistics.linear_regression(
        *zip(*((math.log(s), math.log(c)) for s, c in upper), strict=True)
    )
    slope = Slope(exponent, upper[0][0], math.exp(intercept))
    off = max(abs(math.log(cost / slope.cost(size))) for size, cost in upper)
    return slope if off <= math.log(FARTHEST) else None
