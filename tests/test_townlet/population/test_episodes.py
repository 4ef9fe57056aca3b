"""Returns, lengths and survival of the episodes that a population lives."""

import torch

from townlet.environment.types import Observation, StepResult
from townlet.population.episodes import EpisodeTracker


def ended(reward, terminated, truncated):
    """A step of three agents; what they see does not matter."""
    nothing, mask = torch.zeros(3, 1), torch.ones(3, 1, dtype=torch.bool)
    flags = (torch.tensor(flag, dtype=torch.bool) for flag in (terminated, truncated))
    return StepResult(Observation(nothing, mask), torch.tensor(reward), *flags, nothing, mask)


def test_returns_and_lengths_of_ended_episodes_by_hand():
    tracker = EpisodeTracker(3, torch.device("cpu"))
    assert tracker.read() == {}
    tracker.record(ended([1.0, 2.0, 3.0], [0, 0, 0], [0, 0, 0]))
    tracker.record(ended([1.0, 2.0, 3.0], [1, 0, 0], [0, 0, 0]))  # agent 0: return 2, length 2
    tracker.record(ended([10.0, 2.0, 3.0], [0, 0, 0], [0, 1, 0]))  # agent 1: return 6, length 3, to the limit
    found = tracker.read()
    assert found == {"rollout/ep_rew_mean": 4.0, "rollout/ep_len_mean": 2.5, "rollout/survival_rate": 0.5}
    assert tracker.read() == {}  # read once
    tracker.record(ended([10.0, 2.0, 3.0], [1, 0, 0], [0, 0, 0]))  # agent 0's second: 20 in 2
    found = tracker.read()
    assert found == {"rollout/ep_rew_mean": 20.0, "rollout/ep_len_mean": 2.0, "rollout/survival_rate": 0.0}
