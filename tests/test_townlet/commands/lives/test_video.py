"""`townlet video`: which life is drawn, where the film lies, and wrong use."""

import pytest
from PIL import Image

from support.rooms import room, train_briefly
from townlet.commands import cli


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in the room, in which breath lasts for five ticks, saved after 16 and after 32 steps."""
    return train_briefly(tmp_path_factory.mktemp("runs"), room(), "run", "--checkpoint-every", "16")


def said(capsys, *words):
    """The exit code, and what is said."""
    capsys.readouterr()
    try:
        code = cli.main(["video", *map(str, words)])
    except SystemExit as error:
        code = error.code
    told = capsys.readouterr()
    return code, told.out or told.err


def test_steps_of_a_life_of_a_run_are_drawn_as_is_asked_for(run, capsys, tmp_path):
    runs, out = ["--runs-dir", run.parents[1]], tmp_path / "x.gif"
    code, told = said(capsys, "run", *runs, "--life", 2, "--first", 1, "--last", 4, "--fps", 5, "--out", out)
    assert code == 0 and told.startswith(f"{out}: ") and told.endswith("KB, 4 pictures, 5 a second\n")
    with Image.open(out) as image:
        assert image.n_frames == 4 and image.info["duration"] == 200


def test_a_film_lies_beside_the_replays_of_its_run_or_beside_the_replay(run, capsys, tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed (extra `video`)")
    runs = ["--runs-dir", run.parents[1]]
    assert said(capsys, "run", *runs, "--checkpoint", "step_000000016", "--last", 1)[0] == 0
    assert [path.name for path in (run / "replays").iterdir()] == ["step_000000016_life-0.mp4"]
    assert cli.main(["replay", "run", "--runs-dir", str(runs[1]), "--out", str(tmp_path / "own.replay")]) == 0
    assert said(capsys, tmp_path / "own.replay", "--life", 3, "--last", 1)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"own.replay", "own_life-3.mp4"}


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["run", "--last", 9], 2, "--first, --last: expected steps within 0 to 5, in order, got 0 to 9"),
        (["run", "--first", 3, "--last", 2], 2, "--first, --last: expected steps within 0 to 5, in order, got 3 to 2"),
        (["run", "--life", -1], 2, "argument --life: expected 0 or more, got -1"),
        (["run", "--out", "x.avi"], 2, "argument --out: expected a name that ends in .mp4 or .gif, got x.avi"),
        (["nobody"], 1, "townlet video: "),
        (["run", "--checkpoint", "none"], 1, "townlet video: "),
    ],
)
def test_wrong_use_is_one_line(words, code, line, run, capsys):
    got, told = said(capsys, *words, "--runs-dir", run.parents[1])
    assert got == code and line in told and told.count("\n") == 1


def test_a_file_that_is_no_replay_is_told(capsys, tmp_path):
    (tmp_path / "x.replay").write_text("hello")
    code, told = said(capsys, tmp_path / "x.replay", "--out", tmp_path / "x.gif")
    assert code == 1 and "expected a whole replay of Townlet, got other bytes" in told
    code, told = said(capsys, tmp_path / "x.replay", "--checkpoint", "best")
    assert code == 2 and told == "--checkpoint: expected none beside a replay's file, got best\n"


def test_a_life_that_is_not_in_a_replay_is_told(run, capsys, tmp_path):
    path = tmp_path / "two.replay"
    assert cli.main(["replay", "run", "--runs-dir", str(run.parents[1]), "--agents", "2", "--out", str(path)]) == 0
    assert said(capsys, path, "--life", 2) == (2, "--life: expected 0 to 1, got 2\n")
