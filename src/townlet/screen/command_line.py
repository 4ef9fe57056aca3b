"""What the commands share: exit codes, errors of one line, and the types of arguments. It does without PyTorch."""

import argparse
import errno
import functools
import math
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, Protocol

from townlet.level.errors import ConfigError
from townlet.level.suggestion import suggestion
from townlet.level.whole import multiplied
from townlet.screen.process import DONE, FAILED, WRONG_USE, end, hearing

MOST = 10**15  # of anything that is counted; the levels have the same limit


Given = ParamSpec("Given")  # what a command is called with


class Command(Protocol):
    """What runs a command by the words after its name; returns its exit code."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int: ...


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line, which says what may have been meant.

    `first_of` is the flag that a first word without one is taken to be a value of.
    """

    first_of = ""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Read the command line; what no flag or place of it takes ends the process with one line and code 2."""
        words = sys.argv[1:] if args is None else list(args)
        self._refuse_unknown_flags(words)  # before it is missed that they were to say
        options, unknown = self.parse_known_args(words, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant_by(unknown[0], words)}")
        return options

    def _meant_by(self, word: str, words: Sequence[str]) -> str:
        """Say what a word that has no place may have been: the rest of a number, or the value of a flag left out."""
        at = words.index(word)
        if at and multiplied(words[at - 1] + word) is not None:
            return f"; did you mean {words[at - 1] + word!r}?"
        return f"; did you mean '{self.first_of} {word}'?" if self.first_of and not at else ""

    def _refuse_unknown_flags(self, words: Sequence[str]) -> None:
        known = [flag for action in self._actions for flag in action.option_strings]
        for word in takewhile(lambda word: word != "--", words):
            flag = word.partition("=")[0]
            is_value = " " in flag or not re.match("--?[a-z]", flag, re.IGNORECASE)  # as a number below 0
            if not is_value and not any(one.startswith(flag) for one in known):  # they may be cut short
                self.error(f"unrecognized arguments: {word}{suggestion(flag, known)}")

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(WRONG_USE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def whole(text: str) -> int:
    """Read a whole number, as 10000, 10_000, 1e6, 2M or 1.5k: it is one when all is multiplied."""
    if (value := multiplied(text)) is not None:
        return value
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {_short(text)!r}") from None


def positive(text: str) -> int:
    """Read a whole number from 1 to `MOST`."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {_short(text)}")
    if value > MOST:
        raise argparse.ArgumentTypeError(f"expected at most {MOST:,}, got {_short(text)}")
    return value


def up_to(most: int) -> Callable[[str], int]:
    """Return what reads a whole number from 0 to `most`."""

    def read(text: str) -> int:
        if not 0 <= (value := whole(text)) <= most:
            raise argparse.ArgumentTypeError(f"expected 0 to {most:,}, got {_short(text)}")
        return value

    return read


def share(text: str) -> float:
    """Read a number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, got {_short(text)!r}")
    return value


def above_zero(text: str) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {_short(text)!r}")
    return value


def named(text: str) -> str:
    """Read the name or the path of something: not empty, and what a file could be called."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name or a path, got nothing")
    try:
        os.lstat(text)
    except (OSError, ValueError) as error:  # ValueError: a character that no name has
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            got = f"{_short(text)!r} of {len(text):,} letters"
            raise argparse.ArgumentTypeError(f"expected a name or a path that a file can have, got {got}") from None
    return text


def named_list(text: str) -> list[str]:
    """Read names or paths with commas between."""
    return [named(one) for one in text.split(",")]


def named_path(text: str) -> Path:
    """Read a path."""
    return Path(named(text))


def setting(text: str) -> tuple[str, str]:
    """Read `a.b=c`; what the text of a value stands for, the key says."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected key=value, got {_short(text)!r}")
    return key, value


def one_of(*known: str) -> Callable[[str], str]:
    """Return what reads one of the known words."""

    def read(text: str) -> str:
        if text not in known:
            told = f"{', '.join(known[:-1])} or {known[-1]}"
            raise argparse.ArgumentTypeError(f"expected {told}, got {_short(text)!r}{suggestion(text, known)}")
        return text

    return read


def some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return what reads some of the known words with commas between; each counts once."""

    def read(text: str) -> list[str]:
        names = list(dict.fromkeys(text.split(",")))
        for name in names:
            if name not in known:
                expected = f"expected some of {', '.join(known)}"
                raise argparse.ArgumentTypeError(f"{expected}, got {_short(name)}{suggestion(name, known)}")
        return names

    return read


