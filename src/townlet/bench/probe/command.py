"""The command line of the memory probe."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from townlet.agent.networks import QNetwork
from townlet.bench.probe.linear import ProbeError, probe
from townlet.bench.probe.report import draw, tables, to_json
from townlet.bench.probe.sights import Sampling
from townlet.config import Level, load_level
from townlet.evaluate import REFERENCE, find_checkpoint, trained_network
from townlet.run.run_directory import RunError, write_atomically
from townlet.run.saving import checkpoint
from townlet.run.saving.saved import find_run, folder_for
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, positive, tells_errors, whole
from townlet.screen.device import device_named

PROGRAM = "townlet bench memory"


def make_parser() -> Parser:
    """Describe the command line."""
    parser, usual = Parser(prog=PROGRAM, description="Ask with linear probes what a memory holds."), Sampling()
    parser.add_argument("--probe", type=named, metavar="RUN", required=True, help=REFERENCE)
    parser.add_argument("--checkpoint", type=named, help="of a run: latest, best, or its name (default: best)")
    parser.add_argument("--agents", type=positive, default=usual.agents, help=f"how many (default: {usual.agents})")
    parser.add_argument("--ticks", type=positive, help="of each episode (default: all)")
    parser.add_argument("--every", type=positive, default=usual.every, help=f"sample so often (default: {usual.every})")
    parser.add_argument(
        "--recent", type=positive, default=usual.recent, help=f"ticks of a short memory (default: {usual.recent})"
    )
    parser.add_argument("--epsilon", type=float, default=usual.epsilon, help="share of random actions (default: 0)")
    parser.add_argument("--seed", type=whole, default=usual.seed, help=f"which episodes (default: {usual.seed})")
    parser.add_argument("--out", type=Path, help="where the JSON and the picture go (default: the run's folder)")
    parser.add_argument("--json", action="store_true", help="print the JSON and no tables")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors(PROGRAM, RunError, checkpoint.CheckpointError, ProbeError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Probe a run; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    run, name = find_run(options.probe, options.runs_dir, options.checkpoint, "best", aside)
    level, network = _load(run, name, options.device)
    ticks = level.max_steps if options.ticks is None else options.ticks
    sampling = Sampling(options.agents, ticks, options.every, options.recent, options.epsilon, options.seed)
    result = probe(level, network, sampling, options.device, aside)
    out = folder_for(run) if options.out is None else options.out
    out.mkdir(parents=True, exist_ok=True)
    found = json.dumps(to_json(result))
    write_atomically(out / "memory_probe.json", found.encode())
    draw(result, out / "memory_probe.png")
    if options.json:
        print(found)
        return DONE
    Console().print(*tables(result))
    print(f"written: {out / 'memory_probe.json'} and {out / 'memory_probe.png'}")
    return DONE


def _load(run: Path, name: str, device: torch.device) -> tuple[Level, QNetwork]:
    level = load_level(run / "config.yaml")
    return level, trained_network(level, find_checkpoint(run, level, name), device)
