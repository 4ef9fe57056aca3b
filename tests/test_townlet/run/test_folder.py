"""What becomes of a run whose folder is deleted, moved away, full or read-only."""

import errno
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from support.rooms import after_step, room, stop, train_briefly, write_level
from townlet import evaluate, train
from townlet.commands import compare
from townlet.config import load_task
from townlet.run import metrics, run_directory, training_run
from townlet.run.metrics import MetricsStore
from townlet.run.run_directory import RunDirectory, RunError
from townlet.run.saving import checkpoint
from townlet.run.training_run import TrainingRun


def steps_recorded(run: Path) -> list[int]:
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    steps = [step for step, _ in store.scalars("train/epsilon")]
    store.close()
    return steps


# --- deleted or moved away while it trains -----------------------------------------------------------------------


def delete(run: Path) -> None:
    shutil.rmtree(run)


def move(run: Path) -> None:
    run.rename(run.with_name("moved"))


@pytest.mark.parametrize("lose", [delete, move])
def test_a_folder_that_is_gone_is_told_at_once_and_written_again(tmp_path, capsys, lose):
    with after_step(16, lambda run: lose(run.run.path)):
        run = train_briefly(tmp_path, room(), "run", "--checkpoint-every", "8")
    out = capsys.readouterr().out
    assert f"{run} was deleted or moved away: what the run needs is written again\n" in out
    assert (
        load_task(run / "config.yaml").id == "room" and json.loads((run / "meta.json").read_text())["level"] == "room"
    )
    found = checkpoint.load_latest(run / "checkpoints", pytest.fail)
    assert found.step == 32 and found.manifest["facts"]["run"] == json.loads((run / "meta.json").read_text())["run"]
    assert (run / "checkpoints" / "step_000000016").is_dir()  # saved as soon as that was seen
    assert steps_recorded(run)[-1] == 32 and "saved step_000000032" in (run / "train.log").read_text()
    assert train.main(["--resume", str(run), "--total-steps", "40", "--plain", "--device", "cpu"]) == 0
    if lose is move:
        moved = run.with_name("moved")
        assert steps_recorded(moved)[-1] == 12
        RunDirectory.open(moved).close()  # nobody holds it


def test_a_checkpoint_that_was_lost_is_saved_again_though_no_step_came_after_it(tmp_path):
    """The folder is deleted as soon as step 16 is saved, and then a signal comes."""
    save = TrainingRun._save

    def lost(run, score):
        save(run, score)
        if run.population.env_steps == 16 and not run.stop.wanted:
            delete(run.run.path)
            stop(run)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainingRun, "_save", lost)
        run = train_briefly(tmp_path, room(), "run", "--checkpoint-every", "16")
    assert checkpoint.load_latest(run / "checkpoints", pytest.fail).step == 16


@pytest.mark.parametrize("name", ["config.yaml", "meta.json", run_directory.LOCK, "metrics.sqlite", "checkpoints"])
def test_a_part_that_is_gone_is_written_again(tmp_path, name):
    def lose(run):
        path = run.run.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    with after_step(16, lose):
        run = train_briefly(tmp_path, room())
    assert (run / name).exists() and steps_recorded(run)[-1] == 32
    assert checkpoint.load_latest(run / "checkpoints", pytest.fail).step == 32


def test_a_run_is_still_held_after_its_lock_was_deleted(tmp_path):
    def held(run):
        with pytest.raises(RunError, match="is held by process"):
            RunDirectory.open(run.run.path)

    with (
        after_step(24, held),
        after_step(16, lambda run: (run.run.path / run_directory.LOCK).unlink()),
    ):
        train_briefly(tmp_path, room())


def test_a_folder_that_another_run_took_ends_the_run(tmp_path, capsys):
    def take(run):
        shutil.rmtree(run.run.path)
        shutil.copytree(other, run.run.path)

    other = train_briefly(tmp_path, room(), "other")
    level = write_level(tmp_path, room())
    arguments = ["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(tmp_path), "--run-name", "run"]
    with after_step(16, take):
        assert train.main(arguments) == 1
    run = other.with_name("run")
    assert capsys.readouterr().err == f"townlet train: {run} is the folder of another run now\n"
    assert (run / "meta.json").read_text() == (other / "meta.json").read_text()


def test_a_folder_that_cannot_be_made_again_ends_the_run(tmp_path, capsys):
    def bury(run):
        shutil.rmtree(run.run.path.parent)
        run.run.path.parent.write_text("in the way")

    level = write_level(tmp_path, room())
    with after_step(16, bury):
        assert train.main(["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(tmp_path / "r")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("townlet train: cannot make ") and err.endswith(" again: Not a directory\n")


def test_a_folder_deleted_at_the_very_end_is_no_success(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training_run, "draw_run", lambda task, metrics, curves: shutil.rmtree(curves.parent))
    level = write_level(tmp_path, room())
    assert train.main(["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(tmp_path / "r")]) == 1
    err = capsys.readouterr().err
    assert err.endswith(" was deleted or moved away while the run ended\n") and err.count("\n") == 1


# --- a disk without room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.yaml", "meta.json"])
def test_a_disk_without_room_at_the_beginning_is_one_line(tmp_path, capsys, monkeypatch, name):
    write = run_directory.write_atomically

    def full(path: Path, content: bytes) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(run_directory, "write_atomically", full)
    level = write_level(tmp_path, room())
    arguments = ["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(tmp_path), "--run-name", "run"]
    assert train.main(arguments) == 1
    run = tmp_path / "room_room" / "run"
    assert capsys.readouterr().err == f"townlet train: cannot write {run / name}: No space left on device\n"


# --- a folder that cannot be written -----------------------------------------------------------------------------


@pytest.fixture
def read_only(tmp_path, monkeypatch) -> Path:
    """A run in a folder that SQLite may not write into; root may everywhere, so that it is only said."""
    run = train_briefly(tmp_path, room())
    monkeypatch.setattr(metrics.os, "access", lambda path, mode: False)
    connect = sqlite3.connect

    def refused(database: str, **options: object) -> sqlite3.Connection:
        if str(run) in database and not database.endswith("?immutable=1"):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return connect(database, **options)

    monkeypatch.setattr(metrics.sqlite3, "connect", refused)
    return run


def test_a_read_only_run_is_compared_and_evaluated(read_only, tmp_path, capsys):
    before = sorted(read_only.iterdir())
    assert compare.main([str(read_only), "--out", str(tmp_path / "out.png")]) == 0
    assert "5" in capsys.readouterr().out and (tmp_path / "out.png").is_file()
    assert evaluate.main([str(read_only), "--episodes", "2", "--device", "cpu"]) == 0
    assert sorted(read_only.iterdir()) == before


def test_what_a_killed_run_left_in_its_log_is_read_in_a_read_only_folder_too(read_only):
    writer = sqlite3.dbapi2.connect(read_only / "metrics.sqlite")  # under its other name, since one is refused
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO scalars VALUES ('train/epsilon', 99, 0.5, 1.0)")
    writer.commit()
    assert (read_only / "metrics.sqlite-wal").stat().st_size
    assert steps_recorded(read_only)[-1] == 99
    writer.close()
