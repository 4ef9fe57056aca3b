"""Level files: what they may hold, how they extend each other, and how their mistakes are told."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from townlet.config import load_level
from townlet.level import file as level_file
from townlet.level.file import ConfigError, Problem


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Meter(Part):
    start: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    decay: float = 0.0


class Plain(Part):
    kind: Literal["plain"]
    hidden: Annotated[int, Field(ge=1)]


class Memory(Part):
    kind: Literal["memory"]
    cells: Annotated[int, Field(ge=1)]
    skip: bool = False


class House(Part):
    seed: int
    rate: Annotated[float, Field(gt=0.0)] = 0.5
    name: Annotated[str, Field(min_length=1)] = "house"
    meters: dict[Annotated[str, Field(pattern="^[a-z]+$")], Meter] = {}
    size: tuple[int, int] = (3, 3)
    actions: Annotated[tuple[Literal["UP", "DOWN", "WAIT"], ...], Field(min_length=1)] = ("UP",)
    network: Annotated[Plain | Memory, Field(discriminator="kind")] | None = None
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    either: Meter | Plain | int = 0

    @field_validator("name")
    @classmethod
    def somebody(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("somebody")
        return name


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file into the folder in which the test runs, and returns its relative path."""
    monkeypatch.chdir(tmp_path)

    def write_file(content: str | bytes, name: str = "house.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def errors(path: Path, overrides: dict[str, object] | None = None, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        level_file.load(House, path, overrides or {}, **options)
    return caught.value.errors


def test_a_file_becomes_a_model(write: Write) -> None:
    path = write("seed: 7\nsize: [2, 4]\nactions: [UP, WAIT]\nmeters:\n  energy: {start: 1, decay: -5e-3}\n")
    assert level_file.load(House, path) == House(
        seed=7, size=(2, 4), actions=("UP", "WAIT"), meters={"energy": Meter(start=1.0, decay=-0.005)}
    )


def test_anchors_are_resolved(write: Write) -> None:
    path = write("seed: 1\nmeters:\n  energy: &need {start: 0.25}\n  mood: *need\n")
    assert level_file.load(House, path).meters == {"energy": Meter(start=0.25), "mood": Meter(start=0.25)}


@pytest.mark.parametrize(
    ("text", "rate"), [("1e-4", 0.0001), ("1E2", 100.0), (".5", 0.5), ("2", 2.0), ("10_000", 10000.0), ("+3.", 3.0)]
)
def test_numbers_are_read_as_people_write_them(write: Write, text: str, rate: float) -> None:
    assert level_file.load(House, write(f"seed: 1\nrate: {text}\n")).rate == rate


@pytest.mark.parametrize("text", ["no", "off", "1:30", "010", "2024-01-01", "'7a'", "1_x"])
def test_words_that_only_look_like_something_else_stay_words(write: Write, text: str) -> None:
    assert level_file.load(House, write(f"seed: 1\nname: {text}\n")).name == text.strip("'")


# --- extends ---

BASE = "the path of a file, or the id or name of a shipped level"


def test_a_child_merges_mappings_and_replaces_everything_else(write: Write) -> None:
    write("seed: 1\nsize: [1, 2]\nname: base\nmeters:\n  energy: {start: 0.5, decay: 0.1}\n  mood: {}\n", "base.yaml")
    child = write("extends: ../base.yaml\nsize: [5, 6]\nmeters:\n  energy: {start: 0.75}\n", "levels/child.yaml")
    assert level_file.load(House, child) == House(
        seed=1, size=(5, 6), name="base", meters={"energy": Meter(start=0.75, decay=0.1), "mood": Meter()}
    )


def test_extends_may_be_a_chain_and_null_replaces(write: Write) -> None:
    write("seed: 1\nnetwork: {kind: plain, hidden: 8}\n", "a.yaml")
    write("extends: a.yaml\nname: b\n", "b.yaml")
    house = level_file.load(House, write("extends: b.yaml\nnetwork: null\n", "c.yaml"))
    assert (house.seed, house.name, house.network) == (1, "b", None)


def test_a_mapping_of_another_kind_replaces_the_whole_mapping(write: Write) -> None:
    write("seed: 1\nnetwork: {kind: plain, hidden: 8}\n", "base.yaml")
    other = write("extends: base.yaml\nnetwork: {kind: memory, cells: 4}\n")
    same = write("extends: base.yaml\nnetwork: {kind: plain}\n", "same.yaml")
    assert level_file.load(House, other).network == Memory(kind="memory", cells=4)
    assert level_file.load(House, same).network == Plain(kind="plain", hidden=8)


def test_an_error_names_the_file_that_its_value_comes_from(write: Write) -> None:
    write("name: base\nrate: -1\nmeters:\n  energy:\n    start: 3\n", "base.yaml")
    child = write("extends: base.yaml\n\nmeters:\n  energy: {decay: x}\n")
    assert errors(child) == [
        "base.yaml:2: rate: expected a number, above 0.0, got -1",
        "base.yaml:5: meters.energy.start: expected a number, at least 0.0, at most 1.0, got 3",
        "house.yaml:1: seed: expected an integer, got nothing",
        "house.yaml:4: meters.energy.decay: expected a number, got 'x'",
    ]


def test_a_cycle_of_files_is_refused(write: Write) -> None:
    write("extends: b.yaml\n", "a.yaml")
    path = write("extends: a.yaml\n", "b.yaml")
    expected = "a file that does not lead back to itself"
    assert errors(path) == [f"a.yaml:1: extends: expected {expected}, got b.yaml -> a.yaml -> b.yaml"]


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        ("none.yaml", f"expected {BASE}, got 'none.yaml', which would be none.yaml"),
        ("[a.yaml, b.yaml]", "expected the path of one file, or one id, got ['a.yaml', 'b.yaml']"),
        ('"\\0"', None),
        (".", f"expected {BASE}, got '.', which would be ."),
        ("null", "expected the path of one file, or one id, got null"),
        ("2.25", f"expected {BASE}, got 2.25, which would be 2.25; did you mean '2.5'?"),
        ("true", "expected the path of one file, or one id, got true"),
        ("!x y", "expected a plain value, got the tag !x"),
    ],
)
def test_a_base_that_cannot_be_read_hides_no_other_mistake(write: Write, reference: str, line: str | None) -> None:
    found = errors(write(f"extends: {reference}\nrate: zero\n"))
    assert found[1:] == ["house.yaml:2: rate: expected a number, above 0.0, got 'zero'"]  # and no missing seed
    assert line is None or found[0] == f"house.yaml:1: extends: {line}"


