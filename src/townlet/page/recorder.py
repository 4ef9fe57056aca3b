"""Recording: what was played is lived once more by its own actions, and every step is written down.

Agents play as in every evaluation, and only their actions are noted. That costs little, so it can be decided afterwards
whose lives are worth a recording. In the second life the world is stepped by those actions, without resets, and the
network is asked twice at each step: with the memory that the agent has, and with none.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import townlet
from townlet.agent.acting import Memory, carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork, RecurrentSpatialQNetwork
from townlet.config import Level
from townlet.environment.observation import observe
from townlet.environment.rewards import each_term
from townlet.environment.rules import Tick, look_underfoot, tick
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState, Observation
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.page.header import FORMAT, Header, Life, MemoryRow, Origin
from townlet.page.numbers import Array
from townlet.page.planned import end_of, plan
from townlet.page.replay import ReplayError, pack
from townlet.page.world import describe_level, describe_world
from townlet.play.planner import can_plan

NUMBERS_OF_MEMORY = 128  # a step and agent, on average: of a larger memory not every frame is recorded
Frames = dict[str, list[Tensor]]  # by column: one time after the other, each [lives, components]


class Noted:
    """What agents did in an evaluation that is given this to `note`, so that it can be lived once more."""

    def __init__(self) -> None:
        self.actions: list[Tensor] = []  # a step, each [num_agents] int64
        self.ended: list[Tensor] = []  # whose episode ended in the step, each [num_agents] bool

    def __call__(self, actions: Tensor, ended: Tensor) -> None:
        """Note a step."""
        self.actions.append(actions.clone())
        self.ended.append(ended.clone())

    def lengths(self) -> Tensor:
        """How long each agent's first episode was, [num_agents] int64, as far as it was noted."""
        ended = torch.stack(self.ended).cpu()  # [steps, num_agents]
        return (ended.int().cumsum(dim=0) - ended.int() == 0).sum(dim=0)


class Wanted(NamedTuple):
    """What of the played lives is recorded."""

    agents: Sequence[int]  # whose lives, in the order of the recording
    steps: int | None = None  # the first so many; None: all
    weights: bool = True  # whether the network's weights come along
    memory_every: int | None = None  # frames between recorded memories; None: as `NUMBERS_OF_MEMORY` says
    planner: bool = False  # whether the planner lives from the same starts, where it can in this level


