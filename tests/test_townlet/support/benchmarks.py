"""Small trials of a benchmark, and records as trials leave them; benchmarks of speed at tiny sizes."""

import json
import shutil

import pytest

from townlet.bench import __main__ as command
from townlet.bench.memory.plan import Peer, Trial
from townlet.bench.worlds.kernel_world import COMPILERS
from townlet.config import load_gym_task
from townlet.level.file import configs_directory

QUICK = ("--seconds", "0.001", "--repeats", "2")
PEER = Peer(num_envs=2, n_steps=64, batch_size=32, learning_rate=0.0003, gamma=0.99, hidden=8)
SMALL = {
    "network.encoder.width": 8, "network.hidden": 8, "network.head": 8, "training.num_agents": 4,
    "training.seq_len": 4, "evaluation.episodes": 3, "evaluation.every": 64,
}  # fmt: skip

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason="needs a C compiler: cc, gcc or clang"
)


def run_quickly(name, folder, capsys, *arguments):
    """Run a benchmark of speed; returns its exit code, what it said, and what it kept."""
    path = folder / f"{name}.json"
    try:
        code = command.main([name, *QUICK, "--json", str(path), *arguments])
    except SystemExit as stopped:
        code = stopped.code
    return code, capsys.readouterr(), json.loads(path.read_text()) if path.exists() else {}


def make_trial(row="balance", agent="recurrent", seed=0, bar=1000.0, budget=128, peer=PEER, **settings):
    """A trial on CartPole-v1 that takes a moment."""
    changes = {**SMALL, **{name.replace("__", "."): value for name, value in settings.items()}}
    task = load_gym_task("CartPole-v1", configs_directory() / "fresh.yaml", {**changes, "training.seed": seed})
    return Trial(row, agent, seed, task, bar, budget, peer)


def make_record(trial, scores, steps=100, seconds=2.0, solved=None, parameters=50):
    """A record with an evaluation every `steps` and `seconds`; `solved` is the index of the point that is."""
    points = [
        {"steps": steps * i, "seconds": seconds * i, "processor_seconds": seconds * i, "score": score, "deviation": 0.0}
        for i, score in enumerate(scores, start=1)
    ]
    return {
        "row": trial.row, "agent": trial.agent, "seed": trial.seed, "recipe": trial.recipe, "bar": trial.bar,
        "budget": trial.budget, "parameters": parameters, "points": points,
        "solved": None if solved is None else points[solved],
    }  # fmt: skip
