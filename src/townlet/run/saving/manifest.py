"""A checkpoint's manifest: its step, its files and their hashes, and what all checkpoints of its run say alike."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from townlet.run.saving.checkpoint_folder import step_called

FORMAT_VERSION = 2
FORMATS = (1, 2)  # that can be read; the first says nothing of the run that it is of
MOST_STEPS = 2**63 - 1  # that the metrics can hold
MODEL, STATE, MANIFEST = "model.safetensors", "state.pt", "manifest.json"


class CheckpointError(Exception):
    """A checkpoint cannot be written or is not whole; one line: what was expected, what came, and which file."""


def read_json(path: Path) -> Any:
    """Return what a file holds. Raises CheckpointError, also for what is no file, as a pipe."""
    try:
        with open_file(path) as file:
            return json.loads(file.read())
    except OSError as error:
        raise CheckpointError(f"{path}: expected a readable file, got {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected JSON, got {one_line(error)}") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest of the right form, whose own hash fits. Raises CheckpointError."""
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") not in FORMATS:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        expected = " or ".join(map(str, FORMATS))
        raise CheckpointError(f"{path}: expected format version {expected}, got {one_line(found)}")
    claimed = manifest.get("sha256")
    if claimed != (actual := digest(manifest)):
        raise CheckpointError(f"{path}: expected content with sha256 {one_line(claimed)}, got {actual}")
    step, files = manifest.get("step"), manifest.get("files")
    if type(step) is not int or not 0 <= step <= MOST_STEPS:
        raise CheckpointError(f"{path}: expected a step from 0 to {MOST_STEPS}, got {one_line(step)}")
    if not isinstance(files, dict) or set(files) != {MODEL, STATE}:
        listed = sorted(files) if isinstance(files, dict) else files
        raise CheckpointError(f"{path}: expected the files {MODEL} and {STATE}, got {one_line(listed)}")
    if not isinstance(manifest.setdefault("facts", {}), dict):
        raise CheckpointError(f"{path}: expected facts by name, got {one_line(manifest['facts'])}")
    return manifest


def stranger(path: Path, manifest: Mapping[str, Any], facts: Mapping[str, object]) -> str | None:
    """Say why a checkpoint is not what its folder is called, or not of the run that says `facts`; None where it is."""
    called, step = step_called(path.name), manifest["step"]
    if called is not None and called != step:
        return f"expected step {called}, as the folder is called, got {step}"
    for name, mine in facts.items():
        theirs = manifest["facts"].get(name)
        if theirs != mine and not (name == "run" and theirs is None):  # checkpoints did not always know their run
            own = "a run without an id" if mine == "" else f"{name} {mine}"
            return f"expected a checkpoint of {own}, got one of {one_line(theirs)}"
    return None


def score_of(folder: Path, facts: Mapping[str, object]) -> float | None:
    """Return the score of a checkpoint of the run that says `facts`, None where there is none."""
    with contextlib.suppress(CheckpointError):
        manifest = read_manifest(folder / MANIFEST)
        score = manifest.get("score")
        if isinstance(score, float) and math.isfinite(score) and not stranger(folder, manifest, facts):
            return score
    return None


def digest(manifest: Mapping[str, object]) -> str:
    """Hash a manifest, but for the hash in it."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_file(path: Path) -> BufferedReader:
    """Open a file to read. Raises CheckpointError for what is none, and OSError."""
    if path.is_symlink():
        raise CheckpointError(f"{path}: expected a file, got a link that leads elsewhere")
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a file, got {'something else' if path.exists() else 'nothing'}")
    return open(path, "rb")


def one_line(got: object) -> str:
    """Write what came in short, an error by its name and text."""
    text = f"{type(got).__name__}: {got}" if isinstance(got, BaseException) else repr(got)
    return " ".join(text.split())[:200]
