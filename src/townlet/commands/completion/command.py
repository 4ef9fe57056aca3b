"""`townlet completion`: the script by which a shell completes words, flags, levels, runs and keys."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from townlet.level.file import shipped_levels
from townlet.screen.command_line import DONE, Parser, one_of

SHELLS = ("bash", "zsh", "fish")
LEVELS = "@LEVELS@"  # stands in the scripts for the ids of the shipped levels
HOW = """where shells look for it:
  bash   townlet completion bash > ~/.local/share/bash-completion/completions/townlet
  zsh    townlet completion zsh > ~/.zfunc/_townlet
         with these lines in ~/.zshrc:  fpath=(~/.zfunc $fpath); autoload -U compinit; compinit
  fish   townlet completion fish > ~/.config/fish/completions/townlet.fish

for one shell alone:
  bash   eval "$(townlet completion bash)"
  zsh    eval "$(townlet completion zsh)"
  fish   townlet completion fish | source

Runs are those in the folder runs, below the one that the shell is in."""


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="townlet completion",
        description="Print the script by which a shell completes words, flags, levels, runs and the keys of --set.",
        epilog=HOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", type=one_of(*SHELLS), metavar="SHELL", help="bash, zsh or fish")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a script; returns the exit code."""
    print(script_for(make_parser().parse_args(arguments).shell), end="")
    return DONE


def script_for(shell: str) -> str:
    """Return the script of a shell, with the levels that are shipped today."""
    text = (Path(__file__).parent / f"townlet.{shell}").read_text(encoding="utf-8")
    return text.replace(LEVELS, " ".join(shipped_levels()))
