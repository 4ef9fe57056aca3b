"""What the commands of the benchmarks of speed share: their options, and how they end."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from townlet.bench.speed.report import Draw, Lines, Report, deliver, draw
from townlet.bench.speed.timing import Pace
from townlet.config import ConfigError
from townlet.screen.command_line import DONE, FAILED, WRONG_USE, Parser, cannot_write, positive, setting
from townlet.screen.device import device_named

Tell = Callable[[str], None]


class BenchError(Exception):
    """A benchmark cannot go on; one line."""


def numbers(text: str) -> list[int]:
    """Read `N,N,...`, whole numbers of at least 1."""
    return [positive(part) for part in text.split(",")]


def above_zero(text: str) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def add_speed_arguments(parser: Parser, pace: Pace) -> None:
    """Add what all of them have; `pace` is how they measure unless told."""
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level"
    )
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=positive, help="for PyTorch and the C kernel (default: PyTorch's own)")
    parser.add_argument("--repeats", type=positive, default=pace.repeats, help=f"samples (default: {pace.repeats})")
    parser.add_argument(
        "--seconds", type=above_zero, default=pace.seconds, help=f"of a sample, about (default: {pace.seconds:g})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves into a PNG there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")


def asked_for(options: Namespace, *names: str) -> dict[str, Any]:
    """Return plain values of the named options and of those that all have, for the JSON."""
    shared = {"set": dict(options.set), "device": str(options.device)}
    return {name: getattr(options, name) for name in (*names, "repeats", "seconds")} | shared


def run_benchmark(
    program: str,
    options: Namespace,
    measure: Callable[[Namespace, Tell], tuple[Report, Lines]],
    picture: Draw = draw,
) -> int:
    """Measure, show and write; returns the exit code: 0 done, 1 failed, 2 wrong use.

    `measure` is given the options and a function that says on the screen what is going on.
    """
    console, threads = Console(), torch.get_num_threads()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        with console.status("") as status:
            report, lines = measure(options, lambda text: status.update(f"measuring {text}"))
        deliver(report, lines, console, options.json, options.plot, options.markdown, picture)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except BenchError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        return cannot_write(program, error)
    except KeyboardInterrupt:
        print(f"{program}: stopped, and nothing was written", file=sys.stderr)
        return FAILED
    finally:
        torch.set_num_threads(threads)
    return DONE
