"""The guide from an empty file to a trained agent: its files are right, and its commands run in their order."""

import re
import shlex
from pathlib import Path

import pytest

from support.schema_walk import mistakes
from townlet import evaluate, train
from townlet.commands import cli
from townlet.config import load_level
from townlet.level.schema import level_schema
from townlet.level.yaml_tree import Place, YamlReader, plain

GUIDE = (Path(__file__).parents[2] / "docs" / "your_own_world.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
FILES = {block.split(":")[0].removeprefix("# "): block for language, block in BLOCKS if language == "yaml"}
SMALL = ["--total-steps", "4096", "--num-agents", "64", "--device", "cpu", "--plain", "--set", "evaluation.episodes=8"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The guide's files, in the folder in which the test runs."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_step_is_a_level_that_is_right_and_extends_the_one_before():
    assert list(FILES) == [f"garden_{step}.yaml" for step in (1, 2, 3, 4)]
    for step, name in enumerate(FILES, start=1):
        assert load_level(name).id == f"garden-{step}"
        assert (f"extends: garden_{step - 1}.yaml" in FILES[name]) == (step > 1)


@pytest.mark.parametrize("name", FILES)
def test_an_editor_finds_no_mistake_in_a_step(name):
    node = YamlReader().read_text(FILES[name], Place(name))
    schema = level_schema()
    assert node is not None and mistakes(plain(node), schema, schema) == []
    assert FILES[name].splitlines()[1] == "# yaml-language-server: $schema=level.schema.json"


def test_validate_says_what_the_guide_shows(capsys):
    shown = [block for language, block in BLOCKS if not language]
    assert cli.main(["validate", "garden_1.yaml"]) == 0
    assert capsys.readouterr().out == shown[0]


def test_every_command_works_in_its_place(folder, capsys):
    lines = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
    for line in lines:
        match shlex.split(line, comments=True):
            case ["python", "-m", "townlet.train", *flags]:
                assert train.main([*flags, *SMALL]) == 0, line
            case ["python", "-m", "townlet.evaluate", *flags]:
                assert evaluate.main([*flags, "--episodes", "4", "--device", "cpu"]) == 0, line
            case ["townlet", "transfer", *flags]:
                assert cli.main(["transfer", *flags, "--episodes", "4", "--device", "cpu"]) == 0, line
            case ["townlet", *words]:
                assert cli.main(words) == 0, line
            case _:
                pytest.fail(f"no rule for {line}")
    assert len(list(folder.glob("runs/garden-4_garden/*"))) == 1 and (folder / "level.schema.json").is_file()
    said = capsys.readouterr().out
    assert "level garden-4, grid.width=8, step_000004096: 4 greedy episodes on unseen maps" in said
    assert "level garden-4, layout={kind: fixed}, step_000004096: 4 greedy episodes on the one map" in said
