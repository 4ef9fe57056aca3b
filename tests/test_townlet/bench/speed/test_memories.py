"""`python -m townlet.bench memories`, in this process, at tiny sizes."""

from typing import get_args

import pytest

from support.benchmarks import QUICK
from townlet.bench import __main__ as command
from townlet.bench.speed import memories
from townlet.level.memories import Memory

SEEN, HEAD = 55, 64  # numbers that come in, the previous action's among them; units that read a memory


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of one run over all kinds, with a head of half the width."""
    page = tmp_path_factory.mktemp("memories") / "page.md"
    words = ["--agents", "8", "--set", "max_steps=12", "--set", f"network.head={HEAD}", "--device", "cpu"]
    assert command.main(["memories", *QUICK, *words, "--markdown", str(page)]) == 0
    return page.read_text().splitlines()


@pytest.fixture
def rows(written):
    """The cells of each kind's row, by its name."""
    lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in written if line.startswith("| "))
    return {name: cells for name, *cells in lines if name in memories.KINDS}


def test_each_kind_is_told_with_its_sizes_and_both_its_times(written, rows):
    assert written[0] == "Memories in level 2 on cpu: 8 agents, windows of 8"
    assert list(rows) == list(memories.KINDS)
    assert all(float(time.replace(",", "")) >= 0.0 for cells in rows.values() for time in cells[2:])
    assert [rows[name][1] for name in ("LSTM alone", "GRU alone", "lru, 32 units")] == ["64", "32", "128"]
    assert rows["lru, 32 units, traces"][1] == f"{64 + 2 * 32 * (SEEN + 3):,}"


def test_a_key_of_the_level_holds_for_all_kinds(rows):
    """Units read the inputs and a 1, and have two rates each; a head of 64 reads what they hold."""
    lstm, units = (int(rows[name][0].replace(",", "")) for name in ("LSTM alone", "lru, 32 units"))
    assert units - lstm == 2 * 32 * (SEEN + 1) + 2 * 32 + 2 * 32 * HEAD


def test_no_kind_of_memory_is_left_out():
    (union, _) = get_args(Memory)
    kinds = {get_args(part.model_fields["kind"].annotation)[0] for part in get_args(union)}
    assert {one["kind"] for changes in memories.KINDS.values() for one in changes.get("memory", ())} == kinds


def test_wrong_use_is_one_line(capsys):
    assert command.main(["memories", *QUICK, "--level", "nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
