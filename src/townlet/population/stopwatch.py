"""Where the time of a loop goes."""

import time


class Stopwatch:
    """Seconds that each part of a loop took so far, by the host's clock: it does not wait for a device."""

    def __init__(self, *parts: str) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)
        self._begun = 0.0  # time.perf_counter()

    def begin(self) -> None:
        """Measure the first part from now on."""
        self._begun = time.perf_counter()

    def end(self, part: str) -> None:
        """End a part now, and begin the next."""
        now = time.perf_counter()
        self.seconds[part] += now - self._begun
        self._begun = now
