"""What the page holds a header to is what the types say: a second list of the same things, kept by comparing both."""

import json

import pytest

from node import run_node
from townlet.page.format import COLUMNS
from townlet.page.schema import replay_schema

TELL = """
import { COLUMNS } from "townlet/format/checks.js";
import { SHAPE } from "townlet/format/shape.js";
console.log(JSON.stringify({ shape: SHAPE, columns: COLUMNS }));
"""
KINDS = {"string": "text", "integer": "whole", "number": "number", "boolean": "flag"}
SCHEMA = replay_schema()


@pytest.fixture(scope="module")
def told():
    done = run_node("--input-type=module", "--eval", TELL)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shape(part):
    """What the schema says of a part, as the page writes it."""
    if "$ref" in part:
        return shape(SCHEMA["$defs"][part["$ref"].rpartition("/")[2]])
    if "anyOf" in part:
        (one,) = (choice for choice in part["anyOf"] if choice.get("type") != "null")
        return {"maybe": shape(one), "otherwise": None}
    if "oneOf" in part:  # kinds of networks, or the names of columns
        return "text" if "const" in part["oneOf"][0] else {"kind": "text"}
    if "const" in part or "enum" in part:
        return "text" if isinstance(part.get("const", part.get("enum", [""])[0]), str) else "whole"
    if part["type"] == "array":
        return [shape(one) for one in part.get("prefixItems") or [part["items"]]]
    if part["type"] != "object":
        return KINDS[part["type"]]
    if "properties" not in part:
        return {"*": shape(part["additionalProperties"])}
    keys = part["properties"].items()
    return {key: of_key(one, key in part.get("required", ())) for key, one in keys}


def of_key(part, required):
    found = shape(part)
    if required or (isinstance(found, dict) and "maybe" in found):
        return found
    return {"maybe": found, "otherwise": part["default"]}


def test_the_page_asks_for_every_key_that_the_schema_has_and_for_no_other(told):
    expected = shape(SCHEMA)
    for group in expected["world"]["cascades"]:
        assert group.pop("name") == {"maybe": "text", "otherwise": None}  # of earlier versions: nobody reads it
    assert told["shape"] == expected


def test_the_page_has_the_columns_that_the_format_has(told):
    known = {name: {"per": one.per, "of": one.of, "needs": one.needs} for name, one in COLUMNS.items()}
    assert {name: {"needs": None, **one} for name, one in told["columns"].items()} == known
    assert list(told["columns"]) == list(COLUMNS)
