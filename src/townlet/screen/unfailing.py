"""A reporter that ends nothing by an error of its own."""

from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from townlet.screen.facts import RunHeader, Snapshot
from townlet.screen.terminal import SECONDS_BETWEEN_LINES, PlainReporter, Reporter


class Unfailing(Reporter):
    """Show a run by another reporter: where that fails by plain lines, and where they fail too not at all.

    The lines go to `stream`, the standard output by default.
    """

    def __init__(self, reporter: Reporter, stream: TextIO | None = None) -> None:
        self._reporter: Reporter | None = reporter
        self._stream = stream
        self._header: RunHeader | None = None

    def start(self, header: RunHeader) -> None:
        self._header = header
        self._show(lambda reporter: reporter.start(header))

    def update(self, snapshot: Snapshot) -> None:
        self._show(lambda reporter: reporter.update(snapshot))

    def message(self, text: str, style: str = "") -> None:
        self._show(lambda reporter: reporter.message(text, style))

    def stop(self) -> None:
        self._show(lambda reporter: reporter.stop())

    def _show(self, show: Callable[[Reporter], None]) -> None:
        if self._reporter is None:
            return
        try:
            show(self._reporter)
        except Exception as error:  # terminals, and what draws on them, fail in many ways
            failed, self._reporter = self._reporter, None
            with suppress(Exception):
                failed.stop()
            if not isinstance(failed, PlainReporter):
                self._go_on_plainly(f"cannot draw: {type(error).__name__}: {error}; plain lines from here on")
                self._show(show)

    def _go_on_plainly(self, reason: str) -> None:
        self._reporter = PlainReporter(self._stream, interval=SECONDS_BETWEEN_LINES)
        if self._header is not None:
            self.start(self._header)
        self.message(reason)
