"""Every key of a level has an effect where it should have one, and the order of keys has none."""

import contextlib
import copy
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import torch
from pydantic import BaseModel

from support.worlds import random_valid
from townlet import train
from townlet.agent.networks import make_network
from townlet.config import Level, level_problems, resolved_config
from townlet.environment.layout import lay_out
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.page.replay import read
from townlet.population.vectorized import VectorizedPopulation

# --- base levels: small, and between them everything is switched on ----------------------------------------------

Content = dict[str, Any]

EXPLORATION = {"base": 0.6, "alpha": 2.0, "action_weights": {"INTERACT": 3.0, "UP": 1.5}}
LEARNING = {
    "seed": 1, "total_steps": 64, "seq_len": 4, "gamma": 0.9, "learning_rate": 0.01, "final_learning_rate": 0.001,
    "decay_steps": 500, "adam_epsilon": 1e-5, "max_grad_norm": 0.1, "exploration": EXPLORATION,
}  # fmt: skip
FRESH = {
    **LEARNING, "num_agents": 8, "mode": {"kind": "fresh", "minibatches": 2},
    "trace_decay": 0.7, "double_q": False, "target_every": None, "huber_delta": None,
}  # fmt: skip
REPLAY_MODE = {"kind": "replay", "batch_size": 4, "train_every": 2, "min_episodes": 4, "capacity": 48, "burn_in": 2}
PRIORITY = {"exponent": 0.9, "importance": 0.6, "largest": 0.9}
REPLAY = {
    **LEARNING, "num_agents": 4, "mode": REPLAY_MODE,
    "n_step": 2, "double_q": True, "target_every": 2, "huber_delta": 1.0,
}  # fmt: skip
JOINT = {"kind": "joint", "width": 8}
SPATIAL = {"kind": "spatial", "window": 6, "part": 4}
RECURRENT = {
    "kind": "recurrent", "encoder": JOINT, "hidden": 6, "head": 5,
    "skip": True, "layer_norm": True, "dueling": True, "previous_action": True,
}  # fmt: skip
SPECTRAL = {"kind": "spectral", "lags": 4, "keep": 0.9}
DELTA = {"kind": "delta", "keys": 4, "values": 3, "keep": 0.9}
GROUND = {"kind": "ground", "values": 2}
COUNTER = {"kind": "counter", "most": 2}
LRU = {"kind": "lru", "units": 4, "span": 8}
FEED_FORWARD = {"kind": "feed_forward", "hidden": [8], "layer_norm": True, "dueling": True, "previous_action": True}

TOWN: Content = {
    "id": "t", "name": "tiny", "description": "A town for tests.",
    "grid": {"width": 4, "height": 3},
    "meters": {
        "food": {"initial": 0.6, "passive": -0.02, "move": -0.02, "lethal": True},
        "warmth": {"initial": 0.5, "passive": -0.04, "move": 0.01},
        "coin": {"initial": 0.4},
    },
    "present_meters": ["food", "warmth", "coin"],
    "drains": [{"meter": "food", "by": "warmth", "rate": 0.02, "at_full": 0.5, "at_empty": 2.0}],
    "cascades": {
        "threshold": 0.45,
        "groups": [
            {"name": "cold", "pulls": [{"source": "warmth", "target": "food", "strength": 0.02}]},
            {"name": "poor", "pulls": [{"source": "coin", "target": "warmth", "strength": 0.03}]},
        ],
    },
    "affordances": {
        "Kitchen": {"ticks": 2, "costs": {"coin": 0.1}, "effects": {"food": 0.3, "warmth": 0.1}, "hours": [0, 6],
                    "place": [0, 0]},
        "Mine": {"ticks": 3, "costs": {"coin": -0.2, "food": 0.03}, "effects": {"warmth": -0.1}, "place": [2, 1]},
        "Well": {"effects": {"food": 0.1}, "place": [3, 2]},
    },
    "placed_affordances": ["Kitchen", "Mine"],
    "layout": {"kind": "random", "training_maps": 8, "evaluation_maps": 4},
    "actions": ["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"],
    "max_steps": 12, "day_ticks": 8, "multi_tick": {"spread": 0.5},
    "observation": {"window": 3, "position": "normalised", "offsets": True, "clock": True, "progress": True,
                    "age": True},
    "reward": {
        "alive": 0.1, "death": -1.0, "milestones": [{"every": 3, "value": 0.5}],
        "wellbeing": {"food": 0.2, "coin": 0.1}, "interaction": {"food": 1.0, "coin": 0.5},
        "potential": {"scale": 2.0, "meters": {"food": {"weight": 2.0, "full": 0.8}, "warmth": {"weight": 1.0}}},
    },
    "yardsticks": {"random": 5, "planner": 12},
    "network": RECURRENT, "training": FRESH, "evaluation": {"episodes": 4, "every": 32},
}  # fmt: skip

