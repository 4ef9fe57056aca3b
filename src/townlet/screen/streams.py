"""Output that nobody takes any more: it is dropped, and ends nothing."""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

NAMES = {1: "standard output", 2: "standard error"}


class TolerantOutput(io.RawIOBase):
    """Bytes to a descriptor until it takes no more; after that they go nowhere.

    A reader that went away, or a terminal that was closed, asks for silence. What else refuses, as a full disk does,
    is told on standard error.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor, self._broken = descriptor, False
        self.refused = False  # whether something was lost that somebody waits for

    def write(self, content: Any, /) -> int:
        """Write all of it, or drop it; returns its length."""
        left = memoryview(content).cast("B")
        while left and not self._broken:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._broken, self.refused = True, error.errno not in (errno.EPIPE, errno.EIO)
                if self.refused:
                    name = NAMES.get(self._descriptor, "output")
                    with suppress(OSError):
                        os.write(2, f"townlet: cannot write to {name}: {error.strerror}\n".encode())
        return memoryview(content).nbytes

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor


@contextmanager
def tolerant_streams() -> Iterator[TolerantOutput]:
    """Let no print fail: not for want of a reader or of room, and not for a letter that the encoding does not have.

    Gives what stands behind the standard output.
    """
    former, output = (sys.stdout, sys.stderr), TolerantOutput(1)
    if sys.stdout is sys.__stdout__:  # else somebody has taken it over
        sys.stdout = _text(output, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(TolerantOutput(2), sys.stderr)
    try:
        yield output
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = former


def _text(output: TolerantOutput, former: IO[str] | None) -> io.TextIOWrapper:
    """Text into an output, line by line, written as the former stream did; letters that it lacks are spelled out."""
    if former is not None:
        with suppress(OSError):
            former.flush()
    encoding, errors = getattr(former, "encoding", None), getattr(former, "errors", None)
    errors = "backslashreplace" if errors in (None, "strict") else errors
    return io.TextIOWrapper(cast(IO[bytes], output), encoding or "utf-8", errors, line_buffering=True)


def fill_descriptors() -> None:
    """Open those of the three standard descriptors that are closed: the next file would get one, and what is said."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
