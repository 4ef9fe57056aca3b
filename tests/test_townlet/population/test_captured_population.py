"""A population whose world and updates are captured lives and learns as a plain one, bit for bit.

Here without a CUDA device, over the same buffers; tests/test_townlet/test_gpu.py has the graphs.
"""

from functools import partial

import pytest
import torch

from support.learning import FRESH, MODES, copy_of, differences, everything, population_of
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.learner import QLearner
from townlet.config import load_level
from townlet.population import vectorized

RATE = {"training.learning_rate": 2.0**-9, "training.final_learning_rate": 2.0**-9}  # exact in float32
CURIOSITY = {
    "training.curiosity": {
        "weight": 0.5, "hidden": [8], "embedding": 4, "learning_rate": 0.01,
        "anneal": {"episodes": 2, "survival": 0.1, "spread": 1.0, "factor": 0.5},
    }
}  # fmt: skip
PRIORITY = {"training.mode.priority": {"exponent": 0.9, "importance": 0.6, "largest": 0.9}}
KINDS = {
    "fresh": ("2", FRESH),
    "fresh and curious": ("2", {**FRESH, **CURIOSITY}),
    "fresh and often cut off, curious": ("2", {**FRESH, **CURIOSITY, "max_steps": 5}),
    "fresh by stages": ("2-adversarial", FRESH),
    "replay": MODES["replay"],
    "replay of priorities, curious": ("2-reference", {**MODES["replay"][1], **PRIORITY, **CURIOSITY}),
}


def make(kind, monkeypatch, captured):
    reference, options = KINDS[kind]
    monkeypatch.setattr(vectorized, "QLearner", partial(QLearner, capture=captured))
    population = population_of(load_level(reference, {**options, **RATE}))
    if captured:
        population.env.capture()
    return population


@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_population_is_a_plain_one_bit_for_bit(kind, monkeypatch):
    plain, captured = (make(kind, monkeypatch, one) for one in (False, True))
    for _ in range(44):
        assert differences(plain.step(), captured.step()) == []
    assert plain.learner.updates >= 7
    assert differences(everything(plain), everything(captured)) == []
    assert plain.stored_state_drift() == captured.stored_state_drift()
    assert plain.read_metrics() == captured.read_metrics()


def test_the_worlds_part_of_a_state_that_was_taken_is_what_it_was_after_later_steps(monkeypatch):
    population = make("fresh by stages", monkeypatch, True)
    for _ in range(20):
        population.step()
    taken = {name: population.state_dict()[name] for name in ("env", "observation", "curriculum")}
    before = copy_of(taken)
    for _ in range(5):
        population.step()
    assert differences(before, taken) == []


@pytest.mark.parametrize("first", [False, True])
def test_a_captured_population_goes_on_from_a_plain_one_and_the_reverse(first, monkeypatch):
    one, other = (make("replay", monkeypatch, captured) for captured in (first, not first))
    for _ in range(30):
        one.step()
    for _ in range(15):
        other.step()
    state = everything(one)
    other.network.load_state_dict(state["network"])
    other.load_state_dict(state["population"])
    for _ in range(30):
        assert differences(one.step(), other.step()) == []
    assert differences(everything(one), everything(other)) == []


def test_an_update_that_is_not_finite_is_told_when_metrics_are_read_or_the_state_is_saved(monkeypatch):
    population = make("fresh", monkeypatch, True)
    for _ in range(8):
        population.step()
    before = copy_of(population.network.state_dict())
    population.buffer.rewards_extrinsic.fill_(torch.inf)
    metrics = population._learning.learn(population.env_steps)
    assert not metrics["train/loss"].isfinite()
    assert differences(before, population.network.state_dict()) == []
    for asked in (population.read_metrics, population.state_dict):
        with pytest.raises(TrainingDivergedError, match=r"^update 3: "):  # two minibatches were good
            asked()


def test_a_state_that_holds_a_stream_of_exploration_is_gone_on_from_by_its_steps_alone(monkeypatch):
    """Earlier versions drew random actions from a stream whose state was saved."""
    whole, resumed = (make("fresh", monkeypatch, False) for _ in range(2))
    for _ in range(13):
        whole.step()
    state = everything(whole)
    streams = state["population"]["random"] | {"exploration": torch.Generator().manual_seed(1).get_state()}
    resumed.network.load_state_dict(state["network"])
    resumed.load_state_dict({**state["population"], "random": streams})
    for population in (whole, resumed):
        for _ in range(20):
            population.step()
    assert differences(everything(whole), everything(resumed)) == []


def test_the_random_stream_of_another_kind_of_device_begins_anew_and_the_same_each_time(monkeypatch):
    population = make("fresh", monkeypatch, False)
    for _ in range(9):
        population.step()
    state = everything(population)["population"]
    foreign = {"replay": torch.zeros(16, dtype=torch.uint8)}  # as CUDA's: a seed and an offset
    stream = population._learning.stream
    stream.manual_seed(1)
    drawn = []
    for steps in (9, 9, 10):
        population.load_state_dict({**state, "steps": steps, "random": foreign})
        drawn.append(torch.rand(4, generator=stream))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
