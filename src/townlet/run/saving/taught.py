"""Beginning a run with the weights that another one learned."""

import os
from collections.abc import Callable
from pathlib import Path

from townlet.config import ConfigError, Task, load_task
from townlet.run.fit import misfit, seen_maps
from townlet.run.run_directory import CONFIG_NAME, RunError
from townlet.run.saving import checkpoint, saved
from townlet.run.saving.manifest import MANIFEST


def load_taught(reference: Path, runs_dir: Path, task: Task, report: Callable[[str], None]) -> checkpoint.Checkpoint:
    """Read what a run of `task` is to begin with the weights of: see `saved.find_run` for how it is named.

    By the config.yaml of its run its network must fit, and no map may have been trained on that `task` is evaluated on;
    where there is none above a checkpoint, `report` is told, and which run the latest is. Raises
    ConfigError and CheckpointError.
    """
    run, name = _find(reference, runs_dir, report)
    if not os.path.isfile(run / CONFIG_NAME):
        where = f"no {CONFIG_NAME} of its run lies above it"
        report(f"--load {reference}: {where}: which maps it was trained on is not known")
        return checkpoint.load(reference)
    learned = load_task(run / CONFIG_NAME)
    if problem := misfit(learned, task):
        raise ConfigError([f"--load {reference}: the network of level {learned.id} does not fit: {problem}"])
    if problem := seen_maps(learned, task):
        raise ConfigError([f"--load {reference}: {problem}"])
    return saved.find(run, learned, name, report)


def _find(reference: Path, runs_dir: Path, report: Callable[[str], None]) -> tuple[Path, str]:
    """The folder and the name that `find_run` returns. Raises ConfigError where it finds nothing."""
    try:
        return saved.find_run(str(reference), runs_dir, tell=report)
    except RunError as error:
        if reference.is_dir():
            got = f"a folder without {MANIFEST}"
        else:
            got = "nothing there" if len(reference.parts) > 1 else str(error)
        expected = "a checkpoint, a run or an exported policy"
        raise ConfigError([f"--load {reference}: expected {expected}, got {got}"]) from error
