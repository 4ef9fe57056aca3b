"""The command that people run: a real training, small; its folder, its messages, and what it survives."""

import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from townlet import evaluate, train
from townlet.agent.learner import QLearner
from townlet.config import load_level
from townlet.environment.vectorized_env import STEPS_THAT_REPAY_COMPILING
from townlet.population import vectorized
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.saving import checkpoint

SMALL = [
    "--level", "2", "--num-agents", "8", "--device", "cpu", "--plain",
    "--set", "training.mode.minibatches=2", "--set", "evaluation.episodes=8", "--set", "max_steps=24",
    "--set", "network.encoder.width=12", "--set", "network.hidden=8", "--set", "network.head=12",
    "--set", "layout.training_maps=32", "--set", "layout.evaluation_maps=16",
]  # fmt: skip
# Half a minute of steps, and one step short of what compiling the world would repay.
LONG = str(8 * (STEPS_THAT_REPAY_COMPILING - 1))


NAMES = ("--level", "--gym", "--curriculum", "--resume", "--load", "--run-name", "--runs-dir")


def run_train(runs: Path, *arguments: str) -> Path:
    """Train in this process; returns the run folder."""
    assert train.main([*SMALL, "--runs-dir", str(runs), "--run-name", "run", *arguments]) == 0
    return runs / "2_partial_observability" / "run"


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    return checkpoint.load(run / "checkpoints" / f"step_{step:09}").model


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 160 steps with seed 5, and checkpoints of each half of it, to be read: `run` is a copy of it."""
    folder = tmp_path_factory.mktemp("trained")
    return run_train(folder, "--total-steps", "160", "--seed", "5", "--checkpoint-every", "80")


@pytest.fixture
def run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "2_partial_observability" / "run"))


def test_a_run_leaves_what_the_documentation_promises(tmp_path, capsys, pictures):
    run = run_train(tmp_path, "--total-steps", "320", "--evaluate-every", "160")
    out = capsys.readouterr().out
    assert "greedy survival" in out and f"The run lies in {run}" in out and "--resume" in out
    for name in ("config.yaml", "meta.json", "metrics.sqlite", "curves.png", "report.html", "train.log",
                 "checkpoints/latest.json", "checkpoints/best.json", "evaluation/step_000000320.json"):  # fmt: skip
        assert (run / name).is_file(), name
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert load_level(run / "config.yaml").training.num_agents == 8
    assert json.loads((run / "meta.json").read_text())["seed"] == 0
    names = {row[0] for row in sqlite3.connect(run / "metrics.sqlite").execute("select distinct name from scalars")}
    expected = {"rollout/ep_len_mean", "rollout/ep_rew_mean", "rollout/survival_rate", "train/loss", "train/td_error",
                "train/q_mean", "train/grad_norm", "train/epsilon", "time/fps", "time/act_share", "memory/ablation_gap",
                "memory/hidden_norm", "meters/energy_mean", "affordance/Bed_uses", "deaths/energy"}  # fmt: skip
    assert expected <= names


def test_the_commands_that_are_told_start_the_python_that_runs(tmp_path, capsys, monkeypatch):
    environment = tmp_path / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    for path, expected in ((environment, "python"), (Path("/no/such"), ".venv/bin/python")):
        with monkeypatch.context() as patched:
            patched.setenv("PATH", str(path))
            patched.setattr("sys.executable", str(environment / "python"))
            run_train(tmp_path / expected.replace("/", "-"), "--total-steps", "64")
        assert f" {expected} -m townlet.evaluate " in capsys.readouterr().out


def test_a_run_leaves_no_file_open(tmp_path):
    run = run_train(tmp_path, "--total-steps", "64")
    held = (
        [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()] if Path("/proc/self/fd").exists() else []
    )
    assert not [path for path in held if path.startswith(str(run))]


def test_config_of_a_run_is_that_run_again(trained, tmp_path):
    again = ["--level", str(trained / "config.yaml"), "--runs-dir", str(tmp_path), "--run-name", "run", "--plain"]
    assert train.main([*again, "--device", "cpu"]) == 0
    assert equal(weights(trained, 160), weights(tmp_path / "2_partial_observability" / "run", 160))


def test_same_seed_gives_the_same_weights_and_another_seed_others(trained, tmp_path):
    again, other = (run_train(tmp_path / seed, "--total-steps", "160", "--seed", seed) for seed in ("5", "2"))
    assert equal(weights(trained, 160), weights(again, 160))
    assert not equal(weights(trained, 160), weights(other, 160))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupts, to 384 steps: six windows of 8 steps of 8 agents, two episodes of each."""
    return run_train(tmp_path_factory.mktemp("whole"), "--total-steps", "384")


