"""What a watcher takes of the machine beside a training: python tests/watch_cost.py [SECONDS] [LEVEL].

A training is begun with --watch, and a page is opened that stays, as a browser's would. After so many seconds of wall
clock the processor's seconds of both are read, from the start of each process on, imports included.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path


def seconds_of(process: int) -> float:
    """Return the processor's seconds that a process, and what it started, has taken so far, where Linux tells them."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return 0.0
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # of itself, and of children that have ended
    return own + sum(map(seconds_of, children_of(process)))


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started and that are still there."""
    found = [task.read_text().split() for task in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(child) for children in found for child in children]


def watches(process: int) -> bool:
    """Return whether a process is a watcher, by its command line."""
    return b"townlet.watch" in Path(f"/proc/{process}/cmdline").read_bytes()


def listen(address: str) -> None:
    """Take all news, as a page does."""
    with urllib.request.urlopen(f"{address}events") as news:
        while news.readline():
            pass


def main() -> None:
    """Train, watch, wait, and tell."""
    seconds, level = float((sys.argv[1:] or ["180"])[0]), (sys.argv[2:] or ["2"])[0]
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "townlet.train", "--level", level, "--plain", "--device", "cpu", "--watch"]
        where = {**os.environ, "TMPDIR": runs}
        training = subprocess.Popen([*command, "--runs-dir", runs], stdout=subprocess.PIPE, text=True, env=where)
        try:
            watch(training, seconds, Path(runs))
        finally:
            training.send_signal(signal.SIGINT)
            training.wait()


def watch(training: "subprocess.Popen[str]", seconds: float, where: Path) -> None:
    """Open a page, wait until so many seconds have passed since now, and tell what was taken."""
    assert training.stdout is not None
    end = time.monotonic() + seconds
    told = next(line for line in training.stdout if line.startswith("watch it at "))
    threading.Thread(target=listen, args=(told.split()[-1],), daemon=True).start()
    threading.Thread(target=training.stdout.read, daemon=True).start()
    time.sleep(max(end - time.monotonic(), 0.0))
    taken = sum(map(seconds_of, filter(watches, children_of(training.pid))))
    trained, cores = seconds_of(training.pid) - taken, len(os.sched_getaffinity(0))
    recorded = len(list(where.glob("townlet-*/*.replay")))
    print(f"{seconds:.0f} s on {cores} cores, of the processor: training {trained:.1f} s, watcher {taken:.1f} s,")
    print(f"{taken / trained:.2%} of the training, {taken / (seconds * cores):.2%} of all; agents recorded: {recorded}")


if __name__ == "__main__":
    main()
