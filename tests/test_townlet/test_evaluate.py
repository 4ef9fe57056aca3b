"""`townlet evaluate`: a trained agent in its own world and in others, whose survival is known by counting."""

import json

import pytest
import torch

from support.rooms import room, train_briefly, write_level
from townlet import evaluate
from townlet.config import load_task
from townlet.environment.tables import draw_places


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train_briefly(tmp_path_factory.mktemp("runs"), room())


def say(capsys, *arguments, code=0):
    """The exit code is as expected; returns what was printed, of the JSON where there is some."""
    capsys.readouterr()
    assert evaluate.main([*map(str, arguments), "--device", "cpu"]) == code
    said = capsys.readouterr()
    if code:
        assert said.out == "" and said.err.count("\n") == 1
        return said.err
    return json.loads(said.out) if "--json" in arguments else said.out


def test_an_agent_plays_in_its_own_world_where_no_other_is_named(run, capsys):
    found = say(capsys, run, "--json", "--episodes", "6")
    assert (found["mean_ep_length"], found["deaths"], found["episodes"]) == (5.0, {"breath": 6}, 6)  # 1.0 of 0.2 a tick
    assert (found["level"], found["learned"], found["set"]) == ("room", "room", {})


def test_an_agent_plays_in_the_world_of_another_level(run, tmp_path, capsys):
    # Twice the air, a larger map that is fixed, another network that is not asked for.
    other = room(id="hall", meters__breath__passive=-0.125, grid={"width": 6, "height": 4}, layout={"kind": "fixed"},
                 network={"kind": "feed_forward", "hidden": [2]})  # fmt: skip
    path = write_level(tmp_path, other)
    found = say(capsys, run, "--level", path, "--json", "--episodes", "6")
    assert (found["mean_ep_length"], found["level"], found["learned"]) == (8.0, "hall", "room")
    told = say(capsys, run, "--level", path, "--episodes", "6")
    assert told.startswith("level hall, step_000000032 learned in level room: 6 greedy episodes on the one map\n")
    assert "survival  8.0 of 9 steps" in told and "random actions 8.0" in told


def test_set_changes_the_world_that_is_played(run, tmp_path, capsys):
    found = say(capsys, run, "--set", "max_steps=3", "--json", "--episodes", "6")
    assert (found["mean_ep_length"], found["survival_rate"], found["set"]) == (3.0, 1.0, {"max_steps": "3"})
    path = write_level(tmp_path, room(id="hall", max_steps=8))
    flags = ["--level", path, "--set", "meters.breath.passive=-0.5", "--set", "grid.width=4"]
    assert say(capsys, run, *flags, "--json")["mean_ep_length"] == 2.0
    assert say(capsys, run, *flags).startswith("level hall, meters.breath.passive=-0.5, grid.width=4, step_000000032")


def test_yardsticks_are_told_of_the_world_that_they_were_measured_in_alone(run, tmp_path, capsys):
    path = write_level(tmp_path, room(id="hall", yardsticks={"random": 4, "sitter": 5}))
    assert "random actions 5.0, sitter 5" in say(capsys, run, "--level", path)
    assert "sitter" not in say(capsys, run, "--level", path, "--set", "max_steps=3")


def test_a_world_that_does_not_fit_is_one_line_with_both_widths(run, tmp_path, capsys):
    path = write_level(tmp_path, room(id="wide", observation__window=5))
    told = say(capsys, run, "--level", path, code=2)
    assert told == "level wide: the network of level room does not fit: window: expected 9, got 25\n"


@pytest.mark.parametrize("key", ["network.hidden=8", "training.seed=3", "evaluation.episodes=3"])
def test_set_does_not_take_what_the_world_has_not(run, key, capsys):
    name = key.partition("=")[0]
    expected = f"--set {name}: expected a key of the world, got one of how agents learn in it\n"
    assert say(capsys, run, "--set", key, code=2) == expected


def test_a_level_that_is_not_there_is_one_line(run, capsys):
    assert "no-such-level" in say(capsys, run, "--level", "no-such-level", code=2)


def test_maps_that_were_trained_on_are_refused(tmp_path):
    maps = {"layout__training_maps": 20, "layout__evaluation_maps": 5, "grid": {"width": 6, "height": 6}}
    learned = load_task(write_level(tmp_path, room(**maps)))
    fewer = write_level(tmp_path, room(**maps | {"id": "fewer", "layout__training_maps": 19}))
    with pytest.raises(evaluate.ConfigError, match="expected at least 20, since the first 20 maps were trained on"):
        evaluate.load_world(learned, fewer)
    other_size = evaluate.load_world(learned, fewer, {"grid.width": "5"})
    assert other_size.layout.training_maps == 19


def test_the_maps_of_another_level_are_none_of_those_trained_on(tmp_path):
    both = {"placed_affordances": ["Chair", "Lamp"], "grid": {"width": 6, "height": 6}}
    learned = load_task(
        write_level(tmp_path, room(**both, layout__training_maps=300, layout__evaluation_maps=9, training__seed=5))
    )
    more = write_level(tmp_path, room(**both, id="more", layout__training_maps=400, layout__evaluation_maps=800))
    trained, played = draw_places(learned, "training"), draw_places(evaluate.load_world(learned, more), "evaluation")
    assert len(played) == 800  # of 1,260 maps that there are, 300 were trained on
    assert set(map(tuple, trained.tolist())).isdisjoint(map(tuple, played.tolist()))
    assert torch.equal(trained, draw_places(load_task(more, {"training.seed": 5}), "training")[:300])