@pytest.mark.parametrize("reference", ["2", "2.5", "partial_observability", "2_partial_observability", "station"])
def test_a_shipped_level_is_extended_by_its_id_or_name_from_any_folder(write: Write, reference: str) -> None:
    extended = load_level(write(f"extends: {reference}\nid: own\nmax_steps: 7\n", "folder/own.yaml"))
    assert (extended.id, extended.max_steps) == ("own", 7)
    assert extended.meters == load_level(reference).meters and extended.grid == load_level(reference).grid


def test_a_file_of_the_folder_comes_before_a_level_of_that_name(write: Write) -> None:
    write("seed: 3\n", "2")
    assert level_file.load(House, write("extends: 2\n")).seed == 3


def test_a_broken_base_is_told_with_its_own_line(write: Write) -> None:
    write("seed: 1\nname: [\n", "base.yaml")
    (line,) = errors(write("extends: base.yaml\n"))
    assert line.startswith("base.yaml:3: expected valid YAML, got an error, ")


# --- overrides ---


def test_overrides_are_read_as_yaml_and_as_values(write: Write) -> None:
    path = write("seed: 1\nmeters:\n  energy: {start: 0.5, decay: 0.5}\n")
    overrides = {"seed": 3, "meters.energy.start": "0.25", "size": "[1, 2]", "actions": ("UP", "DOWN"), "network": None}
    assert level_file.load(House, path, overrides) == House(
        seed=3, meters={"energy": Meter(start=0.25, decay=0.5)}, size=(1, 2), actions=("UP", "DOWN")
    )


