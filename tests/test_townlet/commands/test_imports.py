"""What the words that answer at once import: counted, since seconds differ from machine to machine."""

import os
import subprocess
import sys
from pathlib import Path

import townlet
from support.reports import write_run

SCRIPT = """
import sys
from contextlib import suppress
from townlet.commands.cli import main
for words in sys.argv[1:]:
    with suppress(SystemExit):
        main(words.split())
print(*sorted(sys.modules))
"""
WORDS = ["--help", "--version", "trian", "bench", "bench env?"]
TAKE_LONG = {"torch", "matplotlib", "gymnasium", "numpy", "sqlite3", "safetensors"}
OF_THESE = {
    "", ".cli", ".completion", ".completion.command", ".levels", ".levels.command", ".levels.table", ".levels.validate",
}  # fmt: skip


def imported_by(folder: Path, *lines: str) -> set[str]:
    """What a process has imported in which these command lines were run one after the other."""
    (folder / "townlet").write_text(SCRIPT)  # by its name a command
    environment = {**os.environ, "PYTHONPATH": str(Path(townlet.__file__).parents[1])}
    command = [sys.executable, str(folder / "townlet"), *lines]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_the_version_and_wrong_words_import_hardly_anything(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, *WORDS)
    assert imported & (TAKE_LONG | {"pydantic", "rich", "yaml"}) == set()
    assert {name for name in imported if name.startswith("townlet.bench.")} == {"townlet.bench.__main__"}


def test_levels_are_listed_checked_and_completed_without_what_takes_long(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "levels", "validate 0 2", "completion bash")
    assert imported & TAKE_LONG == set()
    commands = {name.removeprefix("townlet.commands") for name in imported if name.startswith("townlet.commands")}
    assert commands == OF_THESE and not {"townlet.train", "townlet.evaluate"} & imported


def test_a_training_in_the_town_is_planned_and_refused_without_what_trains_and_draws(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "train --dry-run", "train --levle 2", "train --dry-run --set gamma=1")
    assert imported & (TAKE_LONG | {"rich", "townlet.run.training", "townlet.environment.vectorized_env"}) == set()


def test_runs_are_listed_by_what_reads_their_metrics_alone(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "room", "one")
    imported = imported_by(tmp_path, "runs")
    assert imported & TAKE_LONG == {"sqlite3"} and "townlet.run.training_run" not in imported


def test_who_watches_imports_nothing_that_only_the_training_and_the_recorder_need(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "watch nobody --no-open")
    assert "townlet.watch.server" in imported and not {"torch", "numpy", "matplotlib", "gymnasium"} & imported
