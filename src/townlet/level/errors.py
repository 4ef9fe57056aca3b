"""Say in plain words what is wrong with a level: the key, what was expected there, and what came.

What a key expects is read from the model's JSON schema, so that words and limits are always those of the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from townlet.level.suggestion import meant, suggestion

if TYPE_CHECKING:  # whoever tells a ConfigError does without
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]
Schema = dict[str, Any]
SHORT = 60  # characters of a value that an error line shows
MOVED: dict[Key, str] = {  # keys that levels once had, and what to write in their place
    ("network", "spectral"): "network.memory: [{kind: spectral, lags: ..., keep: ...}] in its place"
}


class ConfigError(Exception):
    """A level that cannot be used: `errors` holds one line for each mistake."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = [" ".join(error.splitlines()).encode("utf-8", "backslashreplace").decode() for error in errors]
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(self.errors)


class Problem(NamedTuple):
    """A mistake in a level: the key, what was expected there, and what came."""

    key: Key
    expected: str
    got: str


def short(value: object) -> str:
    """Write a value as YAML would, in at most `SHORT` characters."""
    text = _flow(value)
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def explain(model: type[BaseModel], error: ValidationError, values: object) -> list[Problem]:
    """Turn what pydantic found in `values` into one problem for each key.

    The message of a validator's ValueError completes the sentence "expected ...", with or without its own ", got ...".
    Of a union's branches, only the one that the value came closest to is told.
    """
    schema = _schema_of(model)
    found = []
    for details in error.errors(include_url=False, include_input=False):
        spot = schema.locate(details["loc"])
        found.append((spot, _problem(details, spot, values, schema)))
    problems: dict[Key, Problem] = {}
    for problem in _closest_branches(found):
        problems.setdefault(problem.key, problem)
    return list(problems.values())


def value_at(values: object, key: Key) -> object:
    """Return what stands at a key of nested dicts and lists. Raises LookupError or TypeError where nothing does."""
    for part in key:
        values = values[part]  # type: ignore[index]
    return values


def _flow(value: object) -> str:
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(str(value), str(value))


# --- The schema: what may stand where ---


class _Spot(NamedTuple):
    key: Key  # pydantic's location, without the names of union branches that stand between the keys
    options: list[tuple[str, Schema]]  # what may stand there: the branch's name, and its schema
    parents: list[tuple[str, Schema]]  # the same for the mapping or list around it
    union: tuple[Key, str] | None  # the first union on the way, and the branch that was tried


class _ModelSchema:
    def __init__(self, model: type[BaseModel]) -> None:
        self.root: Schema = model.model_json_schema()

    def locate(self, location: tuple[int | str, ...]) -> _Spot:
        """Follow pydantic's location: after a union comes the name of a branch, which is no key."""
        key: Key = ()
        union = None
        options = parents = inside = self._options(self.root)
        in_branch = False
        for part in location:
            branches = [option for option in inside if option[1].get("type") != "null"]
            if len(branches) > 1 and not in_branch:
                union = union or (key, str(part))
                inside = [branch for branch in branches if branch[0] == str(part)] or branches
                in_branch = True
            elif part != "[key]":
                parents = inside
                options = inside = [found for _, schema in inside for found in self._below(schema, part)]
                key = (*key, part)
                in_branch = False
        return _Spot(key, options, parents, union)

    def suggest_below(self, name: str) -> str:
        """Say which key below the outermost ones may have been meant, by its whole dotted name; the highest first."""
        known: dict[str, str] = {}
        waiting = [("", schema) for _, schema in self._options(self.root)]
        for place, schema in waiting:  # which grows meanwhile
            for key, below in schema.get("properties", {}).items():
                known.setdefault(key, place + key)
                waiting += [(f"{place}{key}.", option) for _, option in self._options(below)]
        close = meant(name, known)
        return f"; did you mean {known[close]!r}?" if close else ""

    def _options(self, schema: Schema) -> list[tuple[str, Schema]]:
        if "$ref" in schema:
            return self._options(self.root["$defs"][schema["$ref"].rpartition("/")[2]])
        tagged = schema.get("discriminator", {}).get("mapping", {})
        if tagged:
            return [(tag, self._options({"$ref": reference})[0][1]) for tag, reference in tagged.items()]
        branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if branches:
            return [option for branch in branches for option in self._options(branch)]
        return [(schema.get("title", ""), schema)]

    def _below(self, schema: Schema, part: int | str) -> list[tuple[str, Schema]]:
        if isinstance(part, int):
            first = schema.get("prefixItems", [])
            found = first[part] if part < len(first) else schema.get("items")
        else:
            others = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
            found = schema.get("properties", {}).get(part) or next((other for other in others if other), None)
        return self._options(found) if isinstance(found, dict) else []


