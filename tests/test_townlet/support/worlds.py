"""Worlds and states for tests: small levels, agents put where a test needs them, and states read back."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from support.reference_world import ReferenceState, ReferenceWorld
from townlet.config import Level, load_level
from townlet.environment.rules import Tick, tick
from townlet.environment.types import EnvState
from townlet.environment.vectorized_env import VectorizedEnv

FIXED = {"layout": {"kind": "fixed", "training_maps": None, "evaluation_maps": None}}
ALL_ACTIONS = ["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"]
DAY = {"day_ticks": 24, "actions": ALL_ACTIONS}
MULTI_TICK = {"multi_tick": {"spread": 0.75}, "actions": ALL_ACTIONS}
ODD_TOWNS: dict[str, tuple[str, dict[str, Any]]] = {  # maps that are not square, and as little of everything as can be
    "a wide town": ("2", {"grid": {"width": 11, "height": 3}, "max_steps": 45}),
    "a tall town": ("3", {"grid": {"width": 3, "height": 11}, "max_steps": 45}),
    "a wide town in view": ("1", {"grid": {"width": 8, "height": 3}, "max_steps": 45}),
    "one column": ("2", {"grid": {"width": 1, "height": 15}, "actions": ["UP", "DOWN", "INTERACT"], "max_steps": 45}),
    "one row": ("1", {"grid": {"width": 15, "height": 1}, "actions": ["RIGHT", "LEFT", "INTERACT"], "max_steps": 45}),
    "one cell": ("0", {
        **FIXED, "grid": {"width": 1, "height": 1}, "affordances.Bed.place": [0, 0], "actions": ["INTERACT", "WAIT"],
        "meters.energy.initial": 0.3, "max_steps": 45,
    }),
    "one action": ("0", {
        **FIXED, "placed_affordances": [], "actions": ["WAIT"], "meters.energy.initial": 0.3, "max_steps": 45,
    }),
    "one affordance": ("0", {**FIXED, "meters.energy.initial": 0.3, "max_steps": 45}),
}  # fmt: skip


def fixed_town(**overrides: Any) -> Level:
    """Level 2 on the fixed 8x8 map, with WAIT; keywords replace top-level keys, as `multi_tick={"spread": 0.75}`."""
    return load_level("2", {**FIXED, "actions": ALL_ACTIONS, **overrides})


def odd_town(name: str, **training: Any) -> Level:
    """One of `ODD_TOWNS`, which learns from windows of 8 steps; `training` replaces keys of that."""
    reference, overrides = ODD_TOWNS[name]
    level = load_level(reference, {**overrides, **{f"training.{key}": value for key, value in training.items()}})
    if name != "one affordance":
        return level
    return level.model_copy(update={"affordances": {"Bed": level.affordances["Bed"]}})


def make_env(level: Level, num_agents: int = 1, **options: Any) -> VectorizedEnv:
    """An environment that is not compiled, after its reset."""
    env = VectorizedEnv(level, num_agents, **{"compile": False, **options})
    env.reset()
    return env


def put(
    env: VectorizedEnv,
    agent: int = 0,
    at: str | tuple[int, int] | None = None,
    meters: Mapping[str, float] | None = None,
    tick: int | None = None,
    progress: int | None = None,
) -> None:
    """Put one agent into a state: `at` an affordance of its map or a cell (x, y); what is not named stays."""
    state = EnvState(*(value.clone() for value in env.state))
    if at is not None:
        x, y = places_of(env, agent)[at] if isinstance(at, str) else at
        state.x[agent], state.y[agent] = x, y
    for name, value in (meters or {}).items():
        state.meters[env.level.present_meters.index(name), agent] = value
    if tick is not None:
        state.tick[agent] = tick
    if progress is not None:
        state.progress[agent] = progress
    env.state = state


def places_of(env: VectorizedEnv, agent: int) -> dict[str, tuple[int, int]]:
    """Where each affordance stands on the map of one agent."""
    return places_on(env, int(env.state.map_index[agent]))


def places_on(env: VectorizedEnv, index: int) -> dict[str, tuple[int, int]]:
    """Where each affordance stands on one map."""
    count = len(env.level.affordances)
    first = index * count
    xs, ys = env.tables.place_x[first : first + count].tolist(), env.tables.place_y[first : first + count].tolist()
    return {name: (x, y) for name, x, y in zip(env.level.affordances, xs, ys, strict=True) if x >= 0}


def references_of(env: VectorizedEnv) -> list[tuple[ReferenceWorld, ReferenceState]]:
    """The reference world of each agent's map, and the agent's state in it."""
    state = env.state
    worlds = [ReferenceWorld(env.level, places_on(env, index)) for index in state.map_index.tolist()]
    return list(zip(worlds, states_of(env.level, state), strict=True))


def states_of(level: Level, state: EnvState) -> list[ReferenceState]:
    """Each agent's state as plain numbers."""
    numbers = (row.tolist() for row in (state.x, state.y, state.progress, state.tick))
    return [
        ReferenceState(dict(zip(level.present_meters, meters, strict=True)), *agent)
        for meters, *agent in zip(state.meters.T.tolist(), *numbers, strict=True)
    ]


