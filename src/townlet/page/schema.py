"""The replay format for others: a JSON Schema of the header, and tables for docs/replays.md."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from townlet.level.schema import tidy
from townlet.page.format import COLUMNS, Column
from townlet.page.header import FORMAT, ColumnRow, Header
from townlet.page.numbers import WHOLE

FILE_NAME = "replay.schema.json"  # beside the folder of levels


def replay_schema() -> dict[str, Any]:
    """Return the schema of a replay's header, in which the columns are named with what they hold."""
    schema = tidy(Header.model_json_schema())
    names = [{"const": one.name, "description": _meaning(one)} for one in COLUMNS.values()]
    schema["$defs"][ColumnRow.__name__]["properties"]["name"] = {"oneOf": names}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"A header of {FORMAT}"} | schema


def schema_text() -> str:
    """Return the schema as the text of the file that is shipped."""
    return json.dumps(replay_schema(), indent=1, ensure_ascii=False) + "\n"


def tables_text() -> str:
    """Return the tables of columns and of the header, in Markdown."""
    columns = ["| column | for each | components | type | unit | what it is |", "|---|---|---|---|---|---|"]
    columns += [f"| {' | '.join(_cells(one))} |" for one in COLUMNS.values()]
    parts = ["| part | key | what it is |", "|---|---|---|"]
    parts += [f"| {' | '.join(cells)} |" for model in _models(Header) for cells in _keys(model)]
    return "\n".join([*columns, "", *parts, ""])


def _cells(one: Column) -> list[str]:
    kind = f"{WHOLE[0]} or larger" if one.stored is None else f"{one.stored}, scaled"
    return [f"`{one.name}`", one.per, one.of, kind, one.unit, _meaning(one)]


def _meaning(one: Column) -> str:
    return one.meaning + (f"; not there without {one.needs}" if one.needs else "")


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A part of the header, and those in it, each once."""
    waiting, seen = [model], list[type[BaseModel]]()
    while waiting:
        one = waiting.pop(0)
        if one not in seen and one.__module__ == Header.__module__:
            seen.append(one)
            waiting += [part for field in one.model_fields.values() for part in _parts(field.annotation)]
    yield from seen


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _parts(part)


def _keys(model: type[BaseModel]) -> Iterator[list[str]]:
    """A row for a part as a whole, and one for each key that has something said of it."""
    named = ", ".join(f"`{name}`" for name, field in model.model_fields.items() if not field.description)
    what = " ".join((model.__doc__ or "").split())
    yield [f"**{model.__name__}**", named, what]
    for name, field in model.model_fields.items():
        if field.description:
            yield ["", f"`{name}`", field.description]
