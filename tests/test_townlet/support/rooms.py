"""Tiny levels whose survival is known by counting, and runs trained in them for a moment."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from townlet import train
from townlet.run.saving import checkpoint
from townlet.run.training_run import TrainingRun

Content = dict[str, Any]

# Three cells in a row; breath lasts for five ticks, and nothing gives it back.
ROOM: Content = {
    "id": "room", "name": "room", "description": "A row of three cells.",
    "grid": {"width": 3, "height": 1}, "max_steps": 9, "actions": ["LEFT", "RIGHT", "INTERACT", "WAIT"],
    "meters": {"breath": {"passive": -0.2, "lethal": True}, "calm": {}}, "present_meters": ["breath", "calm"],
    "affordances": {"Chair": {"effects": {"calm": 0.1}, "place": [0, 0]},
                    "Lamp": {"effects": {"calm": 0.2}, "place": [2, 0]}},
    "placed_affordances": ["Chair"],
    "layout": {"kind": "random", "training_maps": 1, "evaluation_maps": 1},
    "observation": {"window": 3, "position": "normalised"},
    "reward": {"alive": 1.0},
    "network": {"kind": "recurrent", "encoder": {"kind": "joint", "width": 4}, "hidden": 4, "head": 4},
    "training": {
        "seed": 1, "num_agents": 4, "total_steps": 32, "seq_len": 4, "mode": {"kind": "fresh", "minibatches": 2},
        "gamma": 0.9, "trace_decay": 0.7, "double_q": False, "target_every": None, "huber_delta": None,
        "learning_rate": 0.001, "final_learning_rate": 0.001, "decay_steps": 32, "adam_epsilon": 1e-5,
        "max_grad_norm": 1.0, "exploration": {"base": 0.5, "alpha": 1.0},
    },
    "evaluation": {"episodes": 4, "every": 32},
}  # fmt: skip


def room(**changes: Any) -> Content:
    """The room with dotted keys replaced, dots written as two underscores: `room(grid__width=5)`."""
    content = copy.deepcopy(ROOM)
    for key, value in changes.items():
        *outer, last = key.split("__")
        spot = content
        for part in outer:
            spot = spot[part]
        spot[last] = value
    return content


def write_level(folder: Path, content: Content) -> Path:
    """Write a level beside others; JSON is YAML. Its file is named by its id."""
    path = folder / f"{content['id']}.yaml"
    path.write_text(json.dumps(content))
    return path


@contextmanager
def after_step(step: int, act: Callable[[TrainingRun], None]) -> Iterator[None]:
    """Do something once to a run that is trained meanwhile, as soon as it has taken so many environment steps."""
    loop = TrainingRun._loop

    def watched(run: TrainingRun) -> None:
        take = run.population.step

        def once_more() -> dict[str, torch.Tensor]:
            metrics = take()
            if run.population.env_steps == step:
                act(run)
            return metrics

        run.population.step = once_more  # type: ignore[method-assign]
        loop(run)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainingRun, "_loop", watched)
        yield


def stop(run: TrainingRun) -> None:
    """Let a run save and stop, as a signal does."""
    run.stop.wanted = True


def saved(run: Path, step: int) -> checkpoint.Checkpoint:
    """A checkpoint of a run, by its step."""
    return checkpoint.load(run / "checkpoints" / f"step_{step:09}")


def train_briefly(folder: Path, content: Content, name: str = "run", *flags: str) -> Path:
    """Train in a level for its few steps; returns the run's folder."""
    level = write_level(folder, content)
    arguments = ["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(folder), "--run-name", name]
    assert train.main([*arguments, *flags]) == 0
    return folder / f"{content['id']}_{content['name']}" / name
