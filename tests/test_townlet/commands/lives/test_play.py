"""`townlet play`: a life by keys that a pseudo-terminal hands on, and wrong use."""

import contextlib
import os
import pty
import sys

import pytest

from support.rooms import room, train_briefly, write_level
from townlet.commands import cli
from townlet.commands.lives import play
from townlet.config import load_task
from townlet.evaluate import evaluation_seed


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in the room, in which breath lasts for five ticks, saved after 16 and after 32 steps."""
    return train_briefly(tmp_path_factory.mktemp("runs"), room(), "run", "--checkpoint-every", "16")


def played(*words, keys):
    """What a terminal shows of a game in a process of its own, and its exit code.

    The process is a copy of this one, in which all is imported that takes long.
    """
    child, ours = pty.fork()
    if child == 0:
        code = 70
        try:
            os.environ |= {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
            with open(0) as sys.stdin, open(1, "w") as sys.stdout, open(2, "w") as sys.stderr:
                code = cli.main(["play", *words])
        finally:
            os._exit(code)
    os.write(ours, keys.encode())  # typed ahead
    text = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(ours, 65536):
            text += chunk
    _, status = os.waitpid(child, 0)  # before the terminal is closed, which would hang up on who has not ended yet
    os.close(ours)
    return text.decode(), os.waitstatus_to_exitcode(status)


def test_a_life_is_lived_by_keys_beside_a_trained_agent_and_the_end_is_told(run):
    text, code = played("run", "--runs-dir", str(run.parents[1]), keys=".\x1b[D\x1bOC...")
    assert code == 0
    told = "You died of breath after 5 steps; the agent, from the same place on the same map, died of breath after 5"
    assert told in " ".join(text.split()) and "Equally long." in text


def test_who_leaves_is_told_for_how_long_it_was(run):
    text, code = played("--level", str(run / "config.yaml"), "--seed", "3", keys=".q")
    assert code == 0 and "You left after 1 steps." in text


def test_without_a_terminal_it_says_so(run, capsys):
    assert cli.main(["play", "--level", str(run / "config.yaml")]) == 2
    assert capsys.readouterr().err == "townlet play: expected a terminal to draw on and to read keys from, got none\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nobody"], 1, "townlet play: "),
        (["--checkpoint", "best"], 2, "--checkpoint: expected a run that it is of, got best alone"),
        (["--level", "nowhere"], 2, "nowhere"),
        (["--seed", "x"], 2, "townlet play: error: argument --seed: expected a whole number, got 'x'"),
    ],
)
def test_wrong_use_is_one_line(words, code, said, run, capsys):
    try:
        got = cli.main(["play", *words, "--runs-dir", str(run.parents[1])])
    except SystemExit as error:
        got = error.code
    told = capsys.readouterr().err
    assert got == code and said in told and told.count("\n") == 1


def test_the_world_is_that_of_the_run_or_what_is_asked_for(run, tmp_path):
    def game(*words):
        return play.make_game(play.make_parser().parse_args([*words, "--runs-dir", str(run.parents[1])]))

    learned = load_task(run / "config.yaml")
    assert game("run").level == learned and game("run").network is not None
    by_itself, chosen = game("run"), game("run", "--seed", str(evaluation_seed(learned)))
    assert by_itself.scene == chosen.scene
    wide = write_level(tmp_path, {**room(grid__width=5), "id": "wide"})
    other = game("run", "--level", str(wide), "--set", "max_steps=3", "--checkpoint", "step_000000016")
    assert (other.level.grid.width, other.level.max_steps) == (5, 3)
    assert [game("run", "--checkpoint", name).network.state_dict().keys() for name in ("latest", "step_000000016")]
