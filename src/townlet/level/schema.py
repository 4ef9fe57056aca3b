"""The JSON Schema of level files, for editors: what the types say, and what `extends` leaves out."""

import json
from collections.abc import Iterator
from typing import Any

from townlet.level.task import Level

Schema = dict[str, Any]

FILE_NAME = "level.schema.json"  # beside the folder of levels
DEFINITIONS = "#/$defs/"
OVERLAY = "Overlay"  # ends the name of a type of which a file may say a part only
EXTENDS = "What this file is laid over: a path from its folder, or the id or name of a shipped level."
# 20_000_000 and 20M, which editors take for strings.
GROUPED = "^([0-9]+(_[0-9]+)+|[0-9]+(_[0-9]+)*(\\.[0-9]+)?[kmgbKMGB])$"


def level_schema() -> Schema:
    """Return the schema: a file that extends another says any part of a level, one that does not says all of it.

    Mappings are merged key by key, so none of their keys is required in a file that extends another, at any depth;
    lists are replaced, so what stands in one is whole.
    """
    whole = _grouped(tidy(Level.model_json_schema()))
    definitions = whole.pop("$defs") | {"Level": whole}
    definitions |= {name + OVERLAY: _overlay(schema) for name, schema in definitions.items()}
    extends = {"extends": {"type": ["string", "number"], "description": EXTENDS}}
    overlay = definitions["Level" + OVERLAY]
    overlay["properties"] = extends | overlay["properties"]
    root: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A level of Townlet",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": DEFINITIONS + "Level" + OVERLAY},
        "else": {"$ref": DEFINITIONS + "Level"},
    }
    return root | {"$defs": {name: definitions[name] for name in sorted(_reached(root, definitions))}}


def schema_text() -> str:
    """Return the schema as the text of the file that is shipped."""
    return json.dumps(level_schema(), indent=1, ensure_ascii=False) + "\n"


def tidy(node: Any) -> Any:
    """Return a schema of pydantic's without titles, which repeat the keys, and without a word of OpenAPI's."""
    if isinstance(node, list):
        return [tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: tidy(value) for key, value in node.items() if key != "title" or isinstance(value, dict)}
    if "oneOf" in kept:
        kept.pop("discriminator", None)
    return kept


def _grouped(node: Any) -> Any:
    """With whole numbers in groups, or with a letter for what they are multiplied by."""
    if isinstance(node, list):
        return [_grouped(item) for item in node]
    if not isinstance(node, dict):
        return node
    grouped = {key: _grouped(value) for key, value in node.items()}
    return grouped | {"type": ["integer", "string"], "pattern": GROUPED} if node.get("type") == "integer" else grouped


def _overlay(node: Any) -> Any:
    """A schema of which nothing is required, but within lists."""
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return node | {"$ref": node["$ref"] + OVERLAY}
    loose = {key: value for key, value in node.items() if key not in ("required", "minProperties", "oneOf")}
    if "properties" in node:
        loose["properties"] = {name: _overlay(schema) for name, schema in node["properties"].items()}
    if "additionalProperties" in node:
        loose["additionalProperties"] = _overlay(node["additionalProperties"])
    if branches := node.get("oneOf") or node.get("anyOf"):
        loose["anyOf"] = [_overlay(branch) for branch in branches]  # a part may fit several kinds
    return loose


def _reached(root: Schema, definitions: dict[str, Schema]) -> set[str]:
    """The definitions that the schema leads to."""
    reached, waiting = set[str](), [root]
    while waiting:
        new = set(_references(waiting.pop())) - reached
        reached |= new
        waiting += [definitions[name] for name in new]
    return reached


def _references(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == "$ref":
            yield value.removeprefix(DEFINITIONS)
        else:
            yield from _references(value)