def resume_here(*arguments):
    assert train.main([*arguments, "--device", "cpu"]) == 0


def resume_in_a_new_process(*arguments):
    command = [sys.executable, "-m", "townlet.train", *arguments, "--device", "cpu"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(  # in the middle of a window, and at its end
    ("stop_at", "resume"),
    [(88, resume_here), (128, resume_here), pytest.param(88, resume_in_a_new_process, marks=pytest.mark.slow)],
)
def test_stopped_and_resumed_equals_uninterrupted(whole, tmp_path, stop_at, resume):
    parts = run_train(tmp_path, "--total-steps", str(stop_at))
    resume("--resume", str(parts), "--total-steps", "384", "--plain")
    assert equal(weights(whole, 384), weights(parts, 384))
    rows = [
        sqlite3.connect(run / "metrics.sqlite")
        .execute("select step, value from scalars where name = 'rollout/ep_len_mean' and step > 128 order by step")
        .fetchall()
        for run in (whole, parts)
    ]
    assert rows[0] and rows[0] == rows[1]


def test_resume_passes_over_a_damaged_checkpoint_and_names_it(run, capsys):
    newest = run / "checkpoints" / "step_000000160" / "state.pt"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert train.main(["--resume", str(run), "--total-steps", "240", "--plain", "--device", "cpu"]) == 0
    assert "step_000000160" in capsys.readouterr().out
    assert (run / "checkpoints" / "step_000000240").is_dir()


def test_resume_of_a_run_that_is_done_says_so(run, capsys):
    assert train.main(["--resume", str(run), "--total-steps", "80", "--plain", "--device", "cpu"]) == 0
    assert "nothing is left to train: step 160 of 80; --total-steps asks for more" in capsys.readouterr().out


def test_resume_without_any_whole_checkpoint_is_one_line(run, capsys):
    for folder in (run / "checkpoints").glob("step_*"):
        (folder / "manifest.json").write_text("{")
    assert train.main(["--resume", str(run), "--plain", "--device", "cpu"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def start(runs: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "townlet.train", *SMALL, "--runs-dir", str(runs), "--run-name", "run", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoint(run: Path) -> None:
    until = time.monotonic() + 60
    while not list((run / "checkpoints").glob("step_*")):
        assert time.monotonic() < until, "no checkpoint in a minute"
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_saves_and_stops_and_the_run_can_go_on(tmp_path):
    process = start(tmp_path, "--total-steps", LONG, "--checkpoint-every", "80", "--set", "training.seed=3")
    run = tmp_path / "2_partial_observability" / "run"
    wait_for_checkpoint(run)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "saving and stopping" in err or "It was stopped and saved" in err, err  # the second right after a checkpoint
    assert "--resume" in out + err
    saved = checkpoint.load_latest(run / "checkpoints", pytest.fail)
    assert train.main(["--resume", str(run), "--total-steps", str(saved.step + 80), "--plain", "--device", "cpu"]) == 0


class Killed(NamedTuple):
    """A run whose process was killed at any moment, while it was nearly always saving."""

    path: Path
    process: int
    refused: int  # the exit code of a resume while the process held the run
    said: str  # what that resume said


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder, err = tmp_path_factory.mktemp("killed"), io.StringIO()
    process = start(folder, "--total-steps", LONG, "--checkpoint-every", "16")
    path = folder / "2_partial_observability" / "run"
    try:
        wait_for_checkpoint(path)
        with contextlib.redirect_stderr(err):
            refused = train.main(["--resume", str(path), "--plain", "--device", "cpu"])
        time.sleep(0.2)
    finally:
        process.kill()
        process.wait(timeout=60)
    return Killed(path, process.pid, refused, err.getvalue())


@pytest.mark.slow
def test_a_run_is_held_by_one_process(killed):
    assert killed.refused == 1 and str(killed.process) in killed.said


@pytest.mark.slow
def test_killed_at_any_moment_the_run_resumes(killed):
    run = killed.path
    found = checkpoint.load_latest(run / "checkpoints", pytest.fail)
    assert train.main(["--resume", str(run), "--total-steps", str(found.step + 80), "--plain", "--device", "cpu"]) == 0


def test_a_save_that_fails_is_told_and_training_goes_on(tmp_path, capsys, monkeypatch):
    real, calls = checkpoint.save, []

    def full_at_first(*arguments, **named):
        calls.append(1)
        if len(calls) == 1:
            raise checkpoint.CheckpointError("cannot save: No space left on device")
        return real(*arguments, **named)

    monkeypatch.setattr(checkpoint, "save", full_at_first)
    run = run_train(tmp_path, "--total-steps", "240", "--checkpoint-every", "80")
    assert "No space left on device; training goes on" in capsys.readouterr().out
    assert [folder.name for folder in sorted((run / "checkpoints").glob("step_*"))] == [
        "step_000000160",
        "step_000000240",
    ]


def test_nan_stops_the_run_at_once_and_leaves_the_last_checkpoint(run, capsys):
    before = weights(run, 160)
    arguments = ["--resume", str(run), "--total-steps", "640", "--plain", "--device", "cpu"]
    # The largest float32 overflows in the squared error: a divergence, without touching the code.
    assert train.main([*arguments, "--set", "reward.alive=3e38"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "update" in err and "step" in err and ("inf" in err or "nan" in err)
    assert equal(before, weights(run, 160)) and not (run / "checkpoints" / "step_000000640").exists()


def test_nan_of_captured_updates_leaves_the_last_checkpoint_too(run, capsys, monkeypatch):
    """They say nothing by themselves: the next read of the metrics does, or the next checkpoint."""
    monkeypatch.setattr(vectorized, "QLearner", partial(QLearner, capture=True))
    before = weights(run, 160)
    arguments = ["--resume", str(run), "--total-steps", "640", "--plain", "--device", "cpu"]
    for settled in (VectorizedPopulation.read_metrics, lambda population: {}):  # the second: no metrics are ever read
        monkeypatch.setattr(VectorizedPopulation, "read_metrics", settled)
        assert train.main([*arguments, "--set", "reward.alive=3e38"]) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and ": update 5: expected finite values, but loss is inf" in err
        assert equal(before, weights(run, 160))
        assert json.loads((run / "checkpoints" / "latest.json").read_text())["step"] == 160


def test_updates_that_cannot_be_captured_are_told_of_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(QLearner, "capture_failure", "out of memory")
    run_train(tmp_path, "--total-steps", "64")
    told = "updates run without a CUDA graph, several times slower: out of memory"
    assert capsys.readouterr().out.count(told) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert train.main([*SMALL, "--runs-dir", str(tmp_path / "runs"), "--total-steps", "80"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_in_the_place_of_the_runs_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "runs").write_text("in the way")
    assert train.main([*SMALL, "--runs-dir", str(tmp_path / "runs"), "--total-steps", "80"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--level", "7"], "7"),
        (["--total-steps", "0"], "at least 1"),
        (["--total-steps", "many"], "whole number"),
        (["--set", "training.gama=0.9"], "gamma"),
        (["--set", "gamma"], "key=value"),
        (["--device", "tpu"], "cpu"),
        (["--colour"], "--colour"),
        (["--resume", "latest", "--level", "2"], "--resume"),
        (["--resume", "latest", "--seed", "1"], "--seed"),
        (
            ["--load", "no/such"],
            "--load no/such: expected a checkpoint, a run or an exported policy, got nothing there",
        ),
        (["--seed", "-1"], "seed"),
        (["--seed", "x"], "expected a whole number, got 'x'"),
        (["--level", "no/such.yaml"], "no/such.yaml"),
        *(([flag, ""], f"argument {flag}: expected a name or a path, got nothing") for flag in NAMES),
        *(([flag, "x" * 5000], f"argument {flag}: expected a name or a path that a file can have") for flag in NAMES),
        (
            ["--set", f"network.memory_span={'9' * 401}"],
            "network.memory_span: expected an integer, at least 2, at most ",
        ),
        (["--set", f"training.learning_rate={'9' * 401}"], "training.learning_rate: expected a finite number"),
        (["--set", f"yardsticks.random=1{'0' * 400}"], "yardsticks.random: expected a finite number"),
        (["--set", f"training.total_steps={'9' * 5000}"], "training.total_steps: expected what !!int can hold"),
        (["--total-steps", "1" + "0" * 400], "expected at most 1,000,000,000,000,000"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments, said, capsys, tmp_path):
    try:
        code = train.main([*arguments, "--runs-dir", str(tmp_path)])
    except SystemExit as stopped:
        code = stopped.code
    err = capsys.readouterr().err
    assert code == 2 and said in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_dry_run_prints_the_plan_and_leaves_nothing(tmp_path, capsys):
    assert train.main(["--dry-run", "--total-steps", "1000", "--runs-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1,000" in out and "partial_observability" in out and not list(tmp_path.iterdir())


def test_a_memory_that_does_not_fit_is_one_line_before_there_is_a_run(tmp_path, capsys):
    memory = "network.memory=[{kind: delta, keys: 20, values: 4, keep: 1.0, at: underfot}]"
    for more in ([], ["--dry-run"]):
        assert train.main(["--set", memory, "--runs-dir", str(tmp_path), *more]) == 2
        said = capsys.readouterr().err
        assert said.startswith("network.memory[0].at: expected a part of the observation, ") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_load_begins_with_the_weights_alone(trained, tmp_path):
    taught = str(trained / "checkpoints" / "step_000000160")
    run = run_train(tmp_path, "--total-steps", "8", "--load", taught)  # one step: too few for an update
    assert equal(weights(trained, 160), weights(run, 8))


def test_load_of_another_network_is_one_line(run, tmp_path, capsys):
    other = ["--set", "network.hidden=48", "--load", str(run / "checkpoints" / "step_000000160")]
    assert train.main([*SMALL, "--runs-dir", str(tmp_path / "b"), "--total-steps", "64", *other]) == 1
    err = capsys.readouterr().err  # the four gates of the LSTM stand below each other
    assert err.count("\n") == 1 and err.endswith(": expected weights of this level's network, cell.weight_ih_l0 "
                                                 "[192, 12], got [32, 12]\n")  # fmt: skip


def test_evaluate_prints_one_json_object_that_says_the_same_again(trained, tmp_path, capsys):
    said = []
    for _ in range(2):
        assert evaluate.main([str(trained), "--episodes", "16", "--json", "--device", "cpu"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert set(said[0]) >= {"episodes", "mean_ep_length", "std_ep_length", "mean_reward", "std_reward", "deaths",
                            "checkpoint", "level"}  # fmt: skip
    assert (said[0]["episodes"], said[0]["checkpoint"], said[0]["level"]) == (16, "step_000000160", "2")
    assert evaluate.main([str(trained), "--episodes", "16", "--checkpoint", "best"]) == 0
    assert "random actions" in capsys.readouterr().out
    assert evaluate.main(["no-such-run", "--runs-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
