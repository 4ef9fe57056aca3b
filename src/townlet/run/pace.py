"""How fast a run goes, and what makes it slower than it need be."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from townlet.population.vectorized import VectorizedPopulation

SECONDS = 20.0  # of training that are looked at before anything is said of them
CROWDED = 50.0  # times a second that a thread loses its core: 3 to 10 on an idle machine, 150 and more on a busy one


@dataclass
class Pace:
    """Steps a second and where the time went, since the last evaluation; and the newest metrics, to show beside."""

    latest: dict[str, float] = field(default_factory=dict)
    shown_at: float = -math.inf  # time.monotonic()
    began: float = 0.0
    began_step: int = 0
    recorded: float = 0.0
    recorded_step: int = 0
    recorded_seconds: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, population: VectorizedPopulation) -> None:
        """Measure from now on."""
        self.began, self.began_step, self.seconds = time.monotonic(), population.env_steps, dict(population.seconds)
        self.recorded, self.recorded_step, self.recorded_seconds = self.began, self.began_step, self.seconds

    def rate(self, population: VectorizedPopulation) -> float:
        """Return environment steps a second since `begin`."""
        return (population.env_steps - self.began_step) / max(time.monotonic() - self.began, 1e-9)

    def since_record(self, population: VectorizedPopulation) -> dict[str, float]:
        """Return metrics of the time since this was last called, or since `begin`: the rate, and each part's share."""
        now, step, seconds = time.monotonic(), population.env_steps, dict(population.seconds)
        passed = max(now - self.recorded, 1e-9)
        shares = {
            f"time/{name}_share": (total - self.recorded_seconds[name]) / passed for name, total in seconds.items()
        }
        rate = (step - self.recorded_step) / passed
        self.recorded, self.recorded_step, self.recorded_seconds = now, step, seconds
        return {"time/fps": rate} | shares

    def measure(self, population: VectorizedPopulation) -> tuple[float, dict[str, float]]:
        """Return environment steps a second, and the share of the time that each part of a step took."""
        self.shown_at = time.monotonic()
        passed = max(self.shown_at - self.began, 1e-9)
        split = {name: (total - self.seconds[name]) / passed for name, total in population.seconds.items()}
        return self.rate(population), split


class Slowness:
    """Looks for what makes a population train slower than it need, and tells each such thing once."""

    def __init__(self) -> None:
        self._told = set[str]()
        self._began: float | None = None  # time.monotonic(), where cores are watched
        self._taken = 0

    def lines(self, population: VectorizedPopulation) -> Iterator[str]:
        """Give a line for each thing that was not told yet."""
        for what, failure in population.uncaptured.items():
            yield from self._once(what, f"{what} run without a CUDA graph, several times slower: {failure}")
        if population.env.device.type == "cpu" and torch.get_num_threads() > 1:
            yield from self._crowded()

    def _crowded(self) -> Iterator[str]:
        now, taken = time.monotonic(), times_a_core_was_taken()
        if taken is None or self._began is None:
            self._began, self._taken = now, taken or 0
        elif now - self._began >= SECONDS:
            rate = (taken - self._taken) / (now - self._began) / torch.get_num_threads()
            self._began, self._taken = now, taken
            if rate > CROWDED:
                yield from self._once(
                    "crowded",
                    f"threads lose their core {rate:,.0f} times a second, as beside other programs, and all wait for "
                    "the last of them; trainings side by side are faster with OMP_NUM_THREADS=1",
                )

    def _once(self, what: str, line: str) -> Iterator[str]:
        if what not in self._told:
            self._told.add(what)
            yield line


def times_a_core_was_taken() -> int | None:
    """How often a core was taken from a thread of this process that wanted it; None but on Linux.

    Elsewhere nobody tells, or tells of those that gave it away, too.
    """
    if sys.platform != "linux":
        return None
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_nivcsw
