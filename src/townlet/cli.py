"""`townlet`: one command with a word for each of the others."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from townlet import evaluate, train
from townlet.config import ConfigError, load_level
from townlet.level_file import shipped_levels

USAGE = """usage: townlet COMMAND ...

  train      train a population in a level
  evaluate   play greedy episodes with a trained agent on unseen maps
  levels     list the shipped levels
  validate   check level files

townlet COMMAND --help says more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"train": train.main, "evaluate": evaluate.main, "levels": levels, "validate": validate}
    if words and words[0] in ("-h", "--help"):
        print(USAGE)
        return train.DONE
    if not words or words[0] not in commands:
        got = repr(words[0]) if words else "nothing"
        print(f"townlet: expected one of {', '.join(commands)}, got {got} (see townlet --help)", file=sys.stderr)
        return train.WRONG_USE
    return commands[words[0]](words[1:])


def levels(arguments: Sequence[str]) -> int:
    """List the shipped levels."""
    train.Parser(prog="townlet levels", description="List the shipped levels.").parse_args(arguments)
    table = Table("id", "name", "map", "agents", "network", "what it teaches")
    for path in shipped_levels().values():
        level = load_level(path)
        size = f"{level.grid.width}x{level.grid.height} {level.layout.kind}"
        table.add_row(level.id, level.name, size, str(level.training.num_agents), level.network.kind, level.description)
    Console().print(table)
    return train.DONE


def validate(arguments: Sequence[str]) -> int:
    """Check level files; one line for each error."""
    parser = train.Parser(prog="townlet validate", description="Check level files.")
    parser.add_argument("level", nargs="+", help="a level's id, name or file")
    wrong = False
    for reference in parser.parse_args(arguments).level:
        try:
            level = load_level(reference)
            print(f"{reference}: level {level.id}, {level.name}, is right")
        except ConfigError as error:
            wrong = True
            print(error, file=sys.stderr)
    return train.WRONG_USE if wrong else train.DONE


if __name__ == "__main__":
    sys.exit(main())
