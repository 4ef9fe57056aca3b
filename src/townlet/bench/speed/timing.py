"""How benchmarks of speed measure: contestants in turn in one run, after a warm-up; the median of several repeats.

Absolute figures drift with a machine's load. What is measured A B C A B C in one run drifts alike, so ratios hold.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

FIRST_CALLS = 3  # they compile, some of them twice, allocate, and fill caches


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
    """Run an entry until it is warm, and return how many calls fill a sample.

    The better of two looks counts: a pause of the machine must not make a sample of one call.
    """
    seconds_of(entry, FIRST_CALLS)
    calls = 1
    while True:
        took = max(min(seconds_of(entry, calls), seconds_of(entry, calls)), 1e-9)
        if took >= 0.25 * seconds:
            return max(1, round(calls * seconds / took))
        calls *= 2
