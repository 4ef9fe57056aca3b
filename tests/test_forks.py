"""A process is asked by one thread at a time how it is."""

import multiprocessing
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forks
import pytest

TESTS = Path(__file__).parent


class Process:
    """Stands for any process; notes how many threads ask at once, whichever of them they ask."""

    asking, most, lock = 0, 0, threading.Lock()

    def __init__(self) -> None:
        self.sentinel, writes = os.pipe()
        os.close(writes)  # it has ended

    def is_alive(self) -> bool:
        with self.lock:
            Process.asking += 1
            Process.most = max(Process.most, Process.asking)
        time.sleep(0.01)
        with self.lock:
            Process.asking -= 1
        return False

    start = is_alive


def test_no_two_threads_ask_at_once_whether_a_process_runs() -> None:
    processes = [Process() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(forks.start, processes))
        assert not any(pool.map(forks.still_runs, processes))
    for process in processes:
        os.close(process.sentinel)
    assert Process.most == 1


def test_who_is_killed_is_gone_and_known_to_be() -> None:
    process = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,))
    forks.start(process)
    assert forks.still_runs(process)
    forks.kill(process)
    assert not forks.still_runs(process) and process.exitcode == -9


@pytest.mark.parametrize("path", [*TESTS.glob("torture/*.py"), TESTS / "mutants.py"], ids=lambda path: path.name)
def test_programs_of_threads_ask_after_their_processes_here_alone(path: Path) -> None:
    assert re.findall(r"process\.(?:start|is_alive|join|kill)\(", path.read_text()) == []
