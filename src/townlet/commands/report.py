"""`townlet report`: what a run came to, as a page that opens from the disk."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from townlet.config import load_task
from townlet.run.report.run_page import write_report
from townlet.run.run_directory import CONFIG_NAME, REPORT_NAME, RunError, resolve_run
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, tells_errors


@tells_errors("townlet report", RunError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet report", description="Write what a run came to as a page, one file without network.")
    parser.add_argument("run", type=named, metavar="RUN", help="a run's folder or name, or latest")
    parser.add_argument(
        "--out", type=named_path, metavar="FILE", help=f"write it there (default: the run's {REPORT_NAME})"
    )
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    run = resolve_run(options.run, options.runs_dir, aside)
    path, task = options.out or run / REPORT_NAME, load_task(run / CONFIG_NAME)
    try:
        write_report(task, run, path)
    except sqlite3.Error as error:
        raise RunError(f"{run / 'metrics.sqlite'}: expected a run's metrics, got {error}") from error
    print(f"written into {path}")
    return DONE
