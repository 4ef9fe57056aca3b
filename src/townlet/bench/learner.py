"""`python -m townlet.bench learner`: trained timesteps a second, and what share of the machine's products they take.

A call is a whole `QLearner.update`: unroll, targets, loss, gradient, clipping, optimiser, target copy. Its windows are
real ones, of agents that have lived some while, so that episodes end within them as often as in training. The same run
measures a large float32 matrix product, in turn with the updates: the share is the update's own multiply-adds a second
over that product's.
"""

import statistics
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from townlet.agent.learner import QLearner
from townlet.agent.networks import count_parameters
from townlet.bench.arithmetic import update_products
from townlet.bench.speed_options import Tell, add_speed_arguments, asked_for, numbers, run_benchmark
from townlet.bench.speed_report import Lines, Report, Row, short
from townlet.bench.timing import Entry, Pace, measure_in_turn
from townlet.command_line import Parser
from townlet.config import Fresh, Level, load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation
from townlet.sequences import SequenceBatch

LIVED_TICKS = 128  # before windows are taken: agents without skill live about 100
STILL = 1e-12  # learning rate: thousands of updates from the same windows lead nowhere, and all cost the same
MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns of the product that shares are told of


class Subject(NamedTuple):
    """A learner, and the windows that it learns from again and again."""

    name: str
    learner: QLearner
    batch: SequenceBatch
    timesteps: int  # learned from in an update
    products: int  # multiply-adds of an update


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet bench learner", description="Measure updates of networks beside a matrix product.")
    parser.add_argument(
        "--level", type=lambda text: text.split(","), default=["2", "2-reference"], metavar="A,B",
        help="levels whose networks and recipes are measured (default: 2,2-reference)",
    )  # fmt: skip
    parser.add_argument("--windows", type=numbers, default=[16, 64, 256], metavar="N,N", help="in an update, in turn")
    add_speed_arguments(parser, Pace(repeats=5, seconds=0.5))
    return run_benchmark(parser.prog, parser.parse_args(arguments), measure)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure all networks at each number of windows. Raises ConfigError."""
    title = f"Updates on {options.device}: trained timesteps, and their share of a float32 matrix product's rate"
    report = Report("learner", title, "sequence-timesteps/s", "windows", asked_for(options, "level", "windows"))
    pace, settings, products = Pace(options.repeats, options.seconds), dict(options.set), list[float]()
    for windows in options.windows:
        tell(f"{windows} windows: living them")
        subjects = [make_subject(reference, settings, windows, options.device) for reference in options.level]
        entries = [
            Entry(one.name, partial(one.learner.update, one.batch), one.timesteps, options.device) for one in subjects
        ]
        entries.append(matrix_product(options.device))
        *timings, product = measure_in_turn(entries, pace, partial(_tell_size, tell, windows))
        products += product.samples
        for one, timing in zip(subjects, timings, strict=True):
            each = one.products / one.timesteps
            shares = [rate * each / limit for rate, limit in zip(timing.samples, product.samples, strict=True)]
            facts = {
                "parameters": count_parameters(one.learner.network),
                "multiply_adds_of_an_update": one.products,
                "multiply_adds_a_second": timing.median * each,
                "share_of_matrix_product": statistics.median(shares),
            }
            report.rows.append(Row(one.name, windows, timing.samples, facts))
    report.facts["matrix_product_multiply_adds_a_second"] = statistics.median(products)
    size = MATRIX[options.device.type]
    gigaflops = 2.0 * statistics.median(products) / 1e9
    report.notes.append(f"matrix product of {size} x {size}, float32: {gigaflops:,.0f} GFLOP/s")
    return report, _lines(report)


def _tell_size(tell: Tell, windows: int, name: str) -> None:
    tell(f"{windows} windows: {name}")


def make_subject(reference: str, settings: Mapping[str, Any], windows: int, device: torch.device) -> Subject:
    """Make the learner of a level, and a batch of so many windows of agents that have lived some while.

    Raises ConfigError.
    """
    settings = {**settings, "training.learning_rate": STILL, "training.final_learning_rate": STILL}
    level = load_level(reference, settings)
    if isinstance(level.training.mode, Fresh):
        once = {"training.num_agents": windows, "training.mode.minibatches": 1}
        level = load_level(reference, {**settings, **once})
    population = VectorizedPopulation(level, VectorizedEnv(level, level.training.num_agents, device, compile=False))
    while population.steps < LIVED_TICKS or not population.learner.updates:
        population.step()
    batch, seq_len = _windows(level, population, windows), level.training.seq_len
    products = update_products(population.learner, windows, seq_len, batch.burn_in)
    name = f"{level.id}, {short(count_parameters(population.network))} parameters"
    return Subject(name, population.learner, batch, windows * seq_len, products)


def _windows(level: Level, population: VectorizedPopulation, windows: int) -> SequenceBatch:
    mode, seq_len = level.training.mode, level.training.seq_len
    if isinstance(mode, Fresh):
        return population.buffer.newest_sequences(seq_len)
    return population.buffer.sample_sequences(windows, seq_len, mode.burn_in)


def matrix_product(device: torch.device) -> Entry:
    """Multiply two large square matrices of float32; its work is in multiply-adds."""
    size = MATRIX[device.type]
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    out = torch.empty_like(left)
    return Entry("matrix product", lambda: torch.mm(left, right, out=out), size**3, device)


def _lines(report: Report) -> Lines:
    sizes = sorted({row.size for row in report.rows})
    lines = []
    for name in dict.fromkeys(row.name for row in report.rows):
        found = {row.size: row for row in report.rows if row.name == name}
        lines.append([name, *(short(found[size].median) for size in sizes)])
        shares = (found[size].facts["share_of_matrix_product"] for size in sizes)
        lines.append(["  share of matrix product", *(f"{share:.0%}" for share in shares)])
    return Lines([f"{report.unit} at {report.size}", *(f"{size:,}" for size in sizes)], lines)
