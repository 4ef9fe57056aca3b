"""`townlet report`: what a run came to, as a page that opens from the disk."""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from townlet.config import ConfigError, load_task
from townlet.run.report.run_page import write_report
from townlet.run.run_directory import CONFIG_NAME, REPORT_NAME, RunError, resolve_run
from townlet.screen.command_line import DONE, FAILED, WRONG_USE, Parser, aside, cannot_write, named, named_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet report", description="Write what a run came to as a page, one file without network.")
    parser.add_argument("run", type=named, metavar="RUN", help="a run's folder or name, or latest")
    parser.add_argument(
        "--out", type=named_path, metavar="FILE", help=f"write it there (default: the run's {REPORT_NAME})"
    )
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    try:
        run = resolve_run(options.run, options.runs_dir, aside)
        path = options.out or run / REPORT_NAME
        write_report(load_task(run / CONFIG_NAME), run, path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except RunError as error:
        print(f"townlet report: {error}", file=sys.stderr)
        return FAILED
    except sqlite3.Error as error:
        print(f"townlet report: {run / 'metrics.sqlite'}: expected a run's metrics, got {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        return cannot_write("townlet report", error)
    print(f"written into {path}")
    return DONE
