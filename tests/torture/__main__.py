"""`make torture`: the campaign, for an hour or for as many minutes as it is given."""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

from rich.console import Console
from rich.table import Table

from torture.child import Broken
from torture.damage import damage, swap
from torture.disks import full_disk, short_files, terminal
from torture.kills import kill, signals
from torture.runs import Reference
from torture.strangers import strangers
from torture.texts import levels

Trial = Callable[[random.Random, Path, Reference], str]

TRIALS: dict[str, tuple[Trial, int, str]] = {  # by name: what it does, how often it comes, in words
    "kill": (kill, 4, "SIGKILL at any moment, also inside of a save, once to three times"),
    "signals": (signals, 3, "SIGINT, SIGTERM or SIGHUP at any moment, once or twice"),
    "damage": (damage, 3, "files of a run cut, flipped, emptied, filled, removed, made a folder or a link"),
    "swap": (swap, 1, "a checkpoint of another run in the place of a run's own"),
    "short-files": (short_files, 1, "files that may not grow past some size"),
    "full-disk": (full_disk, 1, "a disk of 16 KiB to 2 MiB"),
    "terminal": (terminal, 2, "a terminal that closes, a full device, a broken pipe"),
    "levels": (levels, 2, "a hundred level files changed at random"),
    "strangers": (strangers, 3, "an environment with one fault, at once or late"),
}
ROOT = Path(__file__).parents[2]
PAGE, BEGIN, END = ROOT / "docs" / "reliability.md", "<!-- last run -->\n", "<!-- end of last run -->\n"


@dataclass
class Count:
    """What became of one kind of trial."""

    tried: int = 0
    slowest: float = 0.0
    broken: list[tuple[int, str]] = field(default_factory=list)  # seed, and what did not hold


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; returns 0 if all promises held, 1 if not, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="torture", description="Try to break trainings, and count what held.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--only", choices=TRIALS, action="append", help="this kind alone; may be given several times")
    parser.add_argument("--seed", type=int, help="one trial of --only, with this seed")
    parser.add_argument("--first-seed", type=int, help="that of the first of many trials (default: from the clock)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: a core each)")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    if options.seed is not None and len(options.only or []) != 1:
        parser.error("--seed: expected one kind beside it, as --only kill --seed 7")
    console = Console(highlight=False)
    names = options.only or list(TRIALS)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        counts = _campaign(names, options, Path(folder), console)
    table = _table(counts)
    console.print(table)
    broken = [(name, seed, said) for name, count in counts.items() for seed, said in count.broken]
    for trial in broken:  # once more, at the end: of long output people keep the last lines
        _say_broken(console, *trial)
    if options.write and not broken:
        _write(counts, (time.monotonic() - began) / 60.0)
    return 1 if broken else 0


def _campaign(names: Sequence[str], options: argparse.Namespace, folder: Path, console: Console) -> dict[str, Count]:
    reference = Reference(folder / "reference")
    reference.folder.mkdir()
    counts = {name: Count() for name in names}
    until = time.monotonic() + 60.0 * options.minutes
    bag = [name for name in names for _ in range(TRIALS[name][1])]
    seeds = (options.seed, options.first_seed, int(time.time()) * 1000)
    first = next(seed for seed in seeds if seed is not None)
    lock = threading.Lock()

    def one(name: str, seed: int) -> None:
        began, place = time.monotonic(), folder / f"{name}-{seed}"
        place.mkdir()
        try:
            said, style = TRIALS[name][0](random.Random(seed), place, reference), "green"
        except Broken as error:
            said, style = str(error), "red"
        except Exception:  # a trial that cannot be tried is no promise held
            said, style = traceback.format_exc(), "red"
        seconds = time.monotonic() - began
        shutil.rmtree(place, ignore_errors=True)
        with lock:
            counts[name].tried += 1
            counts[name].slowest = max(counts[name].slowest, seconds)
            if style == "red":
                counts[name].broken.append((seed, said))
                _say_broken(console, name, seed, said)
            else:
                console.print(f"held      --only {name} --seed {seed}  {seconds:5.1f} s  {said}", markup=False)

    with ThreadPoolExecutor(options.jobs) as pool:
        running: set[Future[None]] = set()
        number = 0
        while time.monotonic() < until and (options.seed is None or number == 0):
            while len(running) < options.jobs and (options.seed is None or number == 0):
                order = random.Random(first + number // len(bag)).sample(bag, len(bag))
                running.add(pool.submit(one, order[number % len(bag)], first + number))
                number += 1
            _, running = wait(running, return_when=FIRST_COMPLETED)
        wait(running)
    return counts


def _say_broken(console: Console, name: str, seed: int, said: str) -> None:
    console.print(f"broken    --only {name} --seed {seed}\n{said}", style="red", markup=False)


def _table(counts: dict[str, Count]) -> Table:
    table = Table("trial", "tried", "held", "slowest", "what", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, count in counts.items():
        held = count.tried - len(count.broken)
        style = "red" if count.broken else ""
        table.add_row(name, str(count.tried), str(held), f"{count.slowest:.0f} s", TRIALS[name][2], style=style)
    return table


def _write(counts: dict[str, Count], minutes: float) -> None:
    """Write the table into the page, between its marks."""
    rows = "".join(
        f"| `{name}` | {TRIALS[name][2]} | {count.tried:,} | {count.tried - len(count.broken):,} |\n"
        for name, count in counts.items()
    )
    total = sum(count.tried for count in counts.values())
    head = "| trial | what | tried | held |\n|---|---|---|---|\n"
    text = f"{date.today():%Y-%m-%d}, {minutes:.0f} minutes, {total:,} trials:\n\n{head}{rows}"
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
