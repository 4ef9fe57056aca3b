"""What is written as YAML is read back as it was, whatever YAML would have taken it for."""

import math
import random
from typing import Any

import pytest
from yaml.representer import RepresenterError

from townlet.level.yaml_text import write_yaml
from townlet.level.yaml_tree import Place, YamlReader, plain

# Texts that one YAML or another reads as something else, or that no plain scalar can hold.
TEXTS = [
    "1e5", "1_000", "0x10", "0o7", "0b1", "010", "+1", "1.", ".5", "-.5e3", "1:30", "null", "~", "Null", "true",
    "FALSE", "yes", "no", "on", ".inf", "-.INF", ".nan", " 2", "2 ", "2026-01-01", "", "-", "--- x", "...", "<<", "=",
    "a: b", "a #b", "#c", "'", '"', "\\", "\n", "a\nb\n", "a\n\n b", "\r\n", "\t", "a\x85b", "\u2028", "\ufeff", "\x00",
    "\x7f", "\xa0", "é", "😀", "!tag", "&a", "*a", "%a", "@", "`", "[", "]", "{", "}", ",", "?", "? x", "- x", ": ",
    "|", ">", "word", "two words " * 40,
]  # fmt: skip
SIGNS = "01e5_xX.+-:~ \n\t'\"#,[]{}&*!%@`|>?<=\\\x85\u2028é😀anulTrue"
NUMBERS = [0, -1, 10**30, 0.0, -0.0, 1.0, 100.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, math.inf, -math.inf]


def read(text: str) -> Any:
    reader = YamlReader()
    root = reader.read_text(text, Place("a text"))
    assert root is not None and reader.mistakes == [], f"{text!r}: {[str(one) for one in reader.mistakes]}"
    return plain(root)


def same(one: Any, other: Any) -> bool:
    """Equal also in type, in the order of keys, and in the sign of zero."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_that_text_as_a_value_and_as_a_key(text: str) -> None:
    values = {"alone": text, "listed": [text, [text]], "keys": {text: text, "below": {text: 1}}}
    assert same(read(write_yaml(values)), values)


@pytest.mark.parametrize("value", [*NUMBERS, True, False, None, [], {}, [[], {}]])
def test_a_value_stays_of_its_type(value: object) -> None:
    assert same(read(write_yaml({"value": value})), {"value": value})


def test_random_values_are_read_back_as_they_were() -> None:
    stream = random.Random(1)

    def text() -> str:
        made = "".join(stream.choice(SIGNS) for _ in range(stream.randrange(12)))
        return stream.choice([made, stream.choice(TEXTS)])

    def value(depth: int) -> object:
        kind = stream.randrange(8 if depth < 4 else 6)
        if kind == 7:
            return {text(): value(depth + 1) for _ in range(stream.randrange(4))}
        if kind == 6:
            return [value(depth + 1) for _ in range(stream.randrange(4))]
        number = stream.choice([*NUMBERS, stream.uniform(-1, 1) * 10.0 ** stream.randrange(-300, 300)])
        return stream.choice([text(), text(), number, stream.randrange(-(10**9), 10**9), True, None])

    for _ in range(300):
        made = {"made": value(0)}
        assert same(read(write_yaml(made)), made)


def test_a_tuple_is_a_list_and_what_is_met_twice_is_written_twice() -> None:
    shared = ["1e5"]
    assert read(write_yaml({"a": (shared, shared), "b": shared})) == {"a": [["1e5"], ["1e5"]], "b": ["1e5"]}


def test_a_long_text_stays_on_its_line() -> None:
    assert write_yaml({"words": "a b " * 50}).count("\n") == 1


def test_what_yaml_cannot_hold_is_refused() -> None:
    with pytest.raises(RepresenterError):
        write_yaml({"value": object()})
