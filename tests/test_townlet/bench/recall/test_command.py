"""`python -m townlet.bench recall`, in this process, with few updates and few fresh episodes."""

import json

import pytest

from townlet.bench import __main__ as command
from townlet.bench.recall import command as recall_command
from townlet.bench.recall import pupils


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pupils, "FRESH_EPISODES", 8)

    def run(*arguments):
        try:
            code = command.main(["recall", "--updates", "1", "--json", str(tmp_path / "found.json"), *arguments])
        except SystemExit as stopped:
            code = stopped.code
        return code, capsys.readouterr()

    return run


def test_those_that_are_named_are_asked_what_is_named_and_told_kept_and_drawn(bench, tmp_path):
    page, picture = tmp_path / "page.md", tmp_path / "drawn.png"
    files = ["--markdown", str(page), "--plot", str(picture)]
    code, said = bench("--questions", "order", "--memories", "none,LSTM", "--seeds", "2", *files)
    assert code == 0, said.err
    found = json.loads((tmp_path / "found.json").read_text())["trials"]
    assert list(found) == ["order/none/0", "order/LSTM/0", "order/none/1", "order/LSTM/1"]
    assert "Say it backwards" in said.out and "| none | " in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_kept_is_not_run_again_unless_it_is_taught_otherwise(bench, monkeypatch):
    ran, run_trial = [], recall_command.run_trial
    monkeypatch.setattr(recall_command, "run_trial", lambda trial: ran.append(trial.key) or run_trial(trial))
    asked = ["--questions", "order", "--memories", "none", "--seeds", "1"]
    bench(*asked)
    bench(*asked)
    assert ran == ["order/none/0"]
    bench(*asked, "--updates", "2")
    assert len(ran) == 2


def test_a_stop_says_that_nothing_is_lost(bench, monkeypatch):
    def stop(trial):
        raise KeyboardInterrupt

    monkeypatch.setattr(recall_command, "run_trial", stop)
    code, said = bench("--questions", "order", "--memories", "none")
    assert code == 1 and "the same command goes on" in said.err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--questions", "order,lag"], "got lag; did you mean 'lags'?"),
        (["--memories", "LSTN"], "got LSTN; did you mean 'LSTM'?"),
        (["--updates", "0"], "expected at least 1, got 0"),
    ],
)
def test_wrong_use_is_one_line(bench, arguments, said):
    code, told = bench(*arguments)
    assert code == 2 and said in told.err


def test_a_picture_that_cannot_be_written_is_one_line(bench, tmp_path):
    code, said = bench("--questions", "order", "--memories", "none", "--seeds", "1", "--plot", "/dev/null/drawn.png")
    assert code == 1 and said.err.splitlines()[-1].startswith("townlet bench recall: cannot write")
