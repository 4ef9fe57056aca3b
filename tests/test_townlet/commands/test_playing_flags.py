"""What each flag of the commands that play with trained agents changes: evaluate, replay, transfer and novelty."""

import json

import pytest
import torch

from support.rooms import room, train_briefly
from townlet import evaluate, train
from townlet.commands import cli, compare, novelty, transfer
from townlet.commands.lives import replay
from townlet.population import evaluation
from townlet.seeding import stream_seed

CURIOSITY = {"weight": 0.5, "hidden": [4], "embedding": 2, "learning_rate": 0.01}
MAPS = {"kind": "random", "training_maps": 2, "evaluation_maps": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A curious run in the room, saved after 16 and after 32 steps."""
    folder = tmp_path_factory.mktemp("runs")
    content = room(training__curiosity=CURIOSITY, layout=MAPS, evaluation__every=16)
    train_briefly(folder, content, "run", "--checkpoint-every", "16")
    return folder


def made_by(monkeypatch, module, name):
    """What a function of a module is called with, each time; it does what it did."""
    calls, whole = [], getattr(module, name)

    def noted(*arguments, **named):
        calls.append((*arguments, *named.values()))
        return whole(*arguments, **named)

    monkeypatch.setattr(module, name, noted)
    return calls


def play(capsys, runs, word, *flags):
    capsys.readouterr()
    assert cli.main([word, "run", "--runs-dir", str(runs), *flags]) == 0
    return capsys.readouterr().out


def evaluated(capsys, runs, *flags):
    return json.loads(play(capsys, runs, "evaluate", "--json", "--device", "cpu", *flags))


# --- in the run itself --------------------------------------------------------------------------------------------


def test_a_run_is_evaluated_in_the_episodes_that_evaluate_plays_by_itself(tmp_path, monkeypatch):
    worlds = made_by(monkeypatch, evaluation, "make_env")
    train_briefly(tmp_path, room())
    assert [(agents, seed, maps) for _, agents, _, seed, _, maps in worlds] == [
        (4 + 4, stream_seed(1, "evaluation"), "evaluation")  # with memory first, as agents of evaluate, then without
    ]


# --- which checkpoint ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "step"),
    [
        ([], 32),
        (["--checkpoint", "latest"], 32),
        (["--checkpoint", "best"], 16),
        (["--checkpoint", "step_000000016"], 16),
    ],
)
def test_the_checkpoint_that_is_named_is_the_one_that_is_played(flags, step, runs, capsys, monkeypatch, tmp_path):
    """All evaluations of the room score alike, so the first is the best."""
    for word, module, rest in (
        ("evaluate", evaluate, ["--json", "--episodes", "2"]),
        ("replay", replay, ["--agents", "2", "--out", str(tmp_path / "one.replay")]),
        ("transfer", transfer, ["--levels", str(runs / "room.yaml"), "--episodes", "2"]),
        ("novelty", novelty, ["--out", str(tmp_path / "map.png")]),
    ):
        calls = made_by(monkeypatch, module, "trained_network")
        out = play(capsys, runs, word, "--device", "cpu", *rest, *flags)
        assert [found.step for _, found, _ in calls] == [step], word
        if word == "evaluate":
            assert json.loads(out)["checkpoint"] == f"step_{step:09}"


# --- evaluate -----------------------------------------------------------------------------------------------------


def test_memory_is_zeroed_as_often_as_is_asked_for(runs, capsys, monkeypatch):
    policies = made_by(monkeypatch, evaluation, "GreedyPolicy")
    for flags in ([], ["--forget-every", "3"], ["--forget-every", "1"]):
        evaluated(capsys, runs, "--episodes", "2", *flags)
    assert [forget_every for *_, forget_every, _ in policies] == [None, 3, 1]


def test_maps_and_starts_are_those_of_the_seed_and_by_itself_of_the_runs_own_evaluations(runs, capsys, monkeypatch):
    worlds = made_by(monkeypatch, evaluation, "make_env")
    for flags in ([], ["--seed", "7"]):
        evaluated(capsys, runs, "--episodes", "2", *flags)
        play(capsys, runs, "evaluate", "--device", "cpu", "--episodes", "2", *flags)  # and random actions beside it
    own = evaluate.evaluation_seed(worlds[0][0])
    assert own == stream_seed(1, "evaluation")  # of the room's seed
    assert [(seed, maps) for _, _, _, seed, _, maps in worlds] == [*[(own, "evaluation")] * 3, *[(7, "evaluation")] * 3]


def test_so_many_episodes_are_played_as_are_asked_for(runs, capsys):
    assert [evaluated(capsys, runs, *flags)["episodes"] for flags in ([], ["--episodes", "3"])] == [512, 3]


# --- transfer -----------------------------------------------------------------------------------------------------


def test_each_agent_plays_so_many_episodes_in_each_level(runs, capsys, monkeypatch):
    played = made_by(monkeypatch, transfer, "evaluate")
    for flags in ([], ["--episodes", "3"]):
        play(capsys, runs, "transfer", "--levels", str(runs / "room.yaml"), "--device", "cpu", *flags)
    assert [episodes for _, _, episodes, *_ in played] == [512, 3]
    assert {seed for _, _, _, seed, *_ in played} == {stream_seed(1, "evaluation")}  # as in the run's own evaluations


def test_by_itself_every_shipped_world_is_played(runs, capsys, monkeypatch):
    monkeypatch.setattr(transfer, "shipped_worlds", lambda: [str(runs / "room.yaml")])
    assert "room (of 9)" in play(capsys, runs, "transfer", "--device", "cpu", "--episodes", "2")


# --- novelty ------------------------------------------------------------------------------------------------------


def test_the_map_that_is_asked_for_is_drawn(runs, capsys, monkeypatch, tmp_path):
    drawn, out = made_by(monkeypatch, novelty, "novelty_map"), tmp_path / "map.png"
    for flags in ([], ["--map", "1"]):
        said = play(capsys, runs, "novelty", "--device", "cpu", "--out", str(out), *flags)
        assert f"drawn into {out}" in said and out.read_bytes().startswith(b"\x89PNG")
    assert [index for *_, index in drawn] == [0, 1]


# --- compare ------------------------------------------------------------------------------------------------------


def test_a_comparison_has_the_title_and_the_axes_that_are_asked_for(runs, capsys, monkeypatch, tmp_path):
    pictures, out = made_by(monkeypatch, compare, "draw_comparison"), tmp_path / "both.png"
    for flags in ([], ["--title", "Both", "--by", "seconds"]):
        play(capsys, runs, "compare", "--out", str(out), *flags)
        assert out.read_bytes().startswith(b"\x89PNG")
    asked = [(path, by, title) for _, path, by, title, *_ in pictures]
    assert asked == [(out, ["steps", "seconds"], "Level room, room"), (out, ["seconds"], "Both")]


def test_a_comparison_is_written_as_a_page_where_that_is_asked_for(runs, capsys, tmp_path):
    out, page = tmp_path / "both.png", tmp_path / "both.html"
    play(capsys, runs, "compare", "--out", str(out))
    assert not page.exists()
    said = play(capsys, runs, "compare", "--out", str(out), "--html", str(page), "--title", "Mine & others")
    assert f"drawn into {out}, and as a page into {page}" in said
    assert "<h1>Mine &amp; others</h1>" in page.read_text()


def test_pictures_lie_in_the_folder_of_the_run_unless_another_place_is_asked_for(runs, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        novelty, "novelty_map", lambda env, *_: torch.zeros(env.level.grid.height, env.level.grid.width)
    )
    for word, name in (("novelty", "novelty.png"), ("compare", "comparison.png")):
        said = play(capsys, runs, word, *(["--device", "cpu"] if word == "novelty" else []))
        (drawn,) = runs.rglob(name)
        assert (drawn.parent / "config.yaml").is_file() and f"drawn into {drawn}" in said
    assert list(tmp_path.iterdir()) == []


# --- the device ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.backends.cuda.is_built(), reason="asks a PyTorch without CUDA for its device")
@pytest.mark.parametrize("word", ["evaluate", "replay", "transfer", "novelty", "train"])
def test_agents_are_played_and_trained_on_the_device_that_is_asked_for(word, runs, capsys, monkeypatch, tmp_path):
    rest = {
        "evaluate": ["run"],
        "replay": ["run", "--out", str(tmp_path / "one.replay")],
        "transfer": ["run", "--levels", str(runs / "room.yaml")],
        "novelty": ["run", "--out", str(tmp_path / "map.png")],
        "train": ["--level", str(runs / "room.yaml"), "--plain"],
    }[word]
    folder = tmp_path if word == "train" else runs
    words = [word, *rest, "--runs-dir", str(folder), "--device"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises((AssertionError, RuntimeError), match="CUDA"):
        cli.main([*words, "cuda"])
    if word == "train":
        assert train.main([*words[1:], "cpu", "--run-name", "here"]) == 0
    else:
        assert cli.main([*words, "cpu"]) == 0
