"""A world whose step is captured: the same lives over static buffers, whatever is put into its state from outside.

Here without a CUDA device, over the same buffers; tests/test_townlet/test_gpu.py has the graphs.
"""

import pytest
import torch

from support.learning import copy_of, differences
from support.worlds import flat, make_env, random_valid
from townlet.capture import Captured
from townlet.config import Level, load_level
from townlet.environment.types import Difficulty
from townlet.environment.vectorized_env import VectorizedEnv

AGENTS = 32


def both(level: Level, **options) -> tuple[VectorizedEnv, VectorizedEnv]:
    """A plain world, and a captured one of the same lives."""
    plain, captured = make_env(level, AGENTS, **options), make_env(level, AGENTS, **options)
    captured.capture()
    return plain, captured


def live_alike(plain: VectorizedEnv, captured: VectorizedEnv, steps: int, seed: int = 0, difficulty=None) -> None:
    """Both live the same, bit for bit: every result, and the state after it."""
    stream = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        actions = random_valid(plain.observe().action_mask, stream)
        one, other = plain.step(actions, difficulty), captured.step(actions, difficulty)
        assert differences(flat(one), flat(other)) == []
        assert differences(plain.state_dict(), captured.state_dict()) == []


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_a_captured_world_lives_as_a_plain_one_bit_for_bit(name: str) -> None:
    plain, captured = both(load_level(name, {"max_steps": 40}))
    assert differences(plain.state_dict(), captured.state_dict()) == []  # warming up has taken no step
    live_alike(plain, captured, 50)
    assert int(plain.state.episode.sum()) > AGENTS // 2
    assert captured.compile_failure is None and not captured.compiled


def test_difficulty_and_the_lack_of_it_alternate() -> None:
    level = load_level("2-adversarial")
    plain, captured = both(level)
    shares = torch.linspace(0.0, 1.0, AGENTS).expand(len(level.present_meters), AGENTS).contiguous()
    for seed in range(4):
        for difficulty in (Difficulty(shares, shares[0] > 0.5), None, Difficulty(shares.flip(1), shares[0] > 0.9)):
            live_alike(plain, captured, 5, seed, difficulty)


def test_what_is_put_into_the_world_from_outside_is_lived_on() -> None:
    plain, captured = both(load_level("2"))
    live_alike(plain, captured, 10)
    assert plain.read_metrics() == captured.read_metrics()  # which begins its counts anew
    live_alike(plain, captured, 10)
    some = torch.arange(AGENTS) % 3 == 0
    for env in (plain, captured):
        env.begin(some)
    live_alike(plain, captured, 10)
    for env in (plain, captured):
        env.begin(some, seed=7)
    live_alike(plain, captured, 10)
    for env in (plain, captured):
        env.state = env.state._replace(tick=torch.full_like(env.state.tick, 499))
    live_alike(plain, captured, 10)
    for env in (plain, captured):
        env.reset()
    live_alike(plain, captured, 10)


def test_an_observation_outlives_the_next_step_and_the_rest_of_a_result_does_not() -> None:
    _, env = both(load_level("2"))
    first = env.step(torch.zeros(AGENTS, dtype=torch.int64))
    before = copy_of(first)
    env.step(torch.ones(AGENTS, dtype=torch.int64))
    assert differences(before.observation, first.observation) == []
    assert differences(before.final_features, first.final_features) != []


def test_a_state_that_was_taken_is_what_it_was_after_later_steps() -> None:
    plain, captured = both(load_level("2"))
    live_alike(plain, captured, 20)
    for env in (plain, captured):
        taken = env.state, env.state_dict()
        before, still = copy_of(taken), torch.zeros(AGENTS, dtype=torch.int64)
        then = [copy_of(env.step(still)) for _ in range(5)]
        assert differences(before, taken) == []
        env.load_state_dict(taken[1])
        assert differences(then, [copy_of(env.step(still)) for _ in range(5)]) == []
        assert differences(before, taken) == []
        env.state = taken[0]
        env.step(still)
        assert differences(before, taken) == []


def test_a_world_goes_on_from_anothers_state_and_leaves_it_alone() -> None:
    plain, captured = both(load_level("2"))
    live_alike(plain, captured, 20)
    _, twin = both(load_level("2"))
    twin.load_state_dict(captured.state_dict())
    before = copy_of(captured.state_dict())
    still = torch.zeros(AGENTS, dtype=torch.int64)
    for _ in range(5):
        twin.step(still)
    assert differences(before, captured.state_dict()) == []
    twin.load_state_dict(captured.state_dict())
    for _ in range(5):
        captured.step(still)  # between the twin's loading and its next step
    for _ in range(5):
        twin.step(still)
    assert differences(captured.state_dict(), twin.state_dict()) == []


def test_a_world_captures_its_step_when_it_is_first_taken_and_none_that_a_larger_graph_holds(monkeypatch) -> None:
    prepared = []
    prepare = Captured._prepare
    monkeypatch.setattr(Captured, "_prepare", lambda self, inputs: prepared.append(self) or prepare(self, inputs))
    plain, captured = both(load_level("2"))
    still = torch.zeros(AGENTS, dtype=torch.int64)
    captured.step_in_place(still)
    captured.keep_in_place()
    captured.step(still)
    assert prepared == []
    plain.capture()
    assert prepared == []
    plain.step(still)
    plain.step(still)
    assert len(prepared) == 1


def test_where_capturing_fails_the_step_stays_plain_and_says_why(monkeypatch) -> None:
    failed = property(lambda run: "out of memory", lambda run, reason: None)
    monkeypatch.setattr(Captured, "failure", failed, raising=False)
    plain, captured = both(load_level("2"))
    assert captured.compile_failure is None
    live_alike(plain, captured, 3)
    assert captured.compile_failure == "no CUDA graph: out of memory"
    first, second = (captured.step(torch.zeros(AGENTS, dtype=torch.int64)) for _ in range(2))
    assert first.final_features is not second.final_features
