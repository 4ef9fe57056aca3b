"""Every kind of memory beside the cell, as a level names it, is stored, carried on and saved as the cell's own is."""

import io
import re
from pathlib import Path

import pytest
import torch

from support.learning import copy_of, differences, everything, make_population, network_of
from townlet.agent.learner import QLearner
from townlet.config import load_level

SPECTRAL = {"kind": "spectral", "lags": 4, "keep": 0.9}
KINDS = [
    SPECTRAL,
    SPECTRAL | {"turn": "learned", "banks": 2},
    {"kind": "delta", "keys": 3, "values": 2, "keep": 0.9},
    {"kind": "delta", "keys": 3, "values": 2, "keep": 0.9, "phases": True},
    {"kind": "ground", "values": 2},
    {"kind": "lru", "units": 3, "span": 8},
    {"kind": "lru", "units": 3, "span": 8, "traces": True},
    {"kind": "counter", "most": 3},
    {"kind": "counter", "most": 1, "of": "outcomes"},
]
LEARNED = {
    "learned.0.steer.weight", "learned.1.address.weight", "learned.2.address.weight", "learned.3.address.weight",
    "learned.4.drive.weight", "learned.4.nu", "learned.5.nu",
}  # fmt: skip
MODES = pytest.mark.parametrize("mode", ["fresh", "replay"])


def with_all_kinds(mode, **changes):
    return make_population(mode, network__memory=KINDS, network__previous_action=True, **changes)


@MODES
def test_what_ended_begins_at_zero_and_all_else_goes_on_bit_for_bit(mode):
    population, ended = with_all_kinds(mode), 0
    for _ in range(30):
        features, (hidden, previous) = population.observation.features, population.memory
        with torch.no_grad():
            _, expected = population.network(features.unsqueeze(1), hidden, previous.unsqueeze(1))
        population.step()
        over = population.memory.previous_actions == population.env.num_actions
        ended += int(over.sum())
        for part, whole in zip(population.hidden, expected, strict=True):
            assert not part[:, over].any() and torch.equal(part[:, ~over], whole[:, ~over])
    assert ended > 0


@MODES
def test_a_run_learns_in_each_kind_and_resumes_bit_for_bit(mode):
    population, saved = with_all_kinds(mode), io.BytesIO()
    for _ in range(20):
        population.step()
    torch.save(everything(population), saved)
    saved.seek(0)
    state, resumed = torch.load(saved, weights_only=True), with_all_kinds(mode)
    before = copy_of(resumed.network.state_dict())
    resumed.network.load_state_dict(state["network"])
    resumed.load_state_dict(state["population"])
    for _ in range(20):
        assert differences(copy_of(population.step()), copy_of(resumed.step())) == []
    assert differences(everything(population), everything(resumed)) == []
    assert {f".{name}" for name in LEARNED} <= set(differences(before, population.network.state_dict()))


@MODES
def test_stored_memories_drift_with_what_is_learned_and_not_without(mode):
    population = with_all_kinds(mode, training__learning_rate=1e-12, training__final_learning_rate=1e-12)
    for _ in range(30):
        population.step()
    assert population.stored_state_drift() == pytest.approx(0.0, abs=1e-5)
    with torch.no_grad():
        population.network.learned[1].address.bias.add_(0.5)
    assert population.stored_state_drift() > 1e-4


@MODES
def test_captured_updates_are_plain_updates_bit_for_bit(mode):
    rate = {"training__learning_rate": 2.0**-9, "training__final_learning_rate": 2.0**-9}  # exact in float32
    one, other = (with_all_kinds(mode, **rate) for _ in range(2))
    for _ in range(8):
        one.step()
    other.network.load_state_dict(one.network.state_dict())
    plain, captured = (QLearner(mine.network, mine.task.training, capture=mine is other) for mine in (one, other))
    for _ in range(3):
        batch = plain.prepare(one.buffer.newest_sequences(8))
        assert differences(plain.update(batch), captured.update(batch)) == []
    assert differences(plain.network.state_dict(), captured.network.state_dict()) == []
    assert captured.capture_failure is None


def test_every_flag_of_the_page_that_says_which_memory_when_makes_a_network():
    page = (Path(__file__).parents[3] / "docs" / "which_memory.md").read_text()
    flags = re.findall(r"--set '(network\.memory)=([^']*)'", page)
    assert len(flags) >= 8
    for key, value in flags:
        level = load_level("2", {key: value, "network.previous_action": True})
        network = network_of(level)
        assert len(network.ruled) + len(network.learned) == 1
