"""What a command says of what went wrong, and the code that it exits with."""

import errno
import os

import pytest

from townlet.config import ConfigError
from townlet.screen.telling import tells_errors


class GoneError(Exception):
    pass


class LostError(Exception):
    pass


def ends(error):
    """A command that ends by an error, and knows two kinds of them."""

    @tells_errors("townlet word", GoneError, LostError)
    def command(arguments=None):
        raise error

    return command([])


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError(["a.yaml:1: id: expected a word", "a.yaml:2: grid: expected a mapping"]), 2,
         "a.yaml:1: id: expected a word\na.yaml:2: grid: expected a mapping"),
        (GoneError("no run 'x'"), 1, "townlet word: no run 'x'"),
        (LostError("no weights"), 1, "townlet word: no weights"),
        (OSError(errno.ENOSPC, FULL, "a.png"), 1, f"townlet word: cannot write a.png: {FULL}"),
        (OSError(errno.ENOSPC, FULL), 1, f"townlet word: {FULL}"),
        (MemoryError(), 1, "townlet word: not enough memory: no more to be had"),
        (KeyboardInterrupt(), 1, "townlet word: stopped"),
    ],
    ids=["config", "one failure", "another", "file", "no file", "memory", "ctrl-c"],
)  # fmt: skip
def test_what_a_person_can_do_something_about_is_told_with_its_code(error, code, said, capsys):
    assert ends(error) == code
    assert capsys.readouterr() == ("", f"{said}\n")


@pytest.mark.parametrize("error", [ValueError("a mistake"), SystemExit(2)])
def test_all_else_is_raised(error):
    with pytest.raises(type(error)):
        ends(error)


def test_what_a_command_returns_is_its_code():
    assert tells_errors("townlet word")(lambda arguments: len(arguments))(["a", "b", "c"]) == 3
