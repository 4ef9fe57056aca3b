"""The page's network says what PyTorch's does, step after step, of every kind that a level of the town may name.

Networks are fresh, and no weight of theirs is zero. What they see is what agents see that act at random.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from node import run_node
from support.learning import FEW_MAPS, SMALL_NETWORK, without_zeros
from support.replays import CPU
from townlet.agent.acting import carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.config import Level, load_level
from townlet.environment.types import Observation
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.level.file import shipped_levels
from townlet.page.recorder import memory_rows
from townlet.page.world import describe_world
from townlet.population.evaluation import RandomPolicy

ASK = Path(__file__).parent / "site" / "ask_network.mjs"
AGENTS, STEPS, FORGOTTEN = 2, 40, 24  # before step 24 memories are zeroed, whatever becomes of the agents
CLOSE = 5e-5

FIXED = ("0",)  # levels of one map
ONE_HOT = {"observation.position": "one_hot", "network.sightings": False}
FEED = {"kind": "feed_forward", "hidden": [9, 7]}
RECURRENT = {"kind": "recurrent", "encoder": {"kind": "joint", "width": 6}, "hidden": 8, "head": 12}
SPATIAL = RECURRENT | {"encoder": {"kind": "spatial", "window": 8, "part": 4}}


def beside(*memories: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A small network of Level 2 with these memories and no others."""
    return {**SMALL_NETWORK, "network.sightings": False, "network.memory": list(memories), **others}


DELTA = {"kind": "delta", "keys": 6, "values": 3, "keep": 0.98}
GROUND = {"kind": "ground", "values": 3}
SPECTRAL = {"kind": "spectral", "lags": 6, "keep": 1.0}
COUNTER = {"kind": "counter", "most": 3}
LRU = {"kind": "lru", "units": 5, "span": 40}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"level {one}": (one, {}) for one in shipped_levels()},
    "plain layers": ("2", {"network": FEED}),
    "layers, previous action": ("2", {"network": FEED | {"previous_action": True, "dueling": True}}),
    "layers, norms": ("2", {"network": FEED | {"layer_norm": True}}),
    "layers, directions": ("1", {"network": FEED | {"directions": True}}),
    "plain LSTM": ("2", beside(**{f"network.{name}": False for name in ("dueling", "layer_norm", "previous_action")})),
    "GRU": ("2", beside(**{"network.cell": "gru", "network.skip": False})),
    "spatial encoder": ("3", {"network": SPATIAL | {"previous_action": True, "layer_norm": True, "skip": True}}),
    "directions in a spatial encoder": ("1", {"network": SPATIAL | {"directions": True}, "observation.window": 3}),
    "sightings in view": ("1", {"network": RECURRENT | {"sightings": True, "directions": True}}),
    "frontier and sightings": ("2", beside(**{"network.frontier": True, "network.sightings": True})),
    "frontier in a wide town": ("2", beside(**{"network.frontier": True, "grid": {"width": 9, "height": 4}})),
    "frontier in one column": ("2", beside(**{"network.frontier": True, "grid": {"width": 1, "height": 15}})),
    "spectral": ("2", beside(SPECTRAL)),
    "spectral, fading, squashed": ("2", beside(SPECTRAL | {"keep": 0.9, "squash": True})),
    "spectral, random sums": ("2", beside(SPECTRAL | {"widest": 4})),
    "spectral, wider than what is seen": ("2", beside(SPECTRAL | {"widest": 1000})),
    "steered": ("2", beside(SPECTRAL | {"turn": "learned", "banks": 3, "keep": 0.95})),
    "steered, random sums": ("2", beside(SPECTRAL | {"turn": "learned", "banks": 2, "widest": 4})),
    "steered, squashed": ("2", beside(SPECTRAL | {"turn": "learned", "squash": True})),
    "delta": ("2", beside(DELTA)),
    "delta, shares": ("2", beside(DELTA | {"at": "meters", "keys": 9})),
    "delta, phases of a place": ("2", beside(DELTA | {"phases": True, "keep": 1.0})),
    "delta, phases of a cell": ("2", beside(DELTA | {"phases": True, "at": "meters", "keys": 9}, **ONE_HOT)),
    "delta, whole": ("2", beside(DELTA | {"phases": True, "whole": True})),
    "ground": ("2", beside(GROUND)),
    "ground, whole, in a wide town": ("2", beside(GROUND | {"whole": True}, grid={"width": 9, "height": 4})),
    "LRU": ("2", beside(LRU)),
    "LRU, kept for long": ("2", beside(LRU | {"span": 1_000_000_000})),
    "LRU, traces": ("2", beside(LRU | {"traces": True})),
    "counter": ("2", beside(COUNTER)),
    "counter of outcomes": ("2", beside(COUNTER | {"of": "outcomes"})),
    "counter of outcomes, reach": ("2", beside(COUNTER | {"of": "outcomes", "reach": 2})),
    "counter of actions": ("2", beside(COUNTER | {"of": "actions", "reach": 1})),
    "counter of parts": ("2", beside(COUNTER | {"of": "parts", "reach": 1})),
    "all at once": ("2", beside(LRU, SPECTRAL, COUNTER | {"of": "outcomes"}, DELTA, COUNTER, **{
        "network.frontier": True, "network.sightings": True, "network.cell": "gru",
    })),
}  # fmt: skip


