"""The JSON Schema of level files: what is shipped, what it lets through and what it refuses."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.rooms import ROOM, room
from support.schema_walk import mistakes
from townlet.commands import cli
from townlet.config import load_level
from townlet.level.file import configs_directory, shipped_levels
from townlet.level.schema import FILE_NAME, level_schema, schema_text
from townlet.level.yaml_tree import Place, YamlReader, plain

SCHEMA = level_schema()
LEVELS = shipped_levels()


def wrong(content: Any) -> list[str]:
    return mistakes(content, SCHEMA, SCHEMA)


def read(path: Path, as_editors_do: bool = False) -> Any:
    """What stands in one file; editors take 20_000_000 for a string."""
    text = path.read_text()
    text = re.sub(r"\b\d+(_\d+)+\b", r'"\g<0>"', text) if as_editors_do else text
    node = YamlReader().read_text(text, Place(str(path)))
    assert node is not None
    return plain(node)


def test_the_shipped_file_is_what_the_types_say():
    shipped = json.loads((configs_directory() / FILE_NAME).read_text())
    assert shipped == SCHEMA, f"run: townlet schema --out configs/{FILE_NAME}"


def test_the_space_station_names_its_schema_for_editors():
    named = re.search(r"^# yaml-language-server: \$schema=(\S+)$", LEVELS["station"].read_text(), re.MULTILINE)
    assert named and (LEVELS["station"].parent / named[1]).resolve() == (configs_directory() / FILE_NAME).resolve()


@pytest.mark.parametrize("level", LEVELS)
def test_a_shipped_level_is_right_as_it_is_written_and_resolved(level):
    assert wrong(read(LEVELS[level])) == []
    assert wrong(read(LEVELS[level], as_editors_do=True)) == []
    assert wrong(json.loads(load_level(level).model_dump_json())) == []


def test_all_shipped_levels_are_right_by_the_library():
    library = pytest.importorskip("jsonschema", reason="the jsonschema package is not installed")
    library.Draft202012Validator.check_schema(SCHEMA)
    validator = library.Draft202012Validator(SCHEMA)
    assert [list(validator.iter_errors(read(path))) for path in LEVELS.values()] == [[]] * len(LEVELS)
    assert list(validator.iter_errors({"extends": "a.yaml", "grids": {}}))


@pytest.mark.parametrize("key", ["grid", "reward", "training"])
def test_a_file_that_extends_none_says_all_of_it(key):
    assert wrong(room()) == []
    assert wrong({name: value for name, value in ROOM.items() if name != key}) == [": required"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": {"width": 3}}, "grid: required"),
        ({"grid__depth": 3}, "grid.depth: additionalProperties"),
        ({"grid__width": 65}, "grid.width: maximum"),
        ({"grid__width": 2.5}, "grid.width: type"),
        ({"max_steps": "many"}, "max_steps: pattern"),
        ({"max_steps": True}, "max_steps: type"),
        ({"id": "a b"}, "id: pattern"),
        ({"actions": ["JUMP"]}, "actions[0]: enum"),
        ({"network__kind": "lstm"}, "network: oneOf"),
        ({"observation__window": 4}, "observation.window: anyOf"),
        ({"drains": [{"meter": "breath"}]}, "drains[0]: required"),
        ({"affordances__Chair__place": [1]}, "affordances.Chair.place: anyOf"),
        ({"meters": {}}, "meters: minProperties"),
    ],
    ids=str,
)
def test_a_mistake_in_a_whole_level_is_seen(changes, said):
    assert wrong(room(**changes)) == [said]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"grid": {"width": 9}, "training": {"mode": {"minibatches": 4}}, "network": {"hidden": [8, 8]}},
        {"network": {"hidden": 8, "encoder": {"width": 8}}},
        {"meters": {"breath": {"passive": -0.1}}, "reward": {"potential": {"scale": 2.0}}, "cascades": None},
        {"drains": [], "affordances": {"Sauna": {"costs": {"calm": 0.1}}}, "max_steps": "10_000"},
    ],
    ids=str,
)
def test_a_file_that_extends_another_says_what_differs(content):
    assert wrong({"extends": "base.yaml", **content}) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"extend": "base.yaml"}, "extend: additionalProperties"),
        ({"extends": [3]}, "extends: type"),
        ({"grid": {"depth": 3}}, "grid.depth: additionalProperties"),
        ({"training": {"gamma": 1.5}}, "training.gamma: maximum"),
        ({"training": {"mode": {"minibatch": 4}}}, "training.mode: anyOf"),
        ({"drains": [{"meter": "breath"}]}, "drains[0]: required"),  # lists are replaced, and not merged
        ({"cascades": {"groups": [{"pulls": []}]}}, "cascades: anyOf"),
    ],
    ids=str,
)
def test_a_mistake_in_what_differs_is_seen(content, said):
    assert wrong({"extends": "base.yaml", **content}) == [said]


def test_keys_are_described():
    level = SCHEMA["$defs"]["Level"]["properties"]
    assert level["max_steps"]["description"] == "Ticks after which an episode is cut off."
    assert SCHEMA["$defs"]["Grid"]["description"] == "Size of the map in cells; x is the column, y the row."


def test_the_command_prints_it_or_writes_it(tmp_path, capsys):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    path = tmp_path / "own.json"
    assert cli.main(["schema", "--out", str(path)]) == 0
    assert path.read_text() == schema_text() and f"$schema={path}" in capsys.readouterr().out
    assert cli.main(["schema", "--out", str(tmp_path / "no" / "where.json")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