SPARSE = {
    "alive": 0.01, "death": -0.5, "milestones": [{"every": 2, "value": 0.5}], "wellbeing": {"food": 0.3},
    "interaction": {"food": 0.7}, "potential": {"scale": 3.0, "meters": {"food": {"weight": 2.0, "full": 0.8},
    "warmth": {"weight": 1.0}}},
}  # fmt: skip
STAGES = [{"meters": ["food"], "passive": 0.5}, {"passive": 1.0, "reward": "sparse"}]
ADVERSARIAL = {
    "kind": "adversarial", "stages": STAGES, "episodes": 2, "min_stay": 3, "advance_above": 0.3, "retreat_below": 0.1,
    "least_progress": -0.4, "entropy_below": 0.97, "temperature": 0.1,
}  # fmt: skip

ANNEAL = {"episodes": 1, "survival": 0.2, "spread": 0.4, "factor": 0.5}
CURIOSITY = {"weight": 0.5, "hidden": [8], "embedding": 4, "learning_rate": 0.01, "anneal": ANNEAL}
RECALL = {"weight": 0.5, "ask": "underfoot", "tell": "position", "back": 3}
HUNGRY = TOWN["meters"] | {"food": TOWN["meters"]["food"] | {"initial": 0.15}}  # lives of some ticks
EASIER = ADVERSARIAL | {"stages": [{"meters": ["food"], "passive": 0.5}, {"passive": 1.0}]}

ON_CUDA = {
    "num_agents": 16, "minibatches": 4, "total_steps": 128, "decay_steps": 256, "learning_rate": 0.02,
    "evaluate_every": 64,
}  # fmt: skip

BASES: dict[str, Content] = {
    "town": TOWN,
    "on cuda": {**TOWN, "on_cuda": ON_CUDA},
    "fixed": {**TOWN, "layout": {"kind": "fixed"}},
    "replay": {**TOWN, "max_steps": 6, "network": {**RECURRENT, "encoder": SPATIAL}, "training": REPLAY},
    "ranked": {**TOWN, "max_steps": 6, "training": REPLAY | {"mode": {**REPLAY_MODE, "priority": PRIORITY}}},
    "plain": {**TOWN, "network": FEED_FORWARD},
    "spectral": {**TOWN, "network": {**RECURRENT, "memory": [SPECTRAL]}},
    "delta": {**TOWN, "network": {**RECURRENT, "memory": [DELTA]}},
    "ground": {**TOWN, "network": {**RECURRENT, "memory": [GROUND]}},
    "counter": {**TOWN, "network": {**RECURRENT, "memory": [COUNTER]}},
    "outcomes": {**TOWN, "network": {**RECURRENT, "memory": [COUNTER | {"of": "outcomes"}]}},
    "lru": {**TOWN, "network": {**RECURRENT, "memory": [LRU]}},
    "steered": {**TOWN, "network": {**RECURRENT, "memory": [SPECTRAL | {"turn": "learned"}]}},
    "graded": {
        **TOWN,
        "meters": HUNGRY,
        "training": FRESH | {"curriculum": ADVERSARIAL},
        "sparse_reward": SPARSE,
    },
    "recorded": {
        **TOWN,
        "training": FRESH | {"curriculum": ADVERSARIAL, "total_steps": 128},
        "sparse_reward": SPARSE,
        "replays": {"every": 64, "agents": 1},
    },
    "stopping": {**TOWN, "training": FRESH | {"stop": {"goal": 11.0, "patience": 9}}},
    "asking": {**TOWN, "training": FRESH | {"recall": RECALL}},
    "telling": {**TOWN, "training": FRESH | {"prediction": {"weight": 0.5, "width": 8}}},
    "curious": {**TOWN, "meters": HUNGRY, "training": FRESH | {"curiosity": CURIOSITY}},
    "sparse": {
        **TOWN,
        "training": FRESH | {"curriculum": ADVERSARIAL | {"stages": STAGES[::-1]}},
        "sparse_reward": SPARSE,
    },
}