@cache
def _schema_of(model: type[BaseModel]) -> _ModelSchema:
    return _ModelSchema(model)


# --- The words ---


_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "pattern": "of the form {}",
    "minItems": "length at least {}",
    "maxItems": "length at most {}",
    "minProperties": "length at least {}",
    "maxProperties": "length at most {}",
}


def _problem(details: ErrorDetails, spot: _Spot, values: object, schema: _ModelSchema) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        if spot.key in MOVED:
            return Problem(spot.key, MOVED[spot.key], short(value_at(values, spot.key)))
        names = ["extends"] if len(spot.key) == 1 else []  # which a file may have, and a level has not
        names += [name for _, parent in spot.parents for name in parent.get("properties", {})]
        expected, got = _one_of(names, spot.key[-1])
        elsewhere = got == short(spot.key[-1]) and len(spot.key) == 1
        return Problem(spot.key, expected, got + (schema.suggest_below(str(spot.key[0])) if elsewhere else ""))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key = (*spot.key, context["discriminator"].strip("'"))
        tags = [tag for tag, _ in spot.options if tag]
        known = "tag" in context
        expected, got = _one_of(tags, value_at(values, key) if known else "")
        return Problem(key, expected, got if known else "nothing")
    if details["loc"][-1:] == ("[key]",):
        return Problem(spot.key, f"as a key {_describe(_key_schemas(spot.parents))}", repr(spot.key[-1]))
    schemas = [option for _, option in spot.options]
    expected = _describe(schemas)
    if kind == "finite_number":
        expected = expected.replace("a number", "a finite number")
    try:
        value = value_at(values, spot.key)
    except (LookupError, TypeError):
        return Problem(spot.key, expected, "nothing")
    got = short(value)
    if kind in ("value_error", "assertion_error"):
        expected, comma, own = str(context["error"]).removeprefix("expected ").partition(", got ")
        return Problem(spot.key, expected, own if comma else got)
    if isinstance(value, str):
        got += suggestion(value, [choice for choice in _choices(schemas) if isinstance(choice, str)])
    return Problem(spot.key, expected, got)


def _one_of(names: list[str], got: object) -> tuple[str, str]:
    expected = f"one of {', '.join(names)}" if names else "no key"
    return expected, short(got) + (suggestion(got, names) if isinstance(got, str) else "")


def _key_schemas(parents: list[tuple[str, Schema]]) -> list[Schema]:
    schemas = [schema["propertyNames"] for _, schema in parents if "propertyNames" in schema]
    patterns = [pattern for _, schema in parents for pattern in schema.get("patternProperties", {})]
    return schemas + [{"type": "string", "pattern": pattern} for pattern in patterns]


def _choices(schemas: list[Schema]) -> list[object]:
    return [
        choice for schema in schemas for choice in schema.get("enum", [schema["const"]] if "const" in schema else [])
    ]


def _describe(schemas: list[Schema]) -> str:
    choices = [choice if isinstance(choice, str) else _flow(choice) for choice in _choices(schemas)]
    kinds = [_describe_kind(schema) for schema in schemas if not _choices([schema])]
    if choices:
        kinds.insert(0, ("one of " if len(choices) > 1 else "") + ", ".join(choices))
    return " or ".join(dict.fromkeys(kinds)) or "a value"


def _describe_kind(schema: Schema) -> str:
    kind = _KINDS.get(schema.get("type", ""), "a value")
    if "pattern" in schema and "description" in schema:
        return str(schema["description"])
    if "minItems" in schema and schema["minItems"] == schema.get("maxItems"):
        return f"{kind} of {schema['minItems']}"
    return ", ".join([kind, *(words.format(schema[limit]) for limit, words in _LIMITS.items() if limit in schema)])


def _closest_branches(found: list[tuple[_Spot, Problem]]) -> list[Problem]:
    """Of each union's branches keep the one whose problems lie deepest, then the one that has fewest."""
    branches: dict[tuple[Key, str], list[_Spot]] = {}
    for spot, _ in found:
        if spot.union:
            branches.setdefault(spot.union, []).append(spot)
    closest: dict[Key, tuple[tuple[bool, int], str]] = {}
    for (key, branch), spots in branches.items():
        distance = (all(spot.key == key for spot in spots), len(spots))
        closest[key] = min(closest.get(key, (distance, branch)), (distance, branch), key=lambda known: known[0])
    return [problem for spot, problem in found if spot.union is None or closest[spot.union[0]][1] == spot.union[1]]
