"""A trained agent exported to a folder, without the state of its training: what is in it, and whether it can be read.

The folder may be one of a hub's cache, in which files are links to where the hub keeps them.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townlet.environment.types import Environment
from townlet.run.run_directory import POLICY_NAME
from townlet.run.saving.checkpoint import Checkpoint, read_weights
from townlet.run.saving.manifest import MODEL, CheckpointError, one_line, read_json

FORMAT = "townlet-policy/1"  # a change that this reader would misread gets another number


def read(folder: Path) -> Checkpoint:
    """Read an exported folder as a checkpoint without a state, and verify its weights. Raises CheckpointError."""
    path = folder / POLICY_NAME
    manifest = read_json(path.resolve())
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        got = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise CheckpointError(f"{path}: expected format {FORMAT}, got {one_line(got)}{_told_of_newer(got)}")
    step, files = manifest.get("step"), manifest.get("files")
    if type(step) is not int or step < 0:
        raise CheckpointError(f"{path}: expected a step, at least 0, got {one_line(step)}")
    if not isinstance(files, dict) or MODEL not in files:
        raise CheckpointError(f"{path}: expected files, {MODEL} among them, got {one_line(files)}")
    try:
        model = read_weights((folder / MODEL).resolve(), files[MODEL])
    except OSError as error:
        raise CheckpointError(f"{folder / MODEL}: expected a readable file, got {error.strerror}") from error
    return Checkpoint(folder, step, model, {}, manifest)


def interface_of(env: Environment) -> dict[str, object]:
    """Return what a network stands between in an environment: the widths of what is seen, in order, and its actions."""
    layout = env.observation_layout
    return {
        "observation": [
            [part, layout.width(part)] for part in sorted(layout.slices, key=lambda part: layout.slices[part].start)
        ],
        "actions": list(layout.choices) or [env.num_actions],
    }


def check_interface(found: Checkpoint, env: Environment) -> None:
    """Raise CheckpointError where an exported agent saw other things, or in another order, than there are here."""
    said: Mapping[str, Any] | None = found.manifest.get("interface")
    if said is not None and said != (now := interface_of(env)):
        raise CheckpointError(
            f"{found.path / POLICY_NAME}: expected the interface {json.dumps(now)}, got {one_line(said)}"
        )


def _told_of_newer(got: object) -> str:
    number = re.fullmatch(r"townlet-policy/(\d+)", got) if isinstance(got, str) else None
    return ", which a newer Townlet reads" if number and int(number[1]) > int(FORMAT.partition("/")[2]) else ""
