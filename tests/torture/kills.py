"""Kills and signals at any moment, inside of saves too: what was saved goes on to the same end, bit for bit."""

import random
import shutil
import signal
from pathlib import Path

from torture.child import Broken, Child, refuse_traceback, run
from torture.runs import KINDS, REPEATABLE, Reference, compare, has_run, outcome, resume_words, words

HEARD = 10.0  # seconds for a first signal on a busy machine; the promise on an idle one is two


def kill(rng: random.Random, folder: Path, reference: Reference) -> str:
    """SIGKILL once to three times, at moments drawn over the whole run; then to the end."""
    kind = rng.choice(list(KINDS))
    seconds, _ = reference.of(kind)
    moments = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        child = Child(_next(kind, folder), folder / "out")
        moments.append(rng.uniform(0.0, 1.1 * seconds))
        child.wait_for(moments[-1])
        child.send(signal.SIGKILL)
        child.wait()
        refuse_traceback(child, child.said())
    _to_the_end(kind, folder, reference)
    return f"{kind} after {', '.join(f'{moment:.2f}' for moment in moments)} s"


def signals(rng: random.Random, folder: Path, reference: Reference) -> str:
    """SIGINT, SIGTERM or SIGHUP at a moment, sometimes a second one soon after; then to the end."""
    kind, signum = rng.choice(list(KINDS)), rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    seconds, _ = reference.of(kind)
    moment, twice = rng.uniform(0.0, 1.1 * seconds), rng.random() < 0.3
    child = Child(words(kind, folder), folder / "out")
    child.wait_for(moment)
    child.send(signum)
    if twice and child.wait_for(rng.uniform(0.0, 0.3)):
        child.send(rng.choice((signal.SIGINT, signal.SIGTERM)))
    code = child.wait(HEARD)
    refuse_traceback(child, child.said())
    if code not in (0, 1) and moment > 1.0:  # before that the process may not have come to its own handlers
        raise Broken(f"{child}: expected exit code 0 or 1 after {signum.name}, got {code}:\n{child.said()[-2000:]}")
    _to_the_end(kind, folder, reference)
    return f"{kind}, {signum.name} after {moment:.2f} s" + (", twice" if twice else "")


def _next(kind: str, folder: Path) -> list[str]:
    """The command that begins, or goes on where there is something to go on with."""
    if has_run(folder):
        return resume_words(kind, folder)
    for left in folder.glob("*/run"):  # killed before it had a name of its own
        shutil.rmtree(left)
    return words(kind, folder)


def _to_the_end(kind: str, folder: Path, reference: Reference) -> None:
    """Go on to the end, and see that it is the end of a run that was not interrupted."""
    command = _next(kind, folder)
    code, said = run(command, folder / "end.out")
    if code:
        raise Broken(f"{' '.join(command)}: expected to go on to the end, got exit code {code}:\n{said[-2000:]}")
    if kind in REPEATABLE:
        compare(reference.of(kind)[1], outcome(folder), kind)
