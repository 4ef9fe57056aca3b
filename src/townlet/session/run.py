"""A run that was trained: what its folder holds, as Python values."""

import base64
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from townlet.config import ConfigError, Task, load_level
from townlet.evaluate import play_run
from townlet.level.suggestion import suggestion
from townlet.policy.loading import load_policy
from townlet.policy.policy import Policy
from townlet.run.ladder import Outcome
from townlet.run.metrics import MetricsStore
from townlet.run.run_directory import CONFIG_NAME, REPORT_NAME
from townlet.run.training_run import TrainingRun


class Metric(NamedTuple):
    """What was recorded under one name, [records] each."""

    steps: NDArray[np.int64]  # environment steps, summed over agents
    values: NDArray[np.float64]  # NaN where it was not finite


@dataclass(frozen=True)
class Run:
    """A run that was trained; `townlet.learn` returns it, of a ladder the last that was trained in.

    It stands for its folder wherever a path is taken, as by `townlet.show` and `townlet.load_policy`.
    """

    path: Path
    level: Task
    steps: int  # environment steps, summed over agents
    stopped_by: str  # steps: all were trained; else goal, patience, callback or interrupt
    why: str = ""  # in words, where something stopped it before
    missing: frozenset[str] = frozenset()  # what failed beside the training, and the folder lacks
    rungs: tuple["Run", ...] = field(default=(), repr=False)  # of a ladder all so far, the lowest first, this one last

    @classmethod
    def of(cls, training: TrainingRun) -> "Run":
        """Return the run that a training, which is over, left in its folder."""
        why, missing = training.ending.why if training.ending else "", frozenset(training.aside.missing)
        return cls(training.run.path, training.task, training.population.env_steps, training.ended_by, why, missing)

    @classmethod
    def of_rung(cls, path: Path, outcome: Outcome) -> "Run":
        """Return the run that a rung of a ladder was, which is left."""
        level = load_level(path / CONFIG_NAME)
        early = "goal" if outcome.mastered else "patience"
        return cls(path, level, outcome.steps, early if outcome.steps < level.training.total_steps else "steps")

    def __repr__(self) -> str:
        return f"a run of {self.steps:,} steps in level {self.level.id}: {self.path}"

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def policy(self, *, checkpoint: str | None = None, autoreset_mode: AutoresetMode | str | None = None) -> Policy:
        """Return the trained agent, to act: see `townlet.load_policy`."""
        return load_policy(self.path, checkpoint=checkpoint, autoreset_mode=autoreset_mode)

    def evaluate(
        self,
        episodes: int = 512,
        *,
        forget_every: int | None = None,
        level: str | Path | None = None,
        overrides: Mapping[str, Any] | None = None,
        checkpoint: str = "latest",
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ) -> dict[str, Any]:
        """Play greedy episodes that training never saw; returns what `townlet evaluate --json` prints.

        `forget_every=1` takes the memory away, N zeroes it before every N-th step. Keywords are that command's flags,
        and `overrides` what `--set` is there. Raises ConfigError, CheckpointError and WorldError.
        """
        for name, count in (("episodes", episodes), ("forget_every", forget_every)):
            if count is not None and count < 1:
                raise ConfigError([f"{name}: expected at least 1, got {count}"])
        where = torch.device(device)
        return play_run(self.path, checkpoint, where, episodes, level, overrides, seed, forget_every).result

    def metrics(self, name: str) -> Metric:
        """Return what was recorded under a name, as "rollout/ep_len_mean", in the order of steps.

        Raises ValueError where nothing was, which says what has such a name.
        """
        with closing(MetricsStore(self.path / "metrics.sqlite", read_only=True)) as store:
            records, known = store.scalars(name), store.names()
        if not records:
            expected = f"one of {', '.join(known)}" if known else "a run with metrics"
            raise ValueError(f"metrics: expected {expected}, got {name!r}{suggestion(name, known)}")
        steps, values = zip(*records, strict=True)
        return Metric(np.array(steps, np.int64), np.array(values, np.float64))

    def _repr_html_(self) -> str:
        """The curves, below a line that says what this is, and above one that says where the rest lies."""
        stopped = "" if self.stopped_by == "steps" else f"; stopped: {self.why or 'by hand'}"
        about = f"Level {self.level.id}, {self.level.name}: {self.steps:,} steps{stopped}"
        lines = [f"<div><b>{escape(about)}</b></div>"]
        if (curves := self.path / "curves.png").is_file():
            picture = base64.b64encode(curves.read_bytes()).decode()
            lines.append(f'<img alt="learning curves" style="max-width: 100%" src="data:image/png;base64,{picture}">')
        report = escape(str(self.path / REPORT_NAME))
        lines.append(f'<div style="opacity: 0.7">All of it is told in <code>{report}</code></div>')
        return f'<div style="font-family: system-ui, sans-serif; max-width: 64em">{"".join(lines)}</div>'
