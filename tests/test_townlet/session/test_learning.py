"""`townlet.learn`: the training of the command, called from Python, and what a caller may rely on."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
import torch

import townlet
from support.rooms import room, saved, train_briefly
from townlet.config import ConfigError
from townlet.population.vectorized import VectorizedPopulation
from townlet.run import training
from townlet.run.run_directory import RunError
from townlet.run.saving.checkpoint import CheckpointError


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    return saved(Path(run), step).model


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Interrupting(townlet.Callback):
    """Sends this process the signal of Ctrl-C, as often as it is asked for, after so many steps."""

    def __init__(self, steps: int, times: int = 1) -> None:
        self.steps, self.times = steps, times

    def on_step(self, moment):
        if moment.steps == self.steps:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


# --- the same as the command --------------------------------------------------------------------------------------


def test_it_is_the_training_of_the_command_weight_for_weight(tmp_path, learn):
    flags = ["--seed", "3", "--num-agents", "2", "--total-steps", "24", "--set", "max_steps=6"]
    flags += ["--checkpoint-every", "8", "--evaluate-every", "12"]
    command = train_briefly(tmp_path, room(), "command", *flags)
    run = learn(
        overrides={"max_steps": 6, "training.seed": 1}, seed=3, num_agents=2, total_steps=24, run_name="called",
        checkpoint_every=8, evaluate_every=12,
    )  # fmt: skip
    assert run.path == command.with_name("called") and run.steps == 24 and run.stopped_by == "steps"
    assert equal(weights(run, 24), weights(command, 24))
    for name in ("config.yaml", "evaluation/step_000000012.json", "evaluation/step_000000024.json"):
        assert (run.path / name).read_text() == (command / name).read_text()
    assert run.level.max_steps == 6 and run.level.training.seed == 3 and not run.missing


def test_a_run_goes_on_where_it_was_stopped_and_begins_with_the_weights_of_another(learn):
    whole = learn(total_steps=32, run_name="whole")
    parts = learn(total_steps=16, run_name="parts")
    again = learn(resume=parts, total_steps=32)
    assert again.path == parts.path and equal(weights(again, 32), weights(whole, 32))
    taught = learn(load=whole, total_steps=4, overrides={"training.learning_rate": 1e-12})  # too few to learn from
    assert equal(weights(taught, 4), weights(whole, 32))


def test_an_environment_of_gymnasium_is_learned_by_its_id(learn):
    run = learn(gym="CartPole-v1", num_agents=2, total_steps=4, overrides={"max_steps": 5, "evaluation.episodes": 2})
    assert run.level.gym == "CartPole-v1" and run.path.parent.name == "CartPole-v1_gym" and run.steps == 4


def test_levels_are_named_by_numbers_too(learn):
    small = {"evaluation.episodes": 2, "max_steps": 5, "training.mode.minibatches": 1}
    assert learn(0.5, small, num_agents=2, total_steps=2).level.id == "0.5"


# --- what is seen of it -------------------------------------------------------------------------------------------


def test_nothing_is_printed_but_progress_beside_the_output_where_it_is_asked_for(learn, capsys):
    learn(num_agents=5)  # which is settled, and told
    assert capsys.readouterr() == ("", "")
    learn(num_agents=5, progress="plain")
    said = capsys.readouterr()
    assert said.out == "" and "training.mode.minibatches: 1" in said.err
    assert "step 35: greedy survival" in said.err and "100%" in said.err
    learn(progress=True)  # neither a terminal nor a notebook
    said = capsys.readouterr()
    assert said.out == "" and "level room room" in said.err
    with pytest.raises(ValueError, match=r"^progress: expected True, False or 'plain', got 'bar'$"):
        learn(progress="bar")


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"level": "nowhere"}, ConfigError, r"^level: expected one of .* got 'nowhere'"),
        ({"overrides": {"training.gama": 0.9}}, ConfigError, r"training\.gama: expected one of .*did you mean 'gamma'"),
        ({"total_steps": 0}, ConfigError, r"^total_steps: expected a whole number, at least 1, got 0$"),
        (
            {"checkpoint_every": 1e6},
            ConfigError,
            r"^checkpoint_every: expected a whole number, at least 1, ",
        ),
        ({"curriculum": "0,1"}, ConfigError, r"^curriculum: expected a list of levels, got '0,1'$"),
        ({"curriculum": []}, ConfigError, r"^curriculum: expected a list of levels, got \[\]$"),
        ({"curriculum": [0, "nowhere"]}, ConfigError, r"^level: expected one of .* got 'nowhere'"),
        ({"curriculum": [0]}, ConfigError, r"^curriculum: expected two levels or more, each once, got 0$"),
        (
            {"curriculum": [0, 1], "load": "run"},
            ConfigError,
            r"^curriculum begins with its first level: ",
        ),
        (
            {"curriculum": [0, 1], "mastery": 1.5},
            ConfigError,
            r"^mastery: expected a number above 0 and up to 1, ",
        ),
        ({"curriculum": [0, 1], "watch": True}, ConfigError, r"^watch shows one run, got a ladder of several"),
        (
            {"curriculum": [0, 1], "progress": "bar"},
            ValueError,
            r"^progress: expected True, False or 'plain', ",
        ),
        ({"mastery": 0.5}, ConfigError, r"^mastery is of a ladder: it goes with curriculum$"),
        ({"device": "tpu"}, ConfigError, r"^device: expected auto, cpu or cuda, got 'tpu'; did you mean 'cpu'\?$"),
        ({"run_name": "a/b"}, RunError, r"^run name 'a/b' is not a plain name"),
        ({"load": "nowhere/at/all"}, ConfigError, r"got nothing there$"),
        ({"resume": "latest"}, RunError, r"^no run 'latest': there are no runs in "),
        (
            {"resume": "latest", "seed": 1},
            ConfigError,
            r"^resume goes on as it is: level, gym, curriculum, load, ",
        ),
        ({"callbacks": [print]}, TypeError, r"^callbacks: expected objects of classes derived from townlet.Callback"),
    ],
)
def test_what_is_asked_wrongly_is_an_exception_of_one_line_and_leaves_no_run(asked, error, said, learn, tmp_path):
    with pytest.raises(error, match=said) as raised:
        learn(**asked)
    assert "\n" not in str(raised.value) and not [*tmp_path.glob("*/*")]


def test_a_ladder_and_a_run_that_is_damaged_are_told_in_a_line(learn, tmp_path):
    (tmp_path / "ladder.json").write_text("{}")
    with pytest.raises(RunError, match=r"ladder\.json: expected a ladder, got KeyError"):
        learn(resume=tmp_path)
    run = learn()
    for manifest in run.path.glob("checkpoints/*/manifest.json"):
        manifest.write_text("{")
    with pytest.raises(CheckpointError, match="expected a whole checkpoint"):
        learn(resume=run)


# --- where it is called -------------------------------------------------------------------------------------------


def test_ctrl_c_saves_and_returns_the_run_which_can_go_on(learn, capfd):
    former = signal.getsignal(signal.SIGINT)
    run = learn(callbacks=[Interrupting(12)])
    assert (run.steps, run.stopped_by, run.why) == (12, "interrupt", "")
    assert capfd.readouterr().err == "saving and stopping; once more stops at once\n"
    assert signal.getsignal(signal.SIGINT) is former and saved(run.path, 12).step == 12
    assert equal(weights(learn(resume=run), 32), weights(learn(run_name="whole"), 32))


def test_ctrl_c_twice_raises_what_it_raises_everywhere(learn, tmp_path):
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        learn(callbacks=[Interrupting(12, times=2)], checkpoint_every=8, run_name="run")
    assert signal.getsignal(signal.SIGINT) is former
    assert saved(tmp_path / "room_room" / "run", 8).step == 8


def test_other_signals_are_left_to_the_program_that_calls(learn):
    heard = []

    class Asking(townlet.Callback):
        def on_start(self, moment):
            heard.append(signal.getsignal(signal.SIGTERM))

    former = signal.getsignal(signal.SIGTERM)
    learn(callbacks=[Asking()])
    assert heard == [former]


def test_it_trains_in_another_thread_than_the_main_one(learn):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(learn(run_name="beside")))
    thread.start()
    thread.join(60)
    assert equal(weights(runs[0], 32), weights(learn(run_name="main"), 32))


def test_calls_leave_nothing_behind_that_grows(learn, monkeypatch):
    alive: list[weakref.ref] = []
    make = VectorizedPopulation.__init__

    def noted(population, *arguments, **keywords):
        alive.append(weakref.ref(population))
        make(population, *arguments, **keywords)

    monkeypatch.setattr(VectorizedPopulation, "__init__", noted)
    runs = [learn(callbacks=[townlet.Callback()]) for _ in range(3)]
    gc.collect()
    assert len(alive) == len(runs) == 3 and [one() for one in alive] == [None] * 3
    assert threading.active_count() == 1 or all("tensorboard" not in one.name for one in threading.enumerate())


def test_the_process_multiplies_matrices_as_before(learn, monkeypatch):
    def hasten(device):
        torch.set_float32_matmul_precision("medium")
        return torch.device("cpu")

    monkeypatch.setattr(training, "device_named", hasten)
    torch.set_float32_matmul_precision("high")
    learn()
    assert torch.get_float32_matmul_precision() == "high"


def test_importing_townlet_imports_no_pytorch_though_it_has_learn():
    program = "import sys, townlet; assert 'learn' in dir(townlet); townlet.Callback; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
