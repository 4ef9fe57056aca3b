"""Plain values as YAML that `YamlReader` reads back as they are.

PyYAML quotes by YAML 1.1, which takes `1e5` for a text, where the reader takes a number. So the writer asks the
reader's own table what each scalar would be, and quotes what would be something else.
"""

from __future__ import annotations

import math
from typing import Any

import yaml

from townlet.level.yaml_tree import IMPLICIT


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything where it stands: a list that is met twice is no reference to itself."""
        return True


_Dumper.yaml_implicit_resolvers = IMPLICIT


def write_yaml(values: object) -> str:
    """Write dicts with texts as keys, lists, tuples (as lists), texts, numbers, bools and None, dicts in their order.

    Raises yaml.representer.RepresenterError for anything else.
    """
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Between single quotes PyYAML leaves the rarer line breaks as they are, and every reader takes them for another.
    quoted = not text.isprintable() or text == "<<"  # which as a key is a merge, unless it is quoted
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)
