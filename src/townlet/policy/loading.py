"""`townlet.load_policy`: a trained agent from wherever it lies on the disk."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import torch
from gymnasium.vector import AutoresetMode

from townlet.config import GymTask, load_task
from townlet.environment.make import make_env
from townlet.evaluate import find_checkpoint, network_in
from townlet.policy.policy import Policy
from townlet.policy.senses import Senses
from townlet.run.run_directory import CONFIG_NAME
from townlet.run.saving.checkpoint import Checkpoint
from townlet.run.saving.saved import find_run


class Source(NamedTuple):
    """A policy, the checkpoint that it is, and the folder of its run or of an export."""

    policy: Policy
    found: Checkpoint
    run: Path


def load_policy(
    source: os.PathLike[str] | str,
    *,
    checkpoint: str | None = None,
    autoreset_mode: AutoresetMode | str | None = None,
    device: torch.device | str = "cpu",
    runs_dir: Path | str = "runs",
) -> Policy:
    """Return a trained agent as a policy.

    `source` is a run's folder or name, "latest", what `townlet.learn` returned, a checkpoint's own folder, or a folder
    that an agent was exported to, as a hub's; `checkpoint` is "latest", "best" or a name, of a run. `autoreset_mode`,
    of a vector environment, is as in `Policy`. Raises RunError, CheckpointError and ConfigError, each a
    line that says why.
    """
    policy = find_policy(source, checkpoint, device, runs_dir).policy
    policy.autoreset_mode = None if autoreset_mode is None else AutoresetMode(autoreset_mode)
    return policy


def find_policy(
    source: os.PathLike[str] | str,
    checkpoint: str | None,
    device: torch.device | str,
    runs_dir: Path | str = "runs",
    tell: Callable[[str], None] | None = None,
) -> Source:
    """Return a trained agent with where it came from; `tell` is told which run is the latest, where that is meant.

    The other arguments, and the errors, are those of `load_policy`.
    """
    run, name = find_run(os.fspath(source), Path(runs_dir), checkpoint, tell=tell)
    task = load_task(run / CONFIG_NAME)
    found = find_checkpoint(run, task, name)
    with closing(make_env(task, 1, device, compile=False)) as env:
        senses = Senses.of(env, task.gym if isinstance(task, GymTask) else f"level {task.id}")
        return Source(Policy(task, network_in(env, task, found), senses), found, run)
