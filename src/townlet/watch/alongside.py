"""A watcher beside a training: a process of its own, which begins and ends with it, and costs it a sentence at most."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from townlet.children import child
from townlet.children.child import Child
from townlet.watch.modest import be_modest

LOG = "watch.log"
SECONDS_TO_END = 3.0  # for a watcher whose training is over; then it is killed


@contextlib.contextmanager
def watched(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let a process watch a run for as long as this lasts. Its address, or what is wrong with it, is said by `say`."""
    try:
        with open(run / LOG, "ab") as log:
            process = _start(run, log)
    except OSError as error:
        say(f"nobody can watch this run: {error.strerror}")
        yield
        return
    ending = threading.Event()
    listening = threading.Thread(target=_listen, args=(process, run, say, ending), daemon=True)
    listening.start()
    try:
        yield
    finally:
        ending.set()
        child.end([process], SECONDS_TO_END)
        listening.join(SECONDS_TO_END)


def _start(run: Path, log: IO[bytes]) -> Child:
    """Begin to watch, out of reach of what is typed in the terminal: Ctrl-C asks the training alone to stop.

    Its priority is the lowest from the first moment on: to be imported takes it seconds of a core.
    """
    process = child.begin("townlet.watch", str(run), said=log, threads=1, text=True, when_others_idle=True)
    be_modest(process.pid)
    return process


def _listen(process: Child, run: Path, say: Callable[[str], None], ending: threading.Event) -> None:
    """Say the address, which is what a watcher prints first, all else that it prints, and that it ended too soon."""
    assert process.stdout is not None
    if address := process.stdout.readline().strip():
        say(f"watch it at {address}")
    for line in process.stdout:
        say(line.strip())
    code = process.wait()
    if not ending.is_set():
        say(f"nobody watches this run any more: the watcher ended with code {code}; more in {run / LOG}")