# --- what each key changes ---------------------------------------------------------------------------------------

REWARDS: dict[str, tuple[str, Content]] = {
    "reward.alive": ("town", {"reward.alive": 0.2}),
    "reward.death": ("town", {"reward.death": -2.0}),
    "reward.milestones.*.every": ("town", {"reward.milestones.0.every": 4}),
    "reward.milestones.*.value": ("town", {"reward.milestones.0.value": 0.25}),
    "reward.wellbeing": ("town", {"reward.wellbeing.coin": 0.2}),
    "reward.interaction": ("town", {"reward.interaction.coin": 1.0}),
    "reward.potential.scale": ("town", {"reward.potential.scale": 1.0}),
    "reward.potential.meters.*.weight": ("town", {"reward.potential.meters.food.weight": 3.0}),
    "reward.potential.meters.*.full": ("town", {"reward.potential.meters.warmth.full": 0.4}),
}

# Key of the model, by the aspect of a level in which its effect shows: a base level, and what is changed in it.
# `*` stands for any name or index, <kind> for one branch of a choice.
CHANGES: dict[str, dict[str, tuple[str, Content]]] = {
    "world": {
        "grid.width": ("town", {"grid.width": 5}),
        "grid.height": ("town", {"grid.height": 4}),
        "meters.*.initial": ("town", {"meters.food.initial": 0.7}),
        "meters.*.passive": ("town", {"meters.warmth.passive": -0.05}),
        "meters.*.move": ("town", {"meters.warmth.move": 0.02}),
        "meters.*.lethal": ("town", {"meters.warmth.lethal": True}),
        "present_meters": ("town", {"present_meters": ["warmth", "food", "coin"]}),
        "drains.*.meter": ("town", {"drains.0.meter": "coin"}),
        "drains.*.by": ("town", {"drains.0.by": "coin"}),
        "drains.*.rate": ("town", {"drains.0.rate": 0.03}),
        "drains.*.at_full": ("town", {"drains.0.at_full": 1.0}),
        "drains.*.at_empty": ("town", {"drains.0.at_empty": 3.0}),
        "cascades.threshold": ("town", {"cascades.threshold": 0.4}),
        "cascades.groups.*.pulls.*.source": ("town", {"cascades.groups.0.pulls.0.source": "coin"}),
        "cascades.groups.*.pulls.*.target": ("town", {"cascades.groups.0.pulls.0.target": "coin"}),
        "cascades.groups.*.pulls.*.strength": ("town", {"cascades.groups.0.pulls.0.strength": 0.03}),
        "affordances.*.ticks": ("town", {"affordances.Mine.ticks": 2}),
        "affordances.*.costs": ("town", {"affordances.Kitchen.costs": {"coin": 0.2}}),
        "affordances.*.effects": ("town", {"affordances.Kitchen.effects": {"food": 0.4}}),
        "affordances.*.hours": ("town", {"affordances.Kitchen.hours": [2, 8]}),
        "affordances.*.place": ("fixed", {"affordances.Kitchen.place": [1, 0]}),
        "placed_affordances": ("town", {"placed_affordances": ["Kitchen", "Well"]}),
        "layout.kind": ("town", {"layout": {"kind": "fixed"}}),
        "layout.training_maps": ("town", {"layout.training_maps": 9}),
        "layout.evaluation_maps": ("town", {"layout.evaluation_maps": 5}),
        "actions": ("town", {"actions": ["DOWN", "UP", "LEFT", "RIGHT", "INTERACT", "WAIT"]}),
        "max_steps": ("town", {"max_steps": 10}),
        "day_ticks": ("town", {"day_ticks": 7}),
        "multi_tick.spread": ("town", {"multi_tick.spread": 0.25}),
        "observation.window": ("town", {"observation.window": 5}),
        "observation.position": ("town", {"observation.position": "one_hot"}),
        "observation.offsets": ("town", {"observation.offsets": False}),
        "observation.clock": ("town", {"observation.clock": False}),
        "observation.progress": ("town", {"observation.progress": False}),
        "observation.age": ("town", {"observation.age": False}),
        **REWARDS,
    },
    "network": {
        "network": ("town", {"network": FEED_FORWARD}),
        "network<feed_forward>.hidden": ("plain", {"network.hidden": [8, 8]}),
        "network<feed_forward>.layer_norm": ("plain", {"network.layer_norm": False}),
        "network<feed_forward>.dueling": ("plain", {"network.dueling": False}),
        "network<feed_forward>.previous_action": ("plain", {"network.previous_action": False}),
        "network<feed_forward>.directions": ("plain", {"network.directions": True}),
        "network<recurrent>.directions": ("town", {"network.directions": True}),
        "network<recurrent>.encoder": ("town", {"network.encoder": SPATIAL}),
        "network<recurrent>.encoder<spatial>.window": ("replay", {"network.encoder.window": 7}),
        "network<recurrent>.encoder<spatial>.part": ("replay", {"network.encoder.part": 5}),
        "network<recurrent>.encoder<joint>.width": ("town", {"network.encoder.width": 9}),
        "network<recurrent>.cell": ("town", {"network.cell": "gru"}),
        "network<recurrent>.sightings": ("town", {"network.sightings": True}),
        "network<recurrent>.frontier": ("town", {"network.frontier": True}),
        "network<recurrent>.memory.*": ("spectral", {"network.memory.0": DELTA}),
        "network<recurrent>.memory.*<spectral>.lags": ("spectral", {"network.memory.0.lags": 8}),
        "network<recurrent>.memory.*<spectral>.keep": ("spectral", {"network.memory.0.keep": 0.5}),
        "network<recurrent>.memory.*<spectral>.turn": ("spectral", {"network.memory.0.turn": "learned"}),
        "network<recurrent>.memory.*<spectral>.squash": ("spectral", {"network.memory.0.squash": True}),
        "network<recurrent>.memory.*<spectral>.widest": ("spectral", {"network.memory.0.widest": 2}),
        "network<recurrent>.memory.*<spectral>.banks": ("steered", {"network.memory.0.banks": 2}),
        "network<recurrent>.memory.*<delta>.keys": ("delta", {"network.memory.0.keys": 5}),
        "network<recurrent>.memory.*<delta>.values": ("delta", {"network.memory.0.values": 4}),
        "network<recurrent>.memory.*<delta>.keep": ("delta", {"network.memory.0.keep": 0.5}),
        "network<recurrent>.memory.*<delta>.phases": ("delta", {"network.memory.0.phases": True}),
        "network<recurrent>.memory.*<delta>.at": ("delta", {"network.memory.0.at": "meters"}),
        "network<recurrent>.memory.*<delta>.whole": ("delta", {"network.memory.0.whole": True}),
        "network<recurrent>.memory.*<ground>.values": ("ground", {"network.memory.0.values": 3}),
        "network<recurrent>.memory.*<ground>.whole": ("ground", {"network.memory.0.whole": True}),
        "network<recurrent>.memory.*<counter>.most": ("counter", {"network.memory.0.most": 3}),
        "network<recurrent>.memory.*<counter>.of": ("counter", {"network.memory.0.of": "outcomes"}),
        "network<recurrent>.memory.*<counter>.reach": ("outcomes", {"network.memory.0.reach": 1}),
        "network<recurrent>.memory.*<lru>.units": ("lru", {"network.memory.0.units": 5}),
        "network<recurrent>.memory.*<lru>.span": ("lru", {"network.memory.0.span": 9}),
        "network<recurrent>.hidden": ("town", {"network.hidden": 7}),
        "network<recurrent>.head": ("town", {"network.head": 6}),
        "network<recurrent>.memory_span": ("town", {"network.memory_span": 10}),
        "network<recurrent>.skip": ("town", {"network.skip": False}),
        "network<recurrent>.layer_norm": ("town", {"network.layer_norm": False}),
        "network<recurrent>.dueling": ("town", {"network.dueling": False}),
        "network<recurrent>.previous_action": ("town", {"network.previous_action": False}),
    },
    "learning": {
        "network<recurrent>.memory.*<lru>.traces": ("lru", {"network.memory.0.traces": True}),
        "training.seed": ("town", {"training.seed": 2}),
        "training.num_agents": ("town", {"training.num_agents": 10}),
        "training.seq_len": ("town", {"training.seq_len": 5}),
        "training.mode": ("town", {"training.mode": REPLAY_MODE | {"capacity": 200}}),
        "training.mode<fresh>.minibatches": ("town", {"training.mode.minibatches": 4}),
        "training.mode<replay>.batch_size": ("replay", {"training.mode.batch_size": 5}),
        "training.mode<replay>.train_every": ("replay", {"training.mode.train_every": 3}),
        "training.mode<replay>.min_episodes": ("replay", {"training.mode.min_episodes": 0}),
        "training.mode<replay>.capacity": ("replay", {"training.mode.capacity": 44}),
        "training.mode<replay>.burn_in": ("replay", {"training.mode.burn_in": 1}),
        "training.mode<replay>.stored_every": ("replay", {"training.mode.stored_every": 2}),
        "training.mode<replay>.priority.exponent": ("ranked", {"training.mode.priority.exponent": 0.3}),
        "training.mode<replay>.priority.importance": ("ranked", {"training.mode.priority.importance": 0.1}),
        "training.mode<replay>.priority.largest": ("ranked", {"training.mode.priority.largest": 0.2}),
        "training.initial_state": ("town", {"training.initial_state": "zero"}),
        "training.value_rescaling": ("town", {"training.value_rescaling": True}),
        "training.gamma": ("town", {"training.gamma": 0.8}),
        "training.reward_scale": ("town", {"training.reward_scale": 2.0}),
        "training.n_step": ("replay", {"training.n_step": 3}),
        "training.trace_decay": ("town", {"training.trace_decay": 0.5}),
        "training.double_q": ("replay", {"training.double_q": False}),
        "training.target_every": ("replay", {"training.target_every": 3}),
        "training.target_rate": ("replay", {"training.target_every": None, "training.target_rate": 0.5}),
        "training.huber_delta": ("replay", {"training.huber_delta": 0.1}),
        "training.learning_rate": ("town", {"training.learning_rate": 0.02}),
        "training.final_learning_rate": ("town", {"training.final_learning_rate": 0.002}),
        "training.decay_steps": ("town", {"training.decay_steps": 400}),
        "training.adam_epsilon": ("town", {"training.adam_epsilon": 1e-4}),
        "training.max_grad_norm": ("town", {"training.max_grad_norm": 0.05}),
        "training.curriculum": ("town", {"training.curriculum": EASIER}),
        **{
            f"training.recall.{key}": ("asking", {f"training.recall.{key}": value})
            for key, value in (("weight", 0.6), ("ask", "meters"), ("tell", "clock"), ("back", 4))
        },
        **{
            f"training.prediction.{key}": ("telling", {f"training.prediction.{key}": value})
            for key, value in (("weight", 0.6), ("width", 9), ("alone", True))
        },
        **{
            f"training.curiosity.{key}": ("curious", {f"training.curiosity.{key}": value})
            for key, value in (
                ("weight", 0.6),
                ("hidden", [9]),
                ("embedding", 5),
                ("learning_rate", 0.02),
                ("anneal.episodes", 2),
                ("anneal.survival", 0.9),
                ("anneal.spread", 0.0),
                ("anneal.factor", 0.4),
            )
        },
        **{
            f"training.curriculum<adversarial>.{key}": ("graded", {f"training.curriculum.{path or key}": value})
            for key, path, value in (
                ("stages.*.meters", "stages.0.meters", ["warmth"]),
                ("stages.*.passive", "stages.0.passive", 0.1),
                ("stages.*.reward", "stages.0.reward", "sparse"),
                ("episodes", "", 3),
                ("min_stay", "", 16),
                ("advance_above", "", 0.99),
                ("retreat_below", "", 0.29),
                ("least_progress", "", 0.9),
                ("entropy_below", "", 0.1),
                ("temperature", "", 3.0),
            )
        },
        **{
            f"sparse_reward.{key.removeprefix('reward.')}": (
                "sparse",
                {f"sparse_{path}": value for path, value in changes.items()},
            )
            for key, (_, changes) in REWARDS.items()
        },
        "training.exploration.base": ("town", {"training.exploration.base": 0.9}),
        "training.exploration.alpha": ("town", {"training.exploration.alpha": 0.0}),
        "training.exploration.warm_up": ("town", {"training.exploration.warm_up": 400}),
        "training.exploration.taste": ("town", {"training.exploration.taste": 5.0}),
        "training.exploration.action_weights": ("town", {"training.exploration.action_weights.INTERACT": 30.0}),
    },
    "plan": {
        "description": ("town", {"description": "Another town."}),
        "training.stop.goal": ("stopping", {"training.stop.goal": 10.5}),
        "training.stop.patience": ("stopping", {"training.stop.patience": 8}),
        "training.workers": ("town", {"training.workers": 2}),
        **{f"on_cuda.{key}": ("on cuda", {f"on_cuda.{key}": value / 2}) for key, value in ON_CUDA.items()},
    },
    "run": {
        "id": ("town", {"id": "u"}),
        "name": ("town", {"name": "small"}),
        "yardsticks": ("town", {"yardsticks.random": 6}),
        "training.total_steps": ("town", {"training.total_steps": 48}),
        "replays.every": ("recorded", {"replays.every": 128}),
        "replays.keep": ("recorded", {"replays.keep": 1}),
        "replays.agents": ("recorded", {"replays.agents": 4}),
        "replays.best": ("recorded", {"replays.best": False}),
        "replays.worst": ("recorded", {"replays.worst": False}),
        "replays.first_of_stage": ("recorded", {"replays.first_of_stage": False}),
        "evaluation.episodes": ("town", {"evaluation.episodes": 5}),
        "evaluation.every": ("town", {"evaluation.every": 40}),
    },
}
LABELS = {"cascades.groups.*.name"}  # read by people alone

