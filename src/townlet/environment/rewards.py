"""The reward of a tick: the sum of the terms that a level names."""

import torch
from torch import Tensor

from townlet.config import Level, Potential, Reward
from townlet.environment.rules import Tick
from townlet.environment.types import Difficulty


def reward(level: Level, tick: Tick, difficulty: Difficulty | None = None) -> Tensor:
    """The level's reward or its sparse one, [num_agents] float32."""
    dense = sum_terms(level, level.reward, tick)
    if difficulty is None or level.sparse_reward is None:
        return dense
    return torch.where(difficulty.sparse, sum_terms(level, level.sparse_reward, tick), dense)


def sum_terms(level: Level, terms: Reward, tick: Tick) -> Tensor:
    """Sum the terms of one reward, [num_agents]."""
    (_, total), *others = each_term(level, terms, tick)
    for _, paid in others:
        total = total + paid
    return total


def each_term(level: Level, terms: Reward, tick: Tick) -> list[tuple[str, Tensor]]:
    """What each term of one reward pays, [num_agents], beside its key, which those share that are of one mapping."""
    alive = (~tick.terminated).float()
    index = {name: position for position, name in enumerate(level.present_meters)}
    paid = [("alive", terms.alive * alive), ("death", terms.death * tick.terminated.float())]
    for milestone in terms.milestones:
        due = (tick.state.tick % milestone.every == 0).float()
        paid.append(("milestones", milestone.value * due * alive))
    for name in sorted(terms.wellbeing):  # sorted: no order of writing changes a sum's last bit
        paid.append(("wellbeing", terms.wellbeing[name] * tick.left[index[name]] * alive))
    for name in sorted(terms.interaction):
        gained = tick.after[index[name]].clamp(0.0, 1.0) - tick.before[index[name]].clamp(0.0, 1.0)
        paid.append(("interaction", terms.interaction[name] * gained))
    if terms.potential is not None:
        reached = potential(terms.potential, index, tick.left) * alive
        shaping = level.training.gamma * reached - potential(terms.potential, index, tick.found)
        paid.append(("potential", terms.potential.scale * shaping))
    return paid


def terms_of(terms: Reward) -> list[str]:
    """Return the keys that `each_term` tells of, each once."""
    return [name for name, value in terms if value or name in ("alive", "death")]


def potential(terms: Potential, index: dict[str, int], meters: list[Tensor]) -> Tensor:
    """phi = sum w (1 - (1 - m)^2) / sum w, [num_agents]: concave, so the emptiest meter is worth most to fill."""
    phi, weighed = torch.zeros_like(meters[0]), sorted(terms.meters)
    for name in weighed:
        one = terms.meters[name]
        filled = meters[index[name]]  # within [0, 1]
        missing = 1.0 - (filled if one.full == 1.0 else (filled / one.full).clamp(max=1.0))
        phi = phi + one.weight * (1.0 - missing * missing)
    return phi / sum(terms.meters[name].weight for name in weighed)
