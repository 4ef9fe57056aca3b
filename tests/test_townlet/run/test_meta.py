"""What meta.json says of a run: its id, and the machine that it was begun on."""

import json
import os
import re
import subprocess

import pytest

import townlet
from townlet.run import meta
from townlet.run.meta import NO_ID, UNKNOWN, describe_machine, id_in, new_id, read_meta


def test_the_machine_is_described_in_json(monkeypatch):
    facts = json.loads(json.dumps(describe_machine(level="2", seed=3)))
    assert facts["level"] == "2" and facts["seed"] == 3
    assert facts["townlet"] == townlet.__version__ and facts["cpu_count"] >= 1 and facts["threads"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", facts["started"])
    assert {"torch", "python", "numpy", "platform", "cpu", "cuda_devices", "command"} <= set(facts)


def test_git_state_is_the_commit_and_whether_the_tree_has_changes(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True, text=True
        )

    source = tmp_path / "src" / "module.py"
    source.parent.mkdir()
    source.write_text("")
    unknown = {"git_commit": None, "git_dirty": None}
    assert meta._git_state(source) == unknown  # no checkout
    git("init", "-q")
    assert meta._git_state(source) == unknown  # in a checkout that does not hold it
    git("add", "src/module.py")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert meta._git_state(source) == {"git_commit": commit, "git_dirty": False}
    (tmp_path / "my-runs").mkdir()
    (tmp_path / "my-runs" / "curves.png").write_text("")
    assert meta._git_state(source) == {"git_commit": commit, "git_dirty": False}  # what a run left is no change
    (source.parent / "new.py").write_text("")
    assert meta._git_state(source) == {"git_commit": commit, "git_dirty": True}
    (source.parent / "new.py").unlink()
    source.write_text("changed")
    assert meta._git_state(source) == {"git_commit": commit, "git_dirty": True}
    monkeypatch.setenv("PATH", "")
    assert meta._git_state(source) == unknown  # no git


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, "\xff"])
def test_a_meta_that_cannot_be_read_says_nothing(tmp_path, text):
    (tmp_path / "meta.json").write_bytes(text.encode("latin-1"))
    assert read_meta(tmp_path) is None and id_in(read_meta(tmp_path)) is UNKNOWN


def test_a_pipe_in_the_place_of_meta_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "meta.json")
    assert read_meta(tmp_path) is None


def test_ids_are_told_apart_from_runs_without_one():
    assert id_in({"run": "ab"}) == "ab" and id_in({"seed": 1}) == NO_ID
    assert len({new_id() for _ in range(100)}) == 100
