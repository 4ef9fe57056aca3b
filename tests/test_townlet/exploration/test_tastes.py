"""Tastes: what an agent likes is added to what it has learned, by hand, and stays the same for an episode."""

from types import SimpleNamespace

import pytest
import torch

from support.learning import make_population
from townlet.exploration.tastes import TASTES, Tastes

CPU = torch.device("cpu")


def test_a_taste_is_a_linear_function_of_the_observation_an_agent_by_hand():
    tastes = Tastes(1.0, 2, 2, 2, 0, CPU)
    tastes.turn = torch.tensor([3, 255])
    tastes.weights[3] = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    tastes.weights[255] = torch.tensor([[-1.0, 1.0], [0.5, 0.5]])
    q, features = torch.tensor([[10.0, 20.0], [30.0, 40.0]]), torch.tensor([[3.0, 4.0], [2.0, -2.0]])
    assert tastes(q, features).tolist() == [[10.0 + 3.0, 20.0 + 8.0], [30.0 - 4.0, 40.0 + 0.0]]


def test_another_episode_has_another_taste_until_all_were_had():
    tastes = Tastes(1.0, 3, 2, 2, 0, CPU)
    tastes.turn = torch.tensor([3, 255, 7])
    tastes.record(SimpleNamespace(ended=torch.tensor([True, True, False])))
    assert tastes.turn.tolist() == [4, 0, 7]


def test_a_population_changes_tastes_where_an_episode_ends_and_goes_on_with_them():
    settings = {"training__exploration__taste": 1.0, "training__num_agents": 4}
    population, again = (make_population("fresh", **settings) for _ in range(2))
    before, ends = population.tastes.turn.clone(), torch.zeros(4, dtype=torch.int64)
    step = population.env.step

    def counting(*given, **named):
        result = step(*given, **named)
        ends.add_(result.ended)
        return result

    population.env.step = counting
    while ends.sum() < 6:
        population.step()
    assert population.tastes.turn.tolist() == ((before + ends) % TASTES).tolist()
    again.load_state_dict(population.state_dict())
    assert again.tastes.turn.tolist() == population.tastes.turn.tolist()
    older = {name: part for name, part in population.state_dict().items() if name != "tastes"}
    again.load_state_dict(older)
    with pytest.raises(ValueError, match=r"^tastes: expected those of 4 agents, got \[3\]$"):
        again.tastes.load_state_dict({"turn": torch.zeros(3, dtype=torch.int64)})


def test_tastes_follow_from_the_seed_differ_between_agents_and_are_as_strong_as_is_said():
    first, second, third = (Tastes(0.5, 200, 3, 4, seed, CPU) for seed in (1, 1, 2))
    one, again, other = first.weights, second.weights, third.weights
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one[0], one[1])
    assert 0.45 < float(one.std()) < 0.55  # of 3,072: a standard error of 0.006
    assert torch.equal(first.turn, second.turn) and len(first.turn.unique()) > 100


def test_agents_act_by_taste_and_their_values_are_told_without_it():
    plain, strong = (make_population("fresh", training__exploration__taste=taste) for taste in ("null", 1e6))
    strong.exploration.ladder.zero_()
    _, _, q = strong._choose()
    assert torch.equal(q, plain._choose()[2])
    actions, _ = strong.act()
    features, mask = strong.observation
    weights = strong.tastes.weights[strong.tastes.turn]
    liked = (weights @ features.unsqueeze(2)).squeeze(2).masked_fill(~mask, -torch.inf)
    assert actions.tolist() == liked.argmax(dim=1).tolist()
