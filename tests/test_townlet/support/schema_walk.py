"""JSON Schema in so far as the levels' schema uses it, read slowly and plainly; an unknown word is an error."""

import re
from typing import Any

Schema = dict[str, Any]
TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
                         "integer": int, "number": (int, float)}  # fmt: skip
ABOUT = {"$schema", "$defs", "title", "description", "default"}


def mistakes(value: Any, schema: Schema, root: Schema, where: str = "") -> list[str]:
    """What is wrong with a value, each as "where: word of the schema"."""
    found = []
    for word, wanted in schema.items():
        if word in ABOUT or word in ("then", "else", "additionalProperties"):
            continue  # read with `if` and `properties`
        if word == "$ref":
            found += mistakes(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, where)
        elif word == "if":
            branch = "else" if mistakes(value, wanted, root) else "then"
            found += mistakes(value, schema.get(branch, {}), root, where)
        elif word in ("anyOf", "oneOf"):
            tried = [mistakes(value, branch, root, where) for branch in wanted]
            fitting = sum(not one for one in tried)
            if fitting == 0 or (word == "oneOf" and fitting > 1):
                found.append(f"{where}: {word}")
        elif not _holds(word, wanted, value):
            found.append(f"{where}: {word}")
    if isinstance(value, dict):
        found += _below_mapping(value, schema, root, where)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            found += mistakes(item, schema["items"], root, f"{where}[{index}]")
    if isinstance(value, list):
        for index, (item, one) in enumerate(zip(value, schema.get("prefixItems", []), strict=False)):
            found += mistakes(item, one, root, f"{where}[{index}]")
    return found


def _below_mapping(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> list[str]:
    found, others = [], schema.get("additionalProperties", True)
    for key, item in value.items():
        at = f"{where}.{key}".lstrip(".")
        found += mistakes(key, schema.get("propertyNames", {}), root, at)
        if key in schema.get("properties", {}):
            found += mistakes(item, schema["properties"][key], root, at)
        elif others is False:
            found.append(f"{at}: additionalProperties")
        elif others is not True:
            found += mistakes(item, others, root, at)
    return found


def _holds(word: str, wanted: Any, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text, many, mapping = isinstance(value, str), isinstance(value, list), isinstance(value, dict)
    match word:
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            return any(
                isinstance(value, TYPES[kind]) and (number or kind not in ("integer", "number")) for kind in kinds
            )
        case "enum":
            return value in wanted
        case "const":
            return value == wanted
        case "pattern":
            return not text or re.search(wanted, value) is not None
        case "required":
            return not mapping or set(wanted) <= set(value)
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            limits = {"minimum": value >= wanted, "exclusiveMinimum": value > wanted, "maximum": value <= wanted,
                      "exclusiveMaximum": value < wanted} if number else {word: True}  # fmt: skip
            return limits[word]
        case "minLength" | "minItems" | "minProperties":
            return (
                not (text, many, mapping)[("minLength", "minItems", "minProperties").index(word)]
                or len(value) >= wanted
            )
        case "maxLength" | "maxItems":
            return not (text, many)[("maxLength", "maxItems").index(word)] or len(value) <= wanted
        case "properties" | "propertyNames" | "items" | "prefixItems":
            return True  # read below
    raise AssertionError(f"the schema uses {word}, which is not read here")
