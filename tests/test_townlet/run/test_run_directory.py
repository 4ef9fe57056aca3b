"""Run folders are named, locked, found and described."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import townlet
from townlet.run import run_directory
from townlet.run.meta import NO_ID, UNKNOWN
from townlet.run.run_directory import RunDirectory, RunError, resolve_run

HOLDER = """
import pathlib, sys, time
from townlet.run.run_directory import RunDirectory
run = RunDirectory.open(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def make_run(runs: Path, name: str, *, slug: str = "level", checkpoint_time: float | None = None) -> Path:
    """Make a run as training leaves it; `checkpoint_time` in seconds since the epoch, or none."""
    with RunDirectory.create(runs, slug, seed=0, run_name=name) as run:
        run.write_config("seed: 0\n")
        if checkpoint_time is not None:
            manifest = run.checkpoints / "step_000000001" / "manifest.json"
            manifest.parent.mkdir()
            manifest.write_text("{}")
            os.utime(manifest, (checkpoint_time, checkpoint_time))
    return run.path


def test_a_run_is_named_by_time_and_seed_with_a_suffix_where_taken(tmp_path, monkeypatch):
    class Noon(run_directory.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1, 12, 0, 0, tzinfo=tz)

    monkeypatch.setattr(run_directory, "datetime", Noon)
    names = []
    for _ in range(3):
        with RunDirectory.create(tmp_path / "runs", "2_partial", seed=7) as run:
            names.append(str(run.path.relative_to(tmp_path)))
            assert run.checkpoints.is_dir() and run.evaluation.is_dir()
    first = "runs/2_partial/20260101-120000_s7"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_a_chosen_name_is_kept_and_must_be_free(tmp_path):
    with RunDirectory.create(tmp_path, "level", 0, "my run-1.2") as run:
        assert run.path == tmp_path / "level" / "my run-1.2"
        with pytest.raises(RunError, match=r"exists already"):
            RunDirectory.create(tmp_path, "level", 0, "my run-1.2")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/abs", "a\\b", "a\nb", " a", "a\0", "latest"])
def test_a_name_that_is_no_plain_name_is_refused(tmp_path, name):
    with pytest.raises(RunError, match=r"run name .* is not a plain name"):
        RunDirectory.create(tmp_path, "level", 0, name)
    with pytest.raises(RunError, match=r"level slug .* is not a plain name"):
        RunDirectory.create(tmp_path, name, 0)
    assert list(tmp_path.iterdir()) == []


def test_config_and_meta_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    with RunDirectory.create(tmp_path, "level", 0) as run:
        run.write_config("seed: 1\n")
        run.write_meta({"seed": 1, "path": Path("x")})
        assert run.config_path.read_text() == "seed: 1\n"
        assert json.loads(run.meta_path.read_text()) == {"seed": 1, "path": "x", "run": run.id}

        def fail(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(RunError, match=r"cannot write .*config.yaml: No space left"):
            run.write_config("seed: 2\n")
        assert run.config_path.read_text() == "seed: 1\n"
        assert sorted(entry.name for entry in run.path.glob(".*")) == [".holder", ".lock"]


def test_an_unwritable_runs_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot make a run folder in .*Not a directory"):
        RunDirectory.create(tmp_path / "file", "level", 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_forbidden_runs_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"Permission denied"):
        RunDirectory.create(tmp_path, "level", 0)
    tmp_path.chmod(0o700)


def test_a_second_holder_is_told_who_holds_the_run(tmp_path):
    with RunDirectory.create(tmp_path, "level", 0, "a") as run:
        run.write_config("")
        with pytest.raises(RunError, match=f"run {run.path} is held by process {os.getpid()}$"):
            RunDirectory.open(run.path)
    RunDirectory.open(run.path).close()
    run.close()  # closing twice is harmless


def test_a_killed_holder_frees_the_run(tmp_path):
    path = make_run(tmp_path, "a")
    environment = {**os.environ, "PYTHONPATH": str(Path(townlet.__file__).parents[1])}
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"held by process {holder.pid}$"):
            RunDirectory.open(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    RunDirectory.open(path).close()


WITHOUT_FCNTL = """
import os, pathlib, sys, warnings
sys.modules["fcntl"] = None  # as on Windows
warnings.simplefilter("ignore")
from townlet.commands import cli
from townlet.run.meta import NO_ID, UNKNOWN
from townlet.run.run_directory import RunDirectory, RunError
path = pathlib.Path(sys.argv[1])
for time in range(2):
    with RunDirectory.open(path):
        try:
            RunDirectory.open(path)
        except RunError as error:
            print(str(error).endswith(f"is held by process {os.getpid()}"))
cli.main(["levels", "0"])
"""


@pytest.mark.slow
def test_without_fcntl_commands_start_and_a_run_has_one_holder(tmp_path):
    path = make_run(tmp_path, "a")  # held and left by a process that locks with fcntl
    environment = {**os.environ, "PYTHONPATH": str(Path(townlet.__file__).parents[1])}
    command = [sys.executable, "-c", WITHOUT_FCNTL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("True\nTrue\n") and "minimal" in done.stdout


def test_a_run_keeps_its_id_and_one_without_gets_one_with_its_next_meta(tmp_path):
    with RunDirectory.create(tmp_path, "level", 0, "a") as run:
        run.write_config("")
        run.write_meta({"seed": 1})
        first = run.id
    with RunDirectory.open(run.path) as again:
        again.note(pace=7)
        assert again.id == first and json.loads(run.meta_path.read_text()) == {"seed": 1, "pace": 7, "run": first}
    run.meta_path.write_text('{"seed": 1}')
    with RunDirectory.open(run.path) as older:
        assert older.id == NO_ID
        older.note()
        assert older.id and json.loads(run.meta_path.read_text()) == {"seed": 1, "run": older.id}
    run.meta_path.unlink()
    with RunDirectory.open(run.path) as bare:
        assert bare.id is UNKNOWN


def test_what_is_no_run_folder_is_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunError, match=r"is not a run folder: expected config.yaml"):
            RunDirectory.open(path)
    assert list(tmp_path.iterdir()) == []


def test_latest_is_the_run_with_the_most_recent_checkpoint(tmp_path):
    make_run(tmp_path, "older", checkpoint_time=1000)
    newest = make_run(tmp_path, "newest", slug="other", checkpoint_time=2000)
    make_run(tmp_path, "without")
    assert resolve_run("latest", tmp_path) == newest


def test_latest_falls_back_to_a_run_without_checkpoint(tmp_path):
    path = make_run(tmp_path, "only")
    (tmp_path / "level" / "no_run").mkdir()
    assert resolve_run("latest", tmp_path) == path


def test_a_run_is_found_by_name_by_level_and_name_and_by_path(tmp_path):
    path = make_run(tmp_path / "runs", "a")
    for reference in ("a", "level/a", str(path), f"{path}/"):
        assert resolve_run(reference, tmp_path / "runs") == path
    with pytest.raises(RunError, match="no run 'xxx"):
        resolve_run("x" * 300, tmp_path / "runs")  # longer than a file's name can be


def test_an_unknown_or_ambiguous_run_names_those_that_exist(tmp_path):
    with pytest.raises(RunError, match=r"there are no runs in"):
        resolve_run("latest", tmp_path)
    for number in range(7):
        make_run(tmp_path, f"r{number}", checkpoint_time=1000 + number)
    with pytest.raises(RunError, match=r"no run 'x' in .*: there are level/r6, level/r5, .* and 2 more$"):
        resolve_run("x", tmp_path)
    for wrong, meant in (("lates", "latest"), ("level/r66", "level/r6")):
        with pytest.raises(RunError, match=rf" and 2 more; did you mean '{meant}'\?$"):
            resolve_run(wrong, tmp_path)
    make_run(tmp_path, "r0", slug="other")
    with pytest.raises(RunError, match=r"several runs are named 'r0' in .*: there are level/r0, other/r0$"):
        resolve_run("r0", tmp_path)
