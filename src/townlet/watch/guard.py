"""Who is answered: requests that a page of this server makes, or a person; not what other sites let a browser ask."""

import ipaddress
import socket
from collections.abc import Mapping

SAFE_METHODS = ("GET", "HEAD")

HEADERS = {
    "cache-control": "no-store",
    "connection": "close",  # each request has its own, so that each is bounded by itself
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self' {scripts}; style-src 'self' {styles}; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Knows the names that this server goes by. A name of another's, however it resolves, is none of them."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port, self.loopback = host.lower(), port, is_loopback(host)

    def refuses(self, method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return the status and the sentence that a request is refused with; None where it is answered."""
        if method not in SAFE_METHODS:
            return 405, f"expected GET or HEAD, got {method[:20]}"
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return 403, f"expected this server as Host, with its port {self.port}, got {host[:100]!r}"
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return 403, f"expected no other site as Origin, got {origin[:100]!r}"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return 403, "expected a request by this server's own page, got one by another site"
        return None

    def _is_ours(self, host: str) -> bool:
        name, port = _split(host.lower())
        if port != self.port:
            return False
        if is_loopback(name) or name == self.host:
            return True
        return not self.loopback and (_is_address(name) or name == socket.gethostname().lower())


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host of that name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_address(name: str) -> bool:
    """Whether it is a number: what a name resolves to can be changed by whoever owns it, a number cannot."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _split(host: str) -> tuple[str, int]:
    """The name and the port of a Host; 80 where it names none, -1 where that is no number."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        return host, 80
    return name, int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else -1
