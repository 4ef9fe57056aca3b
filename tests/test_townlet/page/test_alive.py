"""What the page lives itself is what was recorded, on every shipped level, and it says so; or it says why not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node import run_node
from support.learning import FEW_MAPS, without_zeros
from support.replays import closed, opened, recording, tampered
from townlet.config import load_level
from townlet.level.file import shipped_levels
from townlet.page.replay import Replay, unpack

CHECK = Path(__file__).parent / "site" / "check_alive.mjs"
AGENTS, LIMIT = 2, 12
CLOSE = 1e-4
FIXED = ("0",)  # levels of one map


def record_greedy(name: str, **wanted: Any) -> bytes:
    """The file of short greedy lives by a network none of whose weights is zero."""
    level = load_level(name, {"max_steps": LIMIT, **(FEW_MAPS if name not in FIXED else {})})
    return recording(level, without_zeros(level), AGENTS, **wanted)


def with_other_weights(packed: bytes) -> bytes:
    """The same file, with the first tensor of the weights all zero."""
    header, body = opened(packed)
    first, second = header["weights"][:2]
    return closed(
        header, body[: first["offset"]] + bytes(second["offset"] - first["offset"]) + body[second["offset"] :]
    )


def check(folder: Path, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """What the page says of files, by name, in one process."""
    for name, packed in files.items():
        (folder / f"{name}.replay").write_bytes(packed)
    done = run_node(str(CHECK), *(str(folder / f"{name}.replay") for name in files))
    assert done.returncode == 0, done.stderr
    return dict(zip(files, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Replay, dict[str, Any]]]:
    """A recording of each shipped level, and what the page says of it."""
    files = {name: record_greedy(name) for name in shipped_levels()}
    said = check(tmp_path_factory.mktemp("shipped"), files)
    return {name: (unpack(packed), said[name]) for name, packed in files.items()}


@pytest.mark.parametrize("name", shipped_levels())
def test_world_and_values_are_those_that_were_recorded(shipped, name):
    replay, said = shipped[name]
    steps = sum(life.length for life in replay.lives)
    assert said["thinks"] and said["checked"]["done"] and said["checked"]["steps"] == steps, said["told"]
    assert said["told"].startswith("This page computes the world and Q itself, and both equal what was recorded: ")
    assert f" {steps} steps checked, largest difference " in said["told"]
    scales = [replay.row(column).scale[0] for column in ("q", "q_blank") if column in replay]
    assert said["checked"]["largest"] <= CLOSE + 0.51 * max(scales)


@pytest.mark.parametrize("name", shipped_levels())
def test_a_life_that_leaves_a_recorded_one_unchanged_is_that_life(shipped, name):
    _, said = shipped[name]
    for fork in said["forks"]:
        assert fork["ended"]
        for column, apart in fork["apart"].items():
            assert apart <= (CLOSE if column in ("q", "q_blank", "memory") else 0), column


def test_what_the_page_cannot_compute_it_says_and_does_not_live(tmp_path):
    packed = record_greedy("2")

    def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
        def put(header: dict[str, Any]) -> None:
            for key in path[:-1]:
                header = header[key]
            header[path[-1]] = to

        return put

    said = check(tmp_path, {
        "no weights": record_greedy("2", weights=False),
        "another network": tampered(packed, change("network", "kind", to="transformer")),
        "other weights": with_other_weights(packed),
        "another world": tampered(packed, change("world", "meters", 0, "passive", to=-0.5)),
        "an unknown reward": tampered(packed, change("world", "terms", 0, to="fame")),
    })  # fmt: skip
    alone = "lives are played from the recording alone."
    assert [(one["plays"], one["thinks"]) for one in said.values()] == [(True, False)] * 2 + [(False, False)] * 3
    assert said["no weights"]["told"].startswith(
        "This page cannot compute the network's values: it does not know its weights"
    )
    assert "The world this page computes itself, and it equals what was recorded: " in said["no weights"]["told"]
    assert "transformer" in said["another network"]["told"]
    assert said["other weights"]["told"].startswith("This page's network parts from the recording at frame 0: q is ")
    assert said["another world"]["told"].startswith("This page's rules part from the recording at frame 1: reward is ")
    assert said["another world"]["told"].endswith(alone)
    assert said["an unknown reward"]["told"] == f"This page does not know the reward's term fame. So {alone}"
