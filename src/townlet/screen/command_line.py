"""What the commands share: exit codes, errors of one line, and the types of arguments."""

import argparse
import ctypes
import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import torch

from townlet.screen.process import DONE, FAILED, WRONG_USE

MOST = 10**15  # of anything that is counted; the levels have the same limit
ONEDNN_LIMIT, NO_BFLOAT16 = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE"

MALLOC_LIMITS = {  # of glibc's malloc: environment variable, number for mallopt, bytes
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 << 20),  # of a block that it does not keep when freed; no more is allowed
    "MALLOC_TRIM_THRESHOLD_": (-1, 256 << 20),  # of freed memory that it keeps
}


class Command(Protocol):
    """What runs a command by the words after its name; returns its exit code."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int: ...


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
    """Read `a.b=c`."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected key=value, got {_short(text)!r}")
    return key, value


def labelled(text: str) -> tuple[str, str]:
    """Read `LABEL=RUN`; the label is empty where there is none."""
    label, equals, run = text.partition("=")
    return (label, named(run)) if equals else ("", named(text))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def device_named(text: str) -> torch.device:
    """Read `auto`, `cpu` or `cuda`; from then on `hasten_products` and `keep_memory` hold."""
    if text not in ("auto", "cpu", "cuda"):
        raise argparse.ArgumentTypeError(f"expected auto, cpu or cuda, got {text!r}")
    if text == "cuda" and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError("expected a CUDA device, got a machine without one")
    device = torch.device("cpu" if text == "cpu" or not torch.cuda.is_available() else "cuda")
    hasten_products(device)
    keep_memory()
    return device


def hasten_products(device: torch.device) -> None:
    """Multiply matrices of float32 the fastest way for this process: on CUDA with TF32, on the CPU by oneDNN.

    oneDNN's kernels for AVX-512 take half the time of MKL's on processors that are not Intel's. PyTorch asks for them
    only where bfloat16 may take the place of float32. It does not here: oneDNN is told to use no more than AVX-512, and
    that has none. Elsewhere, where somebody chose a limit, and where oneDNN was used before it was told, which it reads
    once, nothing changes.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        return
    has_kernels = torch.backends.cpu.get_cpu_capability() == "AVX512"
    if has_kernels and os.environ.setdefault(ONEDNN_LIMIT, NO_BFLOAT16) == NO_BFLOAT16:
        torch.set_float32_matmul_precision("medium")
        if not _products_are_float32():
            torch.set_float32_matmul_precision("highest")


def _products_are_float32() -> bool:
    """Whether a product keeps a digit that bfloat16 does not have."""
    factor = torch.full((64, 64), 1.0 + 2.0**-12)  # smaller products are not oneDNN's
    return bool((factor @ factor > 64.0).all())


def keep_memory() -> None:
    """Let this process keep what it frees, up to 256 MiB, for what it allocates next.

    glibc's malloc hands large blocks back, and the kernel clears each page of the next ones: four fifths of a step of
    4,096 agents that see the whole map. Other allocators, and limits that somebody chose, stay as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    if not MALLOC_LIMITS.keys() & os.environ.keys():
        for parameter, limit in MALLOC_LIMITS.values():
            mallopt(parameter, limit)


def cannot_write(program: str, error: OSError) -> int:
    """Say in one line which file could not be written, and why; returns the exit code."""
    print(f"{program}: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
    return FAILED


def tells_of_memory(program: str) -> Callable[[Command], Command]:
    """Decorate a command: where memory ends it says in one line how much was asked for, and returns the exit code."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def told(arguments: Sequence[str] | None = None) -> int:
            try:
                return command(arguments)
            except (MemoryError, RuntimeError) as error:
                asked = memory_asked_for(error)
                if asked is None:
                    raise
                print(f"{program}: not enough memory: {asked}", file=sys.stderr)
                return FAILED

        return told

    return decorate


def memory_asked_for(error: BaseException) -> str | None:
    """What an allocator that refused was asked for, in one line; None for an error of another kind."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):  # of Python, which says nothing, and of NumPy
        return text or "no more to be had"
    if amount := re.search(r"ried to allocate ([\d.]+ \w+)", text):  # of PyTorch, on a CPU or another device
        return f"tried to allocate {amount[1]}"
    return text if re.search(r"out of memory|calculation overflowed|multiplication overflow", text) else None


def run_word(words: list[str], commands: Mapping[str, Command], usage: str, program: str, see: str) -> int:
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
    return tells_of_memory(f"{program} {words[0]}")(commands[words[0]])(words[1:])
