"""A population whose steps and updates are captured lives and learns as a plain one, bit for bit.

Here without a CUDA device: a step's operations are noted once and repeated with the same tensors and numbers, as those
of a graph are, and updates run over their buffers; tests/test_townlet/test_gpu.py has the graphs.
"""

from functools import partial

import pytest
import torch

from support.graphs import GraphOnTheCPU, Recording
from support.launches import Launches
from support.learning import FRESH, MODES, copy_of, differences, everything, population_of
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.learner import QLearner
from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.exploration import epsilon_greedy
from townlet.population import vectorized

RATE = {"training.learning_rate": 2.0**-9, "training.final_learning_rate": 2.0**-9}  # exact in float32
CURIOSITY = {
    "training.curiosity": {
        "weight": 0.5, "hidden": [8], "embedding": 4, "learning_rate": 0.01,
        "anneal": {"episodes": 2, "survival": 0.1, "spread": 1.0, "factor": 0.5},
    }
}  # fmt: skip
PRIORITY = {"training.mode.priority": {"exponent": 0.9, "importance": 0.6, "largest": 0.9}}
STAGES = {
    "training.curriculum.min_stay": 5, "training.curriculum.entropy_below": 1.0, "training.curriculum.episodes": 2,
    "training.curriculum.advance_above": 0.6, "training.curriculum.retreat_below": 0.5,
}  # fmt: skip
TRIES = {
    "training.exploration.taste": 0.1, "training.exploration.warm_up": 200, "training.reward_scale": "auto",
}  # fmt: skip
MEMORIES = [
    {"kind": "spectral", "lags": 4, "keep": 0.9, "turn": "learned", "banks": 2}, {"kind": "ground", "values": 2},
    {"kind": "delta", "keys": 3, "values": 2, "keep": 0.9, "phases": True}, {"kind": "counter", "most": 3},
    {"kind": "lru", "units": 3, "span": 8, "traces": True},
]  # fmt: skip
KINDS = {
    "fresh": ("2", FRESH),
    "fresh and curious": ("2", {**FRESH, **CURIOSITY}),
    "fresh and often cut off, curious": ("2", {**FRESH, **CURIOSITY, "max_steps": 5}),
    "fresh by stages": ("2-adversarial", {**FRESH, **STAGES}),
    "fresh of tastes, its rewards scaled by the largest return": ("2", {**FRESH, **TRIES}),
    "sightings": ("2-sightings", FRESH),
    "every memory": ("2", {**FRESH, "network.memory": MEMORIES, "network.previous_action": True}),
    "replay": MODES["replay"],
    "replay of priorities, curious": ("2-reference", {**MODES["replay"][1], **PRIORITY, **CURIOSITY}),
}


@pytest.fixture(autouse=True)
def graphs(monkeypatch):
    for module in (vectorized, epsilon_greedy):
        monkeypatch.setattr(module, "CapturedStep", GraphOnTheCPU)
    monkeypatch.setattr(epsilon_greedy, "STEPS_AT_ONCE", 4)  # so that few steps draw by the graph, too


def make(kind, monkeypatch, captured):
    reference, options = KINDS[kind]
    monkeypatch.setattr(vectorized, "QLearner", partial(QLearner, capture=captured))
    return population_of(load_level(reference, {**options, **RATE}), capture=captured)


@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_population_is_a_plain_one_bit_for_bit(kind, monkeypatch):
    """Over deaths, time limits and updates, with metrics read and a state gone back to in between."""
    plain, captured = (make(kind, monkeypatch, one) for one in (False, True))
    for _ in range(14):
        assert differences(plain.step(), captured.step()) == []
    assert plain.read_metrics() == captured.read_metrics()
    state = everything(captured)
    for _ in range(4):
        captured.step()
    captured.network.load_state_dict(state["network"])
    captured.load_state_dict(state["population"])
    for _ in range(16):
        assert differences(plain.step(), captured.step()) == []
    assert plain.learner.updates >= 4 and captured.uncaptured == {}
    assert differences(everything(plain), everything(captured)) == []
    assert plain.stored_state_drift() == captured.stored_state_drift()
    assert plain.read_metrics() == captured.read_metrics()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_step_waits_for_the_device(kind, monkeypatch):
    population = make(kind, monkeypatch, False)
    population.exploration.prepare(0)
    with Recording() as noted:
        population._advance()
    assert len(noted.calls) > 500


def test_recording_a_graph_finds_what_waits_and_what_is_copied_from_the_host():
    for wrong in (lambda: float(torch.ones(2).sum()), lambda: torch.ones(2).nonzero(), lambda: torch.tensor([1.0])):
        with pytest.raises(AssertionError, match="a graph cannot wait for the device"), Recording():
            wrong()


def test_what_should_be_a_graph_and_is_none_is_named_with_its_reason(monkeypatch):
    population = make("fresh", monkeypatch, True)
    assert population.uncaptured == {}
    population.exploration.drawing.failure = "no memory for numbers"
    assert population.uncaptured == {"steps": "no memory for numbers"}
    population._captured.failure = "out of memory"
    monkeypatch.setattr(QLearner, "capture_failure", "no driver")
    assert population.uncaptured == {"steps": "out of memory", "updates": "no driver"}


def test_an_environment_that_is_no_part_of_a_graph_is_stepped_plainly(monkeypatch):
    monkeypatch.setattr(VectorizedEnv, "keep_in_place", lambda env: False)
    population = make("fresh", monkeypatch, True)
    for _ in range(9):
        population.step()
    assert population.learner.updates == 2 and population.uncaptured == {}
    assert set(population.seconds) == {"act", "world", "store", "learn"}


def test_outside_of_graphs_a_step_launches_next_to_nothing(monkeypatch):
    """Once in four steps, here, exploration is told which steps to draw for, by a graph of its own."""
    population, launched = make("fresh", monkeypatch, True), []
    for _ in range(8):
        population.step()
    monkeypatch.setattr(population, "_captured", lambda: None)
    monkeypatch.setattr(population.exploration, "drawing", lambda: None)
    for _ in range(17):
        learns = population._learning.due(population.steps + 1)
        with Launches() as mode:
            population.step()
        if not learns:
            launched.append(mode.count)
    assert set(launched) == {0, 1} and sum(launched) <= len(launched) // 3


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
