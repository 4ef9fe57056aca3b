"""YAML as a tree of nodes that know where they were written.

Scalars follow YAML 1.2: `1e-4` is a number; `no`, `1:30` and `010` are strings. Only plain values are read: no tags
beyond those of YAML's own scalars, no merge keys (`<<`), each key once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from townlet.level.errors import ConfigError, Key, Problem, short

MAX_DEPTH = 32  # of mappings and lists in each other: stops an alias that holds itself
MAX_VALUES = 100_000  # of one reader: stops aliases of aliases of aliases
COMMAND_LINE = "--set"
REFUSED = object()  # stands where a value could not be read, so that it is reported once and not again as a wrong type


class Place(NamedTuple):
    """Where something was written."""

    source: str  # a file, or COMMAND_LINE
    line: int = 0  # from 1; 0 where there is none to name

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line and self.source != COMMAND_LINE else self.source


class Mistake(NamedTuple):
    """A problem and its place; as text, one line of an error report."""

    place: Place
    problem: Problem

    def __str__(self) -> str:
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.problem.key)
        key = "".join(parts).removeprefix(".")
        start = f"{self.place}{' ' if self.place.source == COMMAND_LINE else ': '}{key}" if key else str(self.place)
        return f"{start}: expected {self.problem.expected}, got {self.problem.got}"


class Node(NamedTuple):
    """A value, and the place of its key, or its own where it has no key."""

    value: Any  # dict[str, Node], list[Node], a scalar, or REFUSED
    place: Place


def config_error(mistakes: list[Mistake]) -> ConfigError:
    """Return the error that tells all mistakes, in the order of files and lines."""
    return ConfigError(str(mistake) for mistake in sorted(mistakes, key=lambda mistake: mistake.place))


def merge(base: Node, child: Node) -> Node:
    """Lay a node over another: mappings are merged key by key, anything else is replaced.

    A mapping of another `kind` is replaced too: the keys of one kind mean nothing to another. A merged mapping has the
    place of the child, where a key that is missing would be written, unless that is the command line.
    """
    if not (isinstance(base.value, dict) and isinstance(child.value, dict)):
        return child
    kinds = [mapping["kind"].value for mapping in (base.value, child.value) if "kind" in mapping]
    if len(kinds) == 2 and kinds[0] != kinds[1]:
        return child
    entries = dict(base.value)
    for name, node in child.value.items():
        entries[name] = merge(entries[name], node) if name in entries else node
    return Node(entries, base.place if child.place.source == COMMAND_LINE else child.place)


def plain(node: Node) -> Any:
    """Return the value of a node as dicts, lists and scalars; what was refused is None."""
    if isinstance(node.value, dict):
        return {name: plain(entry) for name, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return None if node.value is REFUSED else node.value


def nearest(tree: Node, key: Key) -> Node:
    """Return the node at a key, or at the longest part of it that is there."""
    for part in key:
        below: Any = tree.value if isinstance(tree.value, dict | list) else {}
        try:
            tree = below[part]
        except (LookupError, TypeError):
            break
    return tree


def _read_float(text: str) -> float:
    return float(re.sub(r"\.(inf|nan)", r"\1", text.replace("_", ""), flags=re.IGNORECASE))


_TAG = "tag:yaml.org,2002:"
_EXPONENT = r"[eE][-+]?[0-9]+"
_FINITE = rf"([0-9][0-9_]*\.[0-9]*|\.[0-9]+)({_EXPONENT})?|[0-9][0-9_]*{_EXPONENT}"
_FLOAT = rf"[-+]?({_FINITE}|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
# In the order in which they are tried for a scalar without a tag.
_SCALARS: dict[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    f"{_TAG}null": (re.compile(r"(~|null|Null|NULL|)\Z"), lambda text: None),
    f"{_TAG}bool": (re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), lambda text: text.lower() == "true"),
    f"{_TAG}int": (re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+)\Z"), lambda text: int(text.replace("_", ""), 0)),
    f"{_TAG}float": (re.compile(rf"({_FLOAT})\Z"), _read_float),
    f"{_TAG}str": (re.compile(""), str),
}
# The same for PyYAML, which looks scalars up by their first character: None stands for any.
IMPLICIT: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {
    None: [(tag, pattern) for tag, (pattern, _) in _SCALARS.items()]
}


class _Loader(yaml.SafeLoader):
    pass


_Loader.yaml_implicit_resolvers = IMPLICIT


class _TooLargeError(Exception):
    """Raised with the mistakes of a text that has too many values, or has them too deep."""


class _Reader:
    """Counts the values that it reads, and gathers what it refuses in `mistakes`."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.num_values = 0

    def refuse(self, place: Place, key: Key, expected: str, got: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(place, Problem(key, expected, got)))


