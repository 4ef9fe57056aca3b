"""A connection that is bounded in each of its parts: how long it takes to ask, and how long to take the answer."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 128  # one more is closed at once
MOST_HEADERS = 16 * 1024  # bytes of a request without its body, which is never read
SECONDS_TO_ASK, SECONDS_TO_ANSWER = 10.0, 120.0
KEY = "townlet.line"  # under which an application finds the connection in its scope


class Line(H11Protocol):
    """A connection that is cut off where its time is over: one that was closed would wait for who does not read."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        application: Any = self.app
        self.app = lambda scope, receive, send: application({**scope, KEY: self}, receive, send)
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the seconds, or end what is one too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self.lasts(SECONDS_TO_ASK)

    def handle_events(self) -> None:
        """Give a whole request more time than one that is still being written."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self.lasts(SECONDS_TO_ANSWER)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to count."""
        self._stop()
        super().connection_lost(exc)

    def lasts(self, seconds: float) -> None:
        """Be cut off in so many seconds, and not when that was to be before."""
        self._stop()
        self._end = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
