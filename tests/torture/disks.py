"""Disks that are full, files that may not grow, terminals that close: a run goes on or ends with a line, and whole."""

import os
import pty
import random
import resource
import signal
import subprocess
from pathlib import Path

from torture.child import Broken, Child, refuse_traceback, run
from torture.runs import REPEATABLE, Reference, compare, end, has_run, outcome, resume_words, words


def short_files(rng: random.Random, folder: Path, reference: Reference) -> str:
    """No file may grow past some size."""
    kind, limit = rng.choice(REPEATABLE), int(2 ** rng.uniform(6.0, 19.0))
    return _cramped(kind, folder, folder, f"files of {limit} bytes", reference, (_limit_files, limit))


def full_disk(rng: random.Random, folder: Path, reference: Reference) -> str:
    """A small file system of its own, where the machine lets us make one; else as `short_files`."""
    kind, size = rng.choice(REPEATABLE), int(2 ** rng.uniform(4.0, 11.0))
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        return short_files(rng, folder, reference)
    try:
        return _cramped(kind, folder, disk, f"a disk of {size} KiB", reference)
    finally:
        subprocess.run(["umount", "-l", str(disk)], capture_output=True)


def _cramped(
    kind: str, folder: Path, runs: Path, where: str, reference: Reference, *prepare: tuple[object, object]
) -> str:
    child = Child(words(kind, runs), folder / "out.log", *prepare)  # type: ignore[arg-type]
    code = child.wait()
    said = child.said()
    refuse_traceback(child, said)
    if code not in (0, 1):
        raise Broken(f"{kind}, {where}: expected exit code 0 or 1, got {code}:\n{said[-2000:]}")
    if code == 1 and not said.strip() and "files" not in where:
        raise Broken(f"{kind}, {where}: expected a line that says what failed, got none")
    if runs == folder and has_run(runs):
        code, said = run(resume_words(kind, runs), folder / "end.log")
        if code == 0 and end(runs) != reference.of(kind)[1][:2]:
            raise Broken(f"{kind}, {where}: expected the weights of a run that had room, got {end(runs)}")
        if code not in (0, 1, 2):
            raise Broken(f"{kind}, {where}, gone on from: expected exit code 0, 1 or 2, got {code}:\n{said[-2000:]}")
    return f"{kind}, {where}"


def terminal(rng: random.Random, folder: Path, reference: Reference) -> str:
    """A terminal that closes, a full device or a broken pipe for the output: the run says nothing more, and ends."""
    kind = rng.choice(REPEATABLE)
    seconds, expected = reference.of(kind)
    if rng.random() < 0.5:
        target = rng.choice(("/dev/full", "closed pipe", "closed"))
        child = Child(words(kind, folder), folder / "out", (_print_into, target))
        code = child.wait()
        what = f"{kind}, output into {target}"
    else:
        master, slave = pty.openpty()
        ignored, plain = rng.random() < 0.6, rng.random() < 0.5
        command = [word for word in words(kind, folder) if plain or word != "--plain"]
        child = Child(command, folder / "out", (_take_terminal, (os.ttyname(slave), ignored)))
        child.wait_for(rng.uniform(0.0, seconds))
        os.close(slave)
        os.close(master)
        code = child.wait()
        what = f"{kind}, a terminal that closes, SIGHUP {'ignored' if ignored else 'heard'}"
        if not ignored and has_run(folder):
            code, _ = run(resume_words(kind, folder), folder / "end")
        elif not ignored:
            return what
    if code not in (0, 1):
        raise Broken(f"{what}: expected exit code 0 or 1, got {code}")
    compare(expected, outcome(folder), what)
    return what


def _limit_files(size: object) -> None:
    assert isinstance(size, int)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _print_into(target: object) -> None:
    if target == "closed":
        for stream in (1, 2):
            os.close(stream)
        return
    if target == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(str(target), os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(writing, stream)


def _take_terminal(choice: object) -> None:
    assert isinstance(choice, tuple)
    name, ignored = choice
    os.setsid()
    terminal = os.open(name, os.O_RDWR)  # the first that a session opens is its own
    for stream in (0, 1, 2):
        os.dup2(terminal, stream)
    if ignored:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
