"""`python -m townlet.bench train`: steps a second of the whole loop of a level, acted and trained on.

Our loop is the population's: act, world, store, learn, and what is left over between them. Metrics, evaluations and
checkpoints, which a run has besides, are not part of it. Peers train on the same level, in turn with it, each in
windows of some seconds, after one that is not counted. `--until` trains a population of its own from the start until
its greedy survival reaches a level.
"""

import statistics
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple

import torch

from townlet.bench.speed.options import Tell, above_zero, add_speed_arguments, asked_for, numbers, run_benchmark
from townlet.bench.speed.report import Lines, Report, Row, short
from townlet.bench.speed.timing import Pace, synchronise
from townlet.bench.speed.trainees import PEER_ENVS, OurTrainee, PeerTrainee, Progress, Trainee
from townlet.config import ConfigError, Level, load_level
from townlet.population.evaluation import evaluate
from townlet.screen.command_line import Parser, named, positive
from townlet.seeding import stream_seed

OURS, PEERS = "Townlet", ("DQN", "RecurrentPPO")
EVALUATIONS_IN_A_RUN = 40  # with --until, unless told


class Window(NamedTuple):
    """What a trainee did in some seconds."""

    steps: float  # a second
    updates: float | None  # a second
    shares: Mapping[str, float]  # of the seconds, by part of the loop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet bench train", description="Measure training as a whole beside its peers.")
    parser.add_argument("--level", type=named, default="2", help="a level's id, name or file (default: 2)")
    parser.add_argument("--agents", type=numbers, metavar="N,N", help="how many, in turn (default: as the level says)")
    parser.add_argument("--workers", type=numbers, metavar="N,N", help="processes, in turn (default: the level's)")
    parser.add_argument("--no-peers", action="store_true", help=f"leave {' and '.join(PEERS)} out")
    parser.add_argument("--until", type=above_zero, metavar="SURVIVAL", help="train until greedy survival is there")
    parser.add_argument(
        "--evaluate-every", type=positive, metavar="STEPS", help="with --until (default: a 40th of all)"
    )
    add_speed_arguments(parser, Pace(repeats=5, seconds=3.0))
    options = parser.parse_args(arguments)
    if options.evaluate_every and not options.until:
        parser.error("--evaluate-every: expected --until beside it, got none")
    return run_benchmark(parser.prog, options, measure)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure our loop at each number of agents and of workers, and the peers. Raises ConfigError."""
    settings = dict(options.set)
    level = load_level(options.level, settings)
    if options.until and options.until > level.max_steps:
        limit = f"at most {level.max_steps}, the limit of level {level.id}"
        raise ConfigError([f"--until: expected {limit}, got {options.until:g}"])
    sizes, workers = options.agents or [level.training.num_agents], options.workers or [level.training.workers]
    if options.device.type != "cpu" and max(workers) > 1:
        raise ConfigError([f"--workers: expected 1 on {options.device.type}, got {max(workers)}"])
    changes = [{"training.num_agents": size, "training.workers": count} for size in sizes for count in workers]
    levels = [load_level(options.level, settings | change) for change in changes]
    asked = asked_for(options, "level", "until", "evaluate_every") | {"agents": sizes, "workers": workers}
    title = f"Level {level.id} on {options.device}: environment steps a second, acted and trained on"
    report = Report("train", title, "env steps/s", "agents", asked)
    tell("the agents: making them")
    with ExitStack() as ended:
        trainees: list[tuple[str, int, Trainee]] = []
        threads = torch.get_num_threads()
        for one in levels:
            trainee = ended.enter_context(closing(OurTrainee(one, options.device)))
            trainees.append((_name(one, options), one.training.num_agents, trainee))
            torch.set_num_threads(threads)  # for the next one: those of several processes leave fewer to each
        if not options.no_peers:
            trainees += _peers(level, options, report.notes)
        windows = _in_turn(trainees, Pace(options.repeats, options.seconds), tell)
    for (name, size, _), found in zip(trainees, windows, strict=True):
        report.rows.append(Row(name, size, [window.steps for window in found], _facts(found)))
    _compare(report.rows[: len(levels)], len(workers), report.notes)
    if options.until:
        _add_until(levels[0], options, report, tell)
    return report, _lines(report)


def _name(level: Level, options: Namespace) -> str:
    """What our loop is called: with its number of workers where somebody asked for some."""
    workers = level.training.workers
    return f"{OURS}, {workers} worker{'s' if workers > 1 else ''}" if options.workers else OURS


def _compare(rows: Sequence[Row], workers: int, notes: list[str]) -> None:
    """Note how many times the first row of each so many is made by the others, by what was measured in turn."""
    for first, row in ((rows[at - at % workers], rows[at]) for at in range(len(rows)) if at % workers):
        times = [mine / its for mine, its in zip(row.samples, first.samples, strict=True)]
        middle, best = statistics.median(times), max(row.samples) / max(first.samples)
        notes.append(
            f"{row.size:,} agents: {row.name}: {middle:.2f} times the steps of {first.name}, the median of rounds"
            f" from {min(times):.2f} to {max(times):.2f}; the best of each {best:.2f} times"
        )


def _peers(level: Level, options: Namespace, notes: list[str]) -> list[tuple[str, int, Trainee]]:
    found: list[tuple[str, int, Trainee]] = []
    for name in PEERS:
        try:
            found.append((name, PEER_ENVS, PeerTrainee(name, level, options.level, dict(options.set), options.device)))
        except ImportError as error:
            notes.append(f"{name} is left out: expected the extra townlet[bench], or --no-peers, got {error}")
    return found


def _in_turn(trainees: Sequence[tuple[str, int, Trainee]], pace: Pace, tell: Tell) -> list[list[Window]]:
    """The windows of each trainee, measured A B C A B C after one of each that is not counted."""
    windows: list[list[Window]] = [[] for _ in trainees]
    for turn in range(pace.repeats + 1):
        for (name, size, trainee), found in zip(trainees, windows, strict=True):
            tell(f"{name}, {size:,} agents" + ("" if turn else ", warming up"))
            found.append(train_for(trainee, pace.seconds))
    return [found[1:] for found in windows]


def train_for(trainee: Trainee, seconds: float) -> Window:
    """Train for at least so many seconds."""
    before, begun = trainee.progress(), time.perf_counter()
    while True:
        trainee.advance()
        passed = time.perf_counter() - begun
        if passed >= seconds:
            return _window(before, trainee.progress(), passed)


def _window(before: Progress, after: Progress, passed: float) -> Window:
    updates = None if before.updates is None or after.updates is None else (after.updates - before.updates) / passed
    shares = {name: (total - before.seconds[name]) / passed for name, total in after.seconds.items()}
    if shares:
        shares["other"] = 1.0 - sum(shares.values())
    return Window((after.steps - before.steps) / passed, updates, shares)


def _facts(windows: Sequence[Window]) -> dict[str, float]:
    """Medians of everything but the steps."""
    facts = {f"share_{name}": statistics.median(one.shares[name] for one in windows) for name in windows[0].shares}
    updates = [window.updates for window in windows if window.updates is not None]
    return ({"updates_a_second": statistics.median(updates)} if updates else {}) | facts


class Until(NamedTuple):
    """How long it took to reach a survival level."""

    survival: float  # at the last evaluation
    steps: int
    seconds: float  # of training alone
    everything: float  # seconds with making and compiling the world, and with evaluations


def train_until(level: Level, survival: float, every: int, device: torch.device, tell: Tell) -> Until:
    """Train from the start until greedy survival on unseen maps is there, or the level's steps are spent."""
    begun, spent, found = time.perf_counter(), 0.0, 0.0
    population = OurTrainee(level, device).population
    seed = stream_seed(level.training.seed, "evaluation")
    while found < survival and population.env_steps < level.training.total_steps:
        until, resumed = min(population.env_steps + every, level.training.total_steps), time.perf_counter()
        while population.env_steps < until:
            population.step()
        synchronise(device)
        spent += time.perf_counter() - resumed
        result = evaluate(level, population.network, level.evaluation.episodes, seed, device)
        found = result[level.score.key]
        tell(f"survival: {found:.1f} after {population.env_steps:,} steps and {spent:.0f} s")
    return Until(found, population.env_steps, spent, time.perf_counter() - begun)


def _add_until(level: Level, options: Namespace, report: Report, tell: Tell) -> None:
    every = options.evaluate_every or max(1, level.training.total_steps // EVALUATIONS_IN_A_RUN)
    until = train_until(level, options.until, every, options.device, tell)
    report.facts |= {f"until_{name}": value for name, value in until._asdict().items()}
    reached = "reached" if until.survival >= options.until else f"did not reach {options.until:g}, but"
    report.notes.append(
        f"greedy survival {reached} {until.survival:.1f} after {until.steps:,} steps and {until.seconds:.1f} s of"
        f" training, {until.everything:.1f} s with compiling and evaluations"
    )


def _lines(report: Report) -> Lines:
    parts = list(dict.fromkeys(name for row in report.rows for name in row.facts if name.startswith("share_")))
    rows = []
    for row in report.rows:
        shares = (f"{row.facts[part]:.0%}" if part in row.facts else "-" for part in parts)
        rows.append([row.name, f"{row.size:,}", short(row.median), short(row.facts.get("updates_a_second")), *shares])
    return Lines(["", report.size, report.unit, "updates/s", *(part.removeprefix("share_") for part in parts)], rows)
