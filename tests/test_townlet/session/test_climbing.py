"""A ladder that a Python program climbs: the command's, with each of its runs at hand."""

import json

import pytest

import townlet
from support.learning import differences
from support.rooms import room, saved, write_level
from townlet import train
from townlet.config import ConfigError


@pytest.fixture
def levels(tmp_path):
    """Two levels that make a ladder, the second with a larger budget, in a folder of their own."""
    folder = tmp_path / "levels"
    folder.mkdir()
    return [write_level(folder, room(id=name, training__total_steps=steps)) for name, steps in (("a", 16), ("b", 32))]


def test_a_ladder_is_that_of_the_command_weight_for_weight_and_its_last_run_is_returned_with_those_below(
    tmp_path, levels, learn
):
    asked = ["--curriculum", ",".join(map(str, levels)), "--mastery", "1.0", "--total-steps", "24", "--seed", "3"]
    paced = ["--checkpoint-every", "8", "--evaluate-every", "12", "--set", "max_steps=6"]
    where = ["--device", "cpu", "--plain", "--runs-dir", str(tmp_path), "--run-name", "command"]
    assert train.main([*asked, *paced, *where]) == 0
    run = learn(
        overrides={"max_steps": 6}, curriculum=levels, mastery=1.0, total_steps=24, seed=3, run_name="called",
        checkpoint_every=8, evaluate_every=12,
    )  # fmt: skip
    assert [one.level.id for one in run.rungs] == ["a", "b"] and run.path == run.rungs[-1].path
    assert [(one.steps, one.stopped_by) for one in run.rungs] == [(8, "steps"), (16, "steps")]  # a third, and the rest
    for one in run.rungs:
        other = tmp_path / "ladder" / "command" / one.path.name
        assert not differences(saved(one.path, one.steps).model, saved(other, one.steps).model)
        assert (one.path / "config.yaml").read_text() == (other / "config.yaml").read_text()
    told = [json.loads((tmp_path / "ladder" / name / "ladder.json").read_text()) for name in ("command", "called")]
    assert told[0] == told[1]


def test_callbacks_hear_of_each_run_of_a_ladder_and_end_all_of_it_and_it_goes_on_as_if_nobody_had(levels, learn):
    heard = []

    class Stopping(townlet.Callback):
        def on_start(self, moment):
            heard.append(f"{moment.level.id} from {moment.resumed_at}")

        def on_step(self, moment):
            if (moment.level.id, moment.steps) == ("b", 12):
                moment.stop("enough")

    whole, asked = learn(curriculum=levels, run_name="whole"), {"run_name": "parts", "callbacks": [Stopping()]}
    run = learn(curriculum=levels, **asked)
    assert (run.level.id, run.steps, run.stopped_by, run.why) == ("b", 12, "callback", "enough")
    again = learn(resume=run, callbacks=[Stopping()])
    assert heard == ["a from None", "b from None", "b from 12"]
    assert [(one.level.id, one.steps, one.stopped_by) for one in again.rungs] == [
        ("a", 16, "steps"),
        ("b", 32, "steps"),
    ]
    assert not differences(saved(again.path, 32).model, saved(whole.path, 32).model)
    done = learn(resume=run.path.parent, progress="plain")  # a ladder of which nothing is left
    assert (done.path, done.steps, done.rungs) == (again.path, 32, again.rungs)
    with pytest.raises(ConfigError, match=r"a ladder goes on as it is, without other settings$"):
        learn(resume=run, total_steps=50)
