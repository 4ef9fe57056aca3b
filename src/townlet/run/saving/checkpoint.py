"""Checkpoints: everything that a run is, in one atomic step, and nothing in them that could run code.

A save writes a hidden folder beside the others, flushes it, and renames it into place. Whatever happens in between,
the folders named `step_NNNNNNNNN` are whole. Their names, and which of them stay, are in `checkpoint_folder`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, cast

import safetensors.torch
import torch
from torch import Tensor

import townlet
from townlet.run.run_directory import sync_folder
from townlet.run.saving.checkpoint_folder import folder_names, newest_first, prune, steps_in, tidy, write_pointers

FORMAT_VERSION = 1
MODEL, STATE, MANIFEST = "model.safetensors", "state.pt", "manifest.json"
_NO_FACTS: Mapping[str, object] = MappingProxyType({})


class CheckpointError(Exception):
    """A checkpoint cannot be written or is not whole; one line: what was expected, what came, and which file."""


class Checkpoint(NamedTuple):
    """One verified checkpoint. All tensors lie on the CPU."""

    path: Path
    step: int
    model: dict[str, Tensor]
    state: dict[str, Any]
    manifest: dict[str, Any]


def save(
    directory: Path,
    step: int,
    model: Mapping[str, Tensor],
    state: Mapping[str, Any],
    *,
    keep: int = 3,
    best_score: float | None = None,
    facts: Mapping[str, object] = _NO_FACTS,
) -> Path:
    """Write one checkpoint to directory/step_NNNNNNNNN, and return that folder.

    `state` nests dicts, lists and tuples of tensors, ints, floats, strings, bools and None; anything else could not be
    loaded without running code, and raises TypeError. The newest `keep` checkpoints and the one with the highest
    `best_score` stay. Raises CheckpointError where the disk refuses; the checkpoints from before are then as they were.
    """
    if keep < 1 or step < 0:
        raise ValueError(f"expected keep >= 1 and step >= 0, got keep={keep} and step={step}")
    plain_state = _plain(dict(state), "state")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.items()}  # untied
    target, temporary, former = folder_names(directory, step)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tidy(directory)
        score = _score(target) if best_score is None or not math.isfinite(best_score) else float(best_score)
        _write_folder(temporary, tensors, plain_state, {"step": step, "score": score, "facts": dict(facts)})
        if target.exists():
            os.rename(target, former)
        os.rename(temporary, target)
        sync_folder(directory)
        known = {saved: _score(folder_names(directory, saved)[0]) for saved in steps_in(directory)}
        best = write_pointers(directory, step, {saved: score for saved, score in known.items() if score is not None})
        prune(directory, step, keep, best)
        tidy(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            tidy(directory)
        raise CheckpointError(f"cannot save {target}: {error.strerror or error}") from error
    return target


def load(path: Path) -> Checkpoint:
    """Read one checkpoint folder and verify every file in it; raises CheckpointError."""
    path = Path(path)
    try:
        manifest = _read_manifest(path / MANIFEST)
        model = _read_verified(path / MODEL, manifest, lambda file: safetensors.torch.load(file.read()))
        # weights_only: the unpickler builds tensors and plain containers, and refuses everything else.
        state = _read_verified(path / STATE, manifest, partial(torch.load, map_location="cpu", weights_only=True))
    except OSError as error:
        raise CheckpointError(f"{error.filename or path}: expected a readable file, got {error.strerror}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path / STATE}: expected a dict, got {type(state).__name__}")
    return Checkpoint(path, manifest["step"], model, state, manifest)


def load_latest(directory: Path, report: Callable[[str], None]) -> Checkpoint:
    """Read the newest whole checkpoint of a run; each damaged one is named through `report` and passed over.

    Raises CheckpointError where none is left. The folders decide; latest.json is for people and other programs.
    """
    directory = Path(directory)
    try:
        paths = newest_first(directory)
    except OSError as error:
        raise CheckpointError(f"{directory}: expected a readable folder, got {error.strerror}") from error
    for path in paths:
        try:
            return load(path)
        except CheckpointError as error:
            report(f"damaged checkpoint passed over: {error}")
    got = f"{len(paths)} damaged ones" if paths else "none"
    raise CheckpointError(f"{directory}: expected a whole checkpoint, got {got}")


class _HashedFile:
    """Hash what passes through, so that the manifest describes what was meant and not what the disk made of it.

    An OSError of a write is raised by the next flush: torch would put an unreadable error of its own in its place.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._size = file, hashlib.sha256(), 0
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self._size += len(content)
        if self._error is None:
            try:
                self._file.write(content)
            except OSError as error:
                self._error = error
        return len(content)

    def flush(self) -> None:
        if self._error is not None:
            raise self._error
        self._file.flush()

    def describe(self) -> dict[str, object]:
        return {"size": self._size, "sha256": self._hash.hexdigest()}


