"""The kinds of runs that are tried, each a few seconds long, and what must be equal when one was interrupted."""

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from torture.child import Broken, run

ALWAYS = ("--plain", "--device", "cpu", "--run-name", "run")
FEW = ("--set", "evaluation.episodes=4", "--set", "max_steps=60", "--num-agents", "8")
SMALL = (*FEW, "--set", "training.mode.minibatches=2")
REPLAY = ("--set", "training.mode.capacity=2000", "--set", "training.mode.min_episodes=4")
PACE = ("--total-steps", "1600", "--checkpoint-every", "160", "--evaluate-every", "800")

KINDS: dict[str, tuple[str, ...]] = {
    "feed-forward": ("--level", "0", *FEW, "--set", "training.mode.minibatches=2", *PACE),
    "recurrent": ("--level", "2", *SMALL, *PACE),
    "replay": ("--level", "2-replay", *FEW, *REPLAY, *PACE),
    "stages": ("--level", "2-adversarial", *SMALL, *PACE),
    "ladder": ("--curriculum", "0,0.5", *SMALL, "--mastery", "1.0", *PACE),
    "gymnasium": ("--gym", "CartPole-v1", *FEW, *REPLAY, "--set", "training.seq_len=4", *PACE),
}
REPEATABLE = tuple(kind for kind in KINDS if kind != "gymnasium")  # worlds of others cannot be saved


class Outcome(NamedTuple):
    """What a run has come to, but for its speed."""

    step: int
    weights: str  # sha256 of the newest checkpoint's
    scalars: tuple[tuple[int, str, float], ...]


@dataclass
class Reference:
    """Runs that nothing interrupted, each made once: how long they took, and what they came to."""

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, kind: str) -> tuple[float, Outcome]:
        """Seconds and outcome of a kind."""
        with self.lock:
            if kind not in self.outcomes:
                began = time.monotonic()
                path = self.path(kind)
                code, said = run(words(kind, path), self.folder / f"{kind}.out")
                if code:
                    raise Broken(f"{kind}: expected a run without mishap to end with 0, got {code}:\n{said}")
                self.seconds[kind] = time.monotonic() - began
                self.outcomes[kind] = outcome(path)
        return self.seconds[kind], self.outcomes[kind]

    def path(self, kind: str) -> Path:
        """The folder of a kind's runs."""
        return self.folder / kind


def words(kind: str, runs: Path) -> list[str]:
    """The command that begins a run of a kind."""
    return ["train", *KINDS[kind], *ALWAYS, "--runs-dir", str(runs)]


def resume_words(kind: str, runs: Path) -> list[str]:
    """The command that goes on with it: as it was, all else is kept with the run."""
    return ["train", "--resume", str(root_of(runs)), *ALWAYS[:3], "--runs-dir", str(runs)]


def root_of(runs: Path) -> Path:
    """The run's folder, or the ladder's."""
    found = sorted(path.parent for path in runs.glob("*/run/*") if path.name in ("config.yaml", "ladder.json"))
    if not found:
        raise Broken(f"{runs}: expected a run's folder, got {[str(path) for path in runs.glob('*/*')]}")
    return found[0]


def has_run(runs: Path) -> bool:
    """Whether there is something to go on with."""
    return any(path.name in ("config.yaml", "ladder.json") for path in runs.glob("*/run/*"))


def outcome(runs: Path) -> Outcome:
    """Read what the newest run in a folder has come to."""
    run_folder, step, weights = _end(runs)
    return Outcome(step, weights, _scalars(run_folder))


def end(runs: Path) -> tuple[int, str]:
    """Step and weights of the newest run in a folder, whose metrics may be damaged."""
    return _end(runs)[1:]


def _end(runs: Path) -> tuple[Path, int, str]:
    newest = max(runs.rglob("checkpoints/step_*"), default=None, key=_age)
    if newest is None:
        raise Broken(f"{runs}: expected a checkpoint, got none")
    manifest = json.loads((newest / "manifest.json").read_text())
    return newest.parents[1], manifest["step"], manifest["files"]["model.safetensors"]["sha256"]


def _age(checkpoint: Path) -> tuple[float, str]:
    level, _, _ = checkpoint.parents[1].name.partition("_")  # a ladder's runs are named by their levels: 0.5_dual_...
    return float(level) if level.replace(".", "").isdigit() else 0.0, checkpoint.name


def _scalars(run_folder: Path) -> tuple[tuple[int, str, float], ...]:
    with sqlite3.connect(f"file:{run_folder / 'metrics.sqlite'}?mode=ro", uri=True) as store:
        query = "select step, name, value from scalars where name not like 'time/%' order by step, name"
        rows: Sequence[tuple[int, str, float]] = store.execute(query).fetchall()
    store.close()
    return tuple(rows)


def compare(expected: Outcome, got: Outcome, what: str) -> None:
    """Broken where an interrupted run did not come to what the other did."""
    if got[:2] != expected[:2]:
        raise Broken(f"{what}: expected step and weights {expected[:2]}, got {got[:2]}")
    if got.scalars != expected.scalars:
        differing = sorted(set(expected.scalars) ^ set(got.scalars))[:4]
        raise Broken(f"{what}: expected the same metrics, got others, as {differing}")
