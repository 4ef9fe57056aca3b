"""`townlet export`: a trained agent as one folder to hand on."""

from collections.abc import Sequence
from pathlib import Path

from townlet.config import ConfigError
from townlet.environment.types import WorldError
from townlet.evaluate import REFERENCE
from townlet.policy.exporting import export
from townlet.policy.graphs import GraphError, write_onnx, write_program
from townlet.policy.loading import Source, find_policy
from townlet.run.run_directory import RunError, is_exported
from townlet.run.saving.checkpoint import CheckpointError
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, positive, tells_errors
from townlet.screen.device import device_named

GRAPHS = {"onnx": write_onnx, "program": write_program}  # by their flags
EXPORTS = "exports"  # the folder of a run in which they lie where no other is asked for


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="townlet export",
        description="Write a trained agent into one folder to hand on: weights, level, versions, figures, a card.",
    )
    parser.add_argument("run", type=named, metavar="RUN", help=REFERENCE)
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument("--out", type=named_path, metavar="DIR", help="the folder (default: the run's exports)")
    parser.add_argument("--episodes", type=positive, default=512, help="that its figures are of (default: 512)")
    parser.add_argument(
        "--onnx", action="store_true", help="one step of the network as an ONNX graph too (pip install 'townlet[onnx]')"
    )
    parser.add_argument("--program", action="store_true", help="and as a program of torch.export, for PyTorch alone")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors("townlet export", RunError, CheckpointError, WorldError, GraphError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    source = find_policy(options.run, options.checkpoint, options.device, options.runs_dir, aside)
    folder = options.out or _folder_of(source)
    graphs = [write for name, write in GRAPHS.items() if getattr(options, name)]
    figures = export(source, options.episodes, folder, graphs)
    size = sum(path.stat().st_size for path in folder.iterdir())
    task = source.policy.task
    told = f"{size / 1000:,.0f} KB, level {task.id}, {source.found.path.name}"
    print(f"{folder}: {told}, {task.score.word} {task.score.tell(figures.result)}")
    return DONE


def _folder_of(source: Source) -> Path:
    """Where an export of a run lies by itself. Raises ConfigError where it would replace what it is made of."""
    if is_exported(source.run):
        raise ConfigError(["--out: expected a folder to write into beside an exported policy, got none"])
    return source.run / EXPORTS / source.found.path.name
