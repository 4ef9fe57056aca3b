"""A replay as a page that is one file: it opens from the disk, in a mail or a notebook, and asks for nothing else."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from pathlib import Path

SITE = Path(__file__).parent / "site"  # the page's modules, its style, and the page that holds them together

# What stands in index.html for files beside it, each once.
_ICON, _STYLE = '<link rel="icon" href="data:,">', '<link rel="stylesheet" href="style.css">'
_MAP = '<script type="importmap">{"imports": {"townlet/": "./"}}</script>'
_BODY, _TITLE = '<div id="page"></div>', "<title>Townlet</title>"
_MAIN = 'import "townlet/main.js";'


def to_html(packed: bytes, title: str = "Townlet", beside: Sequence[bytes] = ()) -> str:
    """Return the page that plays a replay, `packed` as its file holds it, and compares it with those `beside` it.

    Its style stands in it, its modules are data: addresses, the replay is base64. By its Content-Security-Policy it may
    load and run nothing but these, whatever the replay holds.
    """
    page = (SITE / "index.html").read_text(encoding="utf-8")
    style = (SITE / "style.css").read_text(encoding="utf-8")
    imports = json.dumps({"imports": modules()})
    replay = "\n".join((_replay('id="replay"', packed), *(_replay('class="beside"', other) for other in beside)))
    for stands, comes in (
        (_ICON, f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, imports)}">\n{_ICON}'),
        (_STYLE, f"<style>{style}</style>"),
        (_MAP, f'<script type="importmap">{imports}</script>'),
        (_TITLE, f"<title>{html.escape(title)}</title>"),
        (_BODY, f"{_BODY}\n{replay}"),
    ):
        before, found, after = page.partition(stands)
        assert found and stands not in after, stands
        page = before + comes + after
    return page


def _replay(attribute: str, packed: bytes) -> str:
    return f'<script type="application/octet-stream" {attribute}>{_base64(packed)}</script>'


def modules() -> dict[str, str]:
    """Return each module of the page as a data: address, by the name that imports it: townlet/app.js."""
    files = sorted(SITE.rglob("*.js"))
    return {f"townlet/{path.relative_to(SITE).as_posix()}": _address(path.read_bytes()) for path in files}


def _address(module: bytes) -> str:
    return f"data:text/javascript;base64,{_base64(module)}"


def _policy(style: str, imports: str) -> str:
    """What the page may do: run its own two scripts, by their hashes, and the modules that these name."""
    scripts = " ".join(hash_source(script) for script in (imports, _MAIN))
    return (
        f"default-src 'none'; script-src {scripts} data:; style-src {hash_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def hash_source(text: str) -> str:
    """Return what a Content-Security-Policy lets a script or a style in by, where it stands in the page."""
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
