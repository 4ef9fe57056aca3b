"""A release: wheel and source distribution, looked into, and a training from the wheel alone: `make release`.

What lies in `dist` afterwards can be uploaded. The training runs in an environment of its own, far from the repository.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from email import message_from_bytes
from pathlib import Path

from house import ROOT, SOURCE

DIST = ROOT / "dist"
INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
MOST_MEGABYTES = {".whl": 1.0, ".gz": 2.0}
LEFT_BEHIND = re.compile(r"__pycache__|\.pyc$|\.png$|\.gif$|(^|/)(runs|dist|build|\.venv|\.[a-z]+_cache)/")
BESIDE = re.compile(r"\]\((?!https?:)[^)]*\)")  # a link in Markdown to what lies beside it
TINY = ["--num-agents", "32", "--total-steps", "4096", "--set", "evaluation.episodes=16", "--plain"]


class ReleaseError(Exception):
    """A release is not what it should be; one line."""


def expected_in_wheel(version: str) -> set[str]:
    """Every file of the package, the levels within it, and what says what it is: nothing else."""
    package = {f"townlet/{path.relative_to(SOURCE).as_posix()}" for path in files_below(SOURCE)}
    levels = {f"townlet/{path.relative_to(ROOT).as_posix()}" for path in files_below(ROOT / "configs")}
    return package | levels | {f"townlet-{version}.dist-info/{name}" for name in INFO}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not LEFT_BEHIND.search(path.as_posix())]


def look_into_wheel(names: Iterable[str], version: str) -> list[str]:
    """Return what a wheel has too much, and what it lacks, in words."""
    there, expected = set(names), expected_in_wheel(version)
    return [
        *(f"wheel: expected no {name}" for name in sorted(there - expected)),
        *(f"wheel: expected {name}, got none" for name in sorted(expected - there)),
    ]


def look_into_sdist(names: Iterable[str]) -> list[str]:
    """Return what a source distribution has too much, in words."""
    return [f"sdist: expected no {name}" for name in names if LEFT_BEHIND.search(name)]


def look_at_metadata(text: bytes) -> list[str]:
    """Return what the page of a package would show wrong: links to what does not lie there."""
    description = message_from_bytes(text).get_payload(decode=True)
    assert isinstance(description, bytes)
    links = BESIDE.findall(description.decode())
    return [f"description: expected no link into the source, got {link[1:]}" for link in links]


def look_at_size(path: Path) -> list[str]:
    most, size = MOST_MEGABYTES[path.suffix], path.stat().st_size / 1e6
    print(f"{path.relative_to(ROOT)}: {size:.2f} MB")
    return [f"{path.name}: expected at most {most} MB, got {size:.1f}"] if size > most else []


def run(command: Sequence[str | Path], folder: Path = ROOT) -> str:
    """Run a command, show it and what it says, and return that. Raises ReleaseError where it fails."""
    print("$", *command, flush=True)
    done = subprocess.run([*map(str, command)], cwd=folder, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise ReleaseError(f"expected {command[0]} to succeed, got exit code {done.returncode}")
    return done.stdout


def build() -> tuple[Path, Path]:
    """Build both, and return where they lie."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([sys.executable, "-m", "build", "--outdir", DIST, ROOT])
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])
    return wheel, sdist


def look_into(wheel: Path, sdist: Path) -> None:
    """Look at what was built. Raises ReleaseError with a line for each thing that is wrong."""
    version = wheel.name.split("-")[1]
    with zipfile.ZipFile(wheel) as packed:
        wrong = look_into_wheel(packed.namelist(), version)
        wrong += look_at_metadata(packed.read(f"townlet-{version}.dist-info/METADATA"))
    with tarfile.open(sdist) as packed:
        wrong += look_into_sdist(packed.getnames())
    wrong += [*look_at_size(wheel), *look_at_size(sdist)]
    if wrong:
        raise ReleaseError("\n".join(wrong))


def train_from(wheel: Path) -> None:
    """Train, and show a life, by what the wheel alone brings."""
    with tempfile.TemporaryDirectory() as folder:
        far, programs = Path(folder), Path(folder) / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run([sys.executable, "-m", "venv", far / "venv"])
        install = [programs / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        run([*install, "-c", ROOT / "constraints.txt", wheel])
        townlet = programs / "townlet"
        said = run([townlet, "--version"], far)
        if said.split() != ["townlet", wheel.name.split("-")[1]]:
            raise ReleaseError(f"expected the version of {wheel.name}, got {said.strip()}")
        run([townlet, "levels"], far)
        run([townlet, "train", "--level", "2", *TINY], far)
        run([townlet, "replay", "latest", "--agents", "2", "--html", "page.html"], far)
        if "<title>Townlet: level 2" not in (far / "page.html").read_text(encoding="utf-8"):
            raise ReleaseError("expected a page of Level 2 in page.html, got another")


def main() -> int:
    try:
        wheel, sdist = build()
        look_into(wheel, sdist)
        train_from(wheel)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"A release lies in {DIST}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
