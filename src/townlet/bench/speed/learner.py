"""`python -m townlet.bench learner`: trained timesteps a second, and what share of the machine's products they take.

A call is a whole `QLearner.update`: unroll, targets, loss, gradient, clipping, optimiser, target copy. Its windows are
real ones, of agents that have lived some while, so that episodes end within them as often as in training. The same run
measures a large float32 matrix product, in turn with the updates: the share is the update's own multiply-adds a second
over that product's. Where commands multiply in another way than PyTorch does by itself, its product is measured too.
"""

import statistics
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from townlet.agent.learner import QLearner
from townlet.agent.networks import count_parameters
from townlet.bench.speed.arithmetic import update_products
from townlet.bench.speed.options import Tell, add_speed_arguments, asked_for, numbers, run_benchmark
from townlet.bench.speed.report import Lines, Report, Row, short
from townlet.bench.speed.timing import Entry, Pace, measure_in_turn
from townlet.config import Fresh, Level, load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation
from townlet.screen.command_line import Parser
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
        "--level", type=lambda text: text.split(","), default=["2-sightings", "2-reference"], metavar="A,B",
        help="levels whose networks and recipes are measured (default: 2-sightings,2-reference)",
    )  # fmt: skip
    parser.add_argument("--windows", type=numbers, default=[16, 64, 256], metavar="N,N", help="in an update, in turn")
    add_speed_arguments(parser, Pace(repeats=5, seconds=0.5))
    return run_benchmark(parser.prog, parser.parse_args(arguments), measure)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure all networks at each number of windows. Raises ConfigError."""
    title = f"Updates on {options.device}: trained timesteps, and their share of a float32 matrix product's rate"
    report = Report("learner", title, "sequence-timesteps/s", "windows", asked_for(options, "level", "windows"))
    pace, settings = Pace(options.repeats, options.seconds), dict(options.set)
    products = matrix_products(options.device)
    found: dict[str, list[float]] = {name: [] for name in products}
    for windows in options.windows:
        tell(f"{windows} windows: living them")
        subjects = [make_subject(reference, settings, windows, options.device) for reference in options.level]
        entries = [
            Entry(one.name, partial(one.learner.update, one.batch), one.timesteps, options.device) for one in subjects
        ]
        timings = measure_in_turn([*entries, *products.values()], pace, partial(_tell_size, tell, windows))
        limits = dict(zip(products, timings[len(subjects) :], strict=True))
        for name, limit in limits.items():
            found[name] += limit.samples
        for one, timing in zip(subjects, timings, strict=False):
            each = one.products / one.timesteps
            facts = {
                "parameters": count_parameters(one.learner.network),
                "multiply_adds_of_an_update": one.products,
                "multiply_adds_a_second": timing.median * each,
            }
            for name, limit in limits.items():
                shares = [rate * each / most for rate, most in zip(timing.samples, limit.samples, strict=True)]
                facts[f"share_of_{name}"] = statistics.median(shares)
            report.rows.append(Row(one.name, windows, timing.samples, facts))
    size = MATRIX[options.device.type]
    for name, rates in found.items():
        rate = statistics.median(rates)
        report.facts[f"{name}_multiply_adds_a_second"] = rate
        report.notes.append(f"{_words(name)} of {size} x {size}, float32: {2.0 * rate / 1e9:,.0f} GFLOP/s")
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


def matrix_products(device: torch.device) -> dict[str, Entry]:
    """Multiply two large square matrices of float32, by name; the work is in multiply-adds.

    As this process multiplies, and as PyTorch does by itself, where that is another way: see `hasten_products`.
    """
    size = MATRIX[device.type]
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    out = torch.empty_like(left)
    ours = torch.get_float32_matmul_precision()

    def plain() -> None:
        torch.set_float32_matmul_precision("highest")
        torch.mm(left, right, out=out)
        torch.set_float32_matmul_precision(ours)

    calls: dict[str, Callable[[], object]] = {"matrix_product": lambda: torch.mm(left, right, out=out)}
    if ours != "highest":
        calls["plain_matrix_product"] = plain
    return {name: Entry(_words(name), call, size**3, device) for name, call in calls.items()}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _lines(report: Report) -> Lines:
    sizes = sorted({row.size for row in report.rows})
    lines = []
    for name in dict.fromkeys(row.name for row in report.rows):
        found = {row.size: row for row in report.rows if row.name == name}
        lines.append([name, *(short(found[size].median) for size in sizes)])
        for fact in (fact for fact in found[sizes[0]].facts if fact.startswith("share_of_")):
            lines.append([f"  {_words(fact)}", *(f"{found[size].facts[fact]:.0%}" for size in sizes)])
    return Lines([f"{report.unit} at {report.size}", *(f"{size:,}" for size in sizes)], lines)
