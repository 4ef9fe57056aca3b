"""Recording the newest agent beside a training: what is recorded, and how little time that takes of the machine."""

import asyncio
import shutil

import pytest

from support.rooms import room, train_briefly
from townlet.commands import cli
from townlet.page.replay import read
from townlet.run.saving.checkpoint import CheckpointError
from townlet.watch import recorder as recording
from townlet.watch import recording as beside
from townlet.watch.folder import RunFolder
from townlet.watch.hub import Hub
from townlet.watch.recorder import Recorder, keep_recording, pause_after

MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run in the room, in which breath lasts for five ticks, saved after 16 and after 32 steps."""
    return train_briefly(tmp_path_factory.mktemp("runs"), room(layout=MAPS), "run", "--checkpoint-every", "16")


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_the_newest_agent_is_recorded_once_as_the_command_records_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr("townlet.page.recorder.can_plan", lambda level: False)  # the planner's lives are the command's
    newest = Recorder(run, tmp_path, 3)
    assert newest.record_newest() == "" and newest.record_newest() is None
    assert cli.main(["replay", str(run), "--agents", "3", "--device", "cpu", "--out", str(tmp_path / "own")]) == 0
    assert (tmp_path / "step_000000032_newest.replay").read_bytes() == (tmp_path / "own").read_bytes()


def test_agents_that_were_saved_since_are_recorded_on_the_same_maps(run, tmp_path):
    shutil.move(run / "checkpoints" / "step_000000032", tmp_path / "later")
    newest = Recorder(run, tmp_path, 4)
    newest.record_newest()
    shutil.move(tmp_path / "later", run / "checkpoints" / "step_000000032")
    newest.record_newest()
    replays = [read(path) for path in sorted(tmp_path.glob("*.replay"))]
    assert [one.header.origin.env_steps for one in replays] == [16, 32]
    assert replays[0].lives[0].map == replays[1].lives[0].map
    assert [life.places for life in replays[0].lives] == [life.places for life in replays[1].lives]


def test_only_the_newest_recordings_stay(run, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "KEPT", 2)
    for step in (4, 8):
        (tmp_path / f"step_{step:09}_newest.replay").write_text("")
    Recorder(run, tmp_path, 1).record_newest()
    assert sorted(path.name for path in tmp_path.glob("*.replay")) == [
        "step_000000008_newest.replay", "step_000000032_newest.replay"
    ]  # fmt: skip


def test_a_run_without_a_checkpoint_is_nothing_to_do_and_a_damaged_one_is_told_once(run, tmp_path):
    shutil.rmtree(run / "checkpoints" / "step_000000016")
    damaged = run / "checkpoints" / "step_000000032" / "model.safetensors"
    damaged.write_bytes(b"")
    newest = Recorder(run, tmp_path, 1)
    assert newest.record_newest().startswith("The newest agent cannot be read: ") and newest.record_newest() is None
    shutil.rmtree(run / "checkpoints")
    assert Recorder(run, tmp_path, 1).record_newest() is None


def test_a_folder_of_checkpoints_that_cannot_be_read_is_told(run, tmp_path, monkeypatch):
    def refuse(folder):
        raise CheckpointError(f"{folder.name}: expected a readable folder, got Permission denied")

    monkeypatch.setattr(recording, "checkpoints_in", refuse)
    said = "The newest agent cannot be read: checkpoints: expected a readable folder, got Permission denied"
    assert Recorder(run, tmp_path, 1).record_newest() == said


def test_the_state_of_a_checkpoint_which_may_be_large_is_not_read(run, tmp_path):
    (run / "checkpoints" / "step_000000032" / "state.pt").unlink()
    assert Recorder(run, tmp_path, 1).record_newest() == ""


def test_after_work_comes_a_pause_as_long_as_the_share_of_all_cores_asks():
    assert pause_after(3.0, 2, share=0.015) == pytest.approx(97.0)  # 3 of 100 seconds of one core are 0.015 of two
    assert pause_after(3.0, 1, share=0.5) == pytest.approx(3.0)
    assert pause_after(3.0, 100, share=0.015) == 0.0  # one thread cannot take more than one core


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(("going", "pause"), [(True, 197.0), (False, 1.0)])
def test_it_pauses_while_the_run_goes_on_and_not_when_it_is_over(monkeypatch, going, pause):
    clock = iter([3.0, 20.0, 20.0, 30.0])  # three seconds to begin and for the first; none for the second
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    monkeypatch.setattr(recording, "cores_there", lambda: 1)
    monkeypatch.setattr(recording, "goes_on", lambda run: going)
    paused, said = [], []

    class Twice:
        run = None
        answers = iter(["", None])

        def record_newest(self):
            return next(self.answers)

    def pausing(seconds):
        paused.append(round(seconds, 6))
        if len(paused) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        keep_recording(Twice(), said.append, pausing)
    assert paused == [pause, 1.0] and said == [""]  # 3 seconds are 0.015 of 200; nothing to do costs nothing


def test_a_recorder_begins_when_there_is_an_agent_and_somebody_to_see_it(run, tmp_path, monkeypatch):
    begun, saved = [], []

    async def begin(*command, **pipes):
        begun.append(command)
        raise OSError(2, "No such file or directory")

    async def come_one_after_the_other():
        hub = Hub(RunFolder(run, tmp_path))
        recording = asyncio.create_task(beside.recording(hub, tmp_path, 3))
        for happens in (lambda: None, lambda: saved.append(32), lambda: setattr(hub, "listeners", 1)):
            assert begun == []
            happens()
            await asyncio.sleep(0.05)
        await recording
        return hub.recorder_said

    monkeypatch.setattr(beside, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(beside, "steps_saved", lambda run: saved)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin)
    assert asyncio.run(come_one_after_the_other()) == "No lives are recorded: No such file or directory."
    assert len(begun) == 1 and begun[0][-1] == "3"