def test_overrides_reach_into_what_the_file_leaves_out(write: Write) -> None:
    path = write("seed: 1\nnetwork: null\n")
    overrides = {"network.cells": 2, "network.kind": "memory", "meters.mood.start": 1}
    house = level_file.load(House, path, overrides)
    assert (house.network, house.meters) == (Memory(kind="memory", cells=2), {"mood": Meter(start=1.0)})


@pytest.mark.parametrize("order", [1, -1])
def test_an_override_of_the_kind_replaces_the_mapping_in_any_order(write: Write, order: int) -> None:
    path = write("seed: 1\nnetwork: {kind: plain, hidden: 8}\n")
    overrides = {"network.kind": "memory", "network.cells": "2"}
    house = level_file.load(House, path, dict(list(overrides.items())[::order]))
    assert house.network == Memory(kind="memory", cells=2)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seed", "1.5", "--set seed: expected an integer, got 1.5"),
        ("seed", True, "--set seed: expected an integer, got true"),
        ("seed.x", "1", "--set seed: expected an integer, got {x: 1}"),
        (
            "network.kind",
            "plan",
            "--set network.kind: expected one of memory, plain, got 'plan'; did you mean 'plain'?",
        ),
        (
            "meters.mood.stat",
            1,
            "--set meters.mood.stat: expected one of start, decay, got 'stat'; did you mean 'start'?",
        ),
        ("a..b", 1, "--set: expected a dotted key, got 'a..b'"),
        ("", 1, "--set: expected a dotted key, got ''"),
        ("rate", float("nan"), "--set rate: expected a finite value that YAML can hold, got .nan"),
        ("rate", ".inf", "--set rate: expected a finite number, above 0.0, got .inf"),
        ("name", Path("x"), "--set name: expected a finite value that YAML can hold, got x"),
        ("size", "!tuple [1, 2]", "--set size: expected a plain value, got the tag !tuple"),
    ],
)
def test_a_wrong_override_is_told_as_such(write: Write, key: str, value: object, line: str) -> None:
    assert errors(write("seed: 1\n"), {key: value}) == [line]


def test_an_override_that_is_no_yaml_is_one_line_beside_the_others(write: Write) -> None:
    first, second = errors(write("seed: 1\nrate: 0\n"), {"size": "[1, "})
    assert first.startswith("--set size: expected valid YAML, got an error, ")
    assert second == "house.yaml:2: rate: expected a number, above 0.0, got 0"


def test_a_key_that_an_overridden_mapping_lacks_is_missing_from_the_file(write: Write) -> None:
    path = write("seed: 1\nnetwork:\n  hidden: 3\n")
    assert errors(path, {"network.hidden": 4}) == [
        "house.yaml:2: network.kind: expected one of memory, plain, got nothing"
    ]


def test_where_extends_is_spelled_wrongly_nothing_else_is_said_to_be_missing(write: Write) -> None:
    (line,) = errors(write("extend: base.yaml\nsize: [1, 2]\n"))
    assert line.startswith("house.yaml:1: extend: expected one of extends, ")
    assert line.endswith(", got 'extend'; did you mean 'extends'?")


