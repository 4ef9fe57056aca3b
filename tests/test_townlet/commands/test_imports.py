"""What the words that answer at once import: counted, since seconds differ from machine to machine."""

import os
import subprocess
import sys
from pathlib import Path

import townlet

SCRIPT = """
import sys
from townlet.commands.cli import main
for words in sys.argv[1:]:
    main(words.split())
print(*sorted(sys.modules))
"""
AT_ONCE = ["--help", "--version", "trian", "levels", "validate 0 2", "bench", "bench env?"]
TAKE_LONG = {"torch", "matplotlib", "gymnasium", "numpy", "sqlite3", "safetensors"}
OF_THESE = {"", ".cli", ".levels", ".levels.command", ".levels.table", ".levels.validate"}


def imported_by(folder: Path, *lines: str) -> set[str]:
    """What a process has imported in which these command lines were run one after the other."""
    (folder / "townlet").write_text(SCRIPT)  # by its name a command
    environment = {**os.environ, "PYTHONPATH": str(Path(townlet.__file__).parents[1])}
    command = [sys.executable, str(folder / "townlet"), *lines]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_the_version_lists_checks_and_wrong_words_import_nothing_that_takes_long(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, *AT_ONCE)
    assert imported & TAKE_LONG == set()
    commands = {name.removeprefix("townlet.commands") for name in imported if name.startswith("townlet.commands")}
    assert commands == OF_THESE and not {"townlet.train", "townlet.evaluate"} & imported
    assert {name for name in imported if name.startswith("townlet.bench.")} == {"townlet.bench.__main__"}


def test_a_training_in_the_town_is_planned_without_what_draws_and_what_others_environments_need(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "train --dry-run --level 0 --device cpu")
    assert "torch" in imported and not {"matplotlib", "gymnasium"} & imported


def test_who_watches_imports_nothing_that_only_the_training_and_the_recorder_need(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "watch nobody --no-open")
    assert "townlet.watch.server" in imported and not {"torch", "numpy", "matplotlib", "gymnasium"} & imported
