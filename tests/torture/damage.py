"""Files of a finished run cut, flipped, emptied, swapped or gone: nothing damaged is loaded, and a line says so."""

import os
import random
import shutil
from pathlib import Path

from torture.child import Broken, run
from torture.runs import REPEATABLE, Reference, compare, end, has_run, outcome, resume_words, root_of

BY_PEOPLE = ("config.yaml", "meta.json", "ladder.json")  # may be edited: what a digit meant, nobody can know


def damage(rng: random.Random, folder: Path, reference: Reference) -> str:
    """Damage one to three files, go on for longer, and evaluate."""
    kind = rng.choice(REPEATABLE)
    reference.of(kind)
    runs = folder / "runs"
    shutil.copytree(reference.path(kind), runs)
    done, edited = [], False
    for _ in range(rng.choice((1, 1, 2, 3))):
        files = sorted(path for path in runs.rglob("*") if path.is_file() and not path.is_symlink())
        victim = rng.choice(files)
        how = rng.choice((_cut, _flip, _empty, _fill, _remove, _become_a_folder, _become_a_link))
        how(victim, rng)
        edited |= victim.name in BY_PEOPLE
        done.append(f"{victim.relative_to(runs)} {how.__name__.strip('_')}")
    what = f"{kind}: {', '.join(done)}"
    if not has_run(runs):
        return what
    code, said = run(resume_words(kind, runs), folder / "out")
    if code not in (0, 1, 2):
        raise Broken(f"{what}: expected exit code 0, 1 or 2, got {code}:\n{said[-2000:]}")
    expected, got = reference.of(kind)[1], end(runs) if code == 0 else None
    if got is not None and not edited and got != expected[:2]:
        raise Broken(f"{what}: expected {expected[:2]}, got {got}")
    if kind != "ladder":
        code, said = run(["evaluate", str(root_of(runs)), "--episodes", "4", "--device", "cpu"], folder / "evaluated")
        if code not in (0, 1, 2) or (code and not said.strip()):
            raise Broken(f"{what}, evaluated: expected exit code 0, or a line, got {code}:\n{said[-2000:]}")
    return what


def swap(rng: random.Random, folder: Path, reference: Reference) -> str:
    """Put a checkpoint of another run, seed or level in the place of a run's newest: it is not gone on from."""
    mine, other = rng.sample([kind for kind in REPEATABLE if kind != "ladder"], 2)
    for kind in (mine, other):
        reference.of(kind)
    runs = folder / "runs"
    shutil.copytree(reference.path(mine), runs)
    checkpoints = root_of(runs) / "checkpoints"
    theirs = rng.choice(sorted((root_of(reference.path(other)) / "checkpoints").glob("step_*")))
    newest = max(checkpoints.glob("step_*"))
    name = rng.choice((newest.name, "step_000001608", theirs.name))
    shutil.rmtree(checkpoints / name, ignore_errors=True)
    shutil.copytree(theirs, checkpoints / name)
    code, _ = run(resume_words(mine, runs), folder / "out")
    what = f"{mine} with {theirs.name} of {other} as {name}"
    if code == 0:
        if name > newest.name:
            shutil.rmtree(checkpoints / name)  # left as it was found; the run's own are before it
        compare(reference.of(mine)[1], outcome(runs), what)
    return what


def _cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randint(0, max(0, path.stat().st_size - 1)))


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 8))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _fill(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.choice((b"\0" * 4096, b"{}", b"null", b"[1e999]", b"\xff\xfe", rng.randbytes(300))))


def _remove(path: Path, rng: random.Random) -> None:
    path.unlink()


def _become_a_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _become_a_link(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(rng.choice(("/dev/null", "/no/such/file", path.name, "/etc/passwd")))
