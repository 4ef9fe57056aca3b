"""Environments and wrappers of others by their names: in files, in modules; what they take, and what was meant."""

import sys
from contextlib import closing
from functools import partial

import gymnasium
import pytest
import torch
from gymnasium.envs.registration import EnvSpec

from support.strangers import LENGTH, Stranger
from townlet import train
from townlet.commands import cli
from townlet.config import ConfigError, load_gym_task, load_task
from townlet.environment.gym.finding import Keywords, keywords, keywords_of, load, registered, wrapped
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.make import limit_of
from townlet.level.file import configs_directory

CORRIDOR = """
import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env):
    observation_space, action_space = spaces.Box(0, 9, (1,)), spaces.Discrete(2)

    made = []

    def __init__(self, size: int = 5, render_mode=None):
        self.size, self.longest = size, 0
        self.made.append(self)

    def reset(self, *, seed=None, options=None):
        self.at = 0
        return np.array([self.at], np.float32), {}

    def step(self, action):
        self.at += 1
        self.longest = max(self.at, self.longest)
        return np.array([self.at], np.float32), 1.0, self.at == self.size, False, {}


class Double(gymnasium.RewardWrapper):
    def __init__(self, env, times=2.0):
        super().__init__(env)
        self.times = times

    def reward(self, reward):
        return reward * self.times


def corridor(size=3):
    return Corridor(size)


gymnasium.register("Corridor-v0", "some_corridor:Corridor")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which commands run, with a file in it; modules and environments are forgotten."""
    (tmp_path / "some_corridor.py").write_text(CORRIDOR)
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "some_corridor.py").write_text(CORRIDOR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("some_corridor")]:
        del sys.modules[name]
    gymnasium.registry.pop("Corridor-v0", None)


def length(env_id, **options):
    """Steps of an episode."""
    with closing(GymEnvironment.from_id(env_id, 1, **options)) as env:
        env.reset()
        return next(step for step in range(1, 99) if env.step(torch.zeros(1, dtype=torch.int64)).ended.any())


@pytest.mark.parametrize(
    ("env_id", "steps"),
    [
        ("some_corridor.py:Corridor-v0", 5),
        ("./some_corridor.py:Corridor", 5),
        ("envs/some_corridor.py:Corridor-v0", 5),
        ("some_corridor.py:corridor", 3),
        ("some_corridor:Corridor", 5),
        ("some_corridor:Corridor-v0", 5),
    ],
)
def test_a_file_or_a_module_and_an_id_a_class_or_a_function_in_it(env_id, steps, folder):
    assert length(env_id) == steps
    assert length(env_id, options={"size": 7}) == 7
    assert length(env_id, max_steps=2) == 2


def test_a_file_is_the_module_that_others_in_its_folder_import_and_is_imported_once(folder):
    first = load("some_corridor.py")
    assert first.__name__ == "some_corridor" and load(str(folder / "some_corridor.py")) is first is load(
        "some_corridor"
    )


def test_a_file_whose_name_another_module_has_gets_one_of_its_own(folder):
    (folder / "json.py").write_text("here = 1")
    (folder / "statistics.py").write_text("here = 2")
    import json

    one, other = load("json.py"), load("./statistics.py")
    assert (one.here, other.here) == (1, 2) and sys.modules["json"] is json
    assert one.__name__.startswith("json_") and other.__name__.startswith("statistics_")
    del sys.modules[one.__name__], sys.modules[other.__name__]


def refused(make, kind=ConfigError):
    with pytest.raises(kind) as told:
        make()
    (line,) = told.value.errors
    return line


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("some_coridor.py:Corridor", "no file {folder}/some_coridor.py; did you mean 'some_corridor.py'?"),
        ("some_corridor.py:Coridor", "; some_corridor has Corridor-v0, Corridor, Double; did you mean 'Corridor'?"),
        ("some_corridor:Corridor-v1", "; some_corridor has Corridor-v0, Corridor, Double; did you mean 'Corridor-v0'?"),
        (
            "some_corridor.py",
            "expected some_corridor.py:NAME of an environment in it; some_corridor has Corridor-v0, Corridor, Double",
        ),
        (
            "some_corridor:",
            "expected some_corridor:NAME of an environment in it; some_corridor has Corridor-v0, Corridor, Double",
        ),
        ("some_corridor:Elsewhere", "; some_corridor has Corridor-v0, Corridor, Double"),
        ("CartPole", "; did you mean 'CartPole-v1'?"),
        ("cartpole-v1", "Did you mean: `CartPole`?"),
    ],
)
def test_a_file_or_a_name_that_is_not_there_is_one_line_with_what_was_meant(env_id, said, folder):
    line = refused(lambda: registered(env_id))
    assert line.startswith(f"gym: expected an environment that can be made, got {env_id}: ")
    assert line.endswith(said.format(folder=folder))


