"""`townlet levels`: the ladder, or all that is shipped, in a table, or one level as a picture."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from townlet.commands.levels.table import levels_table, tasks_table
from townlet.config import ConfigError, GymTask, Level, Task, load_level, load_task
from townlet.level.file import shipped_levels, shipped_tasks, unreadable_levels
from townlet.screen.command_line import DONE, WRONG_USE, Parser, named, setting, whole

RUNG = re.compile(r"[0-9]+(\.[0-9]+)?")  # the id of a level of the ladder; what varies one has a word behind it


def main(arguments: Sequence[str] | None = None) -> int:
    """List the shipped levels, or draw one."""
    parser = Parser(prog="townlet levels", description="List the shipped levels, or draw one level.")
    parser.add_argument(
        "level", type=named, nargs="?", help="a level's id, name or file, to draw it (default: list the ladder)"
    )
    parser.add_argument("--map", type=whole, default=0, metavar="N", help="which of its maps (default: 0)")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of it")
    parser.add_argument("--all", action="store_true", help="list what is beside the ladder too, and public tasks")
    options = parser.parse_args(arguments)
    if options.level is None:
        if options.map or options.set:
            parser.error("--map and --set: expected a level to draw, got none")
        return _list(options.all)
    if options.all:
        parser.error("--all: expected no level beside it, since it lists them")
    from townlet.commands.levels.picture import level_picture  # which draws maps by PyTorch: a list does without

    level = load_level(options.level, dict(options.set))
    try:
        picture = level_picture(level, options.map)
    except ValueError as error:
        parser.error(f"--map: {error}")
    Console().print(picture)
    return DONE


def _list(all_of_them: bool) -> int:
    """Print those that can be used, the ladder alone or all of them, and tell the mistakes in the others."""
    wrong = unreadable_levels()
    levels = [level for level in _read(shipped_levels(), wrong) if isinstance(level, Level)]
    ladder = [level for level in levels if RUNG.fullmatch(level.id)]
    beside = [level for level in levels if level not in ladder]
    screen = Console()
    screen.print(levels_table(ladder + beside if all_of_them else ladder or beside))
    if all_of_them:
        screen.print(tasks_table(task for task in _read(shipped_tasks(), wrong) if isinstance(task, GymTask)))
    elif ladder:
        print(f"townlet levels --all: {len(beside)} more, and the public tasks of memory")
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return WRONG_USE if wrong else DONE


def _read(files: Mapping[str, Path], wrong: list[str]) -> list[Task]:
    """What can be read of some files; mistakes in the others are added to `wrong`."""
    tasks: list[Task] = []
    for path in files.values():
        try:
            tasks.append(load_task(path))
        except ConfigError as error:
            wrong += error.errors
    return tasks
