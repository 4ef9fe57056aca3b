"""How a process behaves that works beside a training: it lets all others go first, and ends with who started it."""

import contextlib
import os
import threading
import time
from collections.abc import Callable

LOWEST = 19  # of the priorities that a process can have


def be_modest(process: int = 0) -> None:
    """Give a process, by itself this one, the lowest priority, and with it all that it starts from then on."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process, LOWEST)


def end_with_parent(stop: Callable[[], float] = lambda: 0.0) -> None:
    """End this process when the one that started it is gone: its end of the standard input is closed then.

    `stop` asks it to end by itself, and returns how many seconds it has for that.
    """

    def wait() -> None:
        while os.read(0, 1024):
            pass
        time.sleep(stop())
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
