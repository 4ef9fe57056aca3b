"""Whether a world that others wrote lives the lives of our own."""

import numpy as np
import torch

from townlet.bench.worlds.choices import choices, choose_in_numpy, draw
from townlet.bench.worlds.plain_rules import PlainStep, PlainWorld
from townlet.config import Level
from townlet.environment.vectorized_env import VectorizedEnv

TOLERANCE = 1e-6  # of features and rewards; where an operation rounds otherwise


class DisagreementError(Exception):
    """Two worlds differ; one line: what, when and whose."""


def check_agreement(name: str, world: PlainWorld, level: Level, num_agents: int, seed: int, steps: int) -> int:
    """Live `steps` ticks of random allowed actions in `world` and in a VectorizedEnv of the same seed.

    Neither ever sees the other's state. Returns how many episodes ended; raises DisagreementError at the first
    difference in what agents see, may do, earn, or die.
    """
    env = VectorizedEnv(level, num_agents, seed=seed, compile=False)
    observation, (features, mask) = env.reset(), world.reset()
    _compare(name, 0, {"features": (observation.features, features), "action_mask": (observation.action_mask, mask)})
    table, ended = choices(env.num_actions), 0
    for step, draws in enumerate(draw(steps, num_agents, env.num_actions, seed), start=1):
        actions = choose_in_numpy(observation.action_mask.numpy(), draws, table)
        ours, theirs = env.step(torch.from_numpy(actions)), world.step(actions)
        observation, ended = ours.observation, ended + int(ours.ended.sum())
        mine = PlainStep(*(part.numpy() for part in (*observation, *ours[1:-1])))
        _compare(name, step, {part: (getattr(mine, part), getattr(theirs, part)) for part in PlainStep._fields})
    return ended


def _compare(name: str, step: int, parts: dict[str, tuple[object, object]]) -> None:
    for part, (mine, theirs) in parts.items():
        expected, got = np.asarray(mine, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
        wrong = np.abs(expected - got) > TOLERANCE
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0].tolist())
            values = f"expected {expected[where]:g} as in our own world, got {got[where]:g}"
            raise DisagreementError(f"{name}: {part} of agent {where[0]} after step {step}: {values}")