# --- the fingerprint of each aspect ------------------------------------------------------------------------------


def fingerprint(parts: Iterator[Any]) -> str:
    """A hash over all parts."""
    return hashlib.sha256("".join(fingerprints(parts)).encode()).hexdigest()


def fingerprints(parts: Iterator[Any]) -> Iterator[str]:
    """A hash of each part: of a tensor its shape and bits, of anything else its text."""
    for part in parts:
        if isinstance(part, torch.Tensor):
            text = f"{list(part.shape)} {part.dtype}".encode() + part.detach().contiguous().numpy().tobytes()
        else:
            text = str(part).encode()
        yield hashlib.sha256(text).hexdigest()


def world(level: Level, directory: Path) -> Iterator[Any]:
    """Lives of random valid actions on both kinds of maps: all that is observed and all that a step returns."""
    for maps, steps in (("training", 16), ("evaluation", 1)):
        env, choice = VectorizedEnv(level, 64, compile=False, maps=maps), torch.Generator().manual_seed(0)
        observation = env.reset()
        yield from observation
        for _ in range(steps):
            result = env.step(random_valid(observation.action_mask, choice))
            observation = result.observation
            yield from (*observation, *result[1:])
        yield env.read_metrics()


def network(level: Level, directory: Path) -> Iterator[Any]:
    """Shapes of the parameters, and the network's answers to a window."""
    torch.manual_seed(0)
    layout = lay_out(level)
    made, width = make_network(level.network, layout, len(level.actions)), layout.obs_dim
    yield {name: tuple(parameter.shape) for name, parameter in made.named_parameters()}
    previous = torch.arange(6).view(2, 3) % len(level.actions)
    with torch.no_grad():
        yield made(torch.rand(2, 3, width), made.initial_hidden(2), previous)[0]