class YamlReader(_Reader):
    """Reads texts to nodes."""

    def read_text(self, text: str, place: Place, key: Key = ()) -> Node | None:
        """Read one document; None, and a mistake, where it is not YAML. Raises ConfigError where it is too large."""
        try:
            root, mistakes, num_values = _read(text, place, key)
            if self.num_values + num_values > MAX_VALUES:
                raise _TooLargeError(_too_large(place, key))
        except _TooLargeError as error:
            raise config_error([*self.mistakes, *error.args]) from None
        self.mistakes += mistakes
        self.num_values += num_values
        return root


@lru_cache(maxsize=128)  # a level is sought among all that are shipped, each time anew
def _read(text: str, place: Place, key: Key) -> tuple[Node | None, tuple[Mistake, ...], int]:
    """The root, the mistakes and the number of values of one text; a root is never changed."""
    document = _Document()
    root = document.read(text, place, key)
    return root, tuple(document.mistakes), document.num_values


def _too_large(place: Place, key: Key) -> Mistake:
    return Mistake(place, Problem(key[:1], f"at most {MAX_VALUES} values, {MAX_DEPTH} mappings or lists deep", "more"))


class _Document(_Reader):
    """One text on its way to nodes."""

    def read(self, text: str, place: Place, key: Key) -> Node | None:
        """The root; None, and a mistake, where the text is not YAML."""
        try:
            loader = _Loader(text)
            loader.name = place.source
            root = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = " ".join(part for part in (error.problem, error.context) if part)
            self.refuse(place._replace(line=mark.line + 1 if mark else 0), key, "valid YAML", f"an error, {message}")
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.refuse(place._replace(line=line), key, "text", f"the character U+{ord(text[error.position]):04X}")
        except (ValueError, OverflowError):
            self.refuse(place, key, "valid YAML", "an escape for a character that does not exist")
        except RecursionError:
            raise _TooLargeError(*self.mistakes, _too_large(place, key)) from None
        else:
            return Node(None, place) if root is None else self._node(root, key, _place(root))
        return None

    def _node(self, source: yaml.Node, key: Key, place: Place) -> Node:
        self.num_values += 1
        if len(key) > MAX_DEPTH or self.num_values > MAX_VALUES:
            raise _TooLargeError(*self.mistakes, _too_large(place, key))
        if isinstance(source, yaml.MappingNode) and source.tag == f"{_TAG}map":
            return Node(self._entries(source, key), place)
        if isinstance(source, yaml.SequenceNode) and source.tag == f"{_TAG}seq":
            items = [self._node(item, (*key, index), _place(item)) for index, item in enumerate(source.value)]
            return Node(items, place)
        return Node(self._scalar(source, key, place), place)

    def _entries(self, source: yaml.MappingNode, key: Key) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_node, value_node in source.value:
            place, name = _place(key_node), key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.refuse(place, key, "a name as a key", "a mapping or a list")
            elif name == "<<" and key_node.style is None:  # in quotes it is a name
                self.refuse(place, key, "a name as a key", "'<<', which is not supported: see extends")
            elif self._scalar(key_node, key, place) is not REFUSED:
                if name in entries:
                    expected = f"the key once, as in line {entries[name].place.line}"
                    self.refuse(place, (*key, name), expected, "it again")
                entries[name] = self._node(value_node, (*key, name), place)
        return entries

    def _scalar(self, source: yaml.Node, key: Key, place: Place) -> object:
        tag = source.tag.replace(_TAG, "!!")
        if source.tag not in _SCALARS or not isinstance(source, yaml.ScalarNode):
            self.refuse(place, key, "a plain value", f"the tag {tag}")
            return REFUSED
        pattern, read = _SCALARS[source.tag]
        try:
            value = read(source.value) if pattern.match(source.value) else REFUSED
            str(value).encode()  # refuses an integer of thousands of digits, and half of a surrogate pair
        except ValueError:
            value = REFUSED
        if value is REFUSED:
            self.refuse(place, key, f"what {tag} can hold", short(source.value))
        return value


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.name, node.start_mark.line + 1)
