"""What is done where a training fails, and where what a run does beside it fails."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from townlet.config import ConfigError
from townlet.screen.command_line import memory_asked_for


class TrainingFailedError(Exception):
    """An error ended a training; one line: where, what was raised, and what was saved."""


class SideEffects:
    """Lets what is done beside training fail without ending it: a line tells it, the traceback is in the log.

    `missing` names what a run's folder lacks for good. `goes_on` says whether there is still training to go on.
    """

    def __init__(self, log: logging.Logger, say: Callable[[str], None], goes_on: Callable[[], bool]) -> None:
        self.log, self.say, self.goes_on = log, say, goes_on
        self.missing: set[str] = set()
        self._told: dict[str, str] = {}  # what failed last time, and why

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Do `what`; an error of it is told, once for as long as it is the same, and held back."""
        try:
            yield
        except (Exception, SystemExit) as error:  # strangers' environments, drawing and disks fail in many ways
            reason = reason_of(error)
            self.missing.add(what)
            self.log.error("cannot %s", what, exc_info=error)
            if self._told.get(what) != reason:
                self.say(f"cannot {what}: {reason}{self.outlook()}")
            self._told[what] = reason
        else:
            self._told.pop(what, None)

    def outlook(self) -> str:
        """Return how a line ends that tells what failed: nothing goes on when a run is over."""
        return "; training goes on" if self.goes_on() else ""


def reason_of(error: BaseException) -> str:
    """Say in one line what was raised: what says by itself what was expected as it is, most others by name too."""
    from townlet.environment.types import WorldError  # of PyTorch, which who reads what a run recorded does without

    if isinstance(error, WorldError | ConfigError):
        return str(error)
    if asked := memory_asked_for(error):
        return f"not enough memory: {asked}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
