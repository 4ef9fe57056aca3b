"""The process of a command: whose it is, what signals do to it from the first import on, and its exit code."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from townlet.screen import process
from townlet.screen.process import (
    DONE,
    FAILED,
    SIGNALS,
    WRONG_USE,
    begin,
    end,
    end_within,
    hearing,
    run_as_process,
    say,
)

PYTHON = "/usr/bin/python3"


class Ended(Exception):
    """Takes the place of the end of this process."""


@pytest.fixture
def ours(monkeypatch):
    """This process is a command's, and its end raises Ended."""

    def leave(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(process, "_owned", True)
    monkeypatch.setattr(process, "_hurried", False)
    monkeypatch.setattr(os, "_exit", leave)


def send(signum: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), signum)


# --- whose process it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line", "ours"),
    [
        (["-m"], [PYTHON, "-m", "townlet.train", "--level", "2"], True),
        (["-m"], [PYTHON, "-Im", "townlet.bench"], True),
        (["-m"], [PYTHON, "-mtownlet.train"], True),
        (["-m"], [PYTHON, "-m", "somebody.elses"], False),
        (["-m"], [PYTHON, "-m", "townlets.train"], False),
        (["/bin/townlet", "train"], [PYTHON, "/bin/townlet", "train"], True),
        (["/bin/townlet.exe"], [PYTHON, "/bin/townlet.exe"], True),
        (["/bin/townlet"], [PYTHON, "-c", "from multiprocessing.spawn import spawn_main"], False),
        (["/bin/pytest", "townlet"], [PYTHON, "/bin/pytest", "townlet"], False),
        (["-c"], [PYTHON, "-c", "import townlet"], False),
        ([], [PYTHON], False),
    ],
)
def test_a_command_is_known_by_how_python_was_started(words, line, ours):
    assert process._is_command(words, line) is ours


def test_in_a_process_of_somebody_else_nothing_is_heard(ours, monkeypatch):
    monkeypatch.setattr(process, "_owned", False)
    former = [signal.getsignal(one) for one in SIGNALS]
    monkeypatch.setattr("sys.argv", ["notebook"])
    begin()
    assert [signal.getsignal(one) for one in SIGNALS] == former
    with pytest.raises(KeyboardInterrupt):
        end("unsaid", FAILED)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ({}, {"GOMP_SPINCOUNT": "20000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY": "passive"}),
    ],
)
def test_threads_that_wait_let_go_of_their_core_soon_unless_somebody_says_how_long(said, then) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    code = (
        "import sys; sys.argv[:], sys.orig_argv[:] = ['-m'], ['python', '-m', 'townlet.train']; import os, townlet\n"
        f"print({{name: os.environ[name] for name in {names} if name in os.environ}}, 'torch' in sys.modules)"
    )
    others = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run([sys.executable, "-c", code], env=others | said, capture_output=True, text=True, check=True)
    assert done.stdout == f"{then} False\n"  # before PyTorch, which reads it as it is imported


def test_a_program_that_imports_townlet_keeps_its_environment() -> None:
    code = "import os; before = dict(os.environ); import townlet; assert os.environ == before"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- hearing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hangup():
    """Nobody has asked for a SIGHUP to be ignored, as nohup does of a whole suite."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, former)


def test_all_signals_that_ask_for_an_end_are_heard_and_given_back(hangup):
    former, heard = [signal.getsignal(one) for one in SIGNALS], []
    with hearing(lambda: heard.append(1)):
        for signum in SIGNALS:
            send(signum)
    assert len(heard) == len(SIGNALS) == 3
    assert [signal.getsignal(one) for one in SIGNALS] == former


def test_a_hangup_that_is_ignored_stays_so(monkeypatch):
    """As nohup asks for."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hearing(lambda: pytest.fail("heard")):
            send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_an_interrupt_that_is_ignored_is_heard():
    """As in a shell's background: who sends it by name means it."""
    former, heard = signal.signal(signal.SIGINT, signal.SIG_IGN), []
    try:
        with hearing(lambda: heard.append(1)):
            send(signal.SIGINT)
        assert heard == [1]
    finally:
        signal.signal(signal.SIGINT, former)


def test_a_system_without_hangup_has_none(monkeypatch):
    monkeypatch.setattr(process, "SIGNALS", (signal.SIGINT, signal.SIGTERM))
    former = signal.getsignal(signal.SIGHUP)
    with hearing(lambda: None):
        assert signal.getsignal(signal.SIGHUP) == former


def test_beside_the_main_thread_nothing_is_heard_and_nothing_fails():
    done = []

    def work() -> None:
        with hearing(lambda: None):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 7), (signal.SIGHUP, 7), (signal.SIGTERM, FAILED)])
