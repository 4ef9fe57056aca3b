"""How benchmarks of speed measure: contestants in turn in one run, after a warm-up; the median of several repeats.

Absolute figures drift with a machine's load. What is measured A B C A B C in one run drifts alike, so ratios hold.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch


class Entry(NamedTuple):
    """What is measured: a call, and how much work it does."""

    name: str
    run: Callable[[], object]
    work: float  # of one call, in the unit that is told, as agent-steps
    device: torch.device = torch.device("cpu")


class Timing(NamedTuple):
    """Work a second, one sample a repeat."""

    name: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The sample in the middle."""
        return statistics.median(self.samples)


class Pace(NamedTuple):
    """How long is measured: `repeats` samples of about `seconds` each, after about as many seconds of warm-up."""

    repeats: int = 5
    seconds: float = 0.3


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(entry: Entry, calls: int) -> float:
    """Run an entry so many times; returns the seconds that it took, until its device was done."""
    synchronise(entry.device)
    begun = time.perf_counter()
    for _ in range(calls):
        entry.run()
    synchronise(entry.device)
    return time.perf_counter() - begun


def measure_in_turn(entries: Sequence[Entry], pace: Pace, look: Callable[[str], None] = lambda _: None) -> list[Timing]:
    """Measure entries A B C A B C ...; `look` is told who runs.

    The warm-up of each finds how many calls fill a sample. Returns a timing for each, in their order.
    """
    calls = [_warm_up(entry, pace.seconds) for entry in entries]
    samples: list[list[float]] = [[] for _ in entries]
    for _ in range(pace.repeats):
        for entry, count, rates in zip(entries, calls, samples, strict=True):
            look(entry.name)
            rates.append(count * entry.work / seconds_of(entry, count))
    return [Timing(entry.name, rates) for entry, rates in zip(entries, samples, strict=True)]


def _warm_up(entry: Entry, seconds: float) -> int:
    """Run an entry for about so long, and return how many calls fill as long again."""
    seconds_of(entry, 1)  # the first call compiles, allocates and fills caches
    spent, calls = 0.0, 1
    while True:
        took = seconds_of(entry, calls)
        spent += took
        if took >= 0.25 * seconds or spent >= seconds:
            return max(1, round(calls * seconds / max(took, 1e-9)))
        calls *= 2
