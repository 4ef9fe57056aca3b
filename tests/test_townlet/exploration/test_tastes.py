"""Tastes: what an agent likes is added to what it has learned, by hand, and stays the same."""

import torch

from support.learning import make_population
from townlet.exploration.tastes import Tastes

CPU = torch.device("cpu")


def test_a_taste_is_a_linear_function_of_the_observation_an_agent_by_hand():
    tastes = Tastes(1.0, 2, 2, 2, 0, CPU)
    tastes.weights = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[-1.0, 1.0], [0.5, 0.5]]])
    liked = tastes(torch.tensor([[10.0, 20.0], [30.0, 40.0]]), torch.tensor([[3.0, 4.0], [2.0, -2.0]]))
    assert liked.tolist() == [[10.0 + 3.0, 20.0 + 8.0], [30.0 - 4.0, 40.0 + 0.0]]


def test_tastes_follow_from_the_seed_differ_between_agents_and_are_as_strong_as_is_said():
    one, again, other = (Tastes(0.5, 200, 3, 4, seed, CPU).weights for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one[0], one[1])
    assert 0.45 < float(one.std()) < 0.55  # of 2,400: a standard error of 0.007


def test_agents_act_by_taste_and_their_values_are_told_without_it():
    plain, strong = (make_population("fresh", training__exploration__taste=taste) for taste in ("null", 1e6))
    strong.exploration.ladder.zero_()
    _, _, q = strong._choose()
    assert torch.equal(q, plain._choose()[2])
    actions, _ = strong.act()
    features, mask = strong.observation
    liked = (strong.tastes.weights @ features.unsqueeze(2)).squeeze(2).masked_fill(~mask, -torch.inf)
    assert actions.tolist() == liked.argmax(dim=1).tolist()
