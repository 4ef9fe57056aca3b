"""`python -m townlet.bench scale`: how what things cost grows with their size, and the exponent of each curve.

A curve changes one size of a level and leaves all else as it is. What is told is the time of one call: a step of all
agents, an update, the appending of a step, without and with the sampling of a batch. In the JSON a row's `name` is the
curve and what was timed, `size` what the curve changes, its samples are seconds of a call, and its fact `units` says of
how many agent-steps or timesteps a call is; `facts` of the whole hold the exponents.
"""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from townlet.bench.scale.learning import sweep_batch, sweep_capacity, sweep_windows
from townlet.bench.scale.report import Axis, draw_panels, lay_out, slopes_as_facts
from townlet.bench.scale.sweeps import Asked, Sweep
from townlet.bench.scale.worlds import sweep_affordances, sweep_agents, sweep_grid
from townlet.bench.speed.options import BenchError, Tell, add_speed_arguments, asked_for, numbers, run_benchmark
from townlet.bench.speed.report import Lines, Report, Row
from townlet.bench.speed.timing import Pace
from townlet.screen.command_line import Parser, named, some_of


class Curve(NamedTuple):
    """One size that is changed."""

    axis: Axis
    sizes: Sequence[int]
    sweep: Sweep


CURVES = {
    "agents": Curve(Axis("agents", "agent-step"), [4**times for times in range(9)], sweep_agents),
    "windows": Curve(Axis("window length", "timestep"), [2**times for times in range(8)], sweep_windows),
    "batch": Curve(Axis("windows", "timestep"), [4**times for times in range(7)], sweep_batch),
    "capacity": Curve(Axis("transitions", "timestep"), [10**times for times in range(4, 8)], sweep_capacity),
    "grid": Curve(Axis("cells a side", "agent-step"), [4, 8, 16, 32, 64], sweep_grid),
    "affordances": Curve(Axis("affordances", "agent-step"), [4, 8, 16, 32, 64], sweep_affordances),
}


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet bench scale", description="Measure how costs grow with sizes.")
    parser.add_argument("--level", type=named, default="2", help="a level's id, name or file (default: 2)")
    parser.add_argument("--of", type=some_of(CURVES), default=list(CURVES), metavar="A,B", help="curves (default: all)")
    for name, curve in CURVES.items():
        told = ",".join(map(str, curve.sizes))
        parser.add_argument(f"--{name}", type=distinct, metavar="N,N", help=f"{curve.axis.size} (default: {told})")
    parser.add_argument(
        "--replay", type=named, default="2-replay", help="the level whose tape capacity fills (default: 2-replay)"
    )
    parser.add_argument("--eager", action="store_true", help="do not compile worlds, which takes seconds for each size")
    add_speed_arguments(parser, Pace(repeats=5, seconds=0.3))
    return parser


def distinct(text: str) -> list[int]:
    """Read `N,N,...`, whole numbers of at least 1; each counts once, the least first."""
    return sorted(set(numbers(text)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    for name, curve in CURVES.items():
        if getattr(options, name) and name not in options.of:
            parser.error(f"--{name}: expected {name} in --of, got {','.join(options.of)}")
        setattr(options, name, getattr(options, name) or list(curve.sizes))
    draw = partial(draw_panels, axes={name: curve.axis for name, curve in CURVES.items()})
    return run_benchmark(parser.prog, options, measure, draw)


def measure(options: Namespace, tell: Tell) -> tuple[Report, Lines]:
    """Measure the curves that were asked for. Raises ConfigError, and BenchError where every size is left out."""
    title = f"Level {options.level} on {options.device}: time of a call against size"
    names = ("level", "of", "replay", "eager", *options.of)
    report = Report("scale", title, "seconds of a call", "what the curve changes", asked_for(options, *names))
    pace = Pace(options.repeats, options.seconds)
    settings = dict(options.set)
    asked = Asked(options.level, options.replay, settings, options.device, pace, options.eager, tell, report.notes)
    for name in options.of:
        report.rows += CURVES[name].sweep(asked, getattr(options, name))
    report.notes[:] = dict.fromkeys(report.notes)
    if not report.rows:
        raise BenchError(f"nothing could be measured: {'; '.join(report.notes)}")
    report.facts |= slopes_as_facts(report)
    report.notes += [_memory(row) for row in report.rows if row.name == "capacity: append"][-1:]
    return report, lay_out(report, {name: curve.axis for name, curve in CURVES.items()})


def _memory(row: Row) -> str:
    """What a tape takes; for the largest, since bytes of a transition are nearly the same for all."""
    total, each, sight = (row.facts[name] for name in ("bytes", "bytes_a_transition", "bytes_of_an_observation"))
    taken = f"a tape of {row.size:,} transitions takes {total / 1e6:,.0f} MB, {each:.0f} bytes a transition"
    return f"{taken}, {sight:.0f} of them its observation"