class Walk(NamedTuple):
    """What agents see who act at random, step after step."""

    features: Tensor  # [steps, agents, obs_dim]
    actions: Tensor  # [steps, agents] int64
    forgets: Tensor  # [steps, agents] bool: before the step


class Said(NamedTuple):
    """What a network says of a walk, each [steps, agents, ...]."""

    q: Tensor  # of each action
    blank: Tensor  # the same without memory
    memory: Tensor  # the numbers with which each step begins
    previous: Tensor  # the action before it, [steps, agents] int64


def load_town(reference: str, overrides: Mapping[str, Any]) -> Level:
    """A level with few maps, if they are drawn."""
    return load_level(reference, {**overrides, **(FEW_MAPS if reference not in FIXED else {})})


def walk(env: VectorizedEnv) -> Walk:
    policy, seen, forgets = RandomPolicy(2, CPU), env.reset(), torch.ones(AGENTS, dtype=torch.bool)
    steps = []
    for step in range(STEPS):
        actions = policy.act(seen)
        steps.append((seen.features.clone(), actions, forgets | (step == FORGOTTEN)))
        result = env.step(actions)
        seen, forgets = result.observation, result.forgets.clone()
    return Walk(*map(torch.stack, zip(*steps, strict=True)))


def ask(network: QNetwork, seen: Walk) -> Said:
    """Ask PyTorch, with the memory that agents have and without, both at once."""
    memory, mask, steps = initial_memory(network, AGENTS, CPU), torch.ones(2 * AGENTS, network.num_actions) > 0, []
    blank = memory.hidden
    for features, actions, forgets in zip(*seen, strict=True):
        memory = carry_on(memory.hidden, memory.previous_actions, forgets, network.num_actions)
        twice = memory._replace(
            hidden=tuple(torch.cat(parts, dim=1) for parts in zip(memory.hidden, blank, strict=True)),
            previous_actions=memory.previous_actions.repeat(2),
        )
        q, hidden = q_values(network, Observation(features.repeat(2, 1), mask), twice)
        before = torch.cat([part[0] for part in memory.hidden], dim=1) if blank else torch.zeros(AGENTS, 0)
        steps.append((q[:AGENTS], q[AGENTS:], before, memory.previous_actions))
        memory = memory._replace(hidden=tuple(part[:, :AGENTS] for part in hidden), previous_actions=actions)
    return Said(*map(torch.stack, zip(*steps, strict=True)))


def coded(numbers: Tensor) -> str:
    return base64.b64encode(numbers.numpy().astype("<f4").tobytes()).decode()


def case_of(level: Level, env: VectorizedEnv, network: QNetwork) -> dict[str, Any]:
    """What the page is given of a network: what stands of it in a replay."""
    weights = network.state_dict()
    header = {
        "world": describe_world(level, env.tables).model_dump(mode="json"),
        "network": level.network.model_dump(mode="json"),
        "memory": [row.model_dump(mode="json") for row in memory_rows(network)],
        "weights": [{"name": name, "shape": list(part.shape)} for name, part in weights.items()],
    }
    return {"header": header, "weights": {name: coded(part) for name, part in weights.items()}}


@pytest.fixture(scope="module")
def said() -> dict[str, list[tuple[Said, dict[str, Any]]]]:
    """What PyTorch and the page say, by case, for each agent; the page is asked for all of them by one process."""
    walks, asked, expected = dict[str, Walk](), [], list[Said]()
    for reference, overrides in CASES.values():
        level = load_town(reference, overrides)
        env, network = VectorizedEnv(level, AGENTS, compile=False), without_zeros(level)
        case = case_of(level, env, network)
        world = json.dumps(case["header"]["world"] | {"reward": None, "terms": None})
        if world not in walks:
            walks[world] = walk(env)
        seen = walks[world]
        by_torch = ask(network, seen)
        for agent in range(AGENTS):
            columns = {"previous": by_torch.previous, "forgets": seen.forgets}
            of_agent = {name: column[:, agent].tolist() for name, column in columns.items()}
            asked.append(case | of_agent | {"features": coded(seen.features[:, agent])})
            expected.append(Said(*(column[:, agent] for column in by_torch)))
    done = run_node(str(ASK), stdin=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    both = list(zip(expected, json.loads(done.stdout), strict=True))
    return {name: both[AGENTS * index : AGENTS * (index + 1)] for index, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_what_torch_says_at_every_step(said, name):
    for by_torch, by_page in said[name]:
        assert "unknown" not in by_page, by_page["unknown"]
        for column in ("q", "blank", "memory"):
            expected = getattr(by_torch, column)
            got = np.frombuffer(base64.b64decode(by_page[column]), "<f4").reshape(expected.shape)
            assert np.abs(got - expected.numpy()).max(initial=0.0) < CLOSE, column


def test_what_networks_say_hangs_on_what_they_remember_and_on_which_way_they_came(said):
    """A comparison of numbers that never change would hold whatever the page computes."""
    for name, ((by_torch, _), *_) in said.items():
        assert by_torch.q.std(dim=0).min() > 0.005, name
        assert bool(by_torch.memory.numel()) == bool((by_torch.q - by_torch.blank).abs().max() > 0.01), name
