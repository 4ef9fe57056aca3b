"""`townlet transfer`: agents in other levels, in rooms whose survival is known by counting."""

import json
import re

import pytest

from support.rooms import room, train_briefly, write_level
from townlet.commands import cli, transfer
from townlet.commands.transfer import Cell, TransferTable, shipped_worlds
from townlet.config import load_level

AIR = {"breath": {"passive": -0.125, "lethal": True}, "calm": {}}  # for eight ticks, five in the room


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds in the room, one in a room with more air and another window."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in ("1", "2"):
        train_briefly(folder, room(), f"room{seed}", "--seed", seed)
    train_briefly(folder, room(id="wide", observation__window=5, meters=AIR, yardsticks={"sitter": 8}), "wide1")
    write_level(folder, room(id="hall", grid={"width": 5, "height": 4}, meters=AIR, yardsticks={"sitter": 8, "cat": 9}))
    return folder


def said(capsys, runs, *arguments, levels="room,hall,wide", code=0):
    """What the command prints; `levels` are files beside the runs."""
    files = ",".join(str(runs / f"{name}.yaml") for name in levels.split(","))
    flags = ["--levels", files, "--episodes", "6", "--device", "cpu", "--runs-dir", str(runs)]
    capsys.readouterr()
    assert cli.main(["transfer", *arguments, *flags]) == code
    told = capsys.readouterr()
    return told.err if code else told.out


def test_every_run_is_played_in_every_level_that_fits(capsys, runs, tmp_path):
    written = tmp_path / "table.json"
    said(capsys, runs, "small=room1", "small=room2", "wide1", "--json", str(written))
    found = json.loads(written.read_text())
    five = {"each": [5.0, 5.0], "mean": 5.0, "low": 5.0, "high": 5.0}
    eight = {"each": [8.0, 8.0], "mean": 8.0, "low": 8.0, "high": 8.0}
    window = "does not fit: window: expected"
    assert found == {
        "episodes": 6,
        "levels": ["room", "hall", "wide"],
        "agents": {
            "small": {
                "room": {**five, "home": True},
                "hall": {**eight, "home": False},
                "wide": {"reason": f"level wide: the network of level room {window} 9, got 25"},
            },
            "wide1": {
                "room": {"reason": f"level room: the network of level wide {window} 25, got 9"},
                "hall": {"reason": f"level hall: the network of level wide {window} 25, got 9"},
                "wide": {"each": [8.0], "mean": 8.0, "low": 8.0, "high": 8.0, "home": True},
            },
        },
    }


def test_the_table_has_a_footnote_where_a_network_does_not_fit(capsys, runs, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    written = tmp_path / "table.md"
    out = said(capsys, runs, "small=room1", "small=room2", "wide1", "--markdown", str(written))
    assert written.read_text().splitlines() == [
        "| level | small | wide1 | sitter | cat |",
        "| --- | --- | --- | --- | --- |",
        "| room (of 9) | 5.0 [5.0, 5.0]* | - (2) |  |  |",
        "| hall (of 9) | 8.0 [8.0, 8.0] | - (3) | 8 | 9 |",
        "| wide (of 9) | - (1) | 8.0* | 8 |  |",
        "",
        "6 greedy episodes an agent; [mean over seeds between]; * learned there  ",
        "(1) level wide: the network of level room does not fit: window: expected 9, got 25  ",
        "(2) level room: the network of level wide does not fit: window: expected 25, got 9  ",
        "(3) level hall: the network of level wide does not fit: window: expected 25, got 9  ",
    ]
    rows = [re.split(r"  +", line.strip()) for line in out.splitlines()]
    assert ["hall (of 9)", "8.0 [8.0, 8.0]", "- (3)", "8", "9"] in rows
    assert "(3) level hall: " in out and "\x1b" not in out


def test_seeds_are_told_by_mean_and_interval_and_a_reason_once():
    levels = [load_level("0"), load_level("2")]
    misfit = Cell(reason="no")
    table = TransferTable(4, levels, {"a|b": [Cell((10.0, 30.0)), misfit], "c": [misfit, Cell((7.0,), home=True)]})
    assert table.texts() == [
        ["level", "a|b", "c", "random", "planner"],
        ["0 (of 500)", "20.0 [10.0, 30.0]", "- (1)", "397", "500"],
        ["2 (of 500)", "- (1)", "7.0*", "101", "500"],
    ]
    assert table.notes()[1:] == ["(1) no"] and "| a\\|b |" in table.as_markdown()


def test_runs_of_one_label_are_seeds_of_one_level(capsys, runs):
    told = said(capsys, runs, "small=room1", "small=wide1", code=2)
    assert told.startswith("small: expected runs of one level, room, got one of wide: ") and told.count("\n") == 1


@pytest.mark.parametrize(
    ("run", "levels", "code", "said_"),
    [("none", "room", 1, "no run 'none'"), ("room1", "room,nowhere", 2, "nowhere.yaml: expected a readable file")],
)
def test_what_is_not_there_is_one_line(capsys, runs, run, levels, code, said_):
    told = said(capsys, runs, run, levels=levels, code=code)
    assert said_ in told and told.count("\n") == 1


def test_a_table_that_cannot_be_written_is_one_line(capsys, runs, tmp_path):
    told = said(capsys, runs, "room1", "--json", str(tmp_path / "no" / "table.json"), levels="room", code=1)
    assert told == f"townlet transfer: cannot write {tmp_path}/no/table.json: No such file or directory\n"


def test_levels_that_share_a_world_are_played_once():
    found = shipped_worlds()
    assert {"0", "0.5", "1", "2", "2.5", "3", "station"} <= set(found)
    assert not {"2-memoryless", "2-reference", "2-replay", "2-adversarial", "2.5-memoryless"} & set(found)


def test_the_command_is_a_word_of_townlet(capsys):
    with pytest.raises(SystemExit) as stopped:
        transfer.main(["--help"])
    assert stopped.value.code == 0 and "LABEL=RUN" in capsys.readouterr().out
