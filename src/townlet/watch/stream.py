"""The news of a run to one page, as server-sent events, for as long as that page takes them."""

import asyncio

from starlette.types import Receive, Scope, Send

from townlet.watch.hub import Hub
from townlet.watch.line import KEY, Line
from townlet.watch.messages import as_event

SECONDS_BETWEEN_SIGNS = 15.0  # of life, where there are no news
SECONDS_OF_PATIENCE = 20.0  # with a page that takes nothing
RETRY = 2_000  # milliseconds after which a page asks again


class Stream:
    """An answer that does not end by itself. What a page does not take is not gathered for it: it is cut off."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is new, as it comes, until the page goes away or the server ends."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            with self.hub.listening() as listener:
                await self._tell(scope[KEY], f"retry: {RETRY}\n\n".encode(), send)
                while not gone.done() and not self.hub.closed and scope["method"] != "HEAD":
                    turn = asyncio.ensure_future(self.hub.turn.wait())
                    await self._tell(scope[KEY], b"".join(map(as_event, listener.news())) or b":\n\n", send)
                    await asyncio.wait({turn, gone}, timeout=SECONDS_BETWEEN_SIGNS, return_when=asyncio.FIRST_COMPLETED)
                    turn.cancel()
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, line: Line, events: bytes, send: Send) -> None:
        """Send, unless what was sent before is still waiting to be taken when the connection's time is over."""
        await send({"type": "http.response.body", "body": events, "more_body": True})
        line.lasts(SECONDS_BETWEEN_SIGNS + SECONDS_OF_PATIENCE)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
