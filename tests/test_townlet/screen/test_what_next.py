"""What is told at the end can be pasted into a shell."""

import shlex
from pathlib import Path

import pytest

from townlet.screen import what_next
from townlet.screen.what_next import say_what_next, stopped_and_saved


@pytest.mark.parametrize("name", ["plain", "two words", "it's", "$HOME", "a;b", "ünï"])
def test_paths_in_commands_are_read_back_by_a_shell(name, capsys, monkeypatch):
    monkeypatch.setattr(what_next.sys, "executable", "/opt/my python/bin/python3")
    monkeypatch.setattr(what_next.shutil, "which", lambda _: None)
    path = Path("runs") / name / "run 1"
    say_what_next(path, path, stopped=False)
    evaluated, longer = (line.split(":  ", 1)[1] for line in capsys.readouterr().out.splitlines()[-2:])
    stopped = stopped_and_saved(path).split(":  ", 1)[1]
    python = ["/opt/my python/bin/python3", "-m"]
    assert shlex.split(evaluated) == [*python, "townlet.evaluate", str(path), "--episodes", "512"]
    assert shlex.split(longer) == [*python, "townlet.train", "--resume", str(path), "--total-steps", "N"]
    assert shlex.split(stopped) == [*python, "townlet.train", "--resume", str(path)]
