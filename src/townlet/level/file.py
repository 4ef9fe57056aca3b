"""Find and read level files: YAML with `extends` and overrides, every mistake told at once with its file and line."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from townlet.level.errors import ConfigError, Problem, explain, short
from townlet.level.suggestion import suggestion
from townlet.level.yaml_tree import (
    COMMAND_LINE,
    REFUSED,
    Mistake,
    Node,
    Place,
    YamlReader,
    config_error,
    merge,
    nearest,
    plain,
)

__all__ = [
    "NOT_THE_WORLD",
    "OF_LEARNING",
    "ConfigError",
    "Problem",
    "configs_directory",
    "find_level",
    "keys",
    "load",
    "shipped_levels",
    "shipped_tasks",
    "unreadable_levels",
]

M = TypeVar("M", bound=BaseModel)
# Keys of a task that say nothing of its world.
OF_LEARNING = ("network", "training", "on_cuda", "evaluation", "replays")
# What may change while the world stays the same.
NOT_THE_WORLD = {"id", "name", "description", "reward", "sparse_reward", *OF_LEARNING}
NOT_EXTENDED = "on_cuda"  # is of the level that says it: of another the numbers would be others


def load(
    model: type[M],
    path: Path,
    overrides: Mapping[str, object] | None = None,
    check: Callable[[M], list[Problem]] | None = None,
    names: Callable[[Mapping[str, Any]], list[Problem]] | None = None,
) -> M:
    """Read a level file, the files it extends and the overrides into a checked model.

    `overrides` maps dotted keys to values; a string is read as YAML. `names` finds names that nothing defines in the
    plain values, right or wrong; `check` finds mistakes of meaning in a level whose structure is right. Raises
    ConfigError with every mistake, in the order of files and lines.
    """
    reader = _LevelReader()
    tree = reader.read_file(Path(path))
    if tree is None:
        raise config_error(reader.mistakes)
    tree = _lay_over(tree, reader.read_overrides(overrides or {}))
    values, level, problems = plain(tree), None, []
    try:
        # The rules for JSON, which fit YAML: a list may be a tuple, and true is still no number.
        level = model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        problems = [problem for problem in explain(model, error, values) if reader.believes(problem, tree)]
    if names is not None and reader.complete:
        wrong = [problem.key for problem in problems]
        problems += [one for one in names(values) if not any(one.key[: len(key)] == key for key in wrong)]
    if check is not None and level is not None and not reader.mistakes:
        problems += check(level)
    mistakes = reader.mistakes + [Mistake(nearest(tree, problem.key).place, problem) for problem in problems]
    if mistakes or level is None:
        raise config_error(mistakes)
    return level


def keys(path: Path, overrides: Mapping[str, object]) -> set[str]:
    """Return the outermost keys of a file, of those it extends and of the overrides, as far as they can be read."""
    reader = _LevelReader()
    trees = (reader.read_file(Path(path)), reader.read_overrides(overrides))
    return {key for tree in trees if tree is not None for key in tree.value}


def configs_directory() -> Path:
    """Return the folder of the shipped levels: in the installed package, else in the repository."""
    package = Path(__file__).parents[1]
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parents[1] / "configs"


def shipped_levels() -> dict[str, Path]:
    """Map the id of each shipped level to its file, in the order of the ladder; files without one are left out."""
    return {rung.id: rung.path for rung in _rungs("levels")[0]}


def shipped_tasks() -> dict[str, Path]:
    """Map the id of each shipped task of others to its file; files without one are left out."""
    return {rung.id: rung.path for rung in _rungs("tasks")[0]}


def unreadable_levels() -> list[str]:
    """Return the mistakes in the files that `shipped_levels` and `shipped_tasks` leave out, a line each."""
    return _rungs("levels")[1] + _rungs("tasks")[1]


def find_level(reference: str) -> Path:
    """Return the file of a level or a task: by id ("2"), by name (its `name`, or its file's stem), or as a .yaml path.

    A path is returned as it is. Raises ConfigError where nothing that is shipped has the id or name; files that cannot
    be read are told then, since it may be theirs.
    """
    if _is_path(reference):
        return Path(reference)
    names = _shipped_names()
    if reference not in names:
        (levels, wrong_levels), (tasks, wrong_tasks) = _rungs("levels"), _rungs("tasks")
        ids = ", ".join(rung.id for rung in [*levels, *tasks])
        got = short(reference) + suggestion(reference, names)
        expected = f"level: expected one of {ids}, a name or a path to a .yaml file, got {got}"
        raise ConfigError([expected, *wrong_levels, *wrong_tasks])
    return names[reference]


def _is_path(reference: str) -> bool:
    return reference.endswith((".yaml", ".yml"))


def _shipped_names() -> dict[str, Path]:
    """The files of all that is shipped by their names and, before these, their ids; of two alike the first one."""
    shipped = [*_rungs("levels")[0], *_rungs("tasks")[0]]
    names = {word: rung.path for rung in reversed(shipped) for word in (rung.name, rung.path.stem)}
    return names | {rung.id: rung.path for rung in reversed(shipped)}


def _lay_over(base: Node, child: Node) -> Node:
    """Lay a file or overrides over a level. Yardsticks are of one world: another that says none has none.

    Random agents and planners do not look, so what is observed may change.
    """
    if "yardsticks" not in child.value and not child.value.keys() <= NOT_THE_WORLD | {"observation"}:
        base = Node({key: value for key, value in base.value.items() if key != "yardsticks"}, base.place)
    return merge(base, child)


class _Rung(NamedTuple):
    id: str
    name: str
    path: Path

    def height(self) -> tuple[float, str]:
        """What a ladder is sorted by: the number that the id starts with, then the id."""
        number = re.match(r"\d+(\.\d+)?", self.id)
        return (float(number[0]) if number else math.inf, self.id)


def _rungs(folder: str) -> tuple[list[_Rung], list[str]]:
    """The files of a folder in the order of the ladder, and the mistakes in those that have no place in it."""
    rungs, wrong = dict[str, _Rung](), list[str]()
    for path in sorted((configs_directory() / folder).glob("*.yaml")):
        try:
            rung = _read_rung(path, rungs)
            rungs[rung.id] = rung
        except ConfigError as error:
            wrong += error.errors
    return sorted(rungs.values(), key=_Rung.height), wrong


def _read_rung(path: Path, others: Mapping[str, _Rung]) -> _Rung:
    reader = _LevelReader()
    root = reader.read_own(path)
    if root is not None and not reader.mistakes:
        values = plain(root)
        rung = _Rung(str(values.get("id")), str(values.get("name", path.stem)), path)
        if values.get("id") is None:
            reader.refuse(root.place, ("id",), "the id of the level", "nothing")
        elif rung.id in others:
            expected = f"an id that {others[rung.id].path.name} does not have"
            reader.refuse(root.value["id"].place, ("id",), expected, short(rung.id))
        else:
            return rung
    raise config_error(reader.mistakes)


class _LevelReader(YamlReader):
    def __init__(self) -> None:
        super().__init__()
        self.complete = True  # False where a base could not be read: then a missing key means nothing

    def read_file(self, path: Path, chain: tuple[Path, ...] = ()) -> Node | None:
        """The file's mapping laid over the one that it extends; None where there is no mapping in it."""
        root = self.read_own(path)
        if root is None or "extends" not in root.value:
            if root is not None and any(str(key).lower().startswith("ext") for key in root.value):
                self.complete = False  # that word is wrong, and not every key is missing
            return root
        base = self._read_base(root.value["extends"], path, (*chain, path.resolve()))
        root = Node({key: node for key, node in root.value.items() if key != "extends"}, root.place)
        self.complete = self.complete and base is not None
        if base is None:
            return root
        return _lay_over(Node({key: base.value[key] for key in base.value if key != NOT_EXTENDED}, base.place), root)

    def _read_base(self, extends: Node, path: Path, chain: tuple[Path, ...]) -> Node | None:
        base = self._find_base(extends, path)
        if base is None:
            return None
        if base.resolve() in chain:
            names = " -> ".join(file.name for file in (*chain, base))
            self.refuse(extends.place, ("extends",), "a file that does not lead back to itself", names)
            return None
        return self.read_file(base, chain)

    def _find_base(self, extends: Node, path: Path) -> Path | None:
        """The file that is extended: a path from the folder of `path`, or what is shipped by that id or name."""
        value = extends.value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            if value is not REFUSED:
                self.refuse(extends.place, ("extends",), "the path of one file, or one id", short(plain(extends)))
            return None
        base = Path(os.path.normpath(path.parent / str(value)))
        if os.path.isfile(base):
            return base
        got = f"{short(value)}, which would be {base}"
        if not _is_path(str(value)):
            names = _shipped_names()
            if str(value) in names:
                return names[str(value)]
            got += suggestion(str(value), names)
        self.refuse(extends.place, ("extends",), "the path of a file, or the id or name of a shipped level", got)
        return None

    def read_own(self, path: Path) -> Node | None:
        """The mapping that stands in one file, without what it extends; None, and a mistake, where there is none."""
        try:
            if path.is_fifo():  # would be waited for until somebody writes into it
                self.refuse(Place(str(path)), (), "a readable file", "a pipe")
                return None
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self.refuse(Place(str(path), line), (), "UTF-8 text", f"the byte 0x{content[error.start]:02x}")
            return None
        except OSError as error:
            known = {FileNotFoundError: "nothing there", IsADirectoryError: "a directory"}
            self.refuse(Place(str(path)), (), "a readable file", known.get(type(error), f"an error, {error.strerror}"))
            return None
        root = self.read_text(text, Place(str(path)))
        if root is None or root.value is REFUSED:
            return None
        if not isinstance(root.value, dict):
            self.refuse(root.place, (), "a mapping", "an empty file" if not text.strip() else short(plain(root)))
            return None
        return root

    def read_overrides(self, overrides: Mapping[str, object]) -> Node:
        """All overrides as one mapping, so that their order does not matter where a `kind` is among them."""
        place = Place(COMMAND_LINE)
        overlay = Node({}, place)
        for dotted, value in overrides.items():
            names = tuple(dotted.split("."))
            if not all(names):
                self.refuse(place, (), "a dotted key", short(dotted))
                continue
            try:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
            except (TypeError, ValueError):
                self.refuse(place, names, "a finite value that YAML can hold", short(value))
                continue
            node = self.read_text(text, place, names)
            for name in reversed(names):
                node = node and Node({name: node}, place)
            overlay = merge(overlay, node) if node else overlay
        return overlay

    def believes(self, problem: Problem, tree: Node) -> bool:
        """Whether a problem is one of the level itself, and not the echo of something that could not be read."""
        if problem.got == "nothing" and not self.complete:
            return False
        return nearest(tree, problem.key).value is not REFUSED
