"""The server: the page, the replays of a run, and the news of it as server-sent events."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from townlet.run.run_directory import RunError
from townlet.watch.folder import RunFolder
from townlet.watch.guard import HEADERS, Guard
from townlet.watch.hub import MOST_STREAMS, Hub
from townlet.watch.line import MOST_HEADERS, Line
from townlet.watch.recording import recording
from townlet.watch.site import policy_of, read_site
from townlet.watch.stream import Stream


class Wanted(NamedTuple):
    """What is asked of a server."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: one that is free
    lives: int = 4  # that are recorded of each newest agent; 0: none


class Guarded:
    """Answers what the guard lets through, with headers that bound what a browser does with any answer."""

    def __init__(self, application: ASGIApp, guard: Guard, policy: str) -> None:
        self.application, self.guard = application, guard
        self.headers = HEADERS | {"content-security-policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        refused = self.guard.refuses(scope["method"], Headers(scope=scope))
        answer = self.application if refused is None else _sentence(refused[1], refused[0])
        await answer(scope, receive, send_with_headers)


def make_application(hub: Hub, guard: Guard, lives: int, into: Path) -> ASGIApp:
    """Return what answers requests about the run of a hub; while it is up, lives are recorded into a folder."""
    site = read_site()

    async def page(request: Request) -> Response:
        found = site.get(request.url.path)
        return Response(found.body, media_type=found.media_type) if found else _sentence("there is no such page", 404)

    async def replay(request: Request) -> Response:
        path = hub.files.get(request.path_params["name"])
        if path is None or not path.is_file():
            return _sentence("there is no such replay", 404)
        return FileResponse(path, media_type="application/octet-stream")

    async def news(scope: Scope, receive: Receive, send: Send) -> None:
        full = hub.listeners >= MOST_STREAMS
        answer = _sentence(f"{MOST_STREAMS} pages watch this run already", 503) if full else Stream(hub)
        await answer(scope, receive, send)

    @contextlib.asynccontextmanager
    async def at_work(_: Starlette) -> AsyncIterator[None]:
        await hub.look_or_say()
        tasks = [asyncio.create_task(hub.look_for_listeners())]
        if lives and hub.folder.town:
            tasks.append(asyncio.create_task(recording(hub, into, lives)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    routes = [Route("/events", _Endpoint(news)), Route("/replays/{name}", replay), Route("/{path:path}", page)]
    return Guarded(Starlette(routes=routes, lifespan=at_work), guard, policy_of(site["/"].body))


class _Endpoint:
    """An application of its own as the end of a route: a class is not wrapped as a function of a request is."""

    def __init__(self, application: ASGIApp) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.application(scope, receive, send)


class Server(uvicorn.Server):
    """Leaves signals to the command, and lets listeners go before it waits for the last answers."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self.hub = hub

    def stop(self) -> None:
        """Ask it to end; the second time, without waiting for anybody."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all that is going on."""
        self.hub.close()
        await super().shutdown(sockets)


def serve(run: Path, wanted: Wanted, opened: Callable[[Server, str], None]) -> None:
    """Serve a run until the server is asked to exit; `opened` is told the server and its address before it begins.

    Raises RunError where nobody can listen at the host and port, and ConfigError where the run's config is wrong.
    """
    with listen(wanted.host, wanted.port) as listener, tempfile.TemporaryDirectory(prefix="townlet-") as into:
        port = listener.getsockname()[1]
        hub = Hub(RunFolder(run, Path(into)))
        application = make_application(hub, Guard(wanted.host, port), wanted.lives, Path(into))
        config = uvicorn.Config(
            application,
            http=Line,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=MOST_HEADERS,
            timeout_graceful_shutdown=1,
        )
        server = Server(config, hub)
        host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
        opened(server, f"http://{host}:{port}/")
        server.run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a host and port, at a free port for 0. Raises RunError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"cannot listen at {host}, port {port}: {reason}") from error


def _sentence(text: str, status: int) -> Response:
    headers = {"allow": "GET, HEAD"} if status == 405 else None
    return PlainTextResponse(f"{text}\n", status, headers)