# --- mistakes of structure ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rate: true", "rate: expected a number, above 0.0, got true"),
        ("rate: '1'", "rate: expected a number, above 0.0, got '1'"),
        ("rate: .nan", "rate: expected a finite number, above 0.0, got .nan"),
        ("rate: 1e999", "rate: expected a finite number, above 0.0, got .inf"),
        ("rate: null", "rate: expected a number, above 0.0, got null"),
        ("name: ''", "name: expected a string, length at least 1, got ''"),
        ("name: 3", "name: expected a string, length at least 1, got 3"),
        ("name: nobody", "name: expected somebody, got 'nobody'"),
        ("nam: x", "nam: expected one of {keys}, got 'nam'; did you mean 'name'?"),
        ("colour: x", "colour: expected one of {keys}, got 'colour'"),
        ("3: x", "3: expected one of {keys}, got '3'"),
        ("size: [1, two]", "size[1]: expected an integer, got 'two'"),
        ("size: [1]", "size[1]: expected an integer, got nothing"),
        ("size: [1, 2, 3]", "size: expected a list of 2, got [1, 2, 3]"),
        ("size: 3", "size: expected a list of 2, got 3"),
        ("actions: []", "actions: expected a list, length at least 1, got []"),
        ("actions: [UP, WAYT]", "actions[1]: expected one of UP, DOWN, WAIT, got 'WAYT'; did you mean 'WAIT'?"),
        ("meters: [a]", "meters: expected a mapping, got ['a']"),
        ("meters: {A: {}}", "meters.A: expected as a key a string, of the form ^[a-z]+$, got 'A'"),
        ("meters: {a: {end: 1}}", "meters.a.end: expected one of start, decay, got 'end'"),
        ("network: {}", "network.kind: expected one of memory, plain, got nothing"),
        ("network: {kind: 3}", "network.kind: expected one of memory, plain, got 3"),
        ("network: {kind: null}", "network.kind: expected one of memory, plain, got null"),
        ("network: {kind: [plain]}", "network.kind: expected one of memory, plain, got ['plain']"),
        ("network: {kind: plain, hidden: 0}", "network.hidden: expected an integer, at least 1, got 0"),
        ("network: 5", "network: expected a mapping or null, got 5"),
        ("batch: 0", "batch: expected auto or an integer, at least 1, got 0"),
        ("batch: [1]", "batch: expected auto or an integer, at least 1, got [1]"),
        ("either: {start: 2}", "either.start: expected a number, at least 0.0, at most 1.0, got 2"),
        ("either: {kind: plain, hidden: x}", "either.hidden: expected an integer, at least 1, got 'x'"),
        ("either: x", "either: expected a mapping or an integer, got 'x'"),
        ("rate: !!python/name:os.system x", "rate: expected a plain value, got the tag !!python/name:os.system"),
        ("rate: !!float x", "rate: expected what !!float can hold, got 'x'"),
        ("rate: !!binary aGk=", "rate: expected a plain value, got the tag !!binary"),
        ("meters: !!set {a, b}", "meters: expected a plain value, got the tag !!set"),
        ("network: {kind: !secret x}", "network.kind: expected a plain value, got the tag !secret"),
        ("rate: " + "9" * 5000, "rate: expected what !!int can hold, got '" + "9" * 56 + "..."),
        ("rate: 0x" + "f" * 5000, "rate: expected what !!int can hold, got '0x" + "f" * 54 + "..."),
        ('name: "\\ud800"', "name: expected what !!str can hold, got '\\ud800'"),
        ("meters: {<<: {a: {}}}", "meters: expected a name as a key, got '<<', which is not supported: see extends"),
        ("meters: {[a]: {}}", "meters: expected a name as a key, got a mapping or a list"),
        ("rate: 1\nrate: 2", "rate: expected the key once, as in line 2, got it again"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_key_expected_and_got(write: Write, text: str, line: str) -> None:
    keys = "extends, seed, rate, name, meters, size, actions, network, batch, either"
    at = 3 if text.startswith("rate: 1\n") else 2
    assert errors(write(f"seed: 1\n{text}\n")) == [f"house.yaml:{at}: {line.replace('{keys}', keys)}"]


def test_all_mistakes_are_told_in_the_order_of_lines(write: Write) -> None:
    path = write(
        "# a house with many mistakes\n"
        "size: [1, x]\n"
        "rate: fast\n"
        "meters:\n"
        "  energy:\n"
        "    start: 2\n"
        "  energy: {}\n"
        "  mood: !x {}\n"
        "actions:\n"
        "  - UP\n"
        "  - SIDEWAYS\n"
        "color: red\n"
    )
    assert errors(path) == [
        "house.yaml:2: seed: expected an integer, got nothing",
        "house.yaml:2: size[1]: expected an integer, got 'x'",
        "house.yaml:3: rate: expected a number, above 0.0, got 'fast'",
        "house.yaml:7: meters.energy: expected the key once, as in line 5, got it again",
        "house.yaml:8: meters.mood: expected a plain value, got the tag !x",
        "house.yaml:11: actions[1]: expected one of UP, DOWN, WAIT, got 'SIDEWAYS'",
        "house.yaml:12: color: expected one of extends, seed, rate, name, meters, size, actions, network, batch, "
        "either, got 'color'",
    ]


def test_a_long_value_is_cut(write: Write) -> None:
    (line,) = errors(write(f"seed: 1\nrate: {'x' * 1000}\n"))
    assert line == f"house.yaml:2: rate: expected a number, above 0.0, got '{'x' * 56}..."


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "house.yaml: expected a mapping, got an empty file"),
        ("# nothing yet\n", "house.yaml: expected a mapping, got null"),
        ("null\n", "house.yaml:1: expected a mapping, got null"),
        ("\n- a\n- b\n", "house.yaml:2: expected a mapping, got ['a', 'b']"),
        ("seed 1\n", "house.yaml:1: expected a mapping, got 'seed 1'"),
        ("!!python/object:os.x {}\n", "house.yaml:1: expected a plain value, got the tag !!python/object:os.x"),
        (b"seed: 1\nname: \xff\n", "house.yaml:2: expected UTF-8 text, got the byte 0xff"),
        (b"seed: 1\n\x00\x01\x02", "house.yaml:2: expected text, got the character U+0000"),
        ("\ufeffseed: x\n", "house.yaml:1: seed: expected an integer, got 'x'"),
        ('name: "\\UFFFFFFFF"', "house.yaml: expected valid YAML, got an escape for a character that does not exist"),
    ],
)
def test_a_file_that_holds_no_mapping_is_one_line(write: Write, content: str | bytes, line: str) -> None:
    assert errors(write(content)) == [line]