def labelled(text: str) -> tuple[str, str]:
    """Read `LABEL=RUN`; the label is empty where there is none."""
    label, equals, run = text.partition("=")
    return (label, named(run)) if equals else ("", named(text))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def aside(line: str) -> None:
    """Say a line beside the output of a command, which others may read."""
    print(line, file=sys.stderr)


def cannot_write(program: str, error: OSError) -> int:
    """Say in one line which file could not be written, where one is named, and why; returns the exit code."""
    what = "" if error.filename is None else f"cannot write {error.filename}: "
    print(f"{program}: {what}{error.strerror or error}", file=sys.stderr)
    return FAILED


def tells_of_memory(program: str) -> Callable[[Callable[Given, int]], Callable[Given, int]]:
    """Decorate a command: where memory ends it says in one line how much was asked for, and returns the exit code."""

    def decorate(command: Callable[Given, int]) -> Callable[Given, int]:
        @functools.wraps(command)
        def told(*words: Given.args, **named: Given.kwargs) -> int:
            try:
                return command(*words, **named)
            except (MemoryError, RuntimeError) as error:
                asked = memory_asked_for(error)
                if asked is None:
                    raise
                print(f"{program}: not enough memory: {asked}", file=sys.stderr)
                return FAILED

        return told

    return decorate


def tells_errors(program: str, *failures: type[Exception]) -> Callable[[Callable[Given, int]], Callable[Given, int]]:
    """Decorate a command: errors that a person can do something about end it with a line, and with code 1.

    These are `failures`, a file that cannot be written, too little memory, and Ctrl-C. A ConfigError is wrong use, code
    2, and says by itself where. All else is a mistake of ours, and is raised.
    """

    def decorate(command: Callable[Given, int]) -> Callable[Given, int]:
        @functools.wraps(command)
        def told(*words: Given.args, **named: Given.kwargs) -> int:
            try:
                return command(*words, **named)
            except ConfigError as error:
                print(error, file=sys.stderr)
                return WRONG_USE
            except failures as error:
                aside(f"{program}: {error}")
            except OSError as error:
                return cannot_write(program, error)
            except KeyboardInterrupt:
                aside(f"{program}: stopped")
            return FAILED

        return tells_of_memory(program)(told)

    return decorate


def memory_asked_for(error: BaseException) -> str | None:
    """What an allocator that refused was asked for, in one line; None for an error of another kind."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):  # of Python, which says nothing, and of NumPy
        return text or "no more to be had"
    if amount := re.search(r"ried to allocate ([\d.]+ \w+)", text):  # of PyTorch, on a CPU or another device
        return f"tried to allocate {amount[1]}"
    return text if re.search(r"out of memory|calculation overflowed|multiplication overflow", text) else None


def lazily(module: str) -> Command:
    """Return the `main` of a module, which is imported when it is called: most words need PyTorch, which takes long."""

    def command(arguments: Sequence[str] | None = None) -> int:
        with hearing(lambda: end("townlet: stopped", FAILED)):  # as `begin` does: no exception inside of an import
            found: Command = import_module(module).main
        return found(arguments)

    return command


def run_word(
    words: list[str], commands: Mapping[str, Command], usage: str, program: str, see: str, flags: Sequence[str] = ()
) -> int:
    """Hand the words after the first to the command that it names; returns its exit code, 2 where there is none.

    `see` is what shows the usage, told to those who name none. `flags` may be meant too, by who names them wrongly.
    """
    if words and words[0] in ("-h", "--help"):
        print(usage)
        return DONE
    if not words or words[0] not in commands:
        got = repr(words[0]) + suggestion(words[0], [*commands, "--help", *flags]) if words else "nothing"
        print(f"{program}: expected one of {', '.join(commands)}, got {got} (see {see})", file=sys.stderr)
        return WRONG_USE
    return tells_of_memory(f"{program} {words[0]}")(commands[words[0]])(words[1:])
