"""`python -m townlet.bench memories`: what each kind of memory costs, to act with and to learn from.

All networks are those of one level but for their memory: its cell alone, then each kind beside it. They act on, and
learn from, the same windows, real ones of agents that have lived some while. Acting is one step of all agents without
a gradient; learning is a window of theirs, forward and backward, without loss and optimiser, which cost all the same.
In the JSON `size` is the steps of a call: 1 is acting.
"""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from townlet.agent.networks import QNetwork, count_parameters, make_network
from townlet.bench.speed.learner import make_subject
from townlet.bench.speed.options import Tell, add_speed_arguments, asked_for, run_benchmark
from townlet.bench.speed.report import Lines, Report, Row
from townlet.bench.speed.timing import Entry, Pace, measure_in_turn
from townlet.config import load_level
from townlet.environment.layout import lay_out
from townlet.screen.command_line import Parser, named, positive
from townlet.sequences import SequenceBatch

SPECTRAL = {"kind": "spectral", "lags": 16, "keep": 0.995}
DELTA = {"kind": "delta", "keys": 16, "values": 16, "keep": 1.0}
LRU = {"kind": "lru", "units": 32, "span": 64}
KINDS: Mapping[str, Mapping[str, Any]] = {  # what each changes in the network
    "LSTM alone": {},
    "GRU alone": {"cell": "gru"},
    "sightings": {"sightings": True},
    "frontier": {"frontier": True},
    "spectral, 16 lags": {"memory": [SPECTRAL]},
    "spectral, 16 lags, learned turn": {"memory": [SPECTRAL | {"turn": "learned"}]},
    "delta, 16 keys of 16": {"memory": [DELTA]},
    "delta, 16 keys of 8 phases": {"memory": [DELTA | {"values": 8, "phases": True}]},
    "ground, 2 values": {"memory": [{"kind": "ground", "values": 2}]},
    "counter, 4 levels": {"memory": [{"kind": "counter", "most": 4}]},
    "lru, 32 units": {"memory": [LRU]},
    "lru, 32 units, traces": {"memory": [LRU | {"traces": True}]},
}
BARE = {"cell": "lstm", "sightings": False, "frontier": False, "memory": []}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet bench memories", description="Measure what each kind of memory costs.")
    parser.add_argument("--level", type=named, default="2", help="a level of fresh windows (default: 2)")
    parser.add_argument("--agents", type=positive, default=1024, help="that act and learn together (default: 1024)")
    add_speed_arguments(parser, Pace(repeats=5, seconds=0.3))
    return run_benchmark(parser.prog, parser.parse_args(arguments), measure)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure acting and learning with each kind in turn. Raises ConfigError."""
    settings, device = dict(options.set), options.device
    tell(f"{options.agents:,} agents: living")
    windows = make_subject(options.level, settings, options.agents, device).batch
    seq_len = windows.actions.shape[1]
    title = f"Memories in level {options.level} on {device}: {options.agents:,} agents, windows of {seq_len}"
    asked = asked_for(options, "level", "agents")
    report = Report("memories", title, "agent-steps/s", "steps of a call", asked)
    networks = {name: _network(options.level, settings, changes, device) for name, changes in KINDS.items()}
    entries = [entry for name, one in networks.items() for entry in _entries(name, one, windows, device)]
    timings = measure_in_turn(entries, Pace(options.repeats, options.seconds), tell)
    for entry, timing in zip(entries, timings, strict=True):
        network = networks[entry.name]
        facts = {
            "parameters": count_parameters(network),
            "numbers_of_an_agent": sum(part.shape[2] for part in network.initial_hidden(1)),
            "milliseconds_of_a_call": 1e3 * entry.work / timing.median,
        }
        report.rows.append(Row(entry.name, round(entry.work) // options.agents, timing.samples, facts))
    return report, _lines(report)


def _network(reference: str, settings: Mapping[str, Any], changes: Mapping[str, Any], device: torch.device) -> QNetwork:
    """The level's network with a memory of one kind."""
    kind = {f"network.{key}": value for key, value in {**BARE, **changes}.items()}
    level = load_level(reference, {**settings, **kind})
    return make_network(level.network, lay_out(level), len(level.actions)).to(device)


def _entries(name: str, network: QNetwork, windows: SequenceBatch, device: torch.device) -> list[Entry]:
    """Acting and learning of all agents with one network; acting begins with a memory that they have lived with."""
    steps, agents = slice(0, windows.actions.shape[1]), len(windows.actions)
    flags = None if windows.reset is None else windows.reset[:, steps]
    window = (windows.observations[:, steps], network.initial_hidden(agents), windows.previous_actions[:, steps], flags)
    weights = list(network.parameters())
    with torch.no_grad():
        _, lived = network(*window)

    @torch.no_grad()
    def act() -> None:
        network(windows.observations[:, -1:], lived, windows.previous_actions[:, -1:])

    def learn() -> None:
        q, _ = network(*window)
        torch.autograd.grad(q.sum(), weights)

    return [Entry(name, act, agents, device), Entry(name, learn, windows.actions.numel(), device)]


def _lines(report: Report) -> Lines:
    found: dict[str, list[Row]] = {}
    for row in report.rows:
        found.setdefault(row.name, []).append(row)
    lines = []
    for name, rows in found.items():
        facts = rows[0].facts
        sizes = (f"{facts[fact]:,.0f}" for fact in ("parameters", "numbers_of_an_agent"))
        lines.append([name, *sizes, *(f"{row.facts['milliseconds_of_a_call']:,.1f}" for row in rows)])
    return Lines(["", "parameters", "numbers of an agent", "ms to act", "ms of a window, with gradient"], lines)
