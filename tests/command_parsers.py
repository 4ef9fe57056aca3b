"""The parsers of all commands, without what those would do."""

from collections.abc import Iterator
from typing import NoReturn
from unittest.mock import patch

from townlet.bench.__main__ import BENCHMARKS
from townlet.commands.cli import COMMANDS
from townlet.screen.command_line import Command, Parser


class ParserMadeError(Exception):
    """In place of reading a command line: the parser that would."""


def parser_of(command: Command, words: list[str]) -> Parser:
    """The parser by which a command reads its words."""

    def made(parser: Parser, arguments: object = None) -> NoReturn:
        raise ParserMadeError(parser)

    with patch.object(Parser, "parse_args", made):
        try:
            command(words)
        except ParserMadeError as error:
            (parser,) = error.args
            return parser  # type: ignore[no-any-return]
    raise AssertionError(f"expected a command that reads its words, got {command}")


def commands() -> Iterator[tuple[str, Command, list[str]]]:
    """Every command by its words, and what it is called with."""
    yield from ((name, command, []) for name, command in COMMANDS.items() if name != "bench")
    yield from ((f"bench {name}", command, []) for name, command in BENCHMARKS.items())
    yield "bench memory --probe", BENCHMARKS["memory"], ["--probe", "run"]
