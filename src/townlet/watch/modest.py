"""Letting all others go first: what watches a training takes what that leaves."""

import contextlib
import os

LOWEST = 19  # of the priorities that a process can have


def be_modest(process: int = 0) -> None:
    """Give a process, by itself this one, the lowest priority, and with it all that it starts from then on."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process, LOWEST)
