"""What the README says is run, so that it stays true."""

import os
import re
import shlex
from pathlib import Path

import pytest

from townlet import evaluate, train
from townlet.bench import __main__ as bench
from townlet.bench.speed import env, learner
from townlet.commands import cli, watch
from townlet.commands.lives import play
from townlet.run.run_directory import resolve_run
from townlet.screen.command_line import WRONG_USE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """What stands between fences, by the language that the opening one names."""
    parts = re.split(r"^```(\w*)\n", README, flags=re.MULTILINE)  # text, language, code, "", text, language, ...
    return [code for named, code in zip(parts[1::4], parts[2::4], strict=True) if named == language]


def commands() -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


QUICK = ["--seconds", "0.001", "--repeats", "1"]
TINY = {  # what makes a benchmark take a moment
    "env": [*QUICK, "--agents", "4", "--contestants", "eager,numpy,gymnasium"],
    "learner": [*QUICK, "--windows", "4", "--set", "max_steps=12"],
    "memories": [*QUICK, "--agents", "4", "--set", "max_steps=12"],
    "train": [*QUICK, "--agents", "8", "--no-peers", "--set", "training.total_steps=1000"],
    "scale": [*QUICK, "--eager", "--of", "grid", "--grid", "4"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the README's own level, which finds what it extends from anywhere."""
    for block in blocks("yaml"):
        name = re.match(r"# (\S+\.yaml):", block)
        assert name, "a YAML block begins with a comment that names its file"
        (tmp_path / name[1]).write_text(block)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_one_that_works(folder, capsys, monkeypatch):
    monkeypatch.setattr(learner, "LIVED_TICKS", 16)
    monkeypatch.setitem(learner.MATRIX, "cpu", 64)
    monkeypatch.setattr(env, "CHECKED_STEPS", 20)
    small = ["--num-agents", "8", "--total-steps", "64", "--set", "evaluation.episodes=4", "--set", "max_steps=20"]
    assert train.main(["--level", "2", "--plain", *small]) == 0  # one run to speak of
    tried = set()
    for words in commands():
        match words:
            case ["make", target]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
            case ["python", "-m", "townlet.train", *flags] if "--help" not in flags:
                assert train.main([*flags, "--dry-run"]) == 0, words
            case ["python", "-m", "townlet.evaluate", *flags]:
                assert evaluate.main([*flags, "--episodes", "4"]) == 0, words
            case ["python", "-m", "townlet.bench", word, *flags]:
                assert bench.main([word, *flags, *TINY[word]]) == 0, words
            case ["townlet", "watch", reference, *flags]:  # which would go on until somebody ends it
                assert resolve_run(reference, watch.make_parser().parse_args([reference, *flags]).runs_dir), words
            case ["townlet", "play", *rest]:  # which would wait for keys
                assert play.make_game(play.make_parser().parse_args(rest)).network is not None, words
            case ["townlet", *rest]:
                assert cli.main(rest) == 0, words
            case ["python", "-m", "townlet.train", "--help"]:
                with pytest.raises(SystemExit) as stopped:
                    train.main(["--help"])
                assert stopped.value.code == 0
            case ["python", "-m", "venv", *_] | ["pip", "install", *_]:
                continue  # what `make` does, with the same words
            case _:
                pytest.fail(f"no rule for {words}")
        tried.add(words[0])
        capsys.readouterr()
    assert tried >= {"make", "python", "townlet"}


def test_the_python_example_runs(capsys):
    for block in blocks("python"):
        exec(compile(block.replace("range(100)", "range(10)"), "README", "exec"), {})
    assert "meters/energy_mean" in capsys.readouterr().out


@pytest.mark.parametrize("guide", ["your_own_network", "your_own_environment"])
def test_a_guide_runs_from_top_to_bottom(guide, capsys):
    """Its blocks are one program."""
    text = (ROOT / "docs" / f"{guide}.md").read_text()
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, guide, "exec"), names)
    if guide == "your_own_environment":
        remembering, forgetting = map(float, re.findall(r"-?\d\.\d\d", capsys.readouterr().out))
        assert remembering > 0.9 and abs(forgetting) < 0.4  # 256 episodes of a coin: a standard error of 0.06


def test_the_mistakes_in_the_readme_are_told_in_those_words(folder, capsys):
    wrong = (folder / "my_town.yaml").read_text().replace("window: 7", "window: 6").replace("hygiene:", "hygeine:")
    (folder / "my_town.yaml").write_text(wrong)
    assert cli.main(["validate", "my_town.yaml"]) == WRONG_USE
    told = capsys.readouterr().err.strip().splitlines()
    shown = [line for block in blocks("") for line in block.splitlines() if line.startswith("my_town.yaml:")]
    assert shown and shown == told


def test_every_file_that_is_linked_is_there():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert os.path.exists(document.parent / target), f"{document.name}: {target}"


def test_every_test_that_a_document_names_is_there():
    written = {name for path in ROOT.glob("tests/**/*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    named = {name for path in ROOT.glob("docs/**/*.md") for name in re.findall(r"`(test_\w+)`", path.read_text())}
    assert named and named <= written, sorted(named - written)
