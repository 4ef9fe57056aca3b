"""`townlet levels`: the shipped levels in a table, or one level as a picture."""

import sys
from collections.abc import Sequence

from rich.console import Console

from townlet.commands.levels.table import levels_table
from townlet.config import ConfigError, Level, load_level
from townlet.level.file import shipped_levels, unreadable_levels
from townlet.screen.command_line import DONE, WRONG_USE, Parser, named, setting, whole


def main(arguments: Sequence[str] | None = None) -> int:
    """List the shipped levels, or draw one."""
    parser = Parser(prog="townlet levels", description="List the shipped levels, or draw one level.")
    parser.add_argument(
        "level", type=named, nargs="?", help="a level's id, name or file, to draw it (default: list all)"
    )
    parser.add_argument("--map", type=whole, default=0, metavar="N", help="which of its maps (default: 0)")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of it")
    options = parser.parse_args(arguments)
    if options.level is None:
        if options.map or options.set:
            parser.error("--map and --set: expected a level to draw, got none")
        return _list()
    from townlet.commands.levels.picture import level_picture  # which draws maps by PyTorch: a list does without

    level = load_level(options.level, dict(options.set))
    try:
        picture = level_picture(level, options.map)
    except ValueError as error:
        parser.error(f"--map: {error}")
    Console().print(picture)
    return DONE


def _list() -> int:
    """Print the table of those that can be used, and tell the mistakes in the others."""
    levels, wrong = list[Level](), unreadable_levels()
    for path in shipped_levels().values():
        try:
            levels.append(load_level(path))
        except ConfigError as error:
            wrong += error.errors
    Console().print(levels_table(levels))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return WRONG_USE if wrong else DONE
