"""What the commands share: exit codes, errors of one line, and the types of arguments."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

import torch

DONE, FAILED, WRONG_USE = 0, 1, 2


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(WRONG_USE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value


def share(text: str) -> float:
    """Read a number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, got {text!r}")
    return value


def setting(text: str) -> tuple[str, str]:
    """Read `a.b=c`."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected key=value, got {text!r}")
    return key, value


def labelled(text: str) -> tuple[str, str]:
    """Read `LABEL=RUN`; the label is empty where there is none."""
    label, equals, run = text.partition("=")
    return (label, run) if equals else ("", text)


def device_named(text: str) -> torch.device:
    """Read `auto`, `cpu` or `cuda`; products of float32 matrices take TF32 on CUDA from then on."""
    if text not in ("auto", "cpu", "cuda"):
        raise argparse.ArgumentTypeError(f"expected auto, cpu or cuda, got {text!r}")
    if text == "cuda" and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError("expected a CUDA device, got a machine without one")
    if text == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def cannot_write(program: str, error: OSError) -> int:
    """Say in one line which file could not be written, and why; returns the exit code."""
    print(f"{program}: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
    return FAILED


def run_word(
    words: list[str], commands: Mapping[str, Callable[[list[str]], int]], usage: str, program: str, see: str
) -> int:
    """Hand the words after the first to the command that it names; returns its exit code, 2 where there is none.

    `see` is what shows the usage, told to those who name none.
    """
    if words and words[0] in ("-h", "--help"):
        print(usage)
        return DONE
    if not words or words[0] not in commands:
        got = repr(words[0]) if words else "nothing"
        print(f"{program}: expected one of {', '.join(commands)}, got {got} (see {see})", file=sys.stderr)
        return WRONG_USE
    return commands[words[0]](words[1:])
