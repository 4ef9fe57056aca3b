"""`townlet levels` and what else reads all shipped levels, beside one that cannot be used."""

from pathlib import Path

import pytest

from support.rooms import room, write_level
from townlet.commands import cli
from townlet.commands.transfer import shipped_worlds
from townlet.level import file as level_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the shipped levels, with one that is right, one that is no YAML, and one of a wrong meaning."""
    monkeypatch.setattr(level_file, "configs_directory", lambda: tmp_path)
    folder = tmp_path / "levels"
    folder.mkdir()
    write_level(folder, room())
    (folder / "torn.yaml").write_text("id: torn\nmeters: {breath: {\n")
    write_level(folder, room(id="walled", max_steps=0))
    return folder


def test_levels_lists_those_that_can_be_used_and_names_the_others(levels: Path, capsys: Capture) -> None:
    assert cli.main(["levels"]) == 2
    said = capsys.readouterr()
    assert "A row of three cells." in said.out and "walled" not in said.out
    torn, walled = said.err.splitlines()
    assert torn.startswith(f"{levels / 'torn.yaml'}:3: expected valid YAML, got an error, ")
    assert walled.startswith(f"{levels / 'walled.yaml'}:1: max_steps: expected an integer, at least 1, ")


def test_a_level_beside_broken_ones_is_drawn_and_validated(levels: Path, capsys: Capture) -> None:
    assert cli.main(["levels", "room"]) == 0 and cli.main(["validate", "room"]) == 0
    assert capsys.readouterr().err == ""


def test_agents_are_played_in_the_worlds_that_can_be_used(levels: Path, capsys: Capture) -> None:
    assert shipped_worlds() == ["room"]
    assert capsys.readouterr().err.count("\n") == 1
