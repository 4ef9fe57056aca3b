"""Environments that raise, hang, exit, lie about shapes or return NaN: a line that names them, and what was learned."""

import random
import signal
from pathlib import Path

from torture.child import Broken, Child, refuse_traceback
from torture.runs import ALWAYS, FEW, PACE, Reference
from torture.stranger import FAULTS

NAME = "torture.stranger:TortureStranger-v0"
LATE = 300  # steps, by when something was learned


def strangers(rng: random.Random, folder: Path, reference: Reference) -> str:
    """One fault, at the reset, at once, within the first episode or late."""
    fault, at = rng.choice(FAULTS), rng.choice((0, 1, 3, LATE, LATE + rng.randrange(400)))
    if at == 0 and not fault.startswith(("sight", "mask", "info")):
        at = 1  # a reset has nothing else to get wrong
    options = ("--set", f"gym_options.fault={fault}", "--set", f"gym_options.at={at}", "--set", "training.seq_len=4")
    command = ["train", "--gym", NAME, *FEW, *options, *PACE, *ALWAYS, "--runs-dir", str(folder / "runs")]
    child = Child(command, folder / "out")
    if fault == "hang":
        _stop(child, rng)
    code, said = child.wait(), child.said()
    refuse_traceback(child, said)
    what = f"{fault} at step {at}"
    saved = list((folder / "runs").rglob("manifest.json"))
    if fault == "hang":
        return what
    if code not in (1, 2):
        raise Broken(f"{what}: expected exit code 1 or 2, got {code}:\n{said[-2000:]}")
    if "TortureStranger" not in said:
        raise Broken(f"{what}: expected a line that names the environment, got:\n{said[-2000:]}")
    if at >= LATE and not saved:
        raise Broken(f"{what}: expected what was learned to be saved, got no checkpoint:\n{said[-2000:]}")
    if at < 4 and list((folder / "runs").glob("*/*")):
        raise Broken(f"{what}: expected no run folder for an environment that is wrong at once, got one")
    return what


def _stop(child: Child, rng: random.Random) -> None:
    """A hanging step hears no first signal, and the second ends it at once."""
    if child.wait_for(rng.uniform(2.0, 6.0)):
        child.send(signal.SIGTERM)
        if child.wait_for(2.0):
            child.send(signal.SIGTERM)
    child.wait(20.0)