def learning(level: Level, directory: Path) -> Iterator[Any]:
    """The weights again and again in a short run of the population."""
    population = VectorizedPopulation(level, VectorizedEnv(level, level.training.num_agents, compile=False))
    for step in range(1, 17):
        population.step()
        if step % 4 == 0:
            yield from population.network.state_dict().values()
    assert population.learner.updates


def plan(level: Level, directory: Path) -> Iterator[Any]:
    """What `townlet train --dry-run` says."""
    yield said_by_train(level, directory, "--dry-run")


def run(level: Level, directory: Path) -> Iterator[Any]:
    """What a training run says of its evaluations, and the names and contents that it leaves."""
    lines = said_by_train(level, directory, "--run-name", "run").splitlines()
    yield [line[line.index("greedy survival") :] for line in lines if "greedy survival" in line]
    (folder,) = (directory / "runs").glob("*/run")
    yield folder.parent.name
    yield from (f"{file.name} {file.read_text()}" for file in sorted((folder / "evaluation").iterdir()))
    for file in sorted(folder.glob("replays/*")):
        yield f"{file.name} {[life.agent for life in read(file).lives]}"


def said_by_train(level: Level, directory: Path, *arguments: str) -> str:
    """Standard output of `townlet train` with a level."""
    path, said = directory / "level.yaml", io.StringIO()
    path.write_text(resolved_config(level))
    command = ["--level", str(path), "--runs-dir", str(directory / "runs"), "--plain", "--device", "cpu", *arguments]
    with contextlib.redirect_stdout(said):
        assert train.main(command) == 0
    return said.getvalue()


