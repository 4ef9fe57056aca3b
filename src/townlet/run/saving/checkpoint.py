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
from townlet.run.saving.checkpoint_folder import (
    BEST,
    folder_names,
    newest_first,
    prune,
    steps_in,
    tidy,
    write_pointers,
)
from townlet.run.saving.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    MODEL,
    STATE,
    CheckpointError,
    digest,
    one_line,
    open_file,
    read_json,
    read_manifest,
    score_of,
    stranger,
)

_NO_FACTS: Mapping[str, object] = MappingProxyType({})


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
    loaded without running code, and raises TypeError. `facts` are what all checkpoints of a run say alike. The newest
    `keep` of its checkpoints and the one with the highest `best_score` stay. Raises CheckpointError where the disk
    refuses; the checkpoints from before are then as they were.
    """
    if keep < 1 or step < 0:
        raise ValueError(f"expected keep >= 1 and step >= 0, got keep={keep} and step={step}")
    plain_state = _plain(dict(state), "state")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.items()}  # untied
    target, temporary, former = folder_names(directory, step)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tidy(directory)
        score = score_of(target, facts) if best_score is None or not math.isfinite(best_score) else float(best_score)
        _write_folder(temporary, tensors, plain_state, {"step": step, "score": score, "facts": dict(facts)})
        if target.exists():
            os.rename(target, former)
        os.rename(temporary, target)
        sync_folder(directory)
        known = {saved: score_of(folder_names(directory, saved)[0], facts) for saved in steps_in(directory)}
        best = write_pointers(directory, step, {saved: score for saved, score in known.items() if score is not None})
        prune(directory, step, keep, best)
        tidy(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            tidy(directory)
        raise CheckpointError(f"cannot save {target}: {error.strerror or error}") from error
    return target


def load(path: Path, facts: Mapping[str, object] = _NO_FACTS) -> Checkpoint:
    """Read a checkpoint folder, verify every file in it and that it says the same `facts`; raises CheckpointError."""
    found = load_weights(path, facts)
    try:
        # weights_only: the unpickler builds tensors and plain containers, and refuses everything else.
        read = partial(torch.load, map_location="cpu", weights_only=True)
        state = _read_verified(found.path / STATE, found.manifest, read)
    except OSError as error:
        raise _unreadable(found.path, error) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{found.path / STATE}: expected a dict, got {type(state).__name__}")
    return found._replace(state=state)


def load_weights(path: Path, facts: Mapping[str, object] = _NO_FACTS) -> Checkpoint:
    """Read a checkpoint as `load` does, but for its state, which may be large; in its place stands an empty one."""
    path = Path(path)
    try:
        manifest = read_manifest(path / MANIFEST)
        if problem := stranger(path, manifest, facts):
            raise CheckpointError(f"{path / MANIFEST}: {problem}")
        model = _read_verified(path / MODEL, manifest, lambda file: safetensors.torch.load(file.read()))
    except OSError as error:
        raise _unreadable(path, error) from error
    return Checkpoint(path, manifest["step"], model, {}, manifest)


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{error.filename or path}: expected a readable file, got {error.strerror}")


def load_latest(directory: Path, report: Callable[[str], None], facts: Mapping[str, object] = _NO_FACTS) -> Checkpoint:
    """Read the newest whole checkpoint of a run, as `load` does; each other one is named through `report`.

    Raises CheckpointError where none is left. The folders decide; latest.json is for people and other programs.
    """
    directory = Path(directory)
    paths = checkpoints_in(directory)
    for path in paths:
        try:
            return load(path, facts)
        except CheckpointError as error:
            report(f"checkpoint passed over: {error}")
    got = f"{len(paths)} that are damaged or of another run" if paths else "none"
    raise CheckpointError(f"{directory}: expected a whole checkpoint, got {got}")


def load_best(directory: Path, facts: Mapping[str, object] = _NO_FACTS) -> Checkpoint:
    """Read the checkpoint that best.json names, as `load` does. Raises CheckpointError."""
    pointer = Path(directory) / BEST
    named = read_json(pointer)
    name = named.get("checkpoint") if isinstance(named, dict) else None
    if not isinstance(name, str):
        raise CheckpointError(f"{pointer}: expected the name of a checkpoint, got {one_line(name)}")
    return load(Path(directory) / Path(name).name, facts)


def checkpoints_in(directory: Path) -> list[Path]:
    """Return the folders of all checkpoints, the newest first, whole or not. Raises CheckpointError."""
    try:
        return newest_first(directory)
    except OSError as error:
        raise CheckpointError(f"{directory}: expected a readable folder, got {error.strerror}") from error


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
    manifest["sha256"] = digest(manifest)
    _write_file(folder / MANIFEST, lambda file: file.write(json.dumps(manifest, indent=2).encode()))
    sync_folder(folder)


def _write_file(path: Path, fill: Callable[[_HashedFile], object]) -> dict[str, object]:
    with open(path, "wb") as file:
        hashed = _HashedFile(file)
        fill(hashed)
        hashed.flush()
        os.fsync(file.fileno())
    return hashed.describe()


def _read_verified(path: Path, manifest: dict[str, Any], parse: Callable[[BufferedReader], Any]) -> Any:
    """Parse a file that is byte for byte what the manifest says."""
    with open_file(path) as file:
        actual = {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        if actual != (expected := manifest["files"][path.name]):
            raise CheckpointError(f"{path}: expected {expected}, got {actual}")
        file.seek(0)
        try:
            return parse(file)
        except Exception as error:  # hostile content, with hashes that fit, can make a parser raise anything
            raise CheckpointError(f"{path}: expected tensors and plain values, got {one_line(error)}") from error


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
