"""Replays of a run: at which evaluations they are recorded, of whom, which stay, and that they change nothing."""

import json
from types import SimpleNamespace

import pytest
import torch

from support.learning import differences, network_of
from support.replays import play
from support.rooms import room, saved, train_briefly, write_level
from townlet import train
from townlet.config import Level, Replays, load_level
from townlet.page.recorder import Noted
from townlet.page.replay import ReplayError, read
from townlet.population.lives import GreedyPolicy
from townlet.run import examiner
from townlet.run.saving import replays
from townlet.run.saving.changes import refuse_changes
from townlet.run.saving.replay_folder import last_evaluation, last_stage, prune
from townlet.run.saving.replays import Recorder, chosen

CPU = torch.device("cpu")
MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}


def recorded_room(**rule):
    """The room for 96 steps, evaluated every 16 of them."""
    content = room(layout=MAPS, evaluation={"episodes": 4, "every": 16}, training__total_steps=96)
    return content | {"replays": {"every": 32, **rule} if rule else None}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in the room that records every 32 steps and keeps two files."""
    return train_briefly(tmp_path_factory.mktemp("runs"), recorded_room(keep=2, agents=4))


def names(run):
    return sorted(path.name for path in (run / "replays").iterdir())


# --- in a run -----------------------------------------------------------------------------------------------------


def test_lives_are_recorded_every_so_many_steps_and_the_newest_files_stay(run):
    """Of 16, 32, 48, 64, 80 and 96 those of 32, 64 and 96, and of those the last two."""
    assert names(run) == ["step_000000064.replay", "step_000000096.replay"]


def test_recorded_lives_are_those_of_the_evaluation(run):
    one = read(run / "replays" / "step_000000096.replay")
    found = json.loads((run / "evaluation" / "step_000000096.json").read_text())
    assert sorted(life.agent for life in one.lives) == [0, 1, 2, 3]
    assert sum(life.length for life in one.lives) / 4 == found["mean_ep_length"]
    weights = saved(run, 96).model
    assert all(torch.equal(torch.from_numpy(one.weights[name]), part) for name, part in weights.items())
    origin = one.header.origin
    assert (origin.run, origin.checkpoint, origin.env_steps) == ("run", "step_000000096", 96)
    assert origin.run_id == json.loads((run / "meta.json").read_text())["run"]


def test_a_run_that_records_is_the_run_that_does_not_bit_for_bit(run, tmp_path):
    silent = train_briefly(tmp_path, recorded_room())
    assert not (silent / "replays").exists()
    one, other = saved(run, 96), saved(silent, 96)
    assert differences(one.model, other.model) == []
    assert differences(one.state["population"], other.state["population"]) == []


def test_a_recording_that_fails_is_told_and_training_goes_on(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise ReplayError("q: expected a finite number, got nan")

    monkeypatch.setattr(replays, "record", refuse)
    level = write_level(tmp_path, recorded_room(keep=2))
    code = train.main(["--level", str(level), "--plain", "--device", "cpu", "--runs-dir", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 1 and said.count("cannot record a replay:") == 1
    assert "q: expected a finite number, got nan; training goes on" in said
    assert len(list(tmp_path.glob("*/*/evaluation/*.json"))) == 6


@pytest.mark.parametrize(("rule", "times"), [({}, 0), ({"keep": 2}, 6)], ids=["silent", "recorded"])
def test_only_where_a_level_records_it_is_noted_what_was_played(rule, times, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(examiner, "Noted", lambda: made.append(Noted()) or made[-1])
    train_briefly(tmp_path, recorded_room(**rule))
    assert len(made) == times


def test_what_is_recorded_may_change_where_a_run_is_resumed():
    level = Level.model_validate_json(json.dumps(recorded_room(keep=2)))
    refuse_changes(level, level.model_copy(update={"replays": None}), "run")


# --- whose lives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "agents"),
    [
        ({}, [2, 1, 0]),  # the longest, the shortest, and the first two, of which one is there already
        ({"best": False}, [1, 0]),
        ({"worst": False}, [2, 0, 1]),
        ({"best": False, "worst": False}, [0, 1]),
        ({"agents": 9}, [2, 1, 0, 3]),
    ],
    ids=str,
)
def test_the_longest_life_the_shortest_and_the_first_are_chosen(rule, agents):
    """Lives of 2, 1, 4 and 3 steps."""
    noted = Noted()
    noted.ended = [torch.tensor([length == step for length in (2, 1, 4, 3)]) for step in range(1, 5)]
    assert chosen(noted, Replays(every=1, **rule)) == agents


# --- stages -------------------------------------------------------------------------------------------------------


class InStages:
    """A population whose agents are in given stages."""

    def __init__(self, level):
        self.network, self.curriculum, self.counts = network_of(level), self, {}

    def read_metrics(self):
        stages = {f"curriculum/agents_in_stage_{stage}": count for stage, count in self.counts.items()}
        return {"curriculum/stage": 1.5} | stages


def directory(path):
    """What a recorder asks of a run's folder."""
    return SimpleNamespace(path=path, evaluation=path / "evaluation", id="1")