@pytest.mark.parametrize("content", ["seed: [1\nname: x\n", "a: b: c\n", "\tseed: 1\n", "a: 1\n---\nb: 2\n", "a: *b\n"])
def test_broken_yaml_is_one_line(write: Write, content: str) -> None:
    (line,) = errors(write(content))
    assert line.startswith("house.yaml:")
    assert ": expected valid YAML, got an error, " in line


def test_a_missing_file_and_a_folder_are_one_line_each(write: Write) -> None:
    write("", "folder/x")
    assert errors(Path("none.yaml")) == ["none.yaml: expected a readable file, got nothing there"]
    assert errors(Path("folder")) == ["folder: expected a readable file, got a directory"]


@pytest.mark.parametrize(
    "content",
    [
        "seed: " + "[" * 40 + "]" * 40,
        "seed: " + "[" * 5000,
        "seed: &a [*a]",
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)),
    ],
)
def test_too_much_is_refused_quickly(write: Write, content: str) -> None:
    (line,) = errors(write(content))
    assert "expected at most 100000 values, 32 mappings or lists deep, got more" in line


# --- mistakes of meaning ---


def test_problems_of_a_check_get_the_lines_of_their_keys(write: Write) -> None:
    write("seed: 1\nmeters:\n  energy: {start: 0.5}\n", "base.yaml")
    path = write("extends: base.yaml\nsize: [1, 2]\nname: two\n")
    problems = [
        Problem(("size", 1), "an odd number", "2"),
        Problem(("meters", "energy", "decay"), "above 0", "0.0"),
        Problem(("rate",), "at most 0.1", "0.5"),
        Problem(("name", 1), "an x", "'w'"),
        Problem((), "a bed", "none"),
        Problem(("seed", 0), "a digit", "none"),
        Problem(("seed",), "another seed", "9"),
    ]
    assert errors(path, {"seed": 9}, check=lambda house: problems) == [
        "--set seed[0]: expected a digit, got none",
        "--set seed: expected another seed, got 9",
        "base.yaml:3: meters.energy.decay: expected above 0, got 0.0",
        "house.yaml:1: rate: expected at most 0.1, got 0.5",
        "house.yaml:1: expected a bed, got none",
        "house.yaml:2: size[1]: expected an odd number, got 2",
        "house.yaml:3: name[1]: expected an x, got 'w'",
    ]


