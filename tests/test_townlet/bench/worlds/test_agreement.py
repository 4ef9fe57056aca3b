"""Worlds that are written without PyTorch live our lives, and a wrong rule in one is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from support.benchmarks import needs_compiler
from townlet.bench.worlds import kernel_world
from townlet.bench.worlds.agreement import DisagreementError, check_agreement
from townlet.bench.worlds.kernel_world import KernelWorld
from townlet.bench.worlds.numpy_world import NumpyWorld
from townlet.bench.worlds.plain_rules import PlainRules, PlainWorld, plain_rules
from townlet.config import load_level

WORLDS = [pytest.param(NumpyWorld, id="numpy"), pytest.param(KernelWorld, id="c", marks=needs_compiler)]
EACH_COMPILED = [WORLDS[0], pytest.param(KernelWorld, id="c", marks=[needs_compiler, pytest.mark.slow])]

Make = Callable[[PlainRules, int, int], PlainWorld]

HUNGRY = {"meters.energy.initial": 0.35}  # lives of fifty ticks or so; what is shipped is lived as it is

LEVELS: dict[str, tuple[str, dict[str, Any]]] = {
    "2": ("2", {}),
    "the large town": ("2.5", {}),
    "short lives": ("2", {"max_steps": 30}),
    "other actions in another order": ("2", {"actions": ["WAIT", "INTERACT", "RIGHT", "LEFT", "DOWN", "UP"]}),
    "a narrow map with a wide window": ("2", {"grid.width": 4, "grid.height": 9, "observation.window": 7}),
    "a wide map": ("2", {"grid.width": 11, "grid.height": 3}),
    "one column": ("2", {"grid.width": 1, "grid.height": 15, "actions": ["DOWN", "UP", "INTERACT"]}),
    "few meters, a drain by an absent one": (
        "0.5",
        {
            "observation.window": 3,
            "observation.position": "normalised",
            "observation.offsets": False,
            "network.directions": False,
        },
    ),
    "losses that feed each other, within a group and between two": ("2", {
        "cascades": {"threshold": 0.9, "groups": [
            {"name": "first", "pulls": [
                {"source": "satiation", "target": "mood", "strength": 0.02},
                {"source": "mood", "target": "energy", "strength": 0.02},
            ]},
            {"name": "second", "pulls": [{"source": "mood", "target": "satiation", "strength": 0.02}]},
        ]},
        "drains": [
            {"meter": "fitness", "by": "mood", "rate": 0.01, "at_full": 0.5, "at_empty": 3.0},
            {"meter": "health", "by": "fitness", "rate": 0.01, "at_full": 0.5, "at_empty": 3.0},
        ],
    }),
    "no cascades": ("2", {"cascades": None, "drains": []}),
    "fixed places": ("2", {"layout": {"kind": "fixed", "training_maps": None, "evaluation_maps": None}}),
}  # fmt: skip


@pytest.fixture
def soon_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is hardly optimised: the same numbers later, from a compiler that is done sooner."""
    monkeypatch.setattr(kernel_world, "FLAGS", tuple(flag.replace("-O3", "-O0") for flag in kernel_world.FLAGS))


@pytest.mark.parametrize("make", WORLDS)
@pytest.mark.parametrize("name", LEVELS)
def test_lives_are_ours_tick_by_tick(name: str, make: Make, request: pytest.FixtureRequest) -> None:
    reference, overrides = LEVELS[name]
    if overrides:  # what is shipped is lived as it is measured
        request.getfixturevalue("soon_compiled")
    level = load_level(reference, {**HUNGRY, **overrides} if overrides else {})
    world = make(plain_rules(level), 300, 7)  # more than one block of the kernel, and no multiple of it
    ended = check_agreement(name, world, level, 300, 7, 60 if overrides else 120)
    assert ended > 100


@pytest.mark.usefixtures("soon_compiled")
@pytest.mark.parametrize("make", WORLDS)
def test_a_second_reset_begins_the_same_lives(make: Make) -> None:
    level = load_level("2", HUNGRY)
    world = make(plain_rules(level), 16, 3)
    check_agreement("first", world, level, 16, 3, 60)
    check_agreement("second", world, level, 16, 3, 60)


@needs_compiler
def test_threads_change_nothing() -> None:
    level = load_level("2")
    check_agreement("c", KernelWorld(plain_rules(level), 1000, 0, threads=2), level, 1000, 0, 50)


MISTAKES: dict[str, Callable[[PlainRules], dict[str, Any]]] = {
    "initial": lambda rules: {"initial": [0.5 * value for value in rules.initial]},
    "passive": lambda rules: {"passive": [0.0] * rules.num_meters},
    "move": lambda rules: {"move": [0.0] * rules.num_meters},
    "lethal": lambda rules: {"lethal": [not value for value in rules.lethal]},
    "costs": lambda rules: {"costs": rules.costs * np.float32(0.5)},
    "effects": lambda rules: {"effects": np.roll(rules.effects[:, :-1], 1, axis=1)},
    "drains": lambda rules: {"drains": []},
    "threshold": lambda rules: {"threshold": 0.2},
    "a group": lambda rules: {"groups": rules.groups[:-1]},
    "weights": lambda rules: {"potential": [(k, 1.0, full) for k, _, full in rules.potential]},
    "full": lambda rules: {"potential": [(k, weight, 1.0) for k, weight, _ in rules.potential]},
    "places": lambda rules: {"affordance_at": np.roll(rules.affordance_at, 1, axis=1)},
    "window": lambda rules: {"window_bits": rules.window_bits >> np.uint64(1)},
}


@pytest.mark.usefixtures("soon_compiled")
@pytest.mark.parametrize("make", EACH_COMPILED)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_one_rule_is_found(name: str, make: Make) -> None:
    level = load_level("2", HUNGRY)
    rules = plain_rules(level)
    changed = MISTAKES[name](rules)
    if name == "effects":
        changed["effects"] = np.pad(changed["effects"], ((0, 0), (0, 1)))
    with pytest.raises(DisagreementError, match=rf"^{name}: \w+ of agent \d+ after step \d+: expected .* got "):
        check_agreement(name, make(rules._replace(**changed), 64, 0), level, 64, 0, 160)


@pytest.mark.usefixtures("soon_compiled")
@pytest.mark.parametrize("make", WORLDS)
def test_another_seed_is_another_life(make: Make) -> None:
    level = load_level("2")
    with pytest.raises(DisagreementError, match="after step 0"):
        check_agreement("seed", make(plain_rules(level), 16, 1), level, 16, 0, 1)
