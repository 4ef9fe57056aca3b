"""What the README and the pages of docs/ say is run, so that it stays true."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from townlet import train
from townlet.bench import __main__ as bench
from townlet.bench.speed import env, learner
from townlet.commands import cli, watch
from townlet.commands.lives import play
from townlet.run.run_directory import resolve_run
from townlet.screen.command_line import WRONG_USE

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}
# Pages that are one program from top to bottom, and what tests them as that.
PROGRAMS = {
    "docs/in_python.md": "session/test_guide.py",
    "docs/your_own_world.md": "test_your_own_world.py",
    "docs/take_it_along.md": "policy/test_guide.py",
    "docs/your_own_network.md": "test_readme.py",
    "docs/your_own_environment.md": "test_readme.py",
    "docs/replays.md": "commands/lives/test_replay.py",
}
WITH_PYTHON = [path for path, text in PAGES.items() if "\n```python\n" in text and path not in PROGRAMS]
WITH_COMMANDS = [
    path
    for path, text in PAGES.items()
    if "\n```sh\n" in text and PROGRAMS.get(path) not in ("test_your_own_world.py", "policy/test_guide.py")
]
SMALL = ["--num-agents", "8", "--total-steps", "64", "--set", "evaluation.episodes=4", "--set", "max_steps=20"]
SMALL += ["--set", "network.encoder.width=12", "--set", "network.hidden=8", "--set", "network.head=12"]
BRIEF = {  # what makes a word of `townlet` take a moment
    "train": ["--dry-run"],
    "evaluate": ["--episodes", "4", "--set", "max_steps=20"],
    "export": ["--episodes", "4"],
    "replay": ["--agents", "4", "--steps", "20"],
    "video": ["--last", "3", *([] if find_spec("imageio_ffmpeg") else ["--out", "life.gif"])],  # MP4 is an extra
    "check-env": ["--steps", "100"],
}
QUICK = ["--seconds", "0.001", "--repeats", "1"]
TINY = {  # what makes a benchmark take a moment
    "env": [*QUICK, "--agents", "4", "--contestants", "eager,numpy,gymnasium"],
    "learner": [*QUICK, "--windows", "4", "--set", "max_steps=12"],
    "memories": [*QUICK, "--agents", "4", "--set", "max_steps=12"],
    "train": [*QUICK, "--agents", "8", "--no-peers", "--set", "training.total_steps=1000"],
    "scale": [*QUICK, "--eager", "--of", "grid", "--grid", "4"],
}


def blocks(page: str, language: str) -> list[str]:
    """What stands between fences, by the language that the opening one names."""
    parts = re.split(r"^```(\w*)\n", PAGES[page], flags=re.MULTILINE)  # text, language, code, "", text, language, ...
    return [code for named, code in zip(parts[1::4], parts[2::4], strict=True) if named == language]


def commands(page: str) -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Iterator[Path]:
    """A folder with the README's own level and one run of Level 2 to speak of."""
    folder = tmp_path_factory.mktemp("reader")
    for block in blocks("README.md", "yaml"):
        name = re.match(r"# (\S+\.yaml):", block)
        assert name, "a YAML block begins with a comment that names its file"
        (folder / name[1]).write_text(block)
    flags = ["--level", "2", "--plain", "--run-name", "mine", "--runs-dir", str(folder / "runs")]
    assert train.main([*flags, *SMALL]) == 0
    return folder


@pytest.fixture
def folder(trained, monkeypatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@cache  # what several pages say is done once
def run(*words: str) -> None:
    """Do what a command says, made small where it would take long."""
    match words:
        case ["make"]:
            assert ".DEFAULT_GOAL := help" in (ROOT / "Makefile").read_text()
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
        case ["townlet", "train", "--help"]:
            with pytest.raises(SystemExit) as stopped:
                train.main(["--help"])
            assert stopped.value.code == 0
        case ["python", "-m", "townlet.train" | "townlet.evaluate" as module, *flags]:
            run(*module.split("."), *flags)
        case ["python", "-m", "townlet.bench", word, *flags]:
            assert bench.main([word, *flags, *TINY[word]]) == 0, words
        case ["townlet", "watch", reference, *flags]:  # which would go on until somebody ends it
            assert resolve_run(reference, watch.make_parser().parse_args([reference, *flags]).runs_dir), words
        case ["townlet", "play", *rest]:  # which would wait for keys
            assert play.make_game(play.make_parser().parse_args(rest)).network is not None, words
        case ["townlet", word, *flags]:
            assert cli.main([word, *flags, *BRIEF.get(word, [])]) == 0, words
        case ["git", "clone", *_] | ["python", "-m", "venv", *_] | ["pip", "install", *_]:
            return  # what `make` does, with the same words
        case _:
            pytest.fail(f"no rule for {words}")


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_is_one_that_works(page, folder, monkeypatch):
    monkeypatch.setattr(learner, "LIVED_TICKS", 16)
    monkeypatch.setitem(learner.MATRIX, "cpu", 64)
    monkeypatch.setattr(env, "CHECKED_STEPS", 20)
    assert commands(page)
    saved = sorted(folder.glob("runs/*/mine/checkpoints/step_*"))[-1]
    for words in commands(page):
        run(*(re.sub(r"step_\d{9}", saved.name, word) for word in words))


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_every_python_block_runs_in_its_page(page, folder, capsys):
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        small = block.replace("range(100)", "range(10)").replace("=1_000_000", "=4_096").replace("=100_000", "=2_048")
        exec(compile(small, page, "exec"), names)
    assert "meters/energy_mean" in capsys.readouterr().out or page != "docs/python.md"


@pytest.mark.parametrize(
    "page", ["docs/your_own_network.md", pytest.param("docs/your_own_environment.md", marks=pytest.mark.slow)]
)
def test_a_guide_runs_from_top_to_bottom(page, capsys):
    """Its blocks are one program."""
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    if "environment" in page:
        remembering, forgetting = map(float, re.findall(r"-?\d\.\d\d", capsys.readouterr().out))
        assert remembering > 0.9 and abs(forgetting) < 0.4  # 256 episodes of a coin: a standard error of 0.06


def test_every_page_with_python_or_commands_is_run_by_some_test():
    told = {page for page, text in PAGES.items() if re.search(r"^```(sh|python)\n", text, re.MULTILINE)}
    assert told == {*WITH_COMMANDS, *WITH_PYTHON, *PROGRAMS}
    for page, test in PROGRAMS.items():
        assert Path(page).name.removesuffix(".md") in (Path(__file__).parent / test).read_text(), page


def test_the_mistakes_in_the_readme_are_told_in_those_words(tmp_path, monkeypatch, capsys):
    (level,) = blocks("README.md", "yaml")
    (tmp_path / "my_town.yaml").write_text(level.replace("window: 7", "window: 6").replace("hygiene:", "hygeine:"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["validate", "my_town.yaml"]) == WRONG_USE
    told = capsys.readouterr().err.strip().splitlines()
    shown = [line for block in blocks("README.md", "") for line in block.splitlines()]
    assert shown and shown == told
