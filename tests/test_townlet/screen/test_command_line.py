"""What the commands share: how words are read, memory that is not there, and how errors end them."""

import argparse
import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from townlet.config import ConfigError
from townlet.screen.command_line import (
    labelled,
    memory_asked_for,
    named,
    named_list,
    named_path,
    one_of,
    positive,
    run_word,
    setting,
    some_of,
    tells_errors,
    tells_of_memory,
)

# --- names and numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [named, named_list, named_path, labelled])
@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_nothing_is_no_name(read, text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected a name or a path, got nothing$"):
        read(text)


@pytest.mark.parametrize(("text", "letters"), [("x" * 5000, "5,000"), ("x" * 300, "300"), ("a\0b", "3")])
def test_what_no_file_can_be_called_is_no_name(text, letters):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        named(text)
    said = str(caught.value)
    assert said.startswith("expected a name or a path that a file can have, got ")
    assert said.endswith(f" of {letters} letters") and len(said) < 150


def test_names_and_paths_are_taken_as_they_are(tmp_path):
    (tmp_path / "there").write_text("")
    assert named("2-replay") == "2-replay" and named_path("no/such") == Path("no/such")
    assert named_list("0,a.yaml,1") == ["0", "a.yaml", "1"] and labelled("mine=run") == ("mine", "run")
    with pytest.raises(argparse.ArgumentTypeError, match="got nothing"):
        named_list("0,,1")
    assert named_path(str(tmp_path / "there" / "below a file")).name == "below a file"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10000", 10_000), ("10_000", 10_000), ("1e6", 1_000_000), ("2.5E+3", 2_500), ("2M", 2_000_000),
        ("10k", 10_000), ("1.5m", 1_500_000), ("1_000k", 1_000_000), ("1G", 10**9), ("3b", 3 * 10**9),
    ],
)  # fmt: skip
def test_a_whole_number_is_read_as_people_write_it(text, value):
    assert positive(text) == value


@pytest.mark.parametrize("text", ["1.5", "1.23456e3", "0.5e0", "M", "2MM", "2 M", "1e-3", "1e6.5", "e6", "1e999", "2T"])
def test_what_is_no_whole_number_when_all_is_multiplied_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected a whole number, got "):
        positive(text)


def test_a_setting_is_a_key_and_the_text_of_a_value():
    assert setting("name='2M'") == ("name", "'2M'") and setting("a.b=c=d") == ("a.b", "c=d")
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected key=value, got 'gamma'$"):
        setting("gamma")


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (one_of("steps", "seconds"), "stpes", "expected steps or seconds, got 'stpes'; did you mean 'steps'?"),
        (some_of(["lags", "order"]), "order,lag", "expected some of lags, order, got lag; did you mean 'lags'?"),
        (some_of({"env": 1}), "x" * 80, f"expected some of env, got {'x' * 57}..."),
    ],
)
def test_a_word_that_is_not_known_is_told_with_the_one_that_was_meant(read, text, said):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        read(text)
    assert str(caught.value) == said


def test_words_that_are_known_are_read_each_once():
    assert one_of("steps", "seconds")("seconds") == "seconds" and some_of("abc")("c,a,c") == ["c", "a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "expected at least 1, got 0"),
        ("1" + 15 * "0" + "1", "expected at most 1,000,000,000,000,000, got 10000000000000001"),
        ("9" * 401, f"expected at most 1,000,000,000,000,000, got {'9' * 57}..."),
        ("9" * 5000, f"expected a whole number, got '{'9' * 57}...'"),
    ],
)
def test_a_count_out_of_its_limits_is_told_in_short(text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{re.escape(said)}$"):
        positive(text)


# --- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allocate", "said"),
    [
        (lambda: torch.zeros(10**15), "tried to allocate 4000000000000000 bytes"),
        (lambda: torch.zeros(2**40, 2**40), "Storage size calculation overflowed with sizes=["),
        (lambda: np.zeros(10**16), "Unable to allocate 71.1 PiB for an array"),
        (lambda: [0] * 10**17, "no more to be had"),
    ],
    ids=["torch", "more than can be counted", "numpy", "python"],
)
def test_memory_that_is_not_there_is_one_line_with_what_was_asked_for(allocate, said, capsys):
    assert tells_of_memory("townlet word")(lambda arguments: allocate())([]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"townlet word: not enough memory: {said}") and err.count("\n") == 1
    assert run_word(["word"], {"word": lambda arguments: allocate()}, "", "townlet", "") == 1
    assert capsys.readouterr().err == err


def test_memory_of_a_device_is_told_of_and_other_errors_are_not_taken_for_it():
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of")
    assert memory_asked_for(full) == "tried to allocate 20.00 GiB"
    assert memory_asked_for(RuntimeError("CUDA error: out of memory")) == "CUDA error: out of memory"
    with pytest.raises(RuntimeError, match="size"):
        tells_of_memory("townlet word")(lambda arguments: torch.zeros(2) @ torch.zeros(3))([])


# --- errors ------------------------------------------------------------------------------------------------------


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