def test_the_first_evaluation_of_each_stage_is_recorded(tmp_path):
    level = Level.model_validate_json(json.dumps(recorded_room(every=1000, keep=9)))
    population, run = InStages(level), directory(tmp_path)
    noted, _ = play(level, GreedyPolicy(population.network, 4, CPU), 4)
    for step, counts in enumerate([{1: 4, 2: 0}, {1: 4, 2: 0}, {1: 3, 2: 1}, {1: 4, 2: 0}, {1: 0, 2: 4}], start=1):
        population.counts = counts
        recorder = Recorder(level, 5)  # a new one each time, as in a resumed run
        if recorder.due(population, run, 100 * step):
            recorder.keep(noted, population, run, 100 * step)
    assert names(tmp_path) == ["step_000000100_stage-1.replay", "step_000000300_stage-2.replay"]
    assert last_stage(tmp_path / "replays") == 2
    quiet = level.model_copy(update={"replays": level.replays.model_copy(update={"first_of_stage": False})})
    population.counts = {3: 4}
    assert not Recorder(quiet, 5).due(population, run, 600)


def test_a_level_without_a_curriculum_has_no_stages(tmp_path):
    assert last_stage(tmp_path / "nowhere") == 0
    assert load_level("2").replays is None


@pytest.mark.parametrize(
    ("every", "recorded"),
    [
        (2050, [2100, 4200]),  # 2100 and 3000 are both within 1000 steps of 2050
        (3100, [4200]),  # which is more than 1000 steps after 3100
        (1000, [1200, 2100, 3000, 4200, 5100, 6000]),
    ],
)
def test_each_multiple_is_recorded_once_where_evaluations_are_unevenly_apart(every, recorded, tmp_path):
    """300 agents that are evaluated every 1000 steps: at the first multiples of 300 from there on."""
    level = Level.model_validate_json(json.dumps(recorded_room(every=every)))
    population, run, due = InStages(level), directory(tmp_path), []
    run.evaluation.mkdir()
    for step in (1200, 2100, 3000, 4200, 5100, 6000):
        (run.evaluation / f"step_{step:09}.json").touch()
        due += [step] if Recorder(level, 5).due(population, run, step) else []  # a new one, as in a resumed run
    assert due == recorded
    assert last_evaluation(run.evaluation, 4200) == 3000  # resumed before it, where later ones lie already
    assert last_evaluation(run.evaluation, 1200) == last_evaluation(tmp_path / "nowhere", 1200) == 0


# --- files --------------------------------------------------------------------------------------------------------


def test_only_the_runs_own_files_are_removed(tmp_path):
    ours = ["step_000000100.replay", "step_000000200_stage-2.replay", "step_1000000000.replay"]
    others = ["step_000000100_16x500.replay", "mine.replay", "step_100.replay"]
    for name in (*ours, *others, ".step_000000100.replay.tmp"):
        (tmp_path / name).touch()
    prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*ours[1:], *others])