def test_a_check_sees_only_a_level_whose_structure_is_right(write: Write) -> None:
    def fail(house: House) -> list[Problem]:
        raise AssertionError("called")

    assert len(errors(write("seed: x\n"), check=fail)) == 1
    assert len(errors(write("seed: 1\nseed: 2\n"), check=fail)) == 1
    assert level_file.load(House, write("seed: 1\n"), check=lambda house: []).seed == 1


def test_the_error_is_its_lines_and_survives_a_copy() -> None:
    error = ConfigError(["a: b", "c\nd"])
    for same in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert same.errors == ["a: b", "c d"]
        assert str(same) == "a: b\nc d"


# --- no other exception, whatever the file ---

VALID = """\
# a house
extends: base.yaml
seed: 3
rate: 1e-3
name: "a b"
meters: &m
  energy: {start: 0.5, decay: -0.1}
size: [2, 3]
actions:
  - UP
network: {kind: memory, cells: 4, skip: true}
batch: auto
"""
SCALARS = ["base.yaml", "3", "1e-3", '"a b"', "0.5", "2", "UP", "memory", "true", "auto", "energy", "seed", "extends"]
WEIRD = [
    *[
        "",
        "~",
        "''",
        '"',
        '"a',
        "'",
        "-",
        "- x",
        "--- ",
        "...",
        "?",
        "? x",
        ":",
        ": x",
        "a: b",
        "|",
        ">",
        "#",
        "# x",
        "x # y",
    ],
    *[
        "[",
        "]",
        "{",
        "}",
        "[]",
        "{}",
        "[[]]",
        "{a: b}",
        "{a}",
        "[a: b]",
        "x,y",
        "{1: 2}",
        "{null: 1}",
        "{[a]: 1}",
        "{a: 1, a: 2}",
    ],
    *[
        "&x",
        "*x",
        "&x y",
        "*m",
        "!",
        "!x",
        "!!",
        "!!str",
        "!<",
        "!<x>",
        "!%zz",
        "!!int",
        "!!int x",
        "!!int ''",
        "!!bool x",
    ],
    *[
        "!!null x",
        "!!float",
        "!!timestamp x",
        "!!omap [a]",
        "!!merge x",
        "<<",
        "=",
        "`",
        "@",
        "%",
        "%YAML 9.9",
        "\\",
        "_",
        ".",
    ],
    *[
        '"\\x"',
        '"\\ud800"',
        '"\\U00110000"',
        '"\\0"',
        "\t",
        "\0",
        "\x85",
        "\u2028",
        "\x7f",
        "\U0001f600",
        "é",
        "9" * 30,
        "9" * 5000,
    ],
    *[
        "-0",
        "0x",
        "0b1",
        "0o7",
        "08",
        "1__0",
        "..",
        ".e",
        "1e",
        "e1",
        "+",
        ".inf",
        "-.inf",
        ".nan",
        "NaN",
        "1e999",
        "1e-999",
    ],
    *["null", "true", "yes", "[" * 50, "{a: " * 50, "x\n", "\n  x: y", "\n- x", "\r", "\ufeff", "- - -", "? ? ?"],
]


def assert_loads_or_explains(path: Path, overrides: dict[str, object] | None = None) -> None:
    try:
        level_file.load(House, path, overrides)
    except ConfigError as error:
        assert error.errors
        for line in error.errors:
            assert len(line.splitlines()) == 1
            assert " expected " in line
            line.encode()


def test_every_truncation_loads_or_explains(write: Write) -> None:
    write("seed: 1\n", "base.yaml")
    content = VALID.encode()
    assert level_file.load(House, write(content)).network == Memory(kind="memory", cells=4, skip=True)
    for end in range(len(content)):
        assert_loads_or_explains(write(content[:end]))
        assert_loads_or_explains(write(content[:end] + b"\xc3\x00"[end % 2 :][:1] + content[end + 1 :]))


@pytest.mark.parametrize("scalar", SCALARS)
def test_every_scalar_made_weird_loads_or_explains(write: Write, scalar: str) -> None:
    write("seed: 1\n", "base.yaml")
    before, after = VALID.split(scalar, 1)
    for weird in WEIRD:
        assert_loads_or_explains(write(before + weird + after))


