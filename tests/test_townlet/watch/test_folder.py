"""What is read of a run's folder, and when it is news."""

import json
import os
import shutil
import sqlite3

import pytest

from support.rooms import room, train_briefly
from townlet.watch import folder as looking
from townlet.watch.folder import RunFolder, goes_on, recordings, replays_in

MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 32 steps in the room, in which breath lasts for five ticks; recorded every 4 and evaluated every 16."""
    flags = ("--evaluate-every", "16")
    return train_briefly(tmp_path_factory.mktemp("runs"), room(layout=MAPS, yardsticks={"random": 3.0}), "run", *flags)


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def stored(run, query, *values):
    with sqlite3.connect(run / "metrics.sqlite") as connection:
        return connection.execute(query, values).fetchall()


def test_points_are_what_the_metrics_hold(trained, tmp_path):
    found = RunFolder(trained, tmp_path).look()
    names = {"rollout/ep_len_mean", "eval/mean_ep_length", "memory/ablation_gap", "train/td_error"}
    held = {}
    for name, step, value in stored(trained, "SELECT name, step, value FROM scalars ORDER BY step"):
        if name in names:
            held.setdefault(name, []).append((step, value))
    assert held.keys() == names and found.points.points == held and not found.points.anew
    assert held["eval/mean_ep_length"] == [(16, 5.0), (32, 5.0)]


def test_a_run_is_told_with_its_facts_and_what_it_is_compared_with(trained, tmp_path):
    news = RunFolder(trained, tmp_path).look().run
    assert (news.name, news.level, news.agents, news.seed) == ("run", "room room", 4, 1)
    assert (news.state, news.step, news.total_steps) == ("over", 32, 32) and "over, after 32 steps" in news.said
    survival, *_ = news.pictures
    assert (survival.title, survival.lines, survival.most) == ("survival", {"random": 3.0}, 9.0)
    groups = {group.title: group.rows for group in news.groups}
    assert groups["causes of death"].keys() == {"breath"} and groups["meters"].keys() == {"breath", "calm"}
    ((rate, elapsed),) = stored(
        trained, "SELECT value, elapsed FROM scalars WHERE name = 'time/fps' ORDER BY step DESC LIMIT 1"
    )
    assert (news.steps_per_second, news.elapsed) == (rate, elapsed)


def test_a_second_look_finds_only_what_came_since(run, tmp_path):
    looked = RunFolder(run, tmp_path)
    looked.look()
    assert looked.look().points is None
    stored(run, "INSERT INTO scalars VALUES ('train/td_error', 36, 0.25, 9.0), ('train/loss', 36, 0.5, 9.0)")
    came = looked.look().points
    assert came.points == {"train/td_error": [(36, 0.25)]} and not came.anew


def test_points_begin_anew_where_a_resumed_run_has_dropped_some(run, tmp_path):
    looked = RunFolder(run, tmp_path)
    before = looked.look().points.points["train/td_error"]
    stored(run, "UPDATE scalars SET value = 7.0, elapsed = 99.0 WHERE name = 'train/td_error' AND step >= 28")
    came = looked.look().points
    assert came.anew and came.points["train/td_error"] == [*before[:-2], (28, 7.0), (32, 7.0)]
    assert came.points["eval/mean_ep_length"] == [(16, 5.0), (32, 5.0)]


def test_no_value_that_is_not_finite_is_sent(run, tmp_path):
    stored(run, "UPDATE scalars SET value = NULL WHERE name = 'train/td_error' AND step = 32")
    points = RunFolder(run, tmp_path).look().points
    assert points.points["train/td_error"][-1] == (32, None)
    json.loads(points.model_dump_json(), parse_constant=lambda name: pytest.fail(name))


def test_a_run_that_has_not_begun_is_told_to_and_waits_for_its_first_checkpoint(run, tmp_path):
    for name in ("checkpoints", "metrics.sqlite"):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (run / ".holder").write_text(f"{os.getpid()}\n")
    found = RunFolder(run, tmp_path).look()
    assert (found.run.state, found.run.step, found.points) == ("waiting", 0, None)
    assert found.awaited == "Agents are shown once the first is saved, after about 1 steps."


def test_a_run_goes_on_while_its_process_is_there_or_has_written_lately(run, monkeypatch):
    assert goes_on(run)  # just copied
    monkeypatch.setattr(looking, "SECONDS_OF_SILENCE", -1.0)
    (run / ".holder").write_text(f"{os.getpid()}\n")
    assert goes_on(run)
    for nobody in ("", "no number", str(2**22 + 1), "9" * 30):  # above the highest number of a process
        (run / ".holder").write_text(nobody)
        assert not goes_on(run)


def test_a_run_that_does_not_go_on_is_said_to_be_stopped(run, tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "SECONDS_OF_SILENCE", -1.0)
    (run / ".holder").write_text("")
    shutil.rmtree(run / "checkpoints" / "step_000000032")
    stored(run, "DELETE FROM scalars WHERE step > 28")
    news = RunFolder(run, tmp_path).look().run
    assert (news.state, news.step) == ("stopped", 28) and "stopped after 28 of 32 steps" in news.said


def test_replays_are_files_of_that_name_and_no_links(tmp_path):
    for name in ("step_000000016.replay", "step_000000032_4x500.replay", ".step_000000001.replay.tmp", "own.replay",
                 "step_000000032.replay.txt"):  # fmt: skip
        (tmp_path / name).write_text("")
    (tmp_path / "step_000000064.replay").symlink_to("/etc/hostname")
    (tmp_path / "step_000000128.replay").mkdir()
    assert sorted(replays_in(tmp_path)) == ["step_000000016.replay", "step_000000032_4x500.replay"]
    assert replays_in(tmp_path / "nowhere") == {}


def test_recordings_are_told_in_the_order_of_their_steps():
    names = ["step_1000000000_newest.replay", "step_000000032.replay", "step_000000016_stage-2.replay"]
    assert [one.step for one in recordings(names)] == [16, 32, 1_000_000_000]
    assert recordings(names)[0].path == "replays/step_000000016_stage-2.replay"