def tick_once(level: Level, action: str, **where: Any) -> tuple[Tick, dict[str, float]]:
    """Apply one tick to one agent put by `where`, as in `put`; the tick before any reset, and the meters after it."""
    env = make_env(level)
    put(env, **where)
    done = tick(level, env.tables, env.state, torch.tensor([level.actions.index(action)]))
    return done, states_of(level, done.state)[0].meters


def tick_through(level: Level, actions: list[str], **where: Any) -> list[Tick]:
    """Apply one action after the other to one agent put by `where`, without resets."""
    env = make_env(level)
    put(env, **where)
    ticks, state = [], env.state
    for action in actions:
        ticks.append(tick(level, env.tables, state, torch.tensor([level.actions.index(action)])))
        state = ticks[-1].state
    return ticks


def random_valid(mask: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One of each row's allowed actions, all equally likely, [num_agents] int64."""
    return torch.multinomial(mask.float(), 1, generator=generator).squeeze(1)


def scatter(env: VectorizedEnv, generator: torch.Generator) -> None:
    """Put all agents into states far from a new episode's: any meters, any tick, progress where they stand."""
    level, state = env.level, env.state
    meters = torch.rand(state.meters.shape, generator=generator)
    low = torch.rand(meters.shape, generator=generator) < 0.5  # cascades act below 0.3
    meters = torch.where(low, meters * 0.35, meters)
    ticks = torch.randint(0, level.max_steps - 1, state.tick.shape, generator=generator, dtype=torch.int32)
    near_end = torch.rand(ticks.shape, generator=generator) < 0.2
    env.state = state._replace(meters=meters, tick=torch.where(near_end, level.max_steps - 1 - ticks % 8, ticks))
    most = [world.ticks(name) if (name := world.underfoot(at)) else 1 for world, at in references_of(env)]
    done = torch.rand(len(most), generator=generator) * torch.tensor(most)
    env.state = env.state._replace(progress=done.int())


def first_lives(env: VectorizedEnv, act: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Live every agent's next episode to its end; ticks lived and whether it was truncated, each [num_agents]."""
    env.reset()
    ticks, living = torch.zeros(env.num_agents), torch.ones(env.num_agents, dtype=torch.bool)
    truncated = torch.zeros_like(living)
    while living.any():
        result = env.step(act())
        ticks += living
        truncated |= living & result.truncated
        living &= ~(result.terminated | result.truncated)
    return ticks, truncated


def flat(record: tuple) -> list[torch.Tensor]:
    """All tensors of a record of records; None, where a part is not there, is none."""
    parts = [value for value in record if value is not None]
    return [leaf for value in parts for leaf in (flat(value) if isinstance(value, tuple) else [value])]
