"""Every key that --set takes, dotted, with the values that can be listed: what the types of levels and tasks say."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from townlet.level.task import GymTask, Level

Schema = dict[str, Any]
BY_NAME = "."  # ends a key below which there are names that a level gives, or an environment


def values_by_key() -> dict[str, list[str]]:
    """The values of each key, none where they cannot be listed; keys by their names."""
    found: dict[str, list[str]] = {}
    for kind in (Level, GymTask):
        schema = kind.model_json_schema()
        for key, values in _below(schema, schema["$defs"], ""):
            known = found.setdefault(key, [])
            known += [value for value in values if value not in known]
    return dict(sorted(found.items()))


def keys_by_values() -> dict[tuple[str, ...], list[str]]:
    """The keys that have the same values, by these."""
    found: dict[tuple[str, ...], list[str]] = {}
    for key, values in values_by_key().items():
        if values:
            found.setdefault(tuple(values), []).append(key)
    return found


def _below(schema: Schema, definitions: dict[str, Schema], key: str) -> Iterator[tuple[str, list[str]]]:
    branches = list(_branches(schema, definitions))
    parts = [one for one in branches if "properties" in one]
    for part in parts:
        for name, below in part["properties"].items():
            yield from _below(below, definitions, f"{key}.{name}" if key else name)
    others = [one for one in branches if "properties" not in one]
    if any(isinstance(one.get("additionalProperties"), dict | bool) for one in others):
        yield key + BY_NAME, []
    elif key and others:
        yield key, list(dict.fromkeys(value for one in others for value in _listed(one)))


def _branches(schema: Schema, definitions: dict[str, Schema]) -> Iterable[Schema]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    among = schema.get("anyOf") or schema.get("oneOf")
    return [one for branch in among for one in _branches(branch, definitions)] if among else [schema]


def _listed(schema: Schema) -> list[str]:
    """The values of a schema that holds only a few."""
    few = {"boolean": [True, False], "null": [None]}.get(schema.get("type", ""), [])
    values = schema.get("enum", [schema["const"]] if "const" in schema else few)
    return [one if isinstance(one, str) else json.dumps(one) for one in values]
