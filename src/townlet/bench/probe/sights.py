"""What agents have seen, and when: a trained agent's episodes, sampled for the probe of its memory."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.evaluation import RandomPolicy
from townlet.population.lives import GreedyPolicy
from townlet.seeding import generator
from townlet.sequences import Hidden

Maps = Literal["training", "evaluation"]


class Sampling(NamedTuple):
    """How episodes are played and sampled."""

    agents: int = 512  # on the maps of training, and as many on those of evaluation
    ticks: int = 500  # of each agent's first episode, or until it ends
    every: int = 10  # ticks between two samples
    recent: int = 8  # ticks that the control of a short memory has
    epsilon: float = 0.0  # share of random actions
    seed: int = 0


class Sights(NamedTuple):
    """Samples of episodes: where everything is, how long ago it was seen, and what might know of it."""

    agent: Tensor  # [samples] int64
    map_index: Tensor  # [samples] int64
    own: Tensor  # [samples, 2] int64: x, y of the agent
    place: Tensor  # [samples, num_affordances, 2] int64: x, y of each affordance, -1 where it is absent
    underfoot_age: Tensor  # [samples, num_affordances] int64: ticks since the agent stood on it, -1 for never
    window_age: Tensor  # [samples, num_affordances] int64: ticks since its cell was within the window, -1 for never
    readings: dict[str, Tensor]  # by source, [samples, width] float32: what a probe may read

    def rows(self, index: Tensor) -> "Sights":
        """Return the samples at `index`, [samples] bool or [some] int64."""
        kept = {name: getattr(self, name)[index] for name in self._fields if name != "readings"}
        return Sights(**kept, readings={source: reading[index] for source, reading in self.readings.items()})


class _Episodes(NamedTuple):
    """First episodes, as agents lived them."""

    features: Tensor  # [ticks, agents, obs_dim]
    previous_actions: Tensor  # [ticks, agents] int64
    own: Tensor  # [ticks, agents, 2] int64: x, y
    running: Tensor  # [ticks, agents] bool: still in the first episode
    place: Tensor  # [agents, num_affordances, 2] int64: x, y, -1 where absent
    map_index: Tensor  # [agents] int64


def collect(
    level: Level,
    network: QNetwork,
    untrained: QNetwork,
    sampling: Sampling,
    maps: Maps,
    device: torch.device | str = "cpu",
) -> Sights:
    """Play one greedy episode for each agent and sample it at every `sampling.every`-th tick.

    Every source reads the same episodes: `memory`, the network's hidden state after the tick's observation; that of the
    same network begun blank a few ticks ago; that of the `untrained` one; the `observation` alone; and `chance`,
    nothing.
    """
    episodes = _play(level, network, sampling, maps, torch.device(device))
    every = slice(sampling.every - 1, None, sampling.every)
    kept = episodes.running[every]  # [samples a life, agents]
    agent = torch.arange(sampling.agents, device=kept.device).expand_as(kept)[kept]
    offset = (episodes.own.unsqueeze(2) - episodes.place).abs()  # [ticks, agents, num_affordances, 2]
    distance = torch.where(episodes.place[..., 0] >= 0, offset.amax(dim=3), max(level.grid.width, level.grid.height))
    reach = -1 if level.observation.window is None else level.observation.window // 2
    observation = episodes.features[every][kept]
    return Sights(
        agent=agent,
        map_index=episodes.map_index[agent],
        own=episodes.own[every][kept],
        place=episodes.place[agent],
        underfoot_age=ticks_since(distance == 0)[every][kept],
        window_age=ticks_since(distance <= reach)[every][kept],
        readings={
            "memory": _memories(network, episodes, sampling.every)[kept],
            f"last {sampling.recent} ticks": _recent_memories(network, episodes, sampling)[kept],
            "untrained": _memories(untrained, episodes, sampling.every)[kept],
            "observation": observation,
            "chance": observation[:, :0],
        },
    )


def ticks_since(happened: Tensor) -> Tensor:
    """For each tick, how many ticks ago something last happened: [ticks, ...] bool to int64, -1 for never yet."""
    tick = torch.arange(len(happened), device=happened.device).view(-1, *[1] * (happened.dim() - 1))
    last = torch.where(happened, tick, -1).cummax(dim=0).values
    return torch.where(last >= 0, tick - last, -1)


def _play(level: Level, network: QNetwork, sampling: Sampling, maps: Maps, device: torch.device) -> _Episodes:
    env = VectorizedEnv(level, sampling.agents, device, sampling.seed, compile=False, maps=maps)
    policy, wanderer = GreedyPolicy(network, sampling.agents, device), RandomPolicy(sampling.seed, device)
    stream = generator(sampling.seed, "probe exploration", device)
    observation, running = env.reset(), torch.ones(sampling.agents, dtype=torch.bool, device=device)
    map_index, place = env.state.map_index.long(), _places(level, env)
    lived = []
    for _ in range(min(sampling.ticks, level.max_steps)):
        own = torch.stack([env.state.x, env.state.y], dim=1).long()
        lived.append((observation.features, policy.memory.previous_actions, own, running))
        explores = torch.rand(sampling.agents, generator=stream, device=device) < sampling.epsilon
        actions = torch.where(explores, wanderer.act(observation), policy.act(observation))
        result = env.step(actions)
        policy.after(actions, result)
        running = running & ~result.ended
        observation = result.observation
    features, previous_actions, owns, runnings = (torch.stack(column) for column in zip(*lived, strict=True))
    return _Episodes(features, previous_actions, owns, runnings, place, map_index)


def _places(level: Level, env: VectorizedEnv) -> Tensor:
    """Where everything is on each agent's map, [agents, num_affordances, 2] int64."""
    table = torch.stack([env.tables.place_x, env.tables.place_y], dim=1).view(-1, len(level.affordances), 2)
    return table[env.state.map_index].long()


def _memories(network: QNetwork, episodes: _Episodes, every: int) -> Tensor:
    """The hidden state at every `every`-th tick, [samples a life, agents, width]."""
    ticks, agents = episodes.running.shape
    hidden, found = network.initial_hidden(agents), []
    for end in range(every, ticks + 1, every):
        hidden = _unroll(network, episodes, slice(end - every, end), hidden)
        found.append(_flat(hidden))
    return torch.stack(found)


def _recent_memories(network: QNetwork, episodes: _Episodes, sampling: Sampling) -> Tensor:
    """The hidden state at the same ticks, had the network been blank until `sampling.recent` ticks ago."""
    ticks, agents = episodes.running.shape
    blank, ends = network.initial_hidden(agents), range(sampling.every, ticks + 1, sampling.every)
    windows = [slice(max(end - sampling.recent, 0), end) for end in ends]
    return torch.stack([_flat(_unroll(network, episodes, window, blank)) for window in windows])


@torch.no_grad()
def _unroll(network: QNetwork, episodes: _Episodes, window: slice, hidden: Hidden) -> Hidden:
    features, previous_actions = episodes.features[window], episodes.previous_actions[window]
    return network(features.transpose(0, 1), hidden, previous_actions.t())[1]


def _flat(hidden: Hidden) -> Tensor:
    """All parts and layers side by side, [agents, width]."""
    return torch.cat([part.transpose(0, 1).flatten(1) for part in hidden], dim=1)
