"""A watcher beside a training: a process of its own, which begins and ends with it, and costs it a sentence at most."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

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
        _end(process)
        listening.join(SECONDS_TO_END)


def _start(run: Path, log: IO[bytes]) -> "subprocess.Popen[str]":
    """Begin to watch, out of reach of what is typed in the terminal: Ctrl-C asks the training alone to stop.

    Its priority is the lowest from the first moment on: to be imported takes it seconds of a core.
    """
    windows = {"creationflags": 0x200 | 0x40}  # a process group of its own, and the priority of what idles
    apart: dict[str, Any] = windows if os.name == "nt" else {"process_group": 0}
    process = subprocess.Popen(
        [sys.executable, "-m", "townlet.watch", str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **apart,
    )
    be_modest(process.pid)
    return process


def _listen(process: "subprocess.Popen[str]", run: Path, say: Callable[[str], None], ending: threading.Event) -> None:
    """Say the address, which is what a watcher prints first, all else that it prints, and that it ended too soon."""
    assert process.stdout is not None
    if address := process.stdout.readline().strip():
        say(f"watch it at {address}")
    for line in process.stdout:
        say(line.strip())
    code = process.wait()
    if not ending.is_set():
        say(f"nobody watches this run any more: the watcher ended with code {code}; more in {run / LOG}")


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
