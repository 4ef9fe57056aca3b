"""`townlet validate`: whether level files are right."""

import sys
from collections.abc import Sequence

from townlet.agent.requirements import check_network
from townlet.commands.levels.table import summary
from townlet.config import ConfigError, Level, load_task
from townlet.screen.command_line import DONE, WRONG_USE, Parser, named


def main(arguments: Sequence[str] | None = None) -> int:
    """Check level files; one line for each error."""
    parser = Parser(prog="townlet validate", description="Check level files.")
    parser.add_argument("level", type=named, nargs="+", help="a level's id, name or file")
    wrong = False
    for reference in parser.parse_args(arguments).level:
        try:
            task = load_task(reference, tell=print)
            if isinstance(task, Level):
                check_network(task)
            about = summary(task) if isinstance(task, Level) else f"Gymnasium's {task.gym}"
            print(f"{reference}: level {task.id}, {task.name}, is right: {about}")
        except ConfigError as error:
            wrong = True
            print(error, file=sys.stderr)
    return WRONG_USE if wrong else DONE
