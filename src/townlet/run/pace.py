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
