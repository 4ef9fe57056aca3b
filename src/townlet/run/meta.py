"""meta.json: what a run is besides its task, its own id above all, and where and by what it was begun."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import townlet

META_NAME = "meta.json"
UNKNOWN: str | None = None  # the id of a run whose meta.json is not there to ask
NO_ID = ""  # of a run that was begun before runs had one


def new_id() -> str:
    """Return an id that no other run has."""
    return secrets.token_hex(8)


def read_meta(run: Path) -> dict[str, Any] | None:
    """Return what a run's meta.json says, None where there is none, or none that can be read."""
    path = run / META_NAME
    with contextlib.suppress(OSError, ValueError, RecursionError):
        meta = json.loads(path.read_bytes()) if path.is_file() else None  # a pipe would be waited for
        return meta if isinstance(meta, dict) else None
    return None


def id_in(meta: Mapping[str, Any] | None) -> str | None:
    """Return the run's id by its meta.json, or `NO_ID` or `UNKNOWN`."""
    if meta is None:
        return UNKNOWN
    return str(meta.get("run") or NO_ID)


def describe_machine(**facts: object) -> dict[str, object]:
    """Return what meta.json says: versions, git state, machine, command line and start time (UTC), then `facts`."""
    import numpy as np  # both take seconds, and who reads what was written does without
    import torch

    return {
        "townlet": townlet.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **_git_state(Path(townlet.__file__)),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda_devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "command": list(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


def _git_state(source: Path) -> dict[str, object]:
    """Return the commit that `source` belongs to, and whether its tree has changes; None for both outside of git.

    Files that git does not know count where they lie beside `source` or below: elsewhere they are what runs left.
    """
    unknown: dict[str, object] = {"git_commit": None, "git_dirty": None}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment).stdout

    try:
        if not git("ls-files", source.name).strip():  # installed into someone else's checkout
            return unknown
        changed = git("status", "--porcelain", "--untracked-files=no") + git("status", "--porcelain", "--", ".")
        return {"git_commit": git("rev-parse", "HEAD").strip(), "git_dirty": bool(changed.strip())}
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return unknown


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