def test_every_weird_override_loads_or_explains(write: Write) -> None:
    path = write("seed: 1\n")
    for key in (
        "seed",
        "rate",
        "name",
        "meters",
        "meters.x",
        "size",
        "network",
        "network.kind",
        "batch",
        "either",
        "x",
    ):
        for weird in WEIRD:
            assert_loads_or_explains(path, {key: weird, f"{key}.{weird}": weird})


# --- finding levels ---


@pytest.fixture
def ladder(write: Write, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setattr(level_file, "configs_directory", lambda: Path("configs"))
    for stem, content in {
        "10_last": 'id: "10"\nname: last',
        "2_town": 'id: "2"\nname: town',
        "2_town_hard": "id: 2-hard\nextends: 2_town.yaml",
        "0.5_room": "id: 0.5\nname: room",
        "extra": "id: bonus\nname: town",
    }.items():
        write(content, f"configs/levels/{stem}.yaml")
    return write


@pytest.mark.usefixtures("ladder")
def test_the_ladder_goes_by_number_then_by_name() -> None:
    assert list(level_file.shipped_levels()) == ["0.5", "2", "2-hard", "10", "bonus"]
    assert level_file.shipped_levels()["2"] == Path("configs/levels/2_town.yaml")


@pytest.mark.usefixtures("ladder")
@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("0.5", "configs/levels/0.5_room.yaml"),
        ("2-hard", "configs/levels/2_town_hard.yaml"),
        ("town", "configs/levels/2_town.yaml"),
        ("2_town", "configs/levels/2_town.yaml"),
        ("bonus", "configs/levels/extra.yaml"),
        ("mine/own.yaml", "mine/own.yaml"),
    ],
)
def test_a_level_is_found_by_id_by_name_and_by_path(reference: str, path: str) -> None:
    assert level_file.find_level(reference) == Path(path)


@pytest.mark.usefixtures("ladder")
def test_an_unknown_level_is_told_with_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        level_file.find_level("tonw")
    expected = "expected one of 0.5, 2, 2-hard, 10, bonus, a name or a path to a .yaml file"
    assert caught.value.errors == [f"level: {expected}, got 'tonw'; did you mean 'town'?"]


BROKEN = {
    "a.yaml": ("name: x\n", ":1: id: expected the id of the level, got nothing"),
    "b.yaml": ("id: [b\n", ":2: expected valid YAML, got an error, "),
    "c.yaml": ("- c\n", ":1: expected a mapping, got ['c']"),
    "d.yaml": ("id: d\nname: !!python/name:os.system x\n", ":2: name: expected a plain value, got the tag "),
    "e.yaml": (f"id: e\nx: {'[' * 40}{']' * 40}\n", ":2: x: expected at most 100000 values, 32 mappings or lists deep"),
    "f.yaml": ("", ": expected a mapping, got an empty file"),
    "z.yaml": ("\nid: bonus\n", ":2: id: expected an id that extra.yaml does not have, got 'bonus'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_shipped_file_that_cannot_be_read_is_named_and_the_others_work(ladder: Write, name: str) -> None:
    content, said = BROKEN[name]
    ladder(content, f"configs/levels/{name}")
    assert list(level_file.shipped_levels()) == ["0.5", "2", "2-hard", "10", "bonus"]
    (line,) = level_file.unreadable_levels()
    assert line.startswith(f"configs/levels/{name}{said}")
    assert level_file.find_level("2") == Path("configs/levels/2_town.yaml")
    with pytest.raises(ConfigError) as caught:
        level_file.find_level(Path(name).stem)
    assert len(caught.value.errors) == 2 and caught.value.errors[1] == line


def test_a_pipe_in_the_place_of_a_level_is_not_waited_for(ladder: Write) -> None:
    os.mkfifo("configs/levels/pipe.yaml")
    assert level_file.unreadable_levels() == ["configs/levels/pipe.yaml: expected a readable file, got a pipe"]
    assert len(level_file.shipped_levels()) == 5


def test_the_shipped_levels_are_there() -> None:
    assert (level_file.configs_directory() / "world.yaml").is_file()
    assert level_file.shipped_levels()["2"] == level_file.find_level("2")
