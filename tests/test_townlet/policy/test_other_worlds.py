"""Agents of others' worlds, taken along: of an image, and of a Dict with a mask in it, from training to a graph."""

from contextlib import closing

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

import townlet
from townlet import evaluate, train
from townlet.commands import cli
from townlet.config import load_task
from townlet.environment.make import make_env
from townlet.population.lives import GreedyPolicy

STEPS, SIDE = 12, 16
ALLOWED = [[1, 0, 0], [0, 1, 1]]  # by turns


class Shown(gymnasium.Env):
    """Five steps an episode, drawn by its seed; `taken` is what it was told to do."""

    observation_space, action_space = spaces.Box(0, 255, (SIDE, SIDE, 1), np.uint8), spaces.Discrete(3, start=4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.taken = 0, []
        return self.seen(), {}

    def seen(self):
        return self.np_random.integers(0, 256, (SIDE, SIDE, 1), np.uint8)

    def step(self, action):
        assert self.action_space.contains(action)
        self.taken.append(int(action))
        self.t += 1
        return self.seen(), float(action == 5), self.t == 5, False, {}


class Parts(Shown):
    """A nest of parts, and a mask beside them that it is strict about."""

    observation_space = spaces.Dict(
        image=Shown.observation_space,
        rest=spaces.Tuple((spaces.Discrete(3, start=-1), spaces.Box(-np.inf, np.inf, (2,)))),
        mask=spaces.MultiBinary(3),
    )

    def seen(self):
        rest = (self.np_random.integers(-1, 2), self.np_random.normal(size=2).astype(np.float32))
        return {"image": super().seen(), "rest": rest, "mask": np.array(ALLOWED[self.t % 2], np.int8)}

    def step(self, action):
        assert ALLOWED[self.t % 2][action - 4], f"{action} is forbidden"
        return super().step(action)


@pytest.fixture(params=[Shown, Parts], ids=["image", "dict"])
def kind(request):
    """A kind of environment, registered as Some-v0."""
    gymnasium.register("Some-v0", request.param)
    yield request.param
    del gymnasium.registry["Some-v0"]


SMALL = [
    "--num-agents", "4", "--total-steps", "32", "--device", "cpu", "--plain", "--set", "evaluation.episodes=2",
    "--set", "training.seq_len=4", "--set", "network.hidden=8", "--set", "network.encoder.width=8",
    "--set", "network.image.channels=[4, 4]", "--set", "network.memory=[]", "--set", "network.head=8",
    "--set", "training.mode.batch_size=4", "--set", "training.mode.capacity=400",
]  # fmt: skip


@pytest.fixture
def run(kind, tmp_path):
    """A run that was trained for a moment."""
    assert train.main(["--gym", "Some-v0", *SMALL, "--runs-dir", str(tmp_path), "--run-name", "run"]) == 0
    return tmp_path / "Some-v0_gym" / "run"


@torch.no_grad()
def lively(policy):
    """A policy with greater weights, so that it does now this and now that."""
    for weight in policy.network.parameters():
        weight.mul_(3.0)
    return policy


def evaluated(run, policy, agents):
    """What agents do in an evaluation, step by step, [STEPS][agents], in the environments of a first reset."""
    with closing(make_env(load_task(run / "config.yaml"), agents)) as env:
        greedy, seen, acts = GreedyPolicy(policy.network, agents, env.device), env.reset(), []
        for _ in range(STEPS):
            actions = greedy.act(seen)
            result = env.step(actions)
            greedy.after(actions, result)
            seen = result.observation
            acts.append((actions + 4).tolist())
        return acts, env.env.envs[0].np_random_seed


def test_it_acts_as_in_evaluations_alone_and_among_others_is_evaluated_goes_on_and_becomes_a_graph(run, kind, capsys):
    policy = lively(townlet.load_policy(run))
    acts, seed = evaluated(run, policy, 1)
    env, alone = kind(), []
    seen, info = env.reset(seed=seed)
    for _ in range(STEPS):
        alone.append(int(policy.act(seen, info)))
        seen, _, terminated, truncated, info = env.step(alone[-1])
        policy.observe(terminated, truncated)
        if terminated:
            seen, info = env.reset()
    assert alone == [action for (action,) in acts]

    policy = lively(townlet.load_policy(run, autoreset_mode="SameStep"))
    acts, seed = evaluated(run, policy, 3)
    envs, together = SyncVectorEnv([kind] * 3, autoreset_mode="SameStep"), []
    seen, info = envs.reset(seed=seed)
    for _ in range(STEPS):
        together.append(policy.act(seen, info).tolist())
        seen, _, terminated, truncated, info = envs.step(np.array(together[-1]))
        policy.observe(terminated, truncated)
    assert together == acts and torch.tensor(acts).unique().numel() > 1

    assert evaluate.main([str(run), "--episodes", "2", "--device", "cpu"]) == 0
    assert train.main(["--resume", str(run), "--total-steps", "48", "--plain", "--device", "cpu"]) == 0
    if kind is Shown:
        pytest.importorskip("onnxruntime")
        folder = run.parent / "exported"
        assert cli.main(["export", str(run), "--onnx", "--episodes", "2", "--out", str(folder)]) == 0
        assert (folder / "policy.onnx").is_file() and 'gymnasium.make("Some-v0")' in (folder / "README.md").read_text()
        capsys.readouterr()
