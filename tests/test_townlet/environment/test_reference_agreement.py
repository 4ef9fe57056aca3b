"""The vectorised world does, tick by tick and over whole lives, what the slow reference does."""

from typing import Any

import pytest
import torch

from support.reference_world import TOLERANCE, ReferenceState, ReferenceTick, ReferenceWorld
from support.worlds import (
    DAY,
    FIXED,
    MULTI_TICK,
    ODD_TOWNS,
    make_env,
    odd_town,
    random_valid,
    references_of,
    scatter,
    states_of,
)
from townlet.config import load_level
from townlet.environment.rules import tick
from townlet.environment.types import Observation
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.level.file import shipped_levels

NUM_AGENTS = 24
CLOSE = 1e-5
ROUNDING = 5e-7  # float32 sums may fall on the other side of a threshold that is nearer than this

TERMS = {
    "alive": 0.1,
    "death": -100.0,
    "milestones": [{"every": 10, "value": 0.5}, {"every": 100, "value": 5.0}, {"every": 7, "value": -0.25}],
    "wellbeing": {"energy": 0.3, "mood": -0.2, "money": 0.1},
    "interaction": {"energy": 1.5, "money": 2.0, "satiation": 0.5},
}
LEARNING = {"id", "name", "description", "yardsticks", "network", "training", "evaluation", "sparse_reward"}
WHOLE_VIEW = {"window": 7, "position": "one_hot", "offsets": True, "age": True}


def distinct_levels() -> list[str]:
    """The ids of the shipped levels, of those that differ in how agents learn alone the first."""
    found: dict[str, str] = {}
    for name, path in shipped_levels().items():
        level = load_level(path)
        told = level.model_dump_json(exclude=LEARNING) + f"{level.training.gamma}"
        found.setdefault(told, name)
    return list(found.values())


# Every world that is shipped, and variants in which rules meet that no level combines.
WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"level {name}": (name, {}) for name in distinct_levels()},
    "all reward terms": ("2", {"reward": TERMS}),
    "fixed map": ("2", {**FIXED, "observation": {"window": 3, "position": None}}),
    "day without multi_tick": ("2", {**DAY, "observation": {"clock": True}, "reward": TERMS}),
    "multi_tick without day": ("2", {**MULTI_TICK, "observation": {"progress": True}, "reward": TERMS}),
    "whole view of a narrow town": (
        "3",
        {
            "grid": {"width": 9, "height": 4},
            "observation": WHOLE_VIEW,
            "reward": TERMS,
            "day_ticks": 30,
            "network.sightings": False,
        },
    ),
    "actions in another order": ("3", {"actions": ["INTERACT", "LEFT", "WAIT", "DOWN", "RIGHT", "UP"]}),
    "no bonus, short life": ("3", {"multi_tick": {"spread": 1.0}, "max_steps": 12, "reward": TERMS}),
    "all of it a bonus": ("3", {"multi_tick": {"spread": 0.0}, "reward": TERMS}),
    "other content": (
        "0.5",
        {
            **DAY,
            **MULTI_TICK,
            "observation": {"window": 5, "clock": True, "progress": True, "age": True},
            "present_meters": ["health", "money", "satiation", "energy", "fitness"],
            "meters": {"energy": {"initial": 0.5, "move": 0.003}, "satiation": {"lethal": True}},
            "drains": [
                {"meter": "energy", "by": "satiation", "rate": 0.01, "at_full": 0.0, "at_empty": 1.0},
                {"meter": "health", "by": "energy", "rate": 0.02, "at_full": 1.0, "at_empty": 0.2},
                {"meter": "fitness", "by": "mood", "rate": 0.01, "at_full": 0.3, "at_empty": 3.0},
                {"meter": "mood", "by": "energy", "rate": 0.01, "at_full": 0.3, "at_empty": 3.0},
            ],
            "cascades": {"threshold": 0.6},
            "affordances": {
                "Gym": {"costs": {"energy": 0.3, "money": 0.04, "mood": 0.9}},
                "Park": {"costs": {"satiation": -0.2}, "hours": [23, 24]},
                "Bed": {"hours": [12, 11]},
            },
            "placed_affordances": ["Gym", "Park", "Bed", "Bar"],
            "reward": {
                **TERMS,
                "wellbeing": {"health": 1.0},
                "potential": {"scale": 2.0, "meters": {"fitness": {"weight": 3.0, "full": 0.4}}},
            },
            "training": {"gamma": 0.5},
        },
    ),
    **ODD_TOWNS,
    "no cascades": (
        "2",
        {"cascades": None, "grid": {"width": 14, "height": 1}, "actions": ["LEFT", "RIGHT", "INTERACT"]},
    ),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest) -> VectorizedEnv:
    name = request.param
    return make_env(odd_town(name) if name in ODD_TOWNS else load_level(*WORLDS[name]), NUM_AGENTS)


@pytest.fixture
def env(world: VectorizedEnv) -> VectorizedEnv:
    world.reset()
    return world