def test_forked_helpers_leave_a_terminals_signals_to_their_parent(signum, code):
    with hearing(lambda: pytest.fail("heard")):
        child = os.fork()
        if not child:
            send(signum)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_end_is_one_line_and_the_code(ours, capfd):
    with pytest.raises(Ended, match=str(DONE)):
        end("stopped", DONE)
    assert capfd.readouterr() == ("", "stopped\n")


def test_the_end_is_that_of_the_processes_that_were_started_too_and_none_is_left_listed(ours):
    child = multiprocessing.get_context("fork").Process(target=threading.Event().wait, daemon=True)
    child.start()
    with pytest.raises(Ended):
        end("stopped", DONE)
    assert child.exitcode == -signal.SIGKILL
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)


def test_an_end_comes_in_time_whatever_holds_the_process_up(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    end_within(0.0, "unsaid", DONE)  # no command's
    assert not ended.wait(0.05)
    monkeypatch.setattr(process, "_owned", True)
    monkeypatch.setattr(process, "_hurried", False)
    end_within(0.0, "stopped", DONE)
    assert ended.wait(60)


def test_a_process_in_a_hurry_does_not_wait_to_be_taken_apart(ours, monkeypatch):
    monkeypatch.setattr(process, "_hurried", True)
    with pytest.raises(Ended, match=str(FAILED)):
        run_as_process(lambda: FAILED)


def test_nobody_needs_to_hear_what_is_said(monkeypatch):
    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", gone)
    say("unheard")


@pytest.mark.parametrize("code", [DONE, FAILED, WRONG_USE])
def test_the_exit_code_is_the_commands(code):
    assert run_as_process(lambda: code) == code
    assert not process._owned  # else a signal would end whoever called it


@pytest.mark.parametrize(("printing", "code"), [(True, FAILED), (False, DONE)])
def test_output_that_a_disk_refuses_fails_commands_that_are_there_for_it(ours, printing, code, monkeypatch, capfd):
    monkeypatch.setattr("sys.stdout", sys.__stdout__)
    kept = os.dup(1)
    try:
        with open("/dev/full", "wb") as full:
            os.dup2(full.fileno(), 1)
        assert run_as_process(lambda: print("lost") or DONE, printing=printing) == code
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert capfd.readouterr().err == "townlet: cannot write to standard output: No space left on device\n"


def test_the_first_signal_unwinds_a_command(ours, capfd):
    cleaned = []

    def command() -> int:
        try:
            send(signal.SIGTERM)
        finally:
            cleaned.append(1)
        raise AssertionError("went on")

    with pytest.raises(Ended, match=str(FAILED)):
        run_as_process(command)
    assert cleaned == [1] and capfd.readouterr().err == "townlet: stopped\n"


def test_the_second_signal_ends_a_command_that_does_not_unwind(ours, capfd):
    def stubborn() -> int:
        try:
            send()
        except KeyboardInterrupt:
            send()
        raise AssertionError("went on")

    with pytest.raises(Ended, match=str(FAILED)):
        run_as_process(stubborn)
    assert capfd.readouterr().err == "townlet: stopped at once\n"


# --- from the first import on -----------------------------------------------------------------------------------------

SEND_AT_AN_IMPORT = """
import os, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["TOWNLET_TEST_IMPORT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(os.environ["TOWNLET_TEST_SIGNAL"]))

sys.meta_path.insert(0, Sender())
"""
SCRIPT = "import sys\nfrom townlet.commands.cli import main\nsys.exit(main())\n"


@pytest.mark.parametrize(
    ("arguments", "imported", "signum", "said"),
    [
        (["-m", "townlet.train", "--level", "2"], "pydantic", signal.SIGINT, "townlet: stopped\n"),
        (["-m", "townlet.train"], "torch", signal.SIGTERM, "townlet train: stopped before anything was trained\n"),
        (["-m", "townlet.evaluate", "latest"], "townlet.config", signal.SIGHUP, "townlet: stopped\n"),
        (["townlet", "compare", "latest"], "rich.console", signal.SIGINT, "townlet: stopped\n"),
    ],
)
def test_a_signal_while_a_command_is_imported_is_one_line(arguments, imported, signum, said, tmp_path, hangup):
    (tmp_path / "sitecustomize.py").write_text(SEND_AT_AN_IMPORT)
    (tmp_path / "townlet").write_text(SCRIPT)
    source = Path(process.__file__).parents[2]
    environment = {
        **os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{source}", "TOWNLET_TEST_IMPORT": imported,
        "TOWNLET_TEST_SIGNAL": str(int(signum)),
    }  # fmt: skip
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (FAILED, "", said)
