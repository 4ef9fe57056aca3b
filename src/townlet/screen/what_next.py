"""What a person can do with a run, as commands to copy."""

import shutil
import sys
from pathlib import Path
from shlex import quote


def say_what_next(path: Path, newest: Path, stopped: bool) -> None:
    """Say where a run, or the newest one of a ladder, lies, and what can be done with it."""
    python = _python()
    print(f"\nThe run lies in {path}")
    if stopped:
        print(stopped_and_saved(path))
        return
    print(f"Look at its report:     {newest / 'report.html'}")
    print(f"Watch what it does:     {python} -m townlet.commands.cli watch {quote(str(newest))}")
    print(f"Evaluate it again:      {python} -m townlet.evaluate {quote(str(newest))} --episodes 512")
    if newest == path:
        print(f"Train it for longer:    {python} -m townlet.train --resume {quote(str(path))} --total-steps N")


def stopped_and_saved(path: Path) -> str:
    """How to go on with a run, or a ladder, that was stopped."""
    return f"It was stopped and saved. Go on with it:  {_python()} -m townlet.train --resume {quote(str(path))}"


def _python() -> str:
    """What starts this Python in a shell: `make train` does not enter the virtual environment that it runs in."""
    here, found = Path(sys.executable), shutil.which("python")
    if found and Path(found).absolute().parent == here.parent:
        return "python"
    return quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))
