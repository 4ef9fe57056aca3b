"""Beginning a run with the weights that another one learned."""

import os
from collections.abc import Callable
from pathlib import Path

from townlet.config import ConfigError, Task, load_task
from townlet.run.fit import misfit, seen_maps
from townlet.run.meta import id_in, read_meta
from townlet.run.run_directory import CONFIG_NAME
from townlet.run.saving import checkpoint
from townlet.run.saving.manifest import MANIFEST
from townlet.run.saving.saved import facts_of


def load_taught(path: Path, task: Task, report: Callable[[str], None]) -> checkpoint.Checkpoint:
    """Read a checkpoint for a run of `task` to begin with the weights of.

    By the config.yaml of the checkpoint's run its network must fit, and no map may have been trained on that `task` is
    evaluated on; where there is none beside it, `report` is told. Raises ConfigError and CheckpointError.
    """
    if not os.path.isfile(path / MANIFEST):
        got = f"a folder without {MANIFEST}" if path.is_dir() else "nothing there"
        raise ConfigError([f"--load {path}: expected a checkpoint, as RUN/checkpoints/step_001000000, got {got}"])
    run = path.resolve().parent.parent
    if not os.path.isfile(run / CONFIG_NAME):
        report(f"--load {path}: no {CONFIG_NAME} of its run lies above it: which maps it was trained on is not known")
        return checkpoint.load(path)
    learned = load_task(run / CONFIG_NAME)
    if problem := misfit(learned, task):
        raise ConfigError([f"--load {path}: the network of level {learned.id} does not fit: {problem}"])
    if problem := seen_maps(learned, task):
        raise ConfigError([f"--load {path}: {problem}"])
    return checkpoint.load(path, facts_of(learned, id_in(read_meta(run))))
