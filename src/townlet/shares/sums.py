"""Sums over processes: numbers lie in memory that all of them share, and a byte in a pipe says that they are there.

A byte is written after the numbers that it stands for, and read before they are. The kernel hands it over under a lock:
so what was written before is seen after, on any processor, and the numbers themselves need no atomics and no fences.
"""

import mmap
import os
import select
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple

import torch
from torch import Tensor

BYTES = 1 << 20  # of numbers that each process has room for; more than these are summed in pieces
SECONDS_AWAKE = 0.02  # of waiting with the core held on to, as for an update; who rests for longer, sleeps
IN_MEMORY = "/dev/shm"  # Linux: files there are never written to a disk, for which a process would have to wait
SECONDS_OF_OTHERS = 0.0005  # that a core was given to others for: then they need it more than who only waits
HERE = b"."


class Link(NamedTuple):
    """A pipe from another process, and one to it."""

    heard: BufferedReader
    told: IO[bytes]

    def tell(self) -> None:
        """Say that the numbers are there. Raises OSError where nobody hears."""
        self.told.write(HERE)
        self.told.flush()

    def hear(self) -> None:
        """Wait until the other says so, however long. Raises EOFError where it ended, or says something else instead.

        What else it says stays to be read.
        """
        self._stay_awake()
        if self.heard.peek(1)[:1] != HERE:
            raise EOFError
        self.heard.read(1)

    def _stay_awake(self) -> None:
        """Wait for a moment without sleep, from which a core takes long to wake, unless others want it meanwhile."""
        if not hasattr(select, "poll"):  # Windows, which cannot look into a pipe
            return
        pipe = select.poll()
        pipe.register(self.heard, select.POLLIN)
        now = time.perf_counter()
        until, yielded = now + SECONDS_AWAKE, 0.0
        while not pipe.poll(0) and now < until and yielded < SECONDS_OF_OTHERS:
            os.sched_yield()
            before, now = now, time.perf_counter()
            yielded = now - before


@contextmanager
def shared_memory(size: int) -> Iterator[Path]:
    """Make the file that is the memory of `size` processes, there until all of them have opened it. Raises OSError."""
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    descriptor, name = tempfile.mkstemp(prefix="townlet-", dir=place)
    path = Path(name)
    try:
        with open(descriptor, "wb") as file:
            file.write(bytes(size * BYTES))  # written, so that it is refused here and now where there is no room
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


class Sums:
    """Adds up numbers with other processes; the first adds, the others hand theirs in and take the sum.

    `links` are of the first all others, in their order, and of the others the first. `file` is that of `shared_memory`;
    it holds, one after the other, the sum and the numbers of each process but the first. Nobody writes what another may
    still read: the first writes a sum once all handed in again, and the others hand in once they have taken the last.
    """

    def __init__(self, rank: int, links: Sequence[Link], file: Path) -> None:
        self.rank, self.links = rank, links
        with open(file, "r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 0)

    def add(self, values: Tensor) -> None:
        """Make contiguous `values` the sum of those of all, in the order of processes, in place.

        Raises EOFError or OSError where a process is gone.
        """
        add = self._take if self.rank else self._give
        for piece in values.view(-1).split(BYTES // values.element_size()):
            if len(piece):  # there may be nothing to sum, as in a level without affordances
                add(piece)

    def _give(self, values: Tensor) -> None:
        for rank, link in enumerate(self.links, start=1):
            link.hear()
            values += self._place(rank, values)
        self._place(0, values).copy_(values)
        for link in self.links:
            link.tell()

    def _take(self, values: Tensor) -> None:
        (first,) = self.links
        self._place(self.rank, values).copy_(values)
        first.tell()
        first.hear()
        values.copy_(self._place(0, values))

    def _place(self, rank: int, values: Tensor) -> Tensor:
        """Where the numbers of a process lie; those of the first are the sum."""
        return torch.frombuffer(self._memory, dtype=values.dtype, count=len(values), offset=rank * BYTES)

    def close(self) -> None:
        """Let the other processes go on without this one."""
        for link in self.links:
            with suppress(OSError):
                link.told.close()
