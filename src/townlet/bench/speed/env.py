"""`python -m townlet.bench env`: agent-steps a second of our step, beside other ways to write the same world.

A step is: random allowed actions, chosen in the same way by all (see `choices`), then one tick with autoreset that
writes what a StepResult holds: observations, masks, rewards and ends, and observations and masks as they were before
the reset. Peers must live our lives, tick by tick, before they are measured.
"""

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from townlet.bench.speed.env_worlds import KernelSteps, NumpySteps, OneByOne, OurSteps, VectorSteps
from townlet.bench.speed.options import BenchError, Tell, add_speed_arguments, asked_for, numbers, run_benchmark
from townlet.bench.speed.report import Lines, Report, Row, by_size
from townlet.bench.speed.timing import Entry, Pace, measure_in_turn
from townlet.bench.worlds.agreement import DisagreementError, check_agreement
from townlet.bench.worlds.kernel_world import KernelWorld, NoCompilerError
from townlet.bench.worlds.numpy_world import NumpyWorld
from townlet.bench.worlds.plain_rules import NotPlainError, PlainRules, PlainWorld, plain_rules
from townlet.capture import reason_of
from townlet.config import Level, load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.screen.command_line import Parser, named, some_of

CONTESTANTS = {
    "compiled": "our step, compiled",
    "eager": "our step, eager",
    "vector": "Gymnasium, all agents",
    "c": "C kernel",
    "numpy": "NumPy",
    "gymnasium": "Gymnasium, one agent",
}
AGENTS = [64, 256, 1024, 4096, 16384, 65536]
CHECKED_AGENTS, CHECKED_STEPS, CHECKED_SEED = 256, 200, 1  # for which peers must live our lives

Step = Callable[[], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet bench env", description="Measure the world's step beside its peers.")
    parser.add_argument("--level", type=named, default="2", help="a level's id, name or file (default: 2)")
    parser.add_argument("--agents", type=numbers, default=AGENTS, metavar="N,N", help="how many at once, each in turn")
    parser.add_argument(
        "--contestants", type=some_of(CONTESTANTS), default=list(CONTESTANTS), metavar="A,B",
        help=f"some of {', '.join(CONTESTANTS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--compile-time", action="store_true", help="measure compiling too, cold and from its cache")
    add_speed_arguments(parser, Pace(repeats=5, seconds=0.3))
    options = parser.parse_args(arguments)
    return run_benchmark(parser.prog, options, measure)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure every contestant at every number of agents. Raises ConfigError, and BenchError where peers disagree."""
    level, wanted = load_level(options.level, dict(options.set)), options.contestants
    pace, asked = Pace(options.repeats, options.seconds), asked_for(options, "level", "agents", "contestants")
    title = f"Level {level.id} on {options.device}: random allowed actions"
    report = Report("env", title, "agent-steps/s", "agents", asked)
    tell("whether the peers live our lives")
    peers = _peers(level, wanted, report.notes)
    for index, agents in enumerate(options.agents):
        tell(f"{agents:,} agents: making the worlds")
        steps = _ours(level, agents, options, report.notes)
        steps |= {name: make(agents) for name, make in peers.items()}
        entries = [
            Entry(CONTESTANTS[name], step, agents, torch.device("cpu") if name in peers else options.device)
            for name, step in steps.items()
        ]
        if "gymnasium" in wanted and not index:
            entries.append(Entry(CONTESTANTS["gymnasium"], OneByOne(options.level, dict(options.set)), 1))
        timings = measure_in_turn(entries, pace, partial(_tell_size, tell, agents))
        report.rows += [
            Row(entry.name, int(entry.work), timing.samples) for entry, timing in zip(entries, timings, strict=True)
        ]
    report.notes[:] = dict.fromkeys(report.notes)
    if options.compile_time:
        _add_compile_time(options, report, tell)
    return report, by_size(report)


def _tell_size(tell: Tell, agents: int, name: str) -> None:
    tell(f"{agents:,} agents: {name}")


def _ours(level: Level, agents: int, options: Namespace, notes: list[str]) -> dict[str, Step]:
    torch.compiler.reset()  # each size is compiled anew, and PyTorch compiles one function so many times only
    made: dict[str, Callable[[], Step]] = {
        "compiled": lambda: OurSteps(VectorizedEnv(level, agents, options.device, compile=True)),
        "eager": lambda: OurSteps(VectorizedEnv(level, agents, options.device, compile=False)),
        "vector": lambda: VectorSteps(options.level, dict(options.set), agents, options.device),
    }
    steps: dict[str, Step] = {}
    for name, make in made.items():
        if name in options.contestants:
            try:
                steps[name] = make()
            except Exception as error:  # compilers fail in many ways
                if name == "eager":
                    raise
                notes.append(f"{CONTESTANTS[name]} is left out: {reason_of(error)}")
    return steps


def _peers(level: Level, wanted: Sequence[str], notes: list[str]) -> Mapping[str, Callable[[int], Step]]:
    """How to make those peers that can be had here, each checked; a note says who cannot."""
    if not {"c", "numpy"} & set(wanted):
        return {}
    try:
        rules = plain_rules(level)
    except NotPlainError as error:
        notes.append(f"C kernel and NumPy are left out: {error}")
        return {}
    steps: dict[str, Callable[[PlainRules, int], Step]] = {"c": KernelSteps, "numpy": NumpySteps}
    found: dict[str, Callable[[int], Step]] = {}
    for name, make in steps.items():
        if name in wanted:
            try:
                world: PlainWorld = (KernelWorld if name == "c" else NumpyWorld)(rules, CHECKED_AGENTS, CHECKED_SEED)
                check_agreement(CONTESTANTS[name], world, level, CHECKED_AGENTS, CHECKED_SEED, CHECKED_STEPS)
                found[name] = partial(make, rules)
                if isinstance(world, KernelWorld) and not world.openmp:
                    notes.append(f"{CONTESTANTS[name]} runs on one thread: its compiler has no OpenMP")
            except NoCompilerError as error:
                notes.append(f"{CONTESTANTS[name]} is left out: {error}")
            except DisagreementError as error:
                raise BenchError(str(error)) from error
    return found


def _add_compile_time(options: Namespace, report: Report, tell: Tell) -> None:
    """Make a compiled world and take a few steps in two new processes, the first with an empty cache.

    Both have imported what an optimiser imports of PyTorch's compiler, as every training does, compiled or not.
    """
    code = (
        "import time, torch, torch._dynamo; from townlet.config import load_level\n"
        "from townlet.environment.vectorized_env import VectorizedEnv\n"
        f"level = load_level({options.level!r}, {dict(options.set)!r}); begun = time.perf_counter()\n"
        f"env = VectorizedEnv(level, {options.agents[0]}, {str(options.device)!r}, compile=True)\n"
        "for _ in range(3): env.step(torch.zeros(env.num_agents, dtype=torch.int64, device=env.device))\n"
        "print(time.perf_counter() - begun)"
    )
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "from_cache"):
            tell(f"compiling, {name}")
            environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache}
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1:]
                report.notes.append(f"compile time is left out: {' '.join(last)[:200]}")
                return
            report.facts[f"compile_seconds_{name}"] = float(done.stdout)
    cold, cached = report.facts["compile_seconds_cold"], report.facts["compile_seconds_from_cache"]
    report.notes.append(f"compiling takes {cold:.1f} s cold, {cached:.1f} s from its cache")
