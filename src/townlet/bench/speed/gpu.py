"""`python -m townlet.bench gpu`: everything that is to be known of a CUDA device, into one folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from townlet.bench.speed import env, learner, train
from townlet.screen.command_line import DONE, FAILED, Parser

COMMANDS = {
    "env": (env.main, ["--agents", "1024,4096,16384,65536,262144,1048576"]),
    "learner": (learner.main, ["--windows", "64,256,1024,4096,16384"]),
    "train": (train.main, ["--agents", "256,1024,4096,16384", "--until", "450"]),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run env, learner and train on the CUDA device, and Level 2 until 450; returns the exit code, 1 without a device.

    Each writes `gpu-NAME.json`, `.md` and `.png`; where one fails, the others are run all the same.
    """
    parser = Parser(prog="townlet bench gpu", description="Run all benchmarks of speed on a CUDA device.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder (default: runs/bench)")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(f"{parser.prog}: expected a CUDA device, got a machine without one", file=sys.stderr)
        return FAILED
    codes = []
    for name, (command, words) in COMMANDS.items():
        files = {"--json": "json", "--markdown": "md", "--plot": "png"}
        where = [word for flag, kind in files.items() for word in (flag, str(options.out / f"gpu-{name}.{kind}"))]
        codes.append(command(["--device", "cuda", *words, *where]))
    return FAILED if any(codes) else DONE
