"""Run the page's modules outside a browser, by the Node.js that comes with Playwright."""

import subprocess
from pathlib import Path

import pytest

import townlet.page

SITE = Path(townlet.page.__file__).parent / "site"


def run_node(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run Node.js so that `townlet/...` names the page's modules; skips where Playwright is not installed."""
    driver = pytest.importorskip("playwright._impl._driver", reason="playwright is not installed (extra `dev`)")
    node, _ = driver.compute_driver_executable()
    loader = "data:text/javascript," + _LOADER.replace("SITE", SITE.as_uri() + "/")
    command = [node, "--no-warnings", "--import", loader, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


def node_tests(folder: Path) -> list[Path]:
    """The test files of a folder, in order."""
    return sorted(folder.glob("*.test.mjs"))


# As the page's import map does it: `townlet/x.js` is x.js of the site.
_LOADER = """
import { registerHooks } from "node:module";
registerHooks({ resolve: (name, context, next) =>
  next(name.startsWith("townlet/") ? "SITE" + name.slice(8) : name, context) });
""".replace("\n", " ")