def test_a_run_finds_its_file_from_every_folder(folder, tmp_path_factory, monkeypatch):
    small = ["network.hidden=8", "training.seq_len=4", "training.num_agents=2", "evaluation.episodes=2"]
    small += ["training.mode.capacity=100"]  # which every checkpoint holds
    flags = [word for key in small for word in ("--set", key)]
    command = ["--gym", "./some_corridor.py:Corridor-v0", *flags, "--total-steps", "8", "--plain", "--device", "cpu"]
    wrapper = ["--set", "gym_wrappers=[{some_corridor.py:Double: {times: 3.0}}]"]
    assert train.main([*command, *wrapper, "--run-name", "run"]) == 0
    run = folder / "runs" / "Corridor-v0_gym" / "run"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_task(run / "config.yaml").gym == f"{folder / 'some_corridor.py'}:Corridor-v0"
    assert cli.main(["evaluate", str(run), "--episodes", "2", "--device", "cpu"]) == 0


def test_a_file_in_a_task_file_lies_beside_that(folder, tmp_path_factory, monkeypatch):
    text = (configs_directory() / "gym.yaml").read_text()
    path = folder / "envs" / "task.yaml"
    path.write_text(text.replace("gym: CartPole-v1", "gym: some_corridor.py:corridor"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_task(path).gym == f"{folder / 'envs' / 'some_corridor.py'}:corridor"


# --- keyword arguments -------------------------------------------------------------------------------------------


class Base:
    def __init__(self, colour="red", *, depth=2):
        pass


class Closed(Base):
    def __init__(self, size: int = 5, **others):
        pass


class Open:
    def __init__(self, env, size, **others):
        pass


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Closed, "size=5, colour='red', depth=2"),
        (Open, "env, size, others"),
        (lambda size=3, **more: None, "size=3, others"),
        (lambda: None, "none"),
    ],
)
def test_keyword_arguments_are_those_of_the_signature_and_of_what_it_hands_on_to(made, text):
    assert str(keywords(made)) == text


def test_an_option_that_is_none_of_them_is_told_with_all_and_what_was_meant():
    known = keywords(Closed)
    assert known.refusal("gym_options", ["size", "depth"], "Some-v0") is None
    line = refused(lambda: (_ for _ in ()).throw(known.refusal("gym_options", ["size", "colur"], "Some-v0")))
    expected = "one of size, colour, depth, which Some-v0 takes"
    assert line == f"gym_options.colur: expected {expected}, got 'colur'; did you mean 'colour'?"
    assert Keywords({}, True).refusal("k", ["a"], "X").errors == ["k.a: expected one of others, which X takes, got 'a'"]


def test_those_of_a_registered_environment_are_of_its_class_or_of_its_vector_version():
    spec = EnvSpec("Some-v0", entry_point=Closed, vector_entry_point=Base)
    assert [str(keywords_of(spec, at_once)) for at_once in (False, True)] == [
        "size=5, colour='red', depth=2",
        "colour='red', depth=2",
    ]


def test_a_wrong_option_is_one_line_with_those_that_there_are(folder, capsys):
    flags = ["--set", "gym_options.siez=3", "--runs-dir", str(folder)]
    assert train.main(["--gym", "some_corridor.py:Corridor", *flags]) == 2
    where = f"{folder / 'some_corridor.py'}:Corridor"
    expected = f"one of size, render_mode, which {where} takes, got 'siez'; did you mean 'size'?"
    assert capsys.readouterr().err == f"gym_options.siez: expected {expected}\n"


@pytest.mark.parametrize("wrapper", [[], ["--set", "gym_wrappers=[{TimeLimit: {max_episode_steps: 3}}]"]])
def test_check_env_makes_what_is_asked_for_and_names_the_options_that_there_are(wrapper, folder, capsys):
    flags = ["--num-envs", "2", "--steps", "30", "--set", "gym_options.size=4", *wrapper]
    assert cli.main(["check-env", "some_corridor.py:Corridor", *flags]) == 0
    made = sys.modules["some_corridor"].Corridor.made
    assert {(env.size, env.longest) for env in made if env.longest} == {(4, 3 if wrapper else 4)}
    line = "keyword arguments, --set gym_options.NAME=VALUE: size=5, render_mode=None\n"
    assert capsys.readouterr().out.endswith(line)


