"""Strangers' environments at the command line: refused before anything is made, or cut short with nothing lost."""

import json
import math
import os
import sys

import gymnasium
import numpy as np
import pytest
import torch

from support.strangers import LENGTH, Stranger
from townlet import evaluate, train
from townlet.commands import cli
from townlet.config import ConfigError, load_gym_task
from townlet.environment import make
from townlet.environment.make import limit_of
from townlet.level.file import configs_directory
from townlet.population import evaluation
from townlet.population.episodes import FirstEpisodes

SMALL = [
    "--num-agents", "4", "--set", "training.seq_len=4", "--set", "network.hidden=8", "--set", "network.head=8",
    "--set", "network.encoder.width=8", "--set", "evaluation.episodes=3", "--plain", "--device", "cpu",
    "--set", "training.mode.capacity=400",  # which every checkpoint holds
]  # fmt: skip
TRIAL = 10  # steps that are lived before a run folder is made


@pytest.fixture
def register():
    """Registers a stranger as Some-v0, with a count of its steps that all of them share; forgets it."""

    def register(**parts):
        lived = []

        def paid(env):
            lived.append(env)
            return parts["paid"](env, len(lived)) if "paid" in parts else 1.0

        gymnasium.register("Some-v0", lambda: Stranger(**(parts | {"paid": paid})))
        return lived

    yield register
    gymnasium.registry.pop("Some-v0", None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which commands run, as the script `townlet` does: it is not among those of modules."""
    kept = [path for path in sys.path if path not in ("", os.getcwd())]
    modules = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", kept)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if name.startswith("some_"):
            del sys.modules[name]


def run_train(runs, *arguments, gym="Some-v0"):
    return cli.main(["train", "--gym", gym, *SMALL, "--runs-dir", str(runs), "--run-name", "run", *arguments])


def said(capsys, code, command):
    """What a command says on standard error, one line, where it ends with a code."""
    capsys.readouterr()
    try:
        ended = command()
    except SystemExit as stopped:
        ended = stopped.code
    err = capsys.readouterr().err
    assert (ended, err.count("\n")) == (code, 1), err
    return err


def raises(error):
    def part(env):
        raise error

    return part


# --- modules -----------------------------------------------------------------------------------------------------

WALK = """
import gymnasium
from support.strangers import Stranger

gymnasium.register("Walk-v0", Stranger)
"""


def test_a_module_in_the_current_folder_is_found_by_every_command(folder, capsys):
    (folder / "some_walk.py").write_text(WALK)
    try:
        assert run_train(folder, "--total-steps", "32", gym="some_walk:Walk-v0") == 0
        run = folder / "Walk-v0_gym" / "run"
        capsys.readouterr()
        for words in (
            ["train", "--resume", str(run), "--total-steps", "64", "--plain", "--device", "cpu"],
            ["evaluate", str(run), "--episodes", "2", "--device", "cpu"],
            ["check-env", "some_walk:Walk-v0"],
        ):
            sys.path[:] = [path for path in sys.path if path != str(folder)]
            del sys.modules["some_walk"], gymnasium.registry["Walk-v0"]
            assert cli.main(words) == 0, capsys.readouterr().err
    finally:
        gymnasium.registry.pop("Walk-v0", None)
    assert "some_walk:Walk-v0: right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("raise SystemExit", "SystemExit"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("class Stop(BaseException): pass\nraise Stop('now')", "Stop: now"),
        ("class Mute(Exception):\n    def __str__(self): return 1\nraise Mute", "Mute"),
        ("", "NameNotFound: Environment `Any` doesn't exist."),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line_and_wrong_use(text, reason, folder, capsys):
    (folder / "some_module.py").write_text(text)
    expected = f"gym: expected an environment that can be made, got some_module:Any-v0: {reason}"
    for flags in ([], ["--dry-run"]):
        assert said(capsys, 2, lambda flags=flags: run_train(folder, *flags, gym="some_module:Any-v0")).startswith(
            expected
        )
    expected = (
        f"townlet check-env: error: ENV_ID: expected a registered environment, got 'some_module:Any-v0': {reason}"
    )
    assert said(capsys, 2, lambda: cli.main(["check-env", "some_module:Any-v0"])).startswith(expected)
    assert [path.name for path in folder.iterdir() if path.is_dir()] in ([], ["__pycache__"])


def test_ctrl_c_while_a_module_is_imported_is_heard(folder, capsys):
    (folder / "some_module.py").write_text("raise KeyboardInterrupt")
    assert "stopped" in said(capsys, 1, lambda: run_train(folder, gym="some_module:Any-v0"))


# --- before a run folder is made ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"step": lambda env: (env.seen(), 1.0, False, {})}, "step: expected 5 values"),
        ({"reset": lambda env: env.seen()}, "reset: expected 2 values"),
        ({"reset": raises(TypeError("unexpected keyword argument 'seed'"))}, "reset: raised TypeError"),
        ({"info": lambda env: None}, "info: expected a dict, got None"),
        ({"seen": lambda env: np.zeros(2 + (env.t == 3))}, "observation: expected [2] numbers, got [3] float64"),
        ({"paid": lambda env, step: np.array([1.0])}, "reward: expected a number, got [1] float64"),
        ({"dies": lambda env: "no"}, "terminated: expected a bool, got str 'no'"),
        ({"info": lambda env: {"action_mask": [1] * 4}}, "action_mask: expected [3] of 0 and 1, got [4] int64"),
        ({"step": lambda env: sys.exit(1)}, "step: raised SystemExit: 1"),
        ({"close": raises(OSError("the window is gone"))}, "close: raised OSError: the window is gone"),
        ({"seen": lambda env: [1, 0] if env.episode < 2 else None}, "observation: expected [2] numbers, got None"),
    ],
)
def test_a_fault_in_the_first_steps_is_one_line_and_no_run(parts, expected, register, tmp_path, capsys):
    register(**parts)
    for command in (
        lambda: run_train(tmp_path),
        lambda: run_train(tmp_path, "--dry-run"),
        lambda: cli.main(["check-env", "Some-v0"]),
    ):
        assert f"Some-v0: {expected}" in said(capsys, 1, command)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("which", [1, 2])
def test_one_that_cannot_be_made_or_not_twice_is_one_line_and_wrong_use(which, register, tmp_path, capsys):
    made = []

    def make(env):
        made.append(env)
        if len(made) % 2 == which % 2:
            raise OSError("the port is taken")

    register(made=make)
    expected = "gym: expected an environment that can be made, got Some-v0: OSError: the port is taken\n"
    assert said(capsys, 2, lambda: run_train(tmp_path)) == expected
    assert not list(tmp_path.iterdir())


def test_options_that_it_does_not_take_are_one_line(register, tmp_path, capsys):
    register()
    err = said(capsys, 2, lambda: run_train(tmp_path, "--set", "gym_options.colour=red"))
    expected = "none, since Some-v0 takes no keyword arguments"
    assert err == f"gym_options.colour: expected {expected}, got 'colour'\n"


def test_check_env_tells_of_spaces_that_cannot_be_looked_at(register, capsys):
    class Odd(gymnasium.Space):
        def contains(self, x):
            raise RuntimeError("no look")

    space = Odd()
    gymnasium.register("Some-v0", lambda: Stranger(space, seen=lambda env: 0))
    expected = "Some-v0: expected values that can be checked, got RuntimeError: no look\n"
    assert said(capsys, 1, lambda: cli.main(["check-env", "Some-v0"])) == expected


def test_check_env_does_only_what_a_mask_beside_the_infos_allows(register, capsys):
    class Strict(Stranger):
        def action_masks(self):
            return [1, self.t % 2, 0]

        def step(self, action):
            assert self.action_masks()[action], f"action {action} is forbidden"
            return super().step(action)

    gymnasium.register("Some-v0", Strict)
    assert cli.main(["check-env", "Some-v0", "--num-envs", "2"]) == 0


# --- in the midst of a run ---------------------------------------------------------------------------------------


def gone(env, step):
    if step == 100:
        raise ConnectionError("the simulator went away")
    return 1.0


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"paid": gone}, "step: raised ConnectionError: the simulator went away"),
        ({"paid": lambda env, step: np.nan if step == 100 else 1.0}, "reward: expected a finite number, got nan"),
    ],
)
def test_what_was_learned_before_a_fault_is_saved(parts, expected, register, tmp_path, capsys):
    lived = register(**parts)
    line = said(capsys, 1, lambda: run_train(tmp_path, "--total-steps", "4000", "--evaluate-every", "9999"))
    # Of the 100 steps 20 were lived before the run, and the last one is of the 20th tick.
    run, where = tmp_path / "Some-v0_gym" / "run", "(agent 3, step 20); saved up to step 76"
    assert len(lived) == 100
    assert line == f"townlet train: step 76: Some-v0: {expected} {where}; more in {run / 'train.log'}\n"
    assert (run / "checkpoints" / "step_000000076" / "model.safetensors").is_file()
    log = (run / "train.log").read_text()
    assert expected in log
    assert ("in gone" in log and "ConnectionError: the simulator went away" in log) == (parts["paid"] is gone)
    capsys.readouterr()
    assert train.main(["--resume", str(run), "--total-steps", "96", "--plain", "--device", "cpu"]) == 0


def test_a_training_that_cannot_be_begun_is_told_and_leaves_nothing_open(register, tmp_path, capsys):
    made, closed = [], []

    def begin(env):
        if made.index(env) == 2 + 3:  # two in the trial
            raise ConnectionError("the simulator is not there")
        return env.seen(), {}

    register(made=made.append, reset=begin, close=closed.append)
    line, run = said(capsys, 1, lambda: run_train(tmp_path)), tmp_path / "Some-v0_gym" / "run"
    fault = "Some-v0: reset: raised ConnectionError: the simulator is not there (agent 3, reset)"
    assert line == f"townlet train: before the first step: {fault}; more in {run / 'train.log'}\n"
    assert "in begin" in (run / "train.log").read_text()
    assert len(made) == 6 and closed == made


def test_a_resumed_training_that_cannot_be_begun_is_told_and_keeps_its_checkpoints(register, tmp_path, capsys):
    made, begun = [], []

    def begin(env):
        begun.append(env)
        if env in made[2:] and begun.count(env) == 2:  # two in the trial; the second reset brings no episode back
            raise ConnectionError("the simulator went away")
        return env.seen(), {}

    register(made=made.append)
    assert run_train(tmp_path, "--total-steps", "32") == 0
    made.clear()
    del gymnasium.registry["Some-v0"]
    register(made=made.append, reset=begin)
    run, flags = tmp_path / "Some-v0_gym" / "run", ["--total-steps", "64", "--plain", "--device", "cpu"]
    line = said(capsys, 1, lambda: train.main(["--resume", str(run), *flags]))
    fault = "Some-v0: reset: raised ConnectionError: the simulator went away (agent 0, reset)"
    assert line == f"townlet train: before the first step: {fault}; more in {run / 'train.log'}\n"
    assert "in begin" in (run / "train.log").read_text()
    del gymnasium.registry["Some-v0"]
    register()
    assert train.main(["--resume", str(run), *flags]) == 0


def test_a_fault_in_an_evaluation_is_told_and_loses_nothing(register, tmp_path, capsys):
    made = []

    def make(env):
        made.append(env)
        if len(made) == 2 + 4 + 3:  # two in the trial, four in training, and the third of the first evaluation
            raise OSError("no more licences")

    register(made=make)
    assert run_train(tmp_path, "--total-steps", "64", "--evaluate-every", "32") == 1
    out, run = capsys.readouterr().out, tmp_path / "Some-v0_gym" / "run"
    reason = "gym: expected an environment that can be made, got Some-v0: OSError: no more licences"
    assert out.count(f"cannot evaluate: {reason}; training goes on\n") == 1 and "step 64: greedy return" in out
    assert 'raise OSError("no more licences")' in (run / "train.log").read_text()
    assert [path.name for path in sorted((run / "checkpoints").glob("step_*"))][-1] == "step_000000064"


# --- episodes without end ----------------------------------------------------------------------------------------


def test_an_evaluation_of_episodes_without_end_is_cut_and_says_so(register, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "MOST_STEPS", 40)
    register(dies=lambda env: False)
    assert run_train(tmp_path, "--total-steps", "64", "--evaluate-every", "32") == 0
    out = capsys.readouterr().out
    line = (
        "greedy return 40.00 on unseen seeds; 3 of 3 episodes cut at 40 steps (--set max_steps=N for another limit)\n"
    )
    assert f"step 32: {line}" in out and f"step 64: {line}" in out
    run = tmp_path / "Some-v0_gym" / "run"
    result = json.loads((run / "evaluation" / "step_000000064.json").read_text())
    assert (result["cut"], result["mean_ep_length"], result["survival_rate"]) == (3, 40.0, 0.0)
    assert evaluate.main([str(run), "--episodes", "2", "--device", "cpu"]) == 0
    assert (
        "cut       2 of 2 episodes cut at 40 steps (--set max_steps=N for another limit)\n" in capsys.readouterr().out
    )


def test_episodes_that_end_are_told_from_those_that_are_cut(register, monkeypatch):
    made = []
    monkeypatch.setattr(evaluation, "MOST_STEPS", 20)
    register(made=made.append, dies=lambda env: env.t == LENGTH and made.index(env) % 2 == 0)
    task, device = load_gym_task("Some-v0"), torch.device("cpu")
    found = evaluation.play(task, evaluation.RandomPolicy(0, device), 4, 0, device)
    assert (found["cut"], found["mean_ep_length"], found["std_ep_length"]) == (2, 12.5, 7.5)  # 5 and 20 steps
    assert evaluation.tell_cut(task, found).startswith("2 of 4 episodes cut at 20 steps (")
    limited = load_gym_task("Some-v0", overrides={"max_steps": 9})
    assert evaluation.tell_cut(limited, found) == "2 of 4 episodes cut at 9 steps"
    assert evaluation.tell_cut(task, found | {"cut": 0}) == ""


def test_no_json_holds_a_number_that_json_has_not(register, tmp_path, capsys, monkeypatch):
    """No environment can bring one in any more; a measure of our own that does is null there."""
    summary = FirstEpisodes.summary
    monkeypatch.setattr(FirstEpisodes, "summary", lambda *given: summary(*given) | {"std_reward": math.nan})
    register()
    assert run_train(tmp_path, "--total-steps", "32") == 0
    run = tmp_path / "Some-v0_gym" / "run"
    capsys.readouterr()
    assert evaluate.main([str(run), "--episodes", "2", "--json", "--device", "cpu"]) == 0
    for text in (capsys.readouterr().out, (run / "evaluation" / "step_000000032.json").read_text()):
        assert json.loads(text, parse_constant=pytest.fail)["std_reward"] is None


@pytest.mark.parametrize(
    ("registered", "overrides", "limit"),
    [
        ({}, {}, None),
        ({"max_episode_steps": 20}, {}, 20),
        ({"max_episode_steps": 20}, {"max_steps": 7}, 7),
        ({"max_episode_steps": 20}, {"gym_options": {"max_episode_steps": 9}}, 9),
        ({"max_episode_steps": 20}, {"gym_options": {"max_episode_steps": -1}}, None),
    ],
)
def test_the_limit_of_an_episode_is_the_tasks_or_the_environments_own(registered, overrides, limit):
    gymnasium.register("Some-v0", Stranger, **registered)
    try:
        task = load_gym_task("Some-v0", overrides=overrides)
        assert (limit_of(task), evaluation.most_steps(task)) == (limit, limit or 3_000)
    finally:
        del gymnasium.registry["Some-v0"]
    assert LENGTH < 7


# --- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "each"),
    [(gymnasium.spaces.Box(0, 255, (20, 20, 3), np.uint8), 1200), (gymnasium.spaces.Box(0, 1, (300,)), 1200)],
    ids=["in bytes", "in other numbers"],
)
def test_what_replay_keeps_must_fit_into_memory_and_is_told_where_it_is_much(space, each, monkeypatch):
    gymnasium.register("Some-v0", lambda: Stranger(space, seen=lambda env: space.sample()))
    told, have = [], 3_000_000_000
    monkeypatch.setattr(make, "_memory_of", lambda device: have)
    try:
        for capacity, said in ((2_000, []), (2_000_000, [f"2,000,000 steps of {each:,} bytes: 2.4 GB"])):
            make.check_env(load_gym_task("Some-v0", overrides={"training.mode.capacity": capacity}), told.append)
            assert told == [f"Some-v0: replay keeps {line}" for line in said]
        task = load_gym_task("Some-v0", overrides={"training.mode.capacity": 2_600_000})
        with pytest.raises(ConfigError) as refused:
            make.check_env(task)
        make.check_env(load_gym_task("Some-v0", configs_directory() / "fresh.yaml"), pytest.fail)
    finally:
        del gymnasium.registry["Some-v0"]
    expected = f"at most 2,500,000, since a step of Some-v0 takes {each:,} bytes"
    assert refused.value.errors == [f"training.mode.capacity: expected {expected}, got 2,600,000"]
