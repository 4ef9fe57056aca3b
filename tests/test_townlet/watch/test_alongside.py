"""A watcher beside a training: told with its address, ended with it, and of no effect on what is learned."""

import os
import subprocess
import sys
import time
import urllib.request

import pytest
import torch

from support.rooms import after_step, room, saved, train_briefly
from townlet import train
from townlet.watch import alongside

PATIENCE = 240.0  # seconds, for a process that all others go before, on a busy machine


def listed(run, beginning):
    """The lines of a run's log that begin so, without the time."""
    lines = [line.partition(" INFO ")[2] for line in (run / "train.log").read_text().splitlines()]
    return [line for line in lines if line.startswith(beginning)]


def test_a_training_that_is_watched_learns_the_same_bit_for_bit(tmp_path, monkeypatch):
    plain = train_briefly(tmp_path, room(), "plain", "--checkpoint-every", "8")
    started, pages = [], []
    monkeypatch.setattr(alongside, "SECONDS_TO_END", PATIENCE)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    start = alongside._start
    monkeypatch.setattr(alongside, "_start", lambda *given: started.append(start(*given)) or started[0])

    def look(training):
        end = time.monotonic() + PATIENCE
        while not (told := listed(training.run.path, "watch it at ")):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert os.getpriority(os.PRIO_PROCESS, started[0].pid) == 19  # and so of all that it starts
        with urllib.request.urlopen(told[0].removeprefix("watch it at "), timeout=PATIENCE) as page:
            pages.append(page.read())

    with after_step(16, look):
        run = train_briefly(tmp_path, room(), "watched", "--checkpoint-every", "8", "--watch")
    assert pages and b"data-live" in pages[0]
    one, other = saved(plain, 32).model, saved(run, 32).model
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert started[0].poll() == 0 and (run / "watch.log").read_text() == ""
    assert not list((tmp_path / "temporary").glob("townlet-*"))


def started_as(program):
    """In place of a watcher: another program with the same pipes."""

    def start(run, log):
        return subprocess.Popen([sys.executable, "-S", "-c", program], stdin=-1, stdout=-1, stderr=log, text=True)

    return start


def test_a_watcher_that_fails_costs_a_sentence(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(alongside, "_start", started_as("import sys; sys.exit('no')"))
    with alongside.watched(tmp_path, said.append):
        end = time.monotonic() + PATIENCE
        while not said and time.monotonic() < end:
            time.sleep(0.01)
    what = "nobody watches this run any more: the watcher ended with code 1"
    assert said == [f"{what}; more in {tmp_path / 'watch.log'}"]
    assert (tmp_path / "watch.log").read_text() == "no\n"


def test_what_a_watcher_prints_beside_its_address_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(alongside, "_start", started_as("print('http://a/'); print('no town', flush=True); input()"))
    with alongside.watched(tmp_path, said.append):
        end = time.monotonic() + PATIENCE
        while len(said) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    assert said == ["watch it at http://a/", "no town"]


def test_a_watcher_that_cannot_begin_costs_a_sentence(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with alongside.watched(tmp_path, said.append):
        pass
    assert said == ["nobody can watch this run: No such file or directory"]


@pytest.mark.parametrize(
    "program",
    ["import sys; print('http://a/', flush=True); sys.stdin.read()",
     "import time; print('http://a/', flush=True); time.sleep(1000)"],
)  # fmt: skip
def test_a_watcher_ends_with_its_training_whether_it_wants_to_or_not(tmp_path, monkeypatch, program):
    started, said = [], []
    start = started_as(program)
    monkeypatch.setattr(alongside, "SECONDS_TO_END", 0.5)
    monkeypatch.setattr(alongside, "_start", lambda *given: started.append(start(*given)) or started[0])
    with alongside.watched(tmp_path, said.append):
        end = time.monotonic() + PATIENCE
        while not said and time.monotonic() < end:
            time.sleep(0.01)
    assert said == ["watch it at http://a/"] and started[0].poll() is not None


def test_a_ladder_is_not_watched_by_its_training(capsys):
    assert train.main(["--curriculum", "0,1", "--watch"]) == 2
    assert capsys.readouterr().err.startswith("--watch shows one run, got a ladder of several")
