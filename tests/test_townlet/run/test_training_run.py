"""What may fail beside a training, and what may end it: nothing is lost silently, and the exit code tells."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from townlet import train
from townlet.curriculum.static import StaticCurriculum
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.evaluation import Evaluator
from townlet.run import training_run
from townlet.run.saving import checkpoint

SMALL = {
    "network": '{"kind": "recurrent", "encoder": {"kind": "joint", "width": 6}, "hidden": 5, "head": 5}',
    "training.num_agents": "8", "training.mode.minibatches": "2", "evaluation.episodes": "4", "max_steps": "12",
    "layout.training_maps": "32", "layout.evaluation_maps": "16",
}  # fmt: skip
FLAGS = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def command(runs: Path, *arguments: str) -> list[str]:
    """The flags of a training of 160 steps, 20 of each agent, evaluated and saved after 80 too."""
    common = ["--level", "1", "--device", "cpu", "--runs-dir", str(runs), "--run-name", "run"]
    pace = ["--total-steps", "160", "--evaluate-every", "80", "--checkpoint-every", "80"]
    return [*common, *FLAGS, *pace, *arguments]


def train_small(runs: Path, *arguments: str) -> tuple[int, Path]:
    """Train in this process; returns the exit code and the run's folder."""
    code = train.main(command(runs, "--plain", *arguments))
    return code, runs / "1_full_observability" / "run"


def saved_steps(run: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("step_")) for folder in (run / "checkpoints").glob("step_*"))


def failing(error: BaseException, calls: int = 0, whole=None):
    """Like `whole` for some calls, then raising."""
    made = []

    def called(*arguments, **named):
        made.append(1)
        if len(made) > calls:
            raise error
        return whole(*arguments, **named)

    return called


# --- beside the training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no such place"), SystemExit(0)])
def test_an_evaluation_that_fails_is_told_once_and_training_goes_on(error, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Evaluator, "compare", failing(error))
    code, run = train_small(tmp_path)
    said = capsys.readouterr()
    assert code == 1 and saved_steps(run) == [80, 160] and said.err == ""
    line = f"cannot evaluate: {type(error).__name__}: {error}; training goes on"
    assert said.out.splitlines().count(line) == 1 and "greedy" not in said.out
    log = (run / "train.log").read_text()
    assert log.count("Traceback (most recent call last)") == 2 and "ERROR cannot evaluate" in log


def test_one_that_fails_at_first_leaves_the_later_ones(tmp_path, monkeypatch, capsys):
    whole, calls = Evaluator.compare, []

    def first_fails(*arguments, **named):
        calls.append(1)
        if len(calls) == 1:
            raise OSError(24, "Too many open files")
        return whole(*arguments, **named)

    monkeypatch.setattr(Evaluator, "compare", first_fails)
    code, run = train_small(tmp_path)
    said = capsys.readouterr().out
    assert code == 1 and "cannot evaluate: Too many open files; training goes on" in said
    assert "step 160: greedy survival" in said and "step 80: greedy survival" not in said
    assert checkpoint.load(run / "checkpoints" / "step_000000160").manifest["score"] is not None


def test_a_picture_that_cannot_be_drawn_fails_the_command_when_all_is_saved(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_run, "draw_run", failing(RuntimeError("no font")))
    code, run = train_small(tmp_path)
    assert code == 1 and saved_steps(run) == [80, 160]
    assert f"cannot draw {run / 'curves.png'}: RuntimeError: no font" in capsys.readouterr().out


def test_metrics_and_a_log_that_find_no_room_are_told_and_training_goes_on(tmp_path, capsys):
    assert train_small(tmp_path)[0] == 0
    run = tmp_path / "1_full_observability" / "run"
    for name in ("train.log", "metrics.sqlite"):
        (run / name).unlink()
    (run / "train.log").symlink_to("/dev/full")
    (run / "metrics.sqlite").mkdir()
    capsys.readouterr()
    resumed = ["--resume", str(run), "--total-steps", "240", "--plain", "--device", "cpu"]
    assert train.main(resumed) == 1
    said = capsys.readouterr()
    assert saved_steps(run)[-1] == 240 and said.err == ""
    assert said.out.count(f"cannot write {run / 'train.log'}: No space left on device") == 1
    assert said.out.count(f"cannot write metrics to {run / 'metrics.sqlite'}: unable to open database file") == 1


