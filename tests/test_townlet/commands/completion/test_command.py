"""`townlet completion`: what shells complete by its scripts, asked of the shells themselves."""

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from townlet.commands import cli
from townlet.commands.completion.command import SHELLS, script_for
from townlet.level.file import shipped_levels

# A command line that ends in a word which is begun, and all that the word may become.
ASKED = [
    ("completion ", {*SHELLS}),
    ("train --dry", {"--dry-run"}),
    ("train --device c", {"cpu", "cuda"}),
    ("train --level 2-me", {"2-memoryless"}),
    ("validate my", {"my.yaml"}),
    ("evaluate fi", {"first"}),
    ("compare mine=first s", {"second"}),
    ("evaluate latest --checkpoint ", {"latest", "best"}),
    ("bench rec", {"recall"}),
    ("bench recall --que", {"--questions"}),
    ("train --set training.gam", {"training.gamma="}),
    ("evaluate latest --set gym_o", {"gym_options."}),
    ("train --set training.stop.goal=1 --set network.kind=re", {"network.kind=recurrent"}),
    ("train --set training.mode.kind=", {"training.mode.kind=fresh", "training.mode.kind=replay"}),
    ("train --set network.skip=true --dry", {"--dry-run"}),
    ("bench scale --set training.double_q=f", {"training.double_q=false"}),
]
ASK_BASH = """
COMP_WORDS=({})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_townlet
(IFS='|'; echo "${{COMPREPLY[*]}}")
"""
ONE = [(line, words) for line, words in ASKED if len(words) == 1]  # which Tab writes out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two runs, a level, and the scripts."""
    folder = tmp_path_factory.mktemp("completion")
    for run in ("first", "second"):
        (folder / "runs" / "2_town" / run).mkdir(parents=True)
        (folder / "runs" / "2_town" / run / "config.yaml").touch()
    (folder / "my.yaml").touch()
    for shell in SHELLS:
        (folder / f"townlet.{shell}").write_text(script_for(shell))
    return folder


def needs(shell: str):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def said(folder: Path, *command: str) -> list[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@needs("bash")
def test_bash_completes_words_flags_levels_and_runs(folder):
    lines = [ASK_BASH.format(" ".join(["townlet", *map(repr, parted(line))])) for line, _ in ASKED]
    answers = said(folder, "bash", "--noprofile", "--norc", "-c", "\n".join(["source ./townlet.bash", *lines]))
    found = [
        {before_it(line) + word for word in answer.split("|")} for (line, _), answer in zip(ASKED, answers, strict=True)
    ]
    assert found == [words for _, words in ASKED]


def parted(line: str) -> list[str]:
    """The words of a line as Bash hands them to what completes the last: also parted around each "="."""
    return [part for word in line.split(" ") for part in re.findall("[^=]+|=", word) or [""]]


def before_it(line: str) -> str:
    """What stands before what Bash completes of the last word."""
    key, equals, _ = line.rpartition(" ")[2].partition("=")
    return key + equals if equals else ""


@needs("bash")
def test_bash_writes_a_value_to_its_key_with_no_space_between(folder):
    with Terminal(folder, "bash", "--noprofile", "--norc", "-i") as terminal:
        terminal.type("PS1=; bind 'set enable-bracketed-paste off'; townlet() { echo \"got:$*:\"; }\n")
        terminal.type('. ./townlet.bash; echo rea""dy\n')
        terminal.read_until("ready\r\n")
        terminal.type("townlet train --set network.ski\tt\t--dr\t\n")
        assert "got:train --set network.skip=true --dry-run:" in terminal.read_until(":\r\n")


@needs("fish")
def test_fish_completes_words_flags_levels_and_runs(folder):
    lines = [f"complete -C 'townlet {line}' | cut -f 1; echo ." for line, _ in ASKED]
    answers = said(folder, "fish", "--no-config", "-c", "\n".join(["source ./townlet.fish", *lines]))
    found = [set(answer.split()) for answer in "\n".join(answers).split("\n.")][: len(ASKED)]
    assert found == [words for _, words in ASKED]


@needs("zsh")
def test_zsh_completes_words_flags_levels_and_runs(folder):
    """It completes only what is typed in a terminal: what Tab has written out is said again by what stands for us."""
    with Terminal(folder, "zsh", "-f", "-i") as terminal:
        terminal.type("PROMPT=; unsetopt prompt_cr prompt_sp; townlet() { print -r -- got:$*: }\n")
        terminal.type('autoload -U compinit; compinit -u -D; eval "$(<townlet.zsh)"; print rea""dy\n')
        terminal.read_until("ready\r\n")
        for line, (word,) in ONE:
            terminal.type(f"townlet {line}\t\n")
            begun = line.rpartition(" ")[0]
            assert f"got:{begun} {word}:" in terminal.read_until(":\r\n")


class Terminal:
    """A process that takes what we type for what a person types."""

    SECONDS = 60.0  # that an answer may take on a machine that has much to do

    def __init__(self, folder: Path, *command: str) -> None:
        self.ours, theirs = os.openpty()
        environment = {**os.environ, "TERM": "dumb"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def read_until(self, end: str) -> str:
        got, until = b"", time.monotonic() + self.SECONDS
        while end.encode() not in got:
            readable, _, _ = select.select([self.ours], [], [], max(until - time.monotonic(), 0.0))
            assert readable, f"expected {end!r}, got {got!r}"
            got += os.read(self.ours, 4096)
        return got.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_are_those_of_todays_parsers(shell):
    pytest.importorskip("shtab", reason="shtab is not installed (extra `dev`)")
    completions = pytest.importorskip("completions")
    assert completions.script(shell) == (completions.FOLDER / f"townlet.{shell}").read_text(), "make completions"


def test_a_script_is_printed_with_the_levels_of_today(capsys, monkeypatch):
    assert cli.main(["completion", "bash"]) == 0
    assert f'compgen -W "{" ".join(shipped_levels())}" ' in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        cli.main(["completion", "bsh"])
    assert stopped.value.code == 2
    assert "SHELL: expected bash, zsh or fish, got 'bsh'; did you mean 'bash'?" in capsys.readouterr().err
