"""`townlet runs`, and which run `latest` is."""

import json
import os
from pathlib import Path

import pytest

from support.reports import write_run
from townlet.commands import cli

Capture = pytest.CaptureFixture[str]


def saved(run: Path, step: int, seconds: int) -> Path:
    """A run with a checkpoint of this step, made so many seconds after the epoch; nothing of it was written lately."""
    manifest = run / "checkpoints" / f"step_{step:09d}" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    for path in (manifest, run / "metrics.sqlite"):
        os.utime(path, (seconds, seconds))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs of the room: one at an end, and a newer one that was stopped."""
    saved(write_run(tmp_path / "room", "old", training__total_steps=300), 300, 10)
    saved(write_run(tmp_path / "room", "new", training__total_steps=900), 200, 20)
    return tmp_path


def test_runs_are_listed_the_newest_first_with_what_they_came_to(runs: Path, capsys: Capture) -> None:
    assert cli.main(["runs", "--runs-dir", str(runs), "--json"]) == 0
    new, old = json.loads(capsys.readouterr().out)
    assert [new["run"], old["run"]] == ["room/new", "room/old"]
    assert new | {"bytes": 0} == {
        "run": "room/new", "level": "room", "steps": 300, "total_steps": 900, "score": 6.5, "told_by": "survival",
        "bytes": 0, "state": "stopped",
    }  # fmt: skip
    assert old["state"] == "over" and old["bytes"] > (runs / "room" / "old" / "metrics.sqlite").stat().st_size
    assert cli.main(["runs", "--runs-dir", str(runs)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "level", "steps", "greedy", "size", "state"]
    assert [row.split()[:4] for row in rows] == [["room/new", "room", "300", "6.5"], ["room/old", "room", "300", "6.5"]]


def test_a_run_that_trains_and_one_that_cannot_be_read_are_told_as_such(runs: Path, capsys: Capture) -> None:
    (runs / "room" / "new" / ".holder").write_text(f"{os.getpid()}\n")
    (runs / "room" / "old" / "config.yaml").write_text("id: [\n")
    assert cli.main(["runs", "--runs-dir", str(runs), "--json"]) == 0
    assert [run["state"] for run in json.loads(capsys.readouterr().out)] == ["training", "unreadable"]


def test_where_there_are_none_that_is_said(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["runs", "--runs-dir", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", f"there are no runs in {tmp_path}\n")


def test_which_run_the_latest_is_is_said_beside_the_output(runs: Path, capsys: Capture) -> None:
    assert cli.main(["report", "latest", "--runs-dir", str(runs)]) == 0
    said = capsys.readouterr()
    assert said.err == f"latest is {runs / 'room' / 'new'}\n" and "latest is" not in said.out
    assert cli.main(["report", "old", "--runs-dir", str(runs)]) == 0
    assert capsys.readouterr().err == ""
