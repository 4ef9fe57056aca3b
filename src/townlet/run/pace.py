"""How fast a run goes."""

import math
import time
from dataclasses import dataclass, field

from townlet.population.vectorized import VectorizedPopulation


@dataclass
class Pace:
    """Steps a second and where the time went, since the last evaluation; and the newest metrics, to show beside."""

    latest: dict[str, float] = field(default_factory=dict)
    shown_at: float = -math.inf  # time.monotonic()
    began: float = 0.0
    began_step: int = 0
    recorded: float = 0.0
    recorded_step: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, population: VectorizedPopulation) -> None:
        """Measure from now on."""
        self.began, self.began_step, self.seconds = time.monotonic(), population.env_steps, dict(population.seconds)
        self.recorded, self.recorded_step = self.began, self.began_step

    def rate(self, population: VectorizedPopulation) -> float:
        """Return environment steps a second since `begin`."""
        return (population.env_steps - self.began_step) / max(time.monotonic() - self.began, 1e-9)

    def rate_since_record(self, population: VectorizedPopulation) -> float:
        """Return environment steps a second since this was last called, or since `begin`."""
        now, step = time.monotonic(), population.env_steps
        rate = (step - self.recorded_step) / max(now - self.recorded, 1e-9)
        self.recorded, self.recorded_step = now, step
        return rate

    def measure(self, population: VectorizedPopulation) -> tuple[float, dict[str, float]]:
        """Return environment steps a second, and the share of the time that each part of a step took."""
        self.shown_at = time.monotonic()
        passed = max(self.shown_at - self.began, 1e-9)
        split = {name: (total - self.seconds[name]) / passed for name, total in population.seconds.items()}
        return self.rate(population), split
