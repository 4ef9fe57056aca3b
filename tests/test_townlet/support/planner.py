"""A scripted planner that knows the map: what an agent that has learned all there is could do.

A stop is: walk to an affordance, wait for its door, do one whole interaction (or wait a tick, where the level can). The
planner imagines every two stops one after the other, then idling until a horizon that is the same for all, and walks to
the first stop of the plan after which the meters stand best. It imagines a plain town, without cascades and drains.
"""

import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.vectorized_env import VectorizedEnv

HORIZON = 40  # ticks
FLOOR = 0.04  # a meter near this counts as nearly lost
LETHAL = 2.0  # how much more a meter counts whose end is death
SLACK = 0.02  # what the imagined town may be wrong by


class Planner:
    """Chooses an action for every agent of an environment, from its state and its map.

    The shape of imagined things grows by one axis a stop: [num_agents], [num_agents, num_stops], and so on.
    """

    def __init__(self, env: VectorizedEnv) -> None:
        self.env, self.level = env, env.level
        level, affordances = env.level, list(env.level.affordances.values())
        waiting = 1  # the last stop of all: to wait a tick where one is
        self.ticks = torch.tensor([one.ticks if level.multi_tick else 1 for one in affordances] + [1] * waiting)
        self.gains, self.costs = [], []  # per meter, each [num_stops]
        for name in level.present_meters:
            costs = [one.costs.get(name, 0.0) for one in affordances] + [0.0] * waiting
            effects = [one.effects.get(name, 0.0) for one in affordances] + [0.0] * waiting
            self.costs.append(torch.tensor(costs).clamp(min=0.0))
            self.gains.append(torch.tensor(effects) - torch.tensor(costs))
        hours = range(level.day_ticks or 1)
        self.wait = torch.tensor([_waits(level, hour) + [0] * waiting for hour in hours])  # [day_ticks, num_stops]
        self.can_wait = "WAIT" in level.actions

    def act(self) -> Tensor:
        """One action for each agent, [num_agents] int64."""
        state, agent = self.env.state, torch.arange(self.env.num_agents)
        x, y, stands = self._stops()  # [num_agents, num_stops]
        right, below = x - state.x.unsqueeze(1), y - state.y.unsqueeze(1)
        walk = right.abs() + below.abs()
        between = (x.unsqueeze(2) - x.unsqueeze(1)).abs() + (y.unsqueeze(2) - y.unsqueeze(1)).abs()
        between[:, :, -1], between[:, -1, :] = 0, walk  # one waits where one is

        meters, now = list(state.meters.unbind()), state.tick
        meters, now, first = self._visit(meters, now, walk)
        meters, now, second = self._visit(meters, now, between)
        possible = first.unsqueeze(2) & second & stands.unsqueeze(2) & stands.unsqueeze(1)
        score = torch.where(possible, self._worth(meters, now - state.tick[:, None, None]), -torch.inf)
        target = score.amax(dim=2).argmax(dim=1)  # [num_agents]
        return self._towards(right[agent, target], below[agent, target], target)

    def _towards(self, right: Tensor, below: Tensor, target: Tensor) -> Tensor:
        index = {name: position for position, name in enumerate(self.level.actions)}
        can_interact = self.env.observe().action_mask[:, index["INTERACT"]]
        wait = index.get("WAIT", index["INTERACT"])
        here = torch.where(can_interact & (target < len(self.level.affordances)), index["INTERACT"], wait)
        along_x = torch.where(right > 0, index["RIGHT"], index["LEFT"])
        along_y = torch.where(below > 0, index["DOWN"], index["UP"])
        there = torch.where(right != 0, along_x, torch.where(below != 0, along_y, here))
        finishing = (self.env.state.progress > 0) & can_interact  # what was begun and left would be lost
        return torch.where(finishing, index["INTERACT"], there)

    def _stops(self) -> tuple[Tensor, Tensor, Tensor]:
        """Column, row and presence of every stop, each [num_agents, num_stops]; the last is the agent's own cell."""
        state, tables, count = self.env.state, self.env.tables, len(self.level.affordances)
        index = state.map_index.unsqueeze(1) * count + torch.arange(count)
        x = torch.cat([tables.place_x[index], state.x.unsqueeze(1)], dim=1)
        y = torch.cat([tables.place_y[index], state.y.unsqueeze(1)], dim=1)
        stands = x >= 0
        stands[:, -1] = self.can_wait
        return x, y, stands

    def _visit(self, meters: list[Tensor], now: Tensor, walk: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The meters and the clock after each next stop, and whether it can be lived through and paid."""
        wait = self.wait[(now.unsqueeze(-1) + walk) % len(self.wait), torch.arange(len(self.ticks))]
        after, possible = [], torch.ones_like(walk, dtype=torch.bool)
        for name, row, gain, cost in zip(self.level.present_meters, meters, self.gains, self.costs, strict=True):
            one = self.level.meters[name]
            there = row.unsqueeze(-1) + walk * one.move + (walk + wait) * one.passive
            possible = possible & (there >= cost - 1e-6)
            done = (there + gain).clamp(max=1.0) + self.ticks * one.passive
            if one.lethal:
                possible = possible & (torch.minimum(there, done) > SLACK)
            after.append(done)
        return after, now.unsqueeze(-1) + walk + wait + self.ticks, possible

    def _worth(self, meters: list[Tensor], taken: Tensor) -> Tensor:
        """How well the meters stand at the horizon: the emptiest is worth most to fill."""
        left = (HORIZON - taken).clamp(min=0)
        worth = torch.zeros_like(taken, dtype=torch.float32)
        for name, row in zip(self.level.present_meters, meters, strict=True):
            one = self.level.meters[name]
            end = row + left * one.passive
            urgency = -1.0 / (end.clamp(min=0.0) + FLOOR) + 20.0 * end.clamp(max=0.0)
            worth = worth + (LETHAL if one.lethal else 1.0) * urgency
        return worth


def _waits(level: Level, hour: int) -> list[int]:
    """How long each door stays closed from this hour on."""
    waits = []
    for affordance in level.affordances.values():
        opening, closing = affordance.hours or (0, 0)
        day = level.day_ticks or 1
        hours_open = (closing - opening) % day or day
        waits.append(next(wait for wait in range(day) if (hour + wait - opening) % day < hours_open))
    return waits
