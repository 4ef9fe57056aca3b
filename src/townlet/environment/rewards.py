"""The reward of a tick: the sum of the terms that a level names."""

import torch
from torch import Tensor

from townlet.config import Level, Potential, Reward
from townlet.environment.rules import Tick
from townlet.environment.types import Difficulty


def reward(level: Level, before: Tensor, tick: Tick, difficulty: Difficulty | None = None) -> Tensor:
    """The level's reward or its sparse one, [num_agents] float32; `before` [num_meters, num_agents] the tick."""
    dense = sum_terms(level, level.reward, before, tick)
    if difficulty is None or level.sparse_reward is None:
        return dense
    return torch.where(difficulty.sparse, sum_terms(level, level.sparse_reward, before, tick), dense)


def sum_terms(level: Level, terms: Reward, before: Tensor, tick: Tick) -> Tensor:
    """Sum the terms of one reward, [num_agents]."""
    alive = (~tick.terminated).float()
    index = {name: position for position, name in enumerate(level.present_meters)}
    total = terms.alive * alive + terms.death * tick.terminated.float()
    for milestone in terms.milestones:
        reached = (tick.state.tick % milestone.every == 0).float()
        total = total + milestone.value * reached * alive
    for name in sorted(terms.wellbeing):  # sorted: no order of writing changes a sum's last bit
        total = total + terms.wellbeing[name] * tick.state.meters[index[name]] * alive
    for name in sorted(terms.interaction):
        paid, fed = tick.interaction[index[name]]
        total = total + terms.interaction[name] * (fed.clamp(0.0, 1.0) - paid.clamp(0.0, 1.0))
    if terms.potential is not None:
        after = potential(terms.potential, index, tick.state.meters) * alive
        shaping = level.training.gamma * after - potential(terms.potential, index, before)
        total = total + terms.potential.scale * shaping
    return total


def potential(terms: Potential, index: dict[str, int], meters: Tensor) -> Tensor:
    """phi = sum w (1 - (1 - m)^2) / sum w, [num_agents]: concave, so the emptiest meter is worth most to fill."""
    phi, weighed = torch.zeros_like(meters[0]), sorted(terms.meters)
    for name in weighed:
        one = terms.meters[name]
        filled = meters[index[name]]  # within [0, 1]
        missing = 1.0 - (filled if one.full == 1.0 else (filled / one.full).clamp(max=1.0))
        phi = phi + one.weight * (1.0 - missing * missing)
    return phi / sum(terms.meters[name].weight for name in weighed)
