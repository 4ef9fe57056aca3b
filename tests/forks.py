"""Processes that a fork server starts for a program of several threads."""

import threading
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

# Starting a process asks after all others. An exit code can be read only once, and of two threads that ask at once the
# second takes it for 255.
_ASKING = threading.Lock()


def start(process: BaseProcess) -> None:
    """Start it, while no other thread asks after any."""
    with _ASKING:
        process.start()


def still_runs(process: BaseProcess, seconds: float = 0.0) -> bool:
    """Wait for its end for so long; whether it still runs."""
    wait([process.sentinel], max(0.0, seconds))
    with _ASKING:
        return process.is_alive()


def kill(process: BaseProcess) -> None:
    """Kill it and wait until it is gone."""
    process.kill()
    wait([process.sentinel])
    still_runs(process)
