"""Processes that work for this one: what they begin with, and that they end with what they are there for."""

import os
import signal
import sys

import pytest

from townlet.children import child

SAYS = """
import os, sys
print(sys.argv[1:], os.environ["OMP_NUM_THREADS"], os.getpgrp() == os.getpid(), flush=True)
print("beside", file=sys.stderr, flush=True)
"""
LISTENS = f"{SAYS}\nsys.stdin.read()"
STAYS = f"{SAYS}\nimport time; time.sleep(1000)"


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begins a process that runs a program, with what it says beside in a file."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    begun = []

    def one(program):
        (tmp_path / f"working_{len(begun)}.py").write_text(program)
        with open(tmp_path / "said", "ab") as said:
            begun.append(child.begin(f"working_{len(begun)}", "a", "b c", said=said, threads=3, text=True))
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")
def test_it_gets_its_words_and_threads_and_is_out_of_reach_of_ctrl_c(begin, tmp_path):
    process = begin(LISTENS)
    assert process.stdout.readline() == "['a', 'b c'] 3 True\n"
    child.end([process], 60.0)
    assert process.returncode == 0 and (tmp_path / "said").read_text() == "beside\n"


def test_one_that_stays_is_killed(begin):
    stays = begin(STAYS)
    stays.stdout.readline()
    child.end([stays], 0.1)
    assert stays.returncode == -signal.SIGKILL


def test_one_that_ended_by_itself_is_no_trouble(begin):
    process = begin(SAYS)
    process.wait(60.0)
    process.stdin.write("nobody reads this")
    child.end([process], 60.0)
    assert process.returncode == 0