# --- wrappers ----------------------------------------------------------------------------------------------------


def test_wrappers_are_put_on_from_the_first_to_the_last(folder):
    names = ["some_corridor.py:Double", {"TimeLimit": {"max_episode_steps": 3}}, "FlattenObservation"]
    env = wrapped(Stranger(), names)
    kinds = []
    while isinstance(env, gymnasium.Wrapper):
        kinds.append(type(env).__name__)
        env = env.env
    assert kinds == ["FlattenObservation", "TimeLimit", "Double"]


def test_each_agents_environment_is_wrapped_also_where_there_is_a_vector_version(folder):
    limit = [{"TimeLimit": {"max_episode_steps": 3}}]
    assert length("some_corridor:Corridor", wrappers=limit) == 3 < LENGTH
    assert length("CartPole-v1", wrappers=limit) == 3
    with closing(GymEnvironment.from_id("Pendulum-v1", 2, wrappers=[{"DiscretizeAction": {"bins": 4}}])) as env:
        assert env.num_actions == 4


@pytest.mark.parametrize(
    ("wrapper", "said"),
    [
        ("FlatenObservation", "[0]: expected one of gymnasium.wrappers, or module:Wrapper, got 'FlatenObservation'; did"
                              " you mean 'FlattenObservation'?"),
        ("vector", "[0]: expected one of gymnasium.wrappers, or module:Wrapper, got 'vector'"),
        ("some_corridor:Doubel", "[0]: expected a wrapper in some_corridor, got 'some_corridor:Doubel'; did you mean"
                                 " 'Double'?"),
        ("no_such:Wrapper", "[0]: expected a wrapper that can be imported, got no_such:Wrapper: ModuleNotFoundError: No"
                            " module named 'no_such'"),
        ({"some_corridor:Double": {"tmes": 1}}, "[0].tmes: expected one of times, which some_corridor:Double takes, got"
                                                " 'tmes'; did you mean 'times'?"),
        ({"TimeLimit": {"max_episode_steps": -1}}, "[0]: expected a wrapper that fits, got TimeLimit: "),
        ("builtins:str", "[0]: expected a wrapper that returns an environment, got str"),
    ],
)  # fmt: skip
def test_a_wrapper_that_is_none_or_does_not_fit_is_one_line_with_what_was_meant(wrapper, said, folder):
    assert refused(lambda: wrapped(Stranger(), [wrapper])).startswith(f"gym_wrappers{said}")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "[{TimeLimit: {max_episode_steps: 3}, Other: {}}]",
            "[0]: expected one wrapper with its keyword arguments, as ",
        ),
        ("[{TimeLimit: 3}]", "[0]: expected one wrapper with its keyword arguments, as "),
        ("[3]", "[0]: expected a string or a mapping, got 3"),
        ("TimeLimit", ": expected a list, got 'TimeLimit'"),
    ],
)
def test_wrappers_are_a_list_of_names_or_of_a_name_with_keyword_arguments(value, said):
    assert refused(lambda: load_gym_task("Some-v0", overrides={"gym_wrappers": value})).startswith(
        f"--set gym_wrappers{said}"
    )


def test_one_that_has_a_vector_version_alone_takes_no_wrappers_and_no_processes():
    made = partial(gymnasium.make_vec, "CartPole-v1")
    gymnasium.register("Some-v0", vector_entry_point=lambda num_envs: made(num_envs=num_envs))
    try:
        alone = "since Some-v0 has a vector version alone"
        line = refused(lambda: GymEnvironment.from_id("Some-v0", 2, wrappers=["FlattenObservation"]))
        assert line == f"gym_wrappers: expected none, {alone}"
        line = refused(lambda: GymEnvironment.from_id("Some-v0", 2, options={"asynchronous": True}))
        assert line == f"gym_options.asynchronous: expected false, {alone}"
    finally:
        del gymnasium.registry["Some-v0"]


def test_the_limit_of_an_episode_is_also_that_of_a_wrapper():
    limits = [{"TimeLimit": {"max_episode_steps": 40}}]
    for overrides, limit in (({}, 40), ({"gym_options": {"max_episode_steps": 9}}, 9)):
        assert limit_of(load_gym_task("CartPole-v1", overrides={"gym_wrappers": limits, **overrides})) == limit