def test_a_tensorboard_that_is_broken_is_told_and_done_without(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, run = train_small(tmp_path / "absent")
    assert code == 0 and "TensorBoard" not in capsys.readouterr().out

    class Broken:
        def __getattr__(self, name):
            raise TypeError("Descriptors cannot be created directly")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", Broken())
    code, run = train_small(tmp_path / "broken")
    assert code == 0 and saved_steps(run) == [80, 160]
    told = f"cannot write TensorBoard events to {run}: TypeError: Descriptors cannot be created directly"
    assert capsys.readouterr().out.count(told) == 1


def test_an_environment_that_refuses_to_be_closed_costs_the_exit_code_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(VectorizedEnv, "close", failing(RuntimeError("held")))
    code, run = train_small(tmp_path)
    assert code == 1 and saved_steps(run) == [80, 160]
    told = [line for line in capsys.readouterr().out.splitlines() if "held" in line]  # when nothing goes on any more
    names = "the environment", "the environment of the evaluations"
    assert told == [f"cannot close {name}: RuntimeError: held" for name in names]


def test_checkpoints_that_are_refused_are_told_of_once_until_one_is_taken(tmp_path, monkeypatch, capsys):
    whole, calls = checkpoint.save, []

    def save(*arguments, **named):
        calls.append(1)
        if len(calls) in (1, 2, 4):
            raise checkpoint.CheckpointError(f"cannot save number {len(calls)}")
        return whole(*arguments, **named)

    monkeypatch.setattr(checkpoint, "save", save)
    code, run = train_small(tmp_path, "--evaluate-every", "160", "--checkpoint-every", "24")
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cannot save")]
    assert told == ["cannot save number 1; training goes on", "cannot save number 4; training goes on"]
    assert code == 0 and saved_steps(run)[-1] == 160


# --- what ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no such place"), MemoryError("Unable to allocate 8 GiB"), SystemExit(0)])
def test_what_was_learned_before_an_error_is_saved_and_goes_on_from_there(error, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        patched.setattr(VectorizedEnv, "step", failing(error, 15, VectorizedEnv.step))
        code, run = train_small(tmp_path, "--evaluate-every", "160", "--checkpoint-every", "160")
    err = capsys.readouterr().err
    assert code == 1 and saved_steps(run) == [120]
    reason = "not enough memory" if isinstance(error, MemoryError) else f"{type(error).__name__}"
    assert err == f"townlet train: step 120: {reason}: {error}; saved up to step 120; more in {run / 'train.log'}\n"
    assert "Traceback (most recent call last)" in (run / "train.log").read_text()
    assert train.main(["--resume", str(run), "--plain", "--device", "cpu", "--checkpoint-every", "160"]) == 0
    assert saved_steps(run) == [120, 160]


def test_a_population_broken_off_in_the_middle_of_a_step_is_not_saved(tmp_path, monkeypatch, capsys):
    """What the agents did is on the tape, and not yet in their memory."""
    monkeypatch.setattr(StaticCurriculum, "record", failing(ValueError("no stage"), 15, StaticCurriculum.record))
    code, run = train_small(tmp_path, "--evaluate-every", "160")
    assert code == 1 and saved_steps(run) == [80]
    assert "step 120: ValueError: no stage; saved up to step 80; more in" in capsys.readouterr().err


def test_an_error_in_the_first_step_leaves_nothing_to_save(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(VectorizedEnv, "step", failing(ValueError("no such place")))
    code, run = train_small(tmp_path)
    assert code == 1 and saved_steps(run) == []
    assert "step 0: ValueError: no such place; nothing was saved; more in" in capsys.readouterr().err


def test_a_disk_that_refuses_the_last_save_too_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(VectorizedEnv, "step", failing(ValueError("no such place"), 5, VectorizedEnv.step))
    monkeypatch.setattr(checkpoint, "save", failing(checkpoint.CheckpointError("cannot save: No space left")))
    assert train_small(tmp_path)[0] == 1
    assert "no such place; cannot save: No space left; nothing was saved" in capsys.readouterr().err


# --- stopping ---------------------------------------------------------------------------------------------------------


def in_an_evaluation(monkeypatch, number: int, work) -> None:
    """Call `work` at the beginning of the numbered evaluation."""
    whole, calls = Evaluator.compare, []

    def compare(evaluator, *arguments, **named):
        calls.append(1)
        if len(calls) == number:
            work()
        return whole(evaluator, *arguments, **named)

    monkeypatch.setattr(Evaluator, "compare", compare)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_an_evaluation_is_dropped_by_a_signal_and_the_run_saved(tmp_path, monkeypatch, capsys):
    in_an_evaluation(monkeypatch, 2, interrupt)
    code, run = train_small(tmp_path, "--total-steps", "240")
    said = capsys.readouterr().out
    assert code == 0 and saved_steps(run) == [80, 160]
    assert "step 80: greedy" in said and "step 160: greedy" not in said and "--resume" in said
    assert checkpoint.load(run / "checkpoints" / "step_000000160").manifest["score"] is None


def test_before_the_world_of_evaluations_is_made_all_is_saved(tmp_path, monkeypatch, capsys):
    """Compiling it takes seconds and bears no interruption: a signal then ends the process at once."""
    in_an_evaluation(monkeypatch, 1, interrupt)
    code, run = train_small(tmp_path)  # this process is none of a command: there it ends with code 0
    assert code == 1 and saved_steps(run) == [80]
    assert capsys.readouterr().err == "townlet train: stopped at once; the last checkpoint is as it was\n"


def test_a_signal_before_the_first_step_saves_nothing(tmp_path, monkeypatch, capsys):
    def make_env(*arguments, **named):
        interrupt()
        raise AssertionError("went on")

    monkeypatch.setattr(training_run, "make_training_env", make_env)
    code, run = train_small(tmp_path)
    assert code == 1 and saved_steps(run) == []


# --- nobody there -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_no_run_that_ignores_hangups(tmp_path):
    """As under nohup: the dashboard draws into nothing from then on."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-m", "townlet.train", *command(tmp_path)],
        stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    os.close(slave)
    assert os.read(master, 1)  # the dashboard begins
    os.close(master)
    assert process.wait(timeout=120) == 0
    run = tmp_path / "1_full_observability" / "run"
    assert saved_steps(run) == [80, 160] and "greedy survival" in (run / "train.log").read_text()


@pytest.mark.slow
def test_output_without_room_and_letters_that_it_lacks_end_no_run(tmp_path):
    words = [sys.executable, "-m", "townlet.train", *command(tmp_path, "--plain", "--run-name", "ünï")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.stderr == "townlet: cannot write to standard output: No space left on device\n"
    assert done.returncode == 0 and saved_steps(tmp_path / "1_full_observability" / "ünï") == [80, 160]
