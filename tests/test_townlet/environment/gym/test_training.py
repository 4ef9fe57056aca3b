"""Training in Gymnasium's environments from the command line: a run, its resume, task files, and what is refused."""

import json

import gymnasium
import numpy as np
import pytest
import safetensors.torch
import yaml

from townlet import evaluate, train
from townlet.commands import cli
from townlet.config import ConfigError, GymTask, load_gym_task, load_level, load_task
from townlet.level.file import configs_directory

SMALL = [
    "--num-agents", "4", "--set", "training.seq_len=4", "--set", "network.hidden=8", "--set", "network.head=8",
    "--set", "network.encoder.width=8", "--set", "evaluation.episodes=3", "--set", "max_steps=30", "--plain",
    "--device", "cpu", "--set", "training.mode.capacity=480",  # which every checkpoint holds
]  # fmt: skip


def run_train(runs, *arguments):
    assert train.main(["--gym", "CartPole-v1", *SMALL, "--runs-dir", str(runs), "--run-name", "run", *arguments]) == 0
    return runs / "CartPole-v1_gym" / "run"


def weights(run, step):
    return safetensors.torch.load_file(run / "checkpoints" / f"step_{step:09}" / "model.safetensors")


def test_a_run_trains_evaluates_and_speaks_of_the_return(tmp_path, capsys, pictures):
    run = run_train(tmp_path, "--total-steps", "480", "--evaluate-every", "240")
    said = capsys.readouterr().out
    assert "greedy return" in said and "on unseen seeds" in said and "survival" not in said
    before, after = weights(run, 432), weights(run, 480)  # of the newest; of older ones the best alone is kept
    assert any(not before[name].equal(after[name]) for name in before)
    best = json.loads((run / "checkpoints" / "best.json").read_text())
    results = {path.stem: json.loads(path.read_text()) for path in (run / "evaluation").iterdir()}
    assert best["score"] == max(one["mean_reward"] for one in results.values())
    assert all(one["deaths"] == {} and one["mean_reward"] == one["mean_ep_length"] for one in results.values())
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "greedy return" in (run / "report.html").read_text()


def test_the_same_seed_gives_the_same_run_and_its_config_is_that_run(tmp_path):
    run = run_train(tmp_path / "a", "--total-steps", "64")
    again = ["--level", str(run / "config.yaml"), "--runs-dir", str(tmp_path / "b"), "--run-name", "run", "--plain"]
    assert train.main([*again, "--device", "cpu"]) == 0
    one, other = weights(run, 64), weights(tmp_path / "b" / "CartPole-v1_gym" / "run", 64)
    assert all(one[name].equal(other[name]) for name in one)
    assert list(yaml.safe_load((run / "config.yaml").read_text()))[:3] == ["id", "name", "description"]


