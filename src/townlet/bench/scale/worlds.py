"""Sweeps over worlds: how the cost of a step grows with agents, with the map and with affordances.

A world is compiled anew for each size, unless that was not wanted or cannot be done here.
"""

from collections.abc import Sequence

import torch

from townlet.bench.scale.sweeps import Asked, time_calls
from townlet.bench.speed.env_worlds import OurSteps
from townlet.bench.speed.report import Row
from townlet.bench.speed.train import train_for
from townlet.bench.speed.trainees import OurTrainee
from townlet.config import Affordance, ConfigError, Level, level_problems
from townlet.environment.vectorized_env import VectorizedEnv

WORLD = "world's step"


def sweep_agents(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time the world's step at each number of agents, and a population's step, without its learning and with it."""
    level, rows = asked.load(), list[Row]()
    for size in sizes:
        env = _make_world(asked, level, size, "agents")
        rows += time_calls(asked, "agents", size, {WORLD: OurSteps(env)}, {"units": size})
        try:
            rows += _population(asked, asked.load({"training.num_agents": size}), env)
        except ConfigError as error:
            asked.leave_out(f"a population of {size:,} agents", error)
    return rows


def _population(asked: Asked, level: Level, env: VectorizedEnv) -> list[Row]:
    trainee, size = OurTrainee(level, asked.device, env), env.num_agents
    asked.tell(f"agents, {size:,}: until the population learns")
    while not trainee.progress().updates:
        trainee.advance()
    acted, whole = list[float](), list[float]()
    for turn in range(asked.pace.repeats + 1):
        asked.tell(f"agents, {size:,}: the population" + ("" if turn else ", warming up"))
        window = train_for(trainee, asked.pace.seconds)
        whole.append(size / window.steps)
        acted.append(whole[-1] * (1.0 - window.shares["learn"]))
    facts = {"units": size}
    names = {"without learning": acted, "with learning": whole}
    return [Row(f"agents: {name}", size, samples[1:], facts) for name, samples in names.items()]


def sweep_grid(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time the world's step of the level's agents on square maps of each size, with the same places on them."""
    asked.load()  # what is wrong at every size is an error
    rows = list[Row]()
    for size in sizes:
        try:
            level = asked.load({"grid.width": size, "grid.height": size})
        except ConfigError as error:
            asked.leave_out(f"a map of {size} x {size}", error)
            continue
        rows += _world(asked, level, "grid", size)
    return rows


def sweep_affordances(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time the world's step of the level's agents with each number of affordances.

    Raises ConfigError where the level has none to make more of.
    """
    level, rows = asked.load(), list[Row]()
    if not level.placed_affordances:
        raise ConfigError([f"--of affordances: expected a level with placed affordances, got {level.id} with none"])
    for size in sizes:
        changed = with_affordances(level, size)
        if problems := level_problems(changed):
            asked.leave_out(f"a world of {size} affordances", f"expected {problems[0].expected}, got {problems[0].got}")
            continue
        rows += _world(asked, changed, "affordances", size)
    return rows


def with_affordances(level: Level, number: int) -> Level:
    """Return a level with the first `number` of its placed affordances, or with copies of them under other names.

    Copies stand where the layout puts them; nothing is checked.
    """
    names, affordances = level.placed_affordances, dict[str, Affordance]()
    for index in range(number):
        name, copy = names[index % len(names)], index // len(names)
        affordances[f"{name} {copy + 1}" if copy else name] = level.affordances[name]
    return level.model_copy(update={"affordances": affordances, "placed_affordances": tuple(affordances)})


def _world(asked: Asked, level: Level, curve: str, size: int) -> list[Row]:
    agents = level.training.num_agents
    return time_calls(
        asked, curve, size, {WORLD: OurSteps(_make_world(asked, level, agents, curve))}, {"units": agents}
    )


def _make_world(asked: Asked, level: Level, agents: int, curve: str) -> VectorizedEnv:
    asked.tell(f"{curve}: making a world of {agents:,} agents")
    if not asked.eager:
        torch.compiler.reset()  # PyTorch compiles one function so many times only
        try:
            return VectorizedEnv(level, agents, asked.device, compile=True)
        except Exception as error:  # compilers fail in many ways
            asked.leave_out("compiling", error)
    return VectorizedEnv(level, agents, asked.device, compile=False)
