"""The last episodes of each agent, oldest first."""

import torch

from townlet.curriculum.last_episodes import LastEpisodes


def test_sums_of_the_last_episodes_are_kept_apart_for_each_agent():
    """Agent 0 ends after steps 2, 3 and 4; agent 1 after step 4 alone. Each step adds its number, and 10."""
    last = LastEpisodes(2, 2, 2)
    for step, ended in enumerate(([0, 0], [1, 0], [1, 0], [1, 1]), 1):
        last.add(torch.tensor([[step] * 2, [10.0] * 2]), torch.tensor(ended, dtype=torch.bool))
    assert last.sums[0].tolist() == [[3.0, 0.0], [4.0, 10.0]]
    assert last.sums[1].tolist() == [[10.0, 0.0], [10.0, 40.0]]
    assert last.full.tolist() == [True, False] and last.running.tolist() == [[0.0, 0.0]] * 2


def test_a_forgotten_window_must_fill_again_while_the_running_episode_goes_on():
    last, nobody = LastEpisodes(1, 1, 2), torch.tensor([False, False])
    last.add(torch.ones(1, 2), ~nobody)
    last.add(torch.ones(1, 2), nobody)
    last.forget(torch.tensor([True, False]))
    assert last.full.tolist() == [False, True]
    last.add(torch.ones(1, 2), torch.tensor([True, False]))
    assert last.full.tolist() == [True, True] and last.sums[0, 0].tolist() == [2.0, 1.0]
