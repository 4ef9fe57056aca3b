"""A server of a run within the tests' own process, and requests as they are written by hand."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from townlet.watch.server import Server, Wanted, serve

PATIENCE = 30.0  # seconds, for what comes at once on a machine that has nothing else to do


class Watching(NamedTuple):
    """A server that is up."""

    server: Server
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def connect(self, patience: float = PATIENCE) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), patience)

    def ask(self, path: str, method: str = "GET", patience: float = PATIENCE, **headers: str) -> "Answer":
        """Ask for a path as it is, with headers whose underscores are dashes; returns the whole answer."""
        with self.connect(patience) as line:
            line.sendall(self.request(path, method, **headers))
            return read_answer(line)

    def request(self, path: str, method: str = "GET", **headers: str) -> bytes:
        named = {"Host": f"127.0.0.1:{self.port}"} | {name.replace("_", "-"): one for name, one in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {one}" for name, one in named.items() if one)]
        return "\r\n".join([*lines, "", ""]).encode()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@contextlib.contextmanager
def watching(run: Path, port: int = 0, lives: int = 0) -> Iterator[Watching]:
    """Serve a run in a thread, for as long as this lasts."""
    up, found = threading.Event(), list[Watching]()

    def opened(server: Server, address: str) -> None:
        found.append(Watching(server, address))
        up.set()

    thread = threading.Thread(target=serve, args=(run, Wanted(port=port, lives=lives), opened), daemon=True)
    thread.start()
    assert up.wait(PATIENCE)
    try:
        yield found[0]
    finally:
        found[0].server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def read_answer(line: socket.socket) -> Answer:
    """Read an answer to its end, which is that of the connection."""
    whole = b""
    while came := line.recv(65536):
        whole += came
    head, _, body = whole.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = [one.split(": ", 1) for one in rest]
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in headers}, body)


class Events:
    """What comes on a stream of events."""

    def __init__(self, line: socket.socket) -> None:
        self._lines = line.makefile("rb")
        self.status = int(self._lines.readline().split()[1])

    def close(self) -> None:
        """Let go of the socket, which closes only then."""
        self._lines.close()

    def next(self) -> tuple[str, Any]:
        """The next event: its kind and its message."""
        while not (text := self._lines.readline()).startswith(b"event: "):
            assert text, "the stream has ended"
        message = self._lines.readline()
        assert message.startswith(b"data: ")
        return text.split()[1].decode(), json.loads(message[6:])

    def until(self, kind: str, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message of a kind for which something holds."""
        while True:
            came, message = self.next()
            if came == kind and holds(message):
                return message


@contextlib.contextmanager
def listening(to: Watching, path: str = "/events") -> Iterator[Events]:
    """Hear the events of a server."""
    with to.connect() as line:
        line.sendall(to.request(path))
        events = Events(line)
        try:
            yield events
        finally:
            events.close()