def _write_folder(folder: Path, model: dict[str, Tensor], state: object, about: dict[str, object]) -> None:
    folder.mkdir()
    files = {
        MODEL: _write_file(folder / MODEL, lambda file: file.write(safetensors.torch.save(model))),
        STATE: _write_file(folder / STATE, lambda file: torch.save(state, cast(BinaryIO, file))),
    }
    versions = {"format": FORMAT_VERSION, "torch": torch.__version__, "townlet": townlet.__version__}
    manifest = json.loads(json.dumps({**versions, **about, "files": files}))
    manifest["sha256"] = _digest(manifest)
    _write_file(folder / MANIFEST, lambda file: file.write(json.dumps(manifest, indent=2).encode()))
    sync_folder(folder)


def _write_file(path: Path, fill: Callable[[_HashedFile], object]) -> dict[str, object]:
    with open(path, "wb") as file:
        hashed = _HashedFile(file)
        fill(hashed)
        hashed.flush()
        os.fsync(file.fileno())
    return hashed.describe()


def _read_manifest(path: Path) -> dict[str, Any]:
    with _open_file(path) as file:
        try:
            manifest = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}: expected JSON, got {_one_line(error)}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise CheckpointError(f"{path}: expected format version {FORMAT_VERSION}, got {found}")
    claimed = manifest.get("sha256")
    if claimed != (actual := _digest(manifest)):
        raise CheckpointError(f"{path}: expected content with sha256 {claimed}, got {actual}")
    step, files = manifest.get("step"), manifest.get("files")
    if type(step) is not int or not isinstance(files, dict) or set(files) != {MODEL, STATE}:
        listed = sorted(files) if isinstance(files, dict) else files
        raise CheckpointError(f"{path}: expected a step and the files {MODEL} and {STATE}, got {step} and {listed}")
    return manifest


def _read_verified(path: Path, manifest: dict[str, Any], parse: Callable[[BufferedReader], Any]) -> Any:
    """Parse a file that is byte for byte what the manifest says."""
    with _open_file(path) as file:
        actual = {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        if actual != (expected := manifest["files"][path.name]):
            raise CheckpointError(f"{path}: expected {expected}, got {actual}")
        file.seek(0)
        try:
            return parse(file)
        except Exception as error:  # hostile content, with hashes that fit, can make a parser raise anything
            raise CheckpointError(f"{path}: expected tensors and plain values, got {_one_line(error)}") from error


def _open_file(path: Path) -> BufferedReader:
    if path.is_symlink():
        raise CheckpointError(f"{path}: expected a file, got a link that leads elsewhere")
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a file, got {'something else' if path.exists() else 'nothing'}")
    return open(path, "rb")


def _plain(value: Any, where: str) -> Any:
    """Return `value` with tensors detached, and cut out of larger storages, which would be saved whole."""
    if isinstance(value, Tensor):
        tensor = value.detach()
        return tensor if tensor.untyped_storage().nbytes() <= tensor.nbytes else tensor.clone()
    if type(value) in (dict, OrderedDict):
        return {_plain(key, f"a key of {where}"): _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item, f"{where}[{index}]") for index, item in enumerate(value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    expected = "tensors, numbers, strings, None, or dicts, lists and tuples of them"
    raise TypeError(f"{where}: expected {expected}, got {type(value).__module__}.{type(value).__qualname__}")


def _score(folder: Path) -> float | None:
    with contextlib.suppress(CheckpointError, OSError):
        score = _read_manifest(folder / MANIFEST).get("score")
        return score if isinstance(score, float) else None
    return None


def _digest(manifest: Mapping[str, object]) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
