"""Contestants of `bench env`: each call is one step of all agents under random allowed actions."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

from townlet.bench.worlds.choices import choices, choose_in_numpy, choose_in_torch, draw
from townlet.bench.worlds.kernel_world import KernelWorld
from townlet.bench.worlds.numpy_world import NumpyWorld
from townlet.bench.worlds.plain_rules import PlainRules
from townlet.environment.gym.adaptors import TownletVectorEnv
from townlet.environment.gym.registration import register_worlds
from townlet.environment.vectorized_env import VectorizedEnv

DRAWN_STEPS = 64  # of random numbers, made beforehand and used in turn


class OurSteps:
    """A VectorizedEnv. It chooses in NumPy on a CPU, else on its device, where that is compiled if its step is."""

    def __init__(self, env: VectorizedEnv) -> None:
        self.env, self.mask, self.steps = env, env.reset().action_mask, 0
        self.rows, table = draw(DRAWN_STEPS, env.num_agents, env.num_actions), choices(env.num_actions)
        self.choose: Callable[[Tensor, int], Tensor]
        if env.device.type == "cpu":
            self.choose = lambda mask, row: torch.from_numpy(choose_in_numpy(mask.numpy(), self.rows[row], table))
            return
        draws, on_device = torch.from_numpy(self.rows).to(env.device), torch.from_numpy(table).to(env.device)
        choose = torch.compile(choose_in_torch, dynamic=False) if env.compiled else choose_in_torch
        self.choose = lambda mask, row: choose(mask, draws[row], on_device)

    def __call__(self) -> None:
        """Choose and step."""
        actions = self.choose(self.mask, self.steps % DRAWN_STEPS)
        self.mask = self.env.step(actions).observation.action_mask
        self.steps += 1


class VectorSteps:
    """The same world, compiled, as Gymnasium's vector environment."""

    def __init__(self, level: str, settings: Mapping[str, Any], num_agents: int, device: torch.device) -> None:
        self.env = TownletVectorEnv(level, num_agents, overrides=settings, device=device, compile=True)
        _, info = self.env.reset(seed=0)
        self.mask, self.steps = info["action_mask"], 0
        self.draws, self.table = draw(DRAWN_STEPS, *self.mask.shape), choices(self.mask.shape[1])

    def __call__(self) -> None:
        """Choose and step."""
        *_, info = self.env.step(choose_in_numpy(self.mask, self.draws[self.steps % DRAWN_STEPS], self.table))
        self.mask = info["action_mask"]
        self.steps += 1


class NumpySteps:
    """The same rules in NumPy."""

    def __init__(self, rules: PlainRules, num_agents: int) -> None:
        self.world, self.steps = NumpyWorld(rules, num_agents, rules.level.training.seed), 0
        _, self.mask = self.world.reset()
        self.table = choices(self.mask.shape[1])
        self.draws = draw(DRAWN_STEPS, *self.mask.shape)

    def __call__(self) -> None:
        """Choose and step."""
        actions = choose_in_numpy(self.mask, self.draws[self.steps % DRAWN_STEPS], self.table)
        self.mask = self.world.step(actions).action_mask
        self.steps += 1


class KernelSteps:
    """The same rules in C, on as many threads as PyTorch has."""

    def __init__(self, rules: PlainRules, num_agents: int) -> None:
        self.world, self.steps = KernelWorld(rules, num_agents, rules.level.training.seed, torch.get_num_threads()), 0
        _, mask = self.world.reset()
        self.draws = draw(DRAWN_STEPS, *mask.shape)

    def __call__(self) -> None:
        """Choose and step."""
        self.world.step(self.world.choose(self.draws[self.steps % DRAWN_STEPS]))
        self.steps += 1


class OneByOne:
    """One agent, by Gymnasium's own interface."""

    def __init__(self, level: str, settings: Mapping[str, Any]) -> None:
        register_worlds()
        self.env, self.steps = gymnasium.make("Townlet/Level-v0", level=level, overrides=settings), 0
        _, info = self.env.reset(seed=0)
        self.mask = info["action_mask"]
        self.table = choices(len(self.mask))
        self.draws = draw(DRAWN_STEPS, 1, len(self.mask))

    def __call__(self) -> None:
        """Choose and step, and reset where the episode ended."""
        action = choose_in_numpy(self.mask[np.newaxis], self.draws[self.steps % DRAWN_STEPS], self.table)[0]
        _, _, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            _, info = self.env.reset()
        self.mask = info["action_mask"]
        self.steps += 1
