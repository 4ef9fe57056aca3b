"""Commands in processes of their own, forked from one that has done the slow imports."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

import forks

TESTS = Path(__file__).parents[1]
LIMIT = 120.0  # seconds that a command may take

Prepare = Callable[..., None]


@cache
def server() -> ForkServerContext:
    """What children are forked from. A process has one, which holds what it was told first: nobody asks before need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "townlet.commands.cli", "matplotlib.pyplot"])
    return context


class Broken(Exception):
    """A promise that did not hold, in a line or a few."""


class Child:
    """`townlet WORD ...` in a process of its own; what it prints goes into a file."""

    def __init__(self, words: Sequence[str], output: Path, *prepare: tuple[Prepare, object]) -> None:
        self.words, self.output = list(words), output
        self.process = server().Process(target=_run, args=(self.words, output, prepare))
        forks.start(self.process)
        self.began = time.monotonic()

    def send(self, signum: int) -> None:
        """Send a signal, if it still runs."""
        if self.wait_for(0.0) and self.process.pid:
            os.kill(self.process.pid, signum)

    def wait(self, limit: float = LIMIT) -> int:
        """Wait for its end and return its exit code, negative where a signal ended it; Broken past the limit."""
        if self.wait_for(limit):
            forks.kill(self.process)
            raise Broken(f"{self}: expected an end within {limit:g} s, got none; it said:\n{self.said()}")
        return int(self.process.exitcode or 0)

    def wait_for(self, seconds: float) -> bool:
        """Wait for so long; whether it still runs."""
        return forks.still_runs(self.process, seconds)

    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def __str__(self) -> str:
        return "townlet " + " ".join(self.words)


def run(words: Sequence[str], output: Path, *prepare: tuple[Prepare, object]) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it printed. Broken where it shows a traceback."""
    child = Child(words, output, *prepare)
    code = child.wait()
    said = child.said()
    refuse_traceback(child, said)
    return code, said


def refuse_traceback(child: Child, said: str) -> None:
    """Broken where something was printed that is for programmers."""
    if "Traceback (most recent call last)" in said:
        raise Broken(f"{child}: expected lines for a person, got a traceback:\n{said[-2000:]}")


def _run(words: list[str], output: Path, prepare: Sequence[tuple[Prepare, object]]) -> None:
    """The child: prepare, then the command, and leave with its exit code."""
    target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    sys.argv = ["townlet", *words]
    sys.orig_argv = [sys.executable, *sys.argv]
    from townlet.screen import process

    process.begin()  # as the package does that is imported by a command
    sys.path.insert(0, str(TESTS))
    os.chdir(output.parent)
    import torch

    from townlet.commands import cli

    torch.set_num_threads(1)
    for function, argument in prepare:
        function(argument)
    try:
        code = cli.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 70
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
