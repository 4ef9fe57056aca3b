"""The scripts by which shells complete `townlet`, written by shtab from its parsers: `make completions`."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import completion_keys
import shtab
from command_parsers import parser_of
from completion_keys import BY_NAME
from house import ROOT, SOURCE

from townlet.bench.__main__ import BENCHMARKS
from townlet.bench.__main__ import USAGE as USAGE_OF_BENCH
from townlet.commands.cli import COMMANDS, USAGE
from townlet.commands.completion.command import SHELLS
from townlet.screen.command_line import Command
from townlet.screen.device_kinds import WORDS

FOLDER = SOURCE / "commands" / "completion"


def functions(shell: str) -> str:
    """Shell functions for what only the moment knows, and for the keys of --set.

    Bash ends folders with a slash where it finds _dir or _file in a function's name.
    """
    text = (ROOT / "tests" / "completion" / f"functions.{shell}").read_text(encoding="utf-8")
    keys = [key if key.endswith(BY_NAME) else f"{key}=" for key in completion_keys.values_by_key()]
    cases = "\n".join(VALUES[shell](keys, values) for values, keys in completion_keys.keys_by_values().items())
    return text.replace("@KEYS@", " ".join(keys)).replace("@VALUES@", cases)


# The values that some keys have, as each shell says them.
VALUES: dict[str, Callable[[list[str], tuple[str, ...]], str]] = {
    "bash": lambda keys, values: f"    {'|'.join(keys)}) echo '{' '.join(values)}' ;;",
    "zsh": lambda keys, values: f"    {'|'.join(keys)}) echo '{' '.join(values)}' ;;",
    "fish": lambda keys, values: f"    case {' '.join(keys)}\n      printf '%s\\n' {' '.join(values)}",
}


def calls(function: str) -> dict[str, str]:
    """A function of the scripts, as each shell calls it."""
    return {"bash": function, "zsh": function, "fish": f"({function})"}


RUNS, LEVEL_FILES, SETTINGS = calls("_townlet_run_dirs"), calls("_townlet_level_files"), calls("_townlet_settings")


def told(usage: str) -> dict[str, str]:
    """What a usage says of each word."""
    rows = (line.split(maxsplit=1) for line in usage.splitlines() if line.startswith("  "))
    return {word: says for word, says in rows}


def whole_parser() -> argparse.ArgumentParser:
    """All words in one parser, as shtab wants them."""
    root = argparse.ArgumentParser(prog="townlet", description="townlet")
    root.add_argument("--version", action="store_true", help="say which version this is")
    words = root.add_subparsers()
    for word, says in told(USAGE).items():
        if word != "bench":
            add(words, word, says, COMMANDS[word])
            continue
        benchmarks = words.add_parser(word, help=says, description=says).add_subparsers()
        for benchmark, meant in told(USAGE_OF_BENCH).items():
            add(benchmarks, benchmark, meant, BENCHMARKS[benchmark])
    return root


def add(words: Any, word: str, says: str, command: Command) -> None:
    """Add a command to those of a parser."""
    parser = words.add_parser(word, help=says, description=says, parents=[parser_of(command, [])], add_help=False)
    for action in parser._actions:
        say_values(action)


def say_values(action: argparse.Action) -> None:
    """Say what an argument takes, where that can be listed."""
    name, kind, metavar = action.dest, getattr(action.type, "__name__", ""), str(action.metavar)
    if name == "device":
        action.choices = list(WORDS)
    elif name == "shell":
        action.choices = list(SHELLS)
    elif name == "checkpoint" or metavar == "CHECKPOINT":
        action.choices = ["latest", "best"]
    elif "RUN" in metavar:
        action.complete = RUNS  # type: ignore[attr-defined]
    elif kind == "setting":
        action.complete = SETTINGS  # type: ignore[attr-defined]
    elif name in ("level", "levels", "curriculum"):
        action.complete = LEVEL_FILES  # type: ignore[attr-defined]
    elif name == "runs_dir" or metavar in ("DIR", "FOLDER"):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif kind in ("named_path", "Path") or metavar == "FILE":
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def script(shell: str) -> str:
    """The script of a shell, with a mark where the levels belong that are shipped when it is asked for."""
    text = shtab.complete(whole_parser(), shell, preamble={shell: functions(shell)})
    text = text.replace('"(*):', '"*:') if shell == "zsh" else text  # where several may be given, after the first too
    text = text.replace("-F _shtab_townlet townlet", "-F _townlet townlet") if shell == "bash" else text
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def main() -> int:
    for shell in SHELLS:
        path = FOLDER / f"townlet.{shell}"
        path.write_text(script(shell), encoding="utf-8")
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