def test_a_resumed_run_says_that_its_episodes_begin_anew_and_goes_on(tmp_path, capsys):
    run = run_train(tmp_path, "--total-steps", "160")
    before = weights(run, 160)  # a checkpoint that need not stay
    capsys.readouterr()
    assert train.main(["--resume", str(run), "--total-steps", "320", "--plain", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.count("environments cannot be saved") == 1
    after = weights(run, 320)
    assert any(not before[name].equal(after[name]) for name in before)


def test_evaluate_and_compare_speak_of_the_return(tmp_path, capsys):
    run = run_train(tmp_path, "--total-steps", "64")
    capsys.readouterr()
    assert evaluate.main([str(run), "--episodes", "3", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["level", "length", "return", "reached", "beside"]
    assert evaluate.main([str(run), "--episodes", "3", "--json", "--device", "cpu"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["level"], result["episodes"], result["deaths"]) == ("CartPole-v1", 3, {})
    assert cli.main(["compare", f"one={run}", "--out", str(tmp_path / "out.png")]) == 0
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_a_task_file_trains_by_level_and_lends_its_recipe_to_another_environment(tmp_path, capsys):
    path = tmp_path / "task.yaml"
    recipe = (configs_directory() / "gym.yaml").read_text()
    text = recipe.replace("gym: CartPole-v1", "gym: Acrobot-v1\nmax_steps: 20").replace("name: gym", "name: mine")
    path.write_text(text)
    assert load_task(path).gym == "Acrobot-v1" and load_task(path).max_steps == 20
    assert cli.main(["validate", str(path)]) == 0
    small = [*SMALL, "--total-steps", "32", "--runs-dir", str(tmp_path)]
    assert train.main(["--level", str(path), *small]) == 0
    assert train.main(["--level", str(path), "--gym", "MountainCar-v0", *small]) == 0
    assert (tmp_path / "gym_mine").is_dir() and (tmp_path / "MountainCar-v0_mine").is_dir()


@pytest.mark.parametrize(
    ("env_id", "named"),
    [("CartPole-v1", "CartPole-v1"), ("popgym:popgym-X-v0", "popgym-X-v0"), ("ALE/Pong-v5", "ALE-Pong-v5")],
)
def test_a_task_is_named_by_its_environment(env_id, named):
    task = load_gym_task(env_id)
    assert (task.gym, task.id) == (env_id, named)
    assert load_gym_task(env_id, overrides={"id": "mine"}).id == "mine"


class Spoilt(gymnasium.Env):
    """Its spaces, its mask and its end are what it was told."""

    def __init__(self, actions=None, seen=None, mask=None):
        self.action_space = actions or gymnasium.spaces.Discrete(2)
        self.observation_space = seen or gymnasium.spaces.Box(0, 1, (1,))
        self.mask = mask

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        told = {} if self.mask is None else {"action_mask": self.mask}
        return self.observation_space.sample(), 0.0, False, False, told


@pytest.fixture
def spoilt():
    """Registers a spoilt environment, and forgets it."""
    names = []

    def register(name, **options):
        names.append(name)
        gymnasium.register(name, lambda **given: Spoilt(**options, **given))

    yield register
    for name in names:
        del gymnasium.registry[name]


def test_a_text_beside_what_is_seen_is_left_out_and_said_so(spoilt, tmp_path, capsys):
    seen = {"mission": gymnasium.spaces.Text(3), "sight": gymnasium.spaces.Box(0, 1, (2,))}
    spoilt("Reading-v0", seen=gymnasium.spaces.Dict(seen))
    arguments = ["--gym", "Reading-v0", *SMALL, "--total-steps", "32", "--runs-dir", str(tmp_path)]
    assert train.main(arguments) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "Reading-v0: mission: left out of what agents see, since it is text"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gym", "CartPol-v1"], "CartPol"),
        (["--gym", "no_such_module:X-v0"], "no_such_module"),
        (["--gym", "Pendulum-v1"], "discrete"),
        (["--gym", "Speaking-v0"], "Text"),
        (
            ["--gym", "Telling-v0"],
            "gym: Telling-v0: expected something to see besides text, got Dict('mission': Text(1, 3, ",
        ),
        (["--gym", "Blind-v0"], "gym: Blind-v0: expected at least one number to see, got Box("),
        (["--gym", "CartPole-v1", "--set", "gym_options.colour=red"], "colour"),
        (["--gym", "CartPole-v1", "--level", "2"], "gym"),
        (["--gym", "CartPole-v1", "--resume", "latest"], "--gym"),
        (["--gym", "CartPole-v1", "--set", "grid.width=3"], "grid"),
        (["--gym", "CartPole-v1", "--set", "network.encoder={kind: spatial, window: 4, part: 4}"], "joint"),
        (["--gym", "CartPole-v1", "--set", "training.exploration.action_weights.UP=2"], "action_weights"),
        (["--gym", "CartPole-v1", "--set", "network.sightings=true"], "network.sightings: expected false"),
        (["--gym", "CartPole-v1", "--set", "network.frontier=true"], "network.frontier: expected false"),
        (["--gym", "CartPole-v1", "--set", "max_steps=0"], "max_steps"),
        (["--gym", ""], "gym"),
    ],
)
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "real"])
def test_wrong_use_is_one_line_and_exit_code_2_and_leaves_nothing(arguments, said, dry, spoilt, tmp_path, capsys):
    spoilt("Speaking-v0", seen=gymnasium.spaces.Text(3))
    spoilt("Telling-v0", seen=gymnasium.spaces.Dict({"mission": gymnasium.spaces.Text(3)}))
    spoilt("Blind-v0", seen=gymnasium.spaces.Box(0.0, 1.0, (0,)))
    try:
        code = train.main([*arguments, *dry, "--runs-dir", str(tmp_path)])
    except SystemExit as stopped:
        code = stopped.code
    err = capsys.readouterr().err
    assert code == 2 and said in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_agent_that_can_do_nothing_stops_the_run_in_one_line(spoilt, tmp_path, capsys):
    spoilt("Stuck-v0", mask=np.zeros(2, dtype=np.int8))
    arguments = ["--gym", "Stuck-v0", *SMALL, "--total-steps", "32", "--runs-dir", str(tmp_path)]
    assert train.main(arguments) == 1
    err = capsys.readouterr().err
    assert "action_mask" in err and "agent 0" in err and err.count("\n") == 1


def test_mistakes_in_a_task_file_are_told_with_their_lines(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("id: a\nname: a\ndescription: a\ngym: 3\nmax_steps: 0\ngrid: {width: 3}\n")
    with pytest.raises(ConfigError) as told:
        load_task(path)
    lines = told.value.errors
    for number, key in ((4, "gym"), (5, "max_steps"), (6, "grid")):
        assert any(line.startswith(f"{path}:{number}: {key}: expected") for line in lines)


def test_a_gym_task_is_no_level_of_the_town_and_a_level_no_gym_task(tmp_path):
    with pytest.raises(ConfigError, match="level of the town") as told:
        load_level(configs_directory() / "gym.yaml")
    assert len(told.value.errors) == 1
    assert isinstance(load_task(configs_directory() / "gym.yaml"), GymTask)
    assert load_task("2") == load_level("2")