ASPECTS: dict[str, Callable[[Level, Path], Iterator[Any]]] = {
    "world": world, "network": network, "learning": learning, "plan": plan, "run": run,
}  # fmt: skip

# --- the model's keys --------------------------------------------------------------------------------------------


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys that hold values of their own, and all choices between kinds of a part."""
    for name, field in model.model_fields.items():
        if name != "kind" or len(get_args(field.annotation)) > 1:  # else it has one value: its choice is the part's
            yield from _keys_in(field.annotation, f"{prefix}{name}")


def _keys_in(annotation: Any, key: str) -> Iterator[str]:
    parts = [part for part in get_args(annotation) if part not in (NoneType, Ellipsis)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from keys_of(annotation, f"{key}.")
    elif hasattr(annotation, "__metadata__") or (_is_union(annotation) and len(parts) == 1):
        yield from _keys_in(parts[0], key)
    elif _is_union(annotation) and all(isinstance(part, type) and issubclass(part, BaseModel) for part in parts):
        yield key
        for part in parts:
            (kind,) = get_args(part.model_fields["kind"].annotation)
            yield from keys_of(part, f"{key}<{kind}>.")
    elif get_origin(annotation) in (tuple, dict) and any(_keys_in_parts(parts)):
        yield from _keys_in_parts(parts, f"{key}.*")
    else:
        yield key


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (UnionType, Union)


def _keys_in_parts(parts: list[Any], key: str = "") -> Iterator[str]:
    """Keys of the last of a container's types, where that is a part of a level, or one of several kinds."""
    last = parts[-1]
    if hasattr(last, "__metadata__") and _is_union(get_args(last)[0]):
        last = get_args(last)[0]
    if _is_union(last) or (isinstance(last, type) and issubclass(last, BaseModel)):
        yield from _keys_in(last, key)