def record(level: Level, network: QNetwork, noted: Noted, wanted: Wanted, origin: Origin) -> bytes:
    """Return the file of a replay of lives that a network played greedily in evaluation.

    `noted` is of a whole Evaluator of `origin.seed`. Raises ReplayError where the world, lived once more, ends the
    lives at other steps, and for values that are not finite.
    """
    chosen = torch.tensor(wanted.agents)
    lengths, actions = noted.lengths()[chosen], torch.stack(noted.actions)[:, chosen.to(noted.actions[0].device)]
    kept = int(lengths.max()) if wanted.steps is None else min(wanted.steps, int(lengths.max()))
    tables, start = _first_states(level, len(noted.actions[0]), origin, actions.device)
    start = EnvState(*(part[..., chosen.to(part.device)] for part in start))
    frames = _live_again(level, tables, network, start, actions[:kept])
    values = {name: _in_order(column) for name, column in frames.items()}
    lives, memory = _lives(tables, wanted.agents, start, values, lengths), memory_rows(network)
    planned = plan(level, tables, start, wanted.steps) if wanted.planner and can_plan(level) else None
    if planned is not None:
        values["planned"] = planned.actions
    header = Header(
        format=FORMAT,
        origin=origin,
        level=describe_level(level),
        world=describe_world(level, tables),
        network=level.network,
        memory=memory,
        steps=max(life.length for life in lives),
        lives=lives,
        planner=None if planned is None else planned.lives,
        columns=(),
    )
    every = wanted.memory_every or max(1, -(-header.units // NUMBERS_OF_MEMORY))
    if memory:
        values["memory"] = values["memory"][..., ::every]
    weights = {name: part.detach().cpu().numpy() for name, part in network.state_dict().items()}
    return pack(header, values, every, weights if wanted.weights else None)


def versions() -> dict[str, str]:
    """Return which versions made a recording, as an Origin says it."""
    return {"townlet": townlet.__version__, "torch": torch.__version__}


def memory_rows(network: QNetwork) -> tuple[MemoryRow, ...]:
    """Return what the parts of a network's memory are called, and how many numbers they hold."""
    hidden = network.initial_hidden(1)
    names = [f"memory {index}" for index in range(1, len(hidden) + 1)]
    if isinstance(network, RecurrentSpatialQNetwork):
        names = ["hidden", "cell"][: network.cell.parts]
        for part in (*network.ruled, *network.learned):
            words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(part).__name__).lower()
            names += [words] * part.parts
    return tuple(MemoryRow(name=name, units=part.numel()) for name, part in zip(names, hidden, strict=True))


def _first_states(level: Level, played: int, origin: Origin, device: torch.device) -> tuple[Tables, EnvState]:
    """The tables of the world that was played, and in which state each agent began."""
    env = VectorizedEnv(level, played, device, origin.seed, compile=False, maps=origin.maps)
    return env.tables, env.state


def _live_again(level: Level, tables: Tables, network: QNetwork, state: EnvState, actions: Tensor) -> Frames:
    """Step the world by `actions` [steps, lives], and write down what a replay holds of frames and of steps."""
    frames = Frames()
    memory = initial_memory(network, actions.shape[1], actions.device)
    blank, goes_on = memory.hidden, torch.zeros_like(actions[0], dtype=torch.bool)
    for chosen in actions:
        seen = _see(level, tables, state)
        q, hidden = q_values(network, seen, memory)
        _add(frames, _of_frame(state, seen, memory))
        done = tick(level, tables, state, chosen)
        _add(frames, _of_step(level, done, chosen) | {"q": q})
        if blank:
            _add(frames, {"q_blank": q_values(network, seen, memory._replace(hidden=blank))[0]})
        state, memory = done.state, carry_on(hidden, chosen, goes_on, network.num_actions)
    _add(frames, _of_frame(state, _see(level, tables, state), memory))
    return frames


def _see(level: Level, tables: Tables, state: EnvState) -> Observation:
    return observe(level, tables, state, look_underfoot(level, tables, state))


def _of_frame(state: EnvState, seen: Observation, memory: Memory) -> dict[str, Tensor]:
    bits = 2 ** torch.arange(seen.action_mask.shape[1], device=seen.action_mask.device)
    columns = {
        "tick": state.tick.unsqueeze(1),
        "position": torch.stack([state.x, state.y], dim=1),
        "progress": state.progress.unsqueeze(1),
        "meters": state.meters.t(),
        "allowed": (seen.action_mask * bits).sum(dim=1, keepdim=True),
    }
    if memory.hidden:
        columns["memory"] = torch.cat([part.transpose(0, 1).flatten(1) for part in memory.hidden], dim=1)
    return columns


def _of_step(level: Level, done: Tick, actions: Tensor) -> dict[str, Tensor]:
    paid: dict[str, Tensor] = {}
    for name, value in each_term(level, level.reward, done):
        paid[name] = paid[name] + value if name in paid else value
    return {
        "action": actions.unsqueeze(1),
        "completed": done.completed.unsqueeze(1),
        "reward": torch.stack(list(paid.values()), dim=1),
        "died": done.terminated.unsqueeze(1),  # these three are no columns: they become a life's end
        "ended": (done.terminated | done.truncated).unsqueeze(1),
        "cause": done.cause.unsqueeze(1),
    }


def _add(frames: Frames, columns: dict[str, Tensor]) -> None:
    for name, values in columns.items():
        frames.setdefault(name, []).append(values)


def _in_order(column: list[Tensor]) -> Array:
    """One time after the other, each [lives, components], as [lives, components, times]."""
    values: Array = torch.stack(column, dim=-1).cpu().numpy()
    return values


def _lives(
    tables: Tables, agents: Sequence[int], start: EnvState, values: dict[str, Array], lengths: Tensor
) -> tuple[Life, ...]:
    """What each life was. Raises ReplayError where one ends elsewhere than when it was played, at `lengths` [lives]."""
    paid = values["reward"].sum(axis=1, dtype=np.float64)  # [lives, steps]
    died, ended, cause = (values[name][:, 0] for name in ("died", "ended", "cause"))  # each [lives, steps]
    x, y = (row.view(tables.num_maps, -1)[start.map_index].tolist() for row in (tables.place_x, tables.place_y))
    lives = []
    for life, agent in enumerate(agents):
        end, played = end_of(died[life], ended[life], cause[life]), int(lengths[life])
        if end.length != (played if end.ended != "cut" else min(played, end.length)):
            raise ReplayError(f"agent {agent}: expected a life of {played} steps, as it was played, got {end.length}")
        lives.append(
            Life(
                agent=agent,
                map=int(start.map_index[life]),
                places=tuple(_place(*at) for at in zip(x[life], y[life], strict=True)),
                **end.model_dump(),
                total_reward=float(paid[life, : end.length].sum()),
            )
        )
    return tuple(lives)


def _place(x: int, y: int) -> tuple[int, int] | None:
    return (x, y) if x >= 0 else None
