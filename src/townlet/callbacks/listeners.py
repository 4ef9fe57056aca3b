"""The callbacks of one training, told one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from townlet.callbacks.callback import Callback, Moment


class CallbackError(Exception):
    """A callback raised an error: one line says which. The error is its `__cause__`."""


class Listeners:
    """Tells callbacks how a training goes, in the order in which they were given.

    Who raises an error is told nothing more, nor are those that come after it at the start. `stepwise` is whether
    anybody does something at each step.
    """

    def __init__(self, callbacks: Sequence[Callback], moment: Moment) -> None:
        self._callbacks, self._moment = list(callbacks), moment
        self._newest: dict[str, float] = {}  # of each metric
        self.stepwise = any(type(one).on_step is not Callback.on_step for one in callbacks)

    def tell(self, hook: str, **news: Any) -> None:
        """Call the method of each that is named `hook`, with what is new in the moment: it stays so.

        Raises CallbackError, by the first that fails.
        """
        moment = self._moment_with(**news)
        for index, one in enumerate(self._callbacks):
            try:
                _call(one, hook, moment)
            except CallbackError:
                after = [] if hook == "on_start" else self._callbacks[index + 1 :]
                self._callbacks = self._callbacks[:index] + after
                raise

    @contextmanager
    def to_the_end(self, ended_by: Callable[[], str]) -> Iterator[None]:
        """Tell all of the end of what is done within it, whatever ends it: an error, or what is asked for then.

        What they raise after an error is added to it as a note. Raises CallbackError.
        """
        try:
            yield
        except BaseException as error:
            first = error.__cause__ if isinstance(error, CallbackError) and error.__cause__ else error
            for failure in self._tell_of_the_end("error"):
                first.add_note(f"at the end {failure}: {failure.__cause__}")
            raise
        for failure in self._tell_of_the_end(ended_by()):
            raise failure

    def _tell_of_the_end(self, ended_by: str) -> list[CallbackError]:
        moment, failures = self._moment_with(ended_by=ended_by, goes_on=False), []
        for one in self._callbacks:
            try:
                _call(one, "on_end", moment)
            except CallbackError as error:
                failures.append(error)
        return failures

    def _moment_with(self, metrics: dict[str, float] | None = None, **news: Any) -> Moment:
        if "evaluation" in news:
            news["evaluation"] = MappingProxyType(news["evaluation"])
        self._moment = replace(self._moment, **news)
        if metrics is None:
            return replace(self._moment, metrics=MappingProxyType(self._newest))
        self._newest = self._newest | metrics
        return replace(self._moment, metrics=MappingProxyType(metrics))


def check(callbacks: Sequence[Callback]) -> None:
    """Raise TypeError for what is no callback."""
    for one in callbacks:
        if not isinstance(one, Callback):
            raise TypeError(f"callbacks: expected objects of classes derived from townlet.Callback, got {one!r}")


def _call(callback: Callback, hook: str, moment: Moment) -> None:
    name = f"{type(callback).__name__}.{hook}"
    try:
        answer = getattr(callback, hook)(moment)
        if answer is not None:
            told = 'nothing returned (moment.stop("why") ends a training)'
            raise TypeError(f"{name}: expected {told}, got {answer!r}")
    except (Exception, SystemExit) as error:
        raise CallbackError(f"{name} raised {type(error).__name__}") from error
