"""`townlet video`: a life as a film, with what the network thinks of each action drawn in."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from townlet.commands.lives import replay
from townlet.config import ConfigError
from townlet.environment.types import WorldError
from townlet.page.encoding import KINDS, FilmError, write_film
from townlet.page.film import film
from townlet.page.replay import Replay, ReplayError, read, unpack
from townlet.run.run_directory import REPLAY_SUFFIX, RunError
from townlet.run.saving.checkpoint import CheckpointError
from townlet.screen.command_line import DONE, Parser, named, named_path, positive, tells_errors, whole


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet video", description="Draw a life as a film, MP4 or GIF.")
    parser.add_argument(
        "source",
        type=named,
        metavar="RUN",
        help=f"a run's folder or name, latest, a checkpoint, or a {REPLAY_SUFFIX} file",
    )
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument("--life", type=whole, default=0, help="which of the lives, from 0 on (default: 0)")
    parser.add_argument("--first", type=whole, default=0, help="the first step that is shown (default: 0)")
    parser.add_argument("--last", type=whole, help="the last step that is shown (default: the end of the life)")
    parser.add_argument("--fps", type=positive, default=8, help="steps a second (default: 8)")
    parser.add_argument(
        "--out", type=named_path, metavar="FILE", help=f"a name in {' or '.join(KINDS)} (default: in the run's replays)"
    )
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors("townlet video", RunError, CheckpointError, WorldError, ReplayError, FilmError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.life < 0:
        parser.error(f"argument --life: expected 0 or more, got {options.life}")
    if options.out is not None and options.out.suffix.lower() not in KINDS:
        parser.error(f"argument --out: expected a name that ends in {' or '.join(KINDS)}, got {options.out}")
    recorded, path = _recorded(options)
    first, last = _frames(options, recorded)
    path = options.out or path
    if options.out is None:
        path.parent.mkdir(exist_ok=True)
    screen = Console(stderr=True)
    drawn = track(
        film(recorded, options.life, first, last),
        f"drawing {last - first + 1} pictures",
        total=last - first + 1,
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    write_film(path, drawn, options.fps)
    print(f"{path}: {path.stat().st_size / 1000:,.0f} KB, {last - first + 1} pictures, {options.fps} a second")
    return DONE


def _recorded(options: Namespace) -> tuple[Replay, Path]:
    """The replay that is drawn, a file or a recording that is made now, and where its film lies by itself."""
    name = f"_life-{options.life}{KINDS[0]}"
    file = Path(options.source)
    if file.is_file():
        if options.checkpoint is not None:
            raise ConfigError([f"--checkpoint: expected none beside a replay's file, got {options.checkpoint}"])
        return read(file), file.with_name(file.stem + name)
    words = [options.source, "--agents", str(options.life + 1), "--runs-dir", str(options.runs_dir), "--no-weights"]
    words += ["--checkpoint", options.checkpoint] if options.checkpoint is not None else []
    asked = replay.make_parser().parse_args(words)
    wanted = replay.find(asked)
    path = wanted.path.with_name(wanted.checkpoint.path.name + name)
    return unpack(replay.record_run(asked, wanted, planner=False)), path


def _frames(options: Namespace, recorded: Replay) -> tuple[int, int]:
    """The first and the last frame that are drawn. Raises ConfigError for what is not in the replay."""
    if options.life >= len(recorded.lives):
        raise ConfigError([f"--life: expected 0 to {len(recorded.lives) - 1}, got {options.life}"])
    length = recorded.lives[options.life].length
    last = length if options.last is None else min(options.last, length)
    if not 0 <= options.first <= last:
        got = f"{options.first} to {last}"
        raise ConfigError([f"--first, --last: expected steps within 0 to {length}, in order, got {got}"])
    return options.first, last
