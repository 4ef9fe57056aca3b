"""What the sweeps of `bench scale` share: what they were asked, how they time calls, and what they leave out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from townlet.bench.speed.options import Tell
from townlet.bench.speed.report import Row
from townlet.bench.speed.timing import Entry, Pace, measure_in_turn
from townlet.capture import reason_of
from townlet.config import Level, load_level


@dataclass(frozen=True)
class Asked:
    """What all sweeps are told; `notes` takes a line for each thing that is left out."""

    level: str  # its id, name or file
    replay: str  # the level whose tape is filled
    settings: Mapping[str, Any]  # of keys of the level
    device: torch.device
    pace: Pace
    eager: bool  # whether worlds are not compiled
    tell: Tell
    notes: list[str]

    def load(self, changes: Mapping[str, Any] | None = None, reference: str | None = None) -> Level:
        """Return the level with the settings, and with changes besides. Raises ConfigError."""
        return load_level(reference or self.level, {**self.settings, **(changes or {})})

    def leave_out(self, what: str, why: object) -> None:
        """Note in a line what is left out."""
        self.notes.append(f"{what} is left out: {reason_of(why)}")


Sweep = Callable[[Asked, Sequence[int]], list[Row]]  # sizes to seconds of a call


def time_calls(
    asked: Asked, curve: str, size: int, calls: Mapping[str, Callable[[], object]], facts: Mapping[str, float]
) -> list[Row]:
    """Time calls in turn; returns a row for each, with seconds of one call."""
    entries = [Entry(name, call, 1.0, asked.device) for name, call in calls.items()]
    timings = measure_in_turn(entries, asked.pace, partial(_tell_size, asked.tell, curve, size))
    return [Row(f"{curve}: {one.name}", size, [1.0 / rate for rate in one.samples], facts) for one in timings]


def _tell_size(tell: Tell, curve: str, size: int, name: str) -> None:
    tell(f"{curve}, {size:,}: {name}")