def test_each_tick_agrees_with_the_reference_set_to_the_state_before_it(env: VectorizedEnv) -> None:
    generator = torch.Generator().manual_seed(1)
    compared = skipped = 0
    for now in range(22):
        if now % 11 == 5:
            scatter(env, generator)
        before = references_of(env)
        mask = env.observe().action_mask
        anything = torch.randint(0, env.num_actions, (NUM_AGENTS,), generator=generator)
        careless = torch.rand(NUM_AGENTS, generator=generator) < 0.15
        actions = torch.where(careless, anything, random_valid(mask, generator))
        state = tick(env.level, env.tables, env.state, actions).state
        result = env.step(actions)

        names = [env.level.actions[action] for action in actions]
        ticks = [world.tick(start, name) for (world, start), name in zip(before, names, strict=True)]
        sure = [not unsure(world, start, done) for (world, start), done in zip(before, ticks, strict=True)]
        compared, skipped = compared + sum(sure), skipped + NUM_AGENTS - sum(sure)
        states = states_of(env.level, state)
        for agent in range(NUM_AGENTS):
            if sure[agent]:
                assert_same_state(states[agent], ticks[agent].state)
                assert bool(result.terminated[agent]) == ticks[agent].terminated
                assert bool(result.truncated[agent]) == ticks[agent].truncated
        rewards = torch.tensor([done.reward for done in ticks])
        torch.testing.assert_close(result.reward[sure], rewards[sure], atol=CLOSE, rtol=1e-6)
        old = [(world, done.state) for (world, _), done in zip(before, ticks, strict=True)]
        assert_same_view(Observation(result.final_features, result.final_action_mask), old, sure)
        new = references_of(env)  # after autoreset
        assert_same_view(result.observation, new, [True] * NUM_AGENTS)
    assert compared > 500
    assert skipped <= 0.002 * compared


def test_whole_lives_agree_with_a_reference_that_runs_freely(env: VectorizedEnv) -> None:
    generator = torch.Generator().manual_seed(2)
    num_agents = 4
    alone = dict(enumerate(references_of(env)[:num_agents]))  # those whose first life is not over
    deaths: dict[int, int] = {}  # tick of death in the reference, which may come one tick early or late
    observation = env.reset()
    for now in range(1, env.level.max_steps + 2):
        actions = random_valid(observation.action_mask, generator)
        result = env.step(actions)
        observation = result.observation
        for agent, (world, state) in list(alone.items()):
            expected = world.tick(state, env.level.actions[actions[agent]])
            ended = bool(result.terminated[agent] | result.truncated[agent])
            if expected.terminated:
                deaths.setdefault(agent, now)
            if ended:
                assert abs(deaths.get(agent, now if expected.truncated else now + 1) - now) <= 1
                assert bool(result.truncated[agent]) == (expected.truncated and agent not in deaths)
                del alone[agent]
            else:
                assert agent not in deaths or now - deaths[agent] < 1
                assert result.final_action_mask[agent].tolist() == world.mask(expected.state)
                alone[agent] = (world, expected.state)
        if now % 3 == 0 and alone:  # what is once another stays another
            features = torch.tensor([world.observe(state) for world, state in alone.values()])
            torch.testing.assert_close(result.final_features[list(alone)], features, atol=1e-4, rtol=0.0)
        if not alone:
            break
    assert not alone


def test_every_row_has_a_valid_action_in_the_states_that_a_town_can_reach(env: VectorizedEnv) -> None:
    generator = torch.Generator().manual_seed(4)
    for _ in range(3):
        scatter(env, generator)
        observation = env.observe()
        for _ in range(8):
            assert observation.action_mask.any(dim=1).all()
            observation = env.step(random_valid(observation.action_mask, generator)).observation


def assert_same_state(state: ReferenceState, expected: ReferenceState) -> None:
    assert (state.x, state.y, state.progress, state.tick) == (expected.x, expected.y, expected.progress, expected.tick)
    assert state.meters.keys() == expected.meters.keys()
    for name, value in expected.meters.items():
        assert abs(state.meters[name] - value) <= CLOSE, name


def assert_same_view(seen: Observation, agents: list[tuple[ReferenceWorld, ReferenceState]], sure: list[bool]) -> None:
    features = torch.tensor([world.observe(state) for world, state in agents])
    torch.testing.assert_close(seen.features[sure], features[sure], atol=CLOSE, rtol=0.0)
    for row, (world, state), certain in zip(seen.action_mask.tolist(), agents, sure, strict=True):
        assert not certain or row == world.mask(state) or unsure_mask(world, state)


def unsure_mask(world: ReferenceWorld, state: ReferenceState) -> bool:
    """Whether rounding decides what the agent can pay for."""
    name = world.underfoot(state)
    if name is None:
        return False
    costs = world.level.affordances[name].costs
    return any(
        abs(cost / world.ticks(name) - state.meters[meter] - TOLERANCE) < ROUNDING
        for meter, cost in costs.items()
        if meter in state.meters
    )


def unsure(world: ReferenceWorld, start: ReferenceState, done: ReferenceTick) -> bool:
    """Whether rounding decides what the agent can pay for or whether it dies."""
    edges = [abs(done.raw_meters[name] - TOLERANCE) for name in done.raw_meters if world.level.meters[name].lethal]
    return unsure_mask(world, start) or min(edges) < ROUNDING
