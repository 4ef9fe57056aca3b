"""What differs between configurations, setting by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from townlet.config import ConfigError, Task, load_task

MISSING = "-"


def flat(values: object, before: str = "") -> dict[str, str]:
    """Return settings by dotted key; lists and what holds nothing are one value each."""
    if isinstance(values, Mapping) and values:
        return {
            key: text
            for name, one in values.items()
            for key, text in flat(one, f"{before}.{name}" if before else str(name)).items()
        }
    return {before: _text(values)}


def differences(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Return the settings in which tasks differ: for each of these a value a task."""
    all_of_them = [flat(task.model_dump()) for task in tasks]
    keys = dict.fromkeys(key for one in all_of_them for key in one)
    rows = {key: [one.get(key, MISSING) for one in all_of_them] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def from_defaults(task: Task) -> list[tuple[str, str, str]] | None:
    """Return (setting, as shipped, here) where a task differs from its level; None where none of its id is shipped."""
    try:
        shipped = load_task(task.id)
    except ConfigError:
        return None
    return [(key, before, here) for key, (before, here) in differences([shipped, task]).items()]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(one)}" for name, one in value.items()) + "}"
    return "none" if value is None else str(value)
