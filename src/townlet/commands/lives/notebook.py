"""`townlet.show`: a replay in a notebook, as the page that plays it."""

import html
import os
from pathlib import Path

from townlet.commands.lives import replay as command
from townlet.config import ConfigError
from townlet.page.html import to_html
from townlet.page.replay import Replay, read, unpack
from townlet.run.run_directory import REPLAY_SUFFIX, is_exported, write_atomically

HEIGHT = 780  # pixels, in which town, panels and timeline are in sight at once


class Shown:
    """A page in a notebook, where it stands in a cell's last line. `save` writes it as a file for any browser."""

    def __init__(self, replay: Replay, height: int) -> None:
        self.replay, self.height = replay, height

    def __repr__(self) -> str:
        return f"a page of {len(self.replay.lives)} lives in level {self.replay.header.level.id}"

    def _repr_html_(self) -> str:
        page, style = html.escape(self.html()), f"width: 100%; height: {self.height:d}px; border: 0"
        return f'<iframe title="A replay of Townlet" style="{style}" srcdoc="{page}"></iframe>'

    def html(self) -> str:
        """Return the whole page, as `townlet replay RUN --html` writes it."""
        return to_html(self.replay.pack(), command.title_of(self.replay))

    def save(self, path: Path | str) -> Path:
        """Write the page into a file, and return its path. Raises OSError."""
        path = Path(path)
        write_atomically(path, self.html().encode())
        return path


def show(
    what: Replay | os.PathLike[str] | str,
    *,
    agents: int = 16,
    steps: int = 500,
    height: int = HEIGHT,
    runs_dir: Path | str = "runs",
) -> Shown:
    """Return the page of a replay, of a replay's file, or of a run: what `townlet.learn` returned, or its name or path.

    A run is recorded as that command records it, into its folder, if that has not been done for its newest checkpoint;
    an agent that was exported is recorded each time, and its lives are written nowhere. `height` is in pixels. Raises
    ReplayError, RunError, CheckpointError and ConfigError, each a line that says why.
    """
    if isinstance(what, Replay):
        return Shown(what, height)
    if Path(what).suffix == REPLAY_SUFFIX:
        return Shown(read(Path(what)), height)
    for name, count in (("agents", agents), ("steps", steps)):
        if count < 1:  # which a command would end its process for
            raise ConfigError([f"{name}: expected at least 1, got {count}"])
    flags = ["--agents", str(agents), "--steps", str(steps), "--runs-dir", str(runs_dir)]
    options = command.make_parser().parse_args([*flags, "--", os.fspath(what)])
    wanted = command.find(options)
    if is_exported(wanted.run):  # its replay would lie in the working folder, under a name that another may have
        return Shown(unpack(command.record_run(options, wanted)), height)
    if not wanted.path.is_file():
        packed = command.record_run(options, wanted)
        wanted.path.parent.mkdir(exist_ok=True)
        write_atomically(wanted.path, packed)
    return Shown(read(wanted.path), height)
