"""The peer: RecurrentPPO on the same environments, with a memory that is carried and dropped as ours is."""

import pytest
import torch

from support.benchmarks import make_trial
from townlet.bench.memory.trials import run_trial
from townlet.environment.make import make_env

pytestmark = pytest.mark.bench


@pytest.fixture
def agent():
    pytest.importorskip("sb3_contrib", reason="sb3-contrib is in the bench extra")
    from townlet.bench.memory.peer import PeerAgent

    trial = make_trial(agent="peer")
    return PeerAgent(trial.task, trial.peer, trial.seed)


def test_training_leaves_no_folder_behind(agent, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    agent.train_to(128)
    assert list(tmp_path.iterdir()) == []


def test_it_trains_in_whole_rollouts(agent):
    agent.train_to(100)
    assert agent.steps == 128  # of two environments, 64 steps each
    agent.train_to(128)
    assert agent.steps == 128


def test_its_memory_is_carried_along_an_episode_and_dropped_at_its_end(agent):
    env = make_env(make_trial().task, 3)
    policy, observation = agent.policy(3), env.reset()
    begins, ends = torch.ones(3, dtype=torch.bool), 0
    for _ in range(60):
        actions = policy.act(observation)
        fresh = agent.policy(3)
        fresh.act(observation)
        same = [
            torch.as_tensor(mine == theirs).all(dim=-1)[0]
            for mine, theirs in zip(policy.state, fresh.state, strict=True)
        ]  # h and c, [num_agents]
        assert torch.equal(same[0] & same[1], begins)  # as after a first observation, and only then
        result = env.step(actions)
        policy.after(actions, result)
        observation, begins = result.observation, result.forgets
        ends += int(result.ended.sum())
    env.close()
    assert ends >= 3


def test_a_trial_of_the_peer_is_kept_like_any_other():
    pytest.importorskip("sb3_contrib", reason="sb3-contrib is in the bench extra")
    trial = make_trial(agent="peer", budget=256)
    record = run_trial(trial, lambda standing: None)
    assert [point["steps"] for point in record["points"]] == [128, 256]
    assert record["parameters"] > 0 and record["solved"] is None
