"""`python -m townlet.bench scale`, in this process, at tiny sizes."""

from functools import partial

import pytest

from support.benchmarks import run_quickly
from townlet.bench import __main__ as command
from townlet.bench.scale.command import CURVES

SMALL = ("--eager", "--set", "training.num_agents=8")
SIZES = [
    "--agents", "1,4", "--windows", "1,8", "--batch", "2,1", "--capacity", "1_000,4000", "--grid", "4,8",
    "--affordances", "14,28",
]  # fmt: skip
TINY = {flag.removeprefix("--"): sizes for flag, sizes in zip(SIZES[::2], SIZES[1::2], strict=True)}
TIMED = {
    "agents": ["world's step", "without learning", "with learning"],
    "capacity": ["append", "append and sample"],
} | {curve: ["an update"] for curve in ("windows", "batch")}


@pytest.fixture
def bench(tmp_path, capsys):
    """Run the command; returns its exit code, what it said, and what it kept."""

    return partial(run_quickly, "scale", tmp_path, capsys, *SMALL)


def test_every_curve_is_measured_told_drawn_and_kept(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    plot, page = tmp_path / "it.png", tmp_path / "it.md"
    code, said, kept = bench(*SIZES, "--plot", str(plot), "--markdown", str(page))
    assert code == 0, said.err
    names = {f"{curve}: {name}" for curve in TINY for name in TIMED.get(curve, ["world's step"])}
    sizes = {curve: sorted(int(size) for size in text.split(",")) for curve, text in TINY.items()}
    expected = {(name, size) for name in names for size in sizes[name.partition(":")[0]]}
    assert {(row["name"], row["size"]) for row in kept["rows"]} == expected
    assert all(len(row["samples"]) == 2 and min(row["samples"]) > 0.0 for row in kept["rows"])
    assert kept["facts"] == {}  # two sizes tell no law
    assert kept["unit"] == "seconds of a call"
    assert kept["options"]["of"] == list(CURVES) and kept["options"]["batch"] == [1, 2]
    assert "a tape of 4,000 transitions takes " in " ".join(said.out.split()) and "left out" not in said.out
    assert all(f"by {CURVES[curve].axis.size} " in said.out for curve in TINY)
    assert "  without learning " in said.out and max(map(len, said.out.splitlines())) <= 80  # lines are not wrapped
    assert plot.read_bytes().startswith(b"\x89PNG") and "| by agents |  |  | agent-step |  |  |" in page.read_text()


def test_only_those_curves_that_are_asked_for(bench):
    code, said, kept = bench("--of", "batch,grid,batch", "--batch", "2", "--grid", "8")
    assert code == 0, said.err
    assert [row["name"] for row in kept["rows"]] == ["batch: an update", "grid: world's step"]
    assert kept["facts"] == {} and kept["options"]["of"] == ["batch", "grid"] and "agents" not in kept["options"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ("2", "2-replay", {}, False)),
        (["--level", "1", "--replay", "3", "--set", "max_steps=9", "--eager"], ("1", "3", {"max_steps": "9"}, True)),
    ],
)
def test_sweeps_are_told_what_was_asked_for(flags, expected, monkeypatch, capsys):
    told = []
    sweep = CURVES["grid"]._replace(sweep=lambda *asked: told.append(asked) or [])
    monkeypatch.setitem(CURVES, "grid", sweep)
    assert command.main(["scale", "--of", "grid", "--grid", "8,4", *flags]) == 1  # nothing is measured
    ((asked, sizes),) = told
    assert (asked.level, asked.replay, asked.settings, asked.eager) == expected and sizes == [4, 8]


def test_where_every_size_is_left_out_it_is_one_line_and_exit_code_1(bench):
    code, said, kept = bench("--of", "affordances", "--affordances", "65")
    assert (code, kept) == (1, {}) and said.err.count("\n") == 1
    assert said.err.startswith("townlet bench scale: nothing could be measured: a world of 65 affordances is left out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--of", "agents,weather"], "--of: expected some of agents, windows, batch, capacity, grid, affordances, got"),
        (["--of", "batch", "--grid", "4"], "--grid: expected grid in --of, got batch"),
        (["--grid", "4,0"], "--grid: expected at least 1, got 0"),
        (["--batch", "many"], "--batch: expected a whole number, got 'many'"),
        (["--of", "capacity", "--replay", "2"], "--replay: expected a level that learns by replay, got 2, of mode"),
        (["--level", "17"], "17"),
        (["--of", "grid", "--set", "grid.widht=4"], "widht"),
    ],
)
def test_wrong_use_is_one_line(bench, arguments, said):
    code, output, kept = bench(*arguments)
    assert (code, kept) == (2, {}) and said in output.err and output.err.count("\n") == 1
