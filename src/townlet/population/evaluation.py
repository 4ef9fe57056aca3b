"""Greedy evaluation on maps that training never saw."""

from typing import Any

import torch
from torch import Tensor

from townlet.agent.acting import carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.environment.rules import cause_of_death
from townlet.environment.types import Observation, StepResult
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.masking import masked_argmax
from townlet.seeding import generator

STEPS_BETWEEN_CHECKS = 25  # whether all episodes have ended is asked this seldom: it waits for the device


class GreedyPolicy:
    """The best allowed action by a network, with a memory of its own; `forgetful` zeroes that before every step."""

    def __init__(self, network: QNetwork, num_agents: int, device: torch.device, forgetful: bool = False) -> None:
        self.network, self.forgetful = network, forgetful
        self.memory = initial_memory(network, num_agents, device)
        self._hidden, self._blank = self.memory.hidden, self.memory.hidden

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        memory = self.memory._replace(hidden=self._blank) if self.forgetful else self.memory
        q, self._hidden = q_values(self.network, observation, memory)
        return masked_argmax(q, observation.action_mask)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Remember the step."""
        self.memory = carry_on(self._hidden, actions, result.ended, self.network.num_actions)


class RandomPolicy:
    """An allowed action at random."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.stream = generator(seed, "random policy", device)

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        mask = observation.action_mask
        noise = torch.rand(mask.shape, generator=self.stream, device=mask.device)
        return noise.masked_fill(~mask, -1.0).argmax(dim=1)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Learn nothing."""


def evaluate(
    level: Level, network: QNetwork, episodes: int, seed: int, device: torch.device | str, forgetful: bool = False
) -> dict[str, Any]:
    """Play one greedy episode for each of `episodes` agents on evaluation maps.

    Returns `episodes`, mean and standard deviation of length (`mean_ep_length`, `std_ep_length`) and of reward
    (`mean_reward`, `std_reward`), `survival_rate`, and `deaths` by meter. Nothing of a training run is touched.
    """
    where = torch.device(device)
    return play(level, GreedyPolicy(network, episodes, where, forgetful), episodes, seed, where)


def play(
    level: Level, policy: GreedyPolicy | RandomPolicy, episodes: int, seed: int, device: torch.device
) -> dict[str, Any]:
    """Play one episode for each of `episodes` agents by `policy`; returns what `evaluate` does."""
    env = VectorizedEnv(level, episodes, device, seed, compile=False, maps="evaluation")
    observation, first = env.reset(), _FirstEpisodes(level, env)
    for step in range(level.max_steps):
        actions = policy.act(observation)
        result = env.step(actions)
        policy.after(actions, result)
        first.record(result)
        observation = result.observation
        if step % STEPS_BETWEEN_CHECKS == 0 and first.all_ended():
            break
    return first.summary()


class _FirstEpisodes:
    """Lengths, rewards and causes of death of each agent's first episode."""

    def __init__(self, level: Level, env: VectorizedEnv) -> None:
        self.level, self.meters = level, env.observation_layout.slices["meters"]
        self.running = torch.ones(env.num_agents, dtype=torch.bool, device=env.device)
        self.lengths = torch.zeros(env.num_agents, dtype=torch.float64, device=env.device)
        self.rewards, self.survived = self.lengths.clone(), ~self.running
        self.died_of = torch.full(
            (env.num_agents,), len(level.present_meters), device=env.device
        )  # num_meters for none

    def record(self, result: StepResult) -> None:
        self.lengths += self.running
        self.rewards += result.reward * self.running
        self.survived |= result.truncated & self.running
        final = list(result.final_features[:, self.meters].unbind(dim=1))  # a row a meter
        self.died_of = torch.where(result.terminated & self.running, cause_of_death(self.level, final), self.died_of)
        self.running &= ~result.ended

    def all_ended(self) -> bool:
        return not bool(self.running.any())

    def summary(self) -> dict[str, Any]:
        lethal = {index: name for index, name in enumerate(self.level.present_meters) if self.level.meters[name].lethal}
        return {
            "episodes": len(self.lengths),
            "mean_ep_length": float(self.lengths.mean()),
            "std_ep_length": float(self.lengths.std(correction=0)),
            "mean_reward": float(self.rewards.mean()),
            "std_reward": float(self.rewards.std(correction=0)),
            "survival_rate": float(self.survived.double().mean()),
            "deaths": {name: int((self.died_of == index).sum()) for index, name in lethal.items()},
        }
