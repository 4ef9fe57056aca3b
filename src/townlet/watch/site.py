"""What the server has to give: the page's own files, each known by name before anybody asks, and who may run in it."""

import re
from pathlib import Path
from typing import NamedTuple

from townlet.page.html import SITE, hash_source
from townlet.watch.guard import POLICY

TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_INLINE = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)


class Content(NamedTuple):
    """A file of the page."""

    body: bytes
    media_type: str


def read_site(folder: Path = SITE) -> dict[str, Content]:
    """Return the files of the page by their paths in an address; "/" is the page itself, which is told that it is live.

    Nothing else is ever served from there, whatever a path says.
    """
    files = {
        f"/{path.relative_to(folder).as_posix()}": Content(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES and path.is_file()
    }
    page = files.pop("/index.html")
    live = page.body.replace(b"<html", b'<html data-live="events"', 1)
    return files | {"/": page._replace(body=live)}


def policy_of(page: bytes) -> str:
    """Return the Content-Security-Policy of a page: what is written in it, and what this server sends, may run."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page.decode()):
        hashes[kind] += [hash_source(text)] if text else []
    return POLICY.format(scripts=" ".join(hashes["script"]), styles=" ".join(hashes["style"]))