def changed(content: Content, changes: Content) -> Content:
    """A copy in which each dotted path has its new value."""
    content = copy.deepcopy(content)
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        inside: Any = content
        for part in parents:
            inside = inside[part]
        assert (inside[last] if isinstance(inside, list) else inside.get(last)) != value, f"{path} is {value!r} already"
        inside[last] = value
    return content


def level_of(content: Content) -> Level:
    """A checked level."""
    level = Level.model_validate_json(json.dumps(content))
    assert level_problems(level) == []
    return level


@cache
def base_fingerprints(aspect: str, base: str, directory: Path) -> list[str]:
    """The fingerprints of a base level, worked out once."""
    directory.mkdir(exist_ok=True)
    return list(fingerprints(ASPECTS[aspect](level_of(BASES[base]), directory)))


CASES = [(aspect, key) for aspect, keys in CHANGES.items() for key in keys]


def test_every_key_of_a_level_is_in_the_table_of_changes() -> None:
    known = [key for _, key in CASES] + list(LABELS)
    assert sorted(known) == sorted(keys_of(Level))


@pytest.mark.parametrize(("aspect", "key"), CASES, ids=[f"{aspect}-{key}" for aspect, key in CASES])
def test_a_key_matters(aspect: str, key: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    base, changes = CHANGES[aspect][key]
    pattern = re.sub(r"<\w+>", "", key).replace(".", r"\.").replace("*", r"\w+")
    assert any(re.match(rf"{pattern}(\.\w+)?$", path) or path == key.rpartition(".")[0] for path in changes)
    directory = tmp_path_factory.getbasetemp() / f"{aspect}_{base}"
    those = fingerprints(ASPECTS[aspect](level_of(changed(BASES[base], changes)), tmp_path))
    assert any(one != other for one, other in zip_longest(those, base_fingerprints(aspect, base, directory)))


@pytest.mark.parametrize("aspect", ["world", "network", "learning"])
def test_a_fingerprint_is_the_same_again_and_does_not_read_labels(aspect: str, tmp_path: Path) -> None:
    """Else a difference would mean nothing."""
    again = changed(TOWN, {"cascades.groups.0.name": "another", "id": "u", "description": "", "yardsticks": {}})
    one, other = (fingerprint(ASPECTS[aspect](level_of(content), tmp_path)) for content in (TOWN, again))
    assert one == other


# --- the order of keys -------------------------------------------------------------------------------------------


def backwards(content: Any) -> Any:
    """All mappings in reversed order."""
    if isinstance(content, list):
        return [backwards(item) for item in content]
    if isinstance(content, dict):
        return {key: backwards(value) for key, value in reversed(content.items())}
    return content


def all_but(content: Content, *kept: str) -> Content:
    """The whole level backwards, but for what lies inside of these keys."""
    return {key: value if key in kept else backwards(value) for key, value in reversed(content.items())}


@pytest.mark.parametrize("aspect", ["world", "network", "learning"])
@pytest.mark.parametrize("base", ["town", "replay"])
def test_the_order_of_keys_changes_nothing(base: str, aspect: str, tmp_path: Path) -> None:
    turned = all_but(BASES[base], "affordances", "reward")
    turned["affordances"] = {name: backwards(one) for name, one in BASES[base]["affordances"].items()}
    assert list(level_of(turned).meters) == ["coin", "warmth", "food"]
    one, other = (fingerprint(ASPECTS[aspect](level_of(content), tmp_path)) for content in (BASES[base], turned))
    assert one == other


def test_the_order_of_meters_in_the_reward_changes_no_more_than_rounding() -> None:
    turned = {**TOWN, "reward": backwards(TOWN["reward"])}
    envs = [VectorizedEnv(level_of(content), 64, compile=False) for content in (TOWN, turned)]
    mask, choice = envs[0].reset().action_mask, torch.Generator().manual_seed(0)
    for _ in range(30):
        actions = random_valid(mask, choice)
        one, other = (env.step(actions) for env in envs)
        assert torch.allclose(one.reward, other.reward, rtol=0.0, atol=1e-6)
        mask = one.observation.action_mask


def test_the_order_of_the_affordances_is_that_of_the_observation_alone() -> None:
    turned = {**TOWN, "affordances": dict(reversed(TOWN["affordances"].items()))}
    envs = [VectorizedEnv(level_of(content), 64, compile=False) for content in (TOWN, turned)]
    choice, masks = torch.Generator().manual_seed(0), [env.reset().action_mask for env in envs]
    for _ in range(30):
        assert torch.equal(*masks)
        actions = random_valid(masks[0], choice)
        results = [env.step(actions) for env in envs]
        masks = [result.observation.action_mask for result in results]
        for one, other in zip(*(result[1:4] for result in results), strict=True):  # reward, terminated, truncated
            assert torch.equal(one, other)
        for one, other in zip(*(env.state for env in envs), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(*(result.observation.features for result in results))
    first, second = (env.read_metrics() for env in envs)
    assert first == second and list(first) != list(second)
