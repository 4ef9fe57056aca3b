"""A scripted planner that knows the whole map: what an agent that has learned all there is could do.

A stop is: walk to an affordance, wait for its door, do one whole interaction (or wait a tick, where the level can). The
planner imagines every two stops one after the other, then idling until a horizon that is the same for all, and walks to
the first stop of the plan after which the meters stand best. It imagines a plain town, without cascades and drains.
"""

import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.rules import STEPS, can_interact, look_underfoot
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState

HORIZON = 40  # ticks
FLOOR = 0.04  # a meter near this counts as nearly lost
LETHAL = 2.0  # how much more a meter counts whose end is death
SLACK = 0.02  # what the imagined town may be wrong by
HOPELESS = 1e6  # how much less a plan is worth that cannot be lived through or paid

USE, WAIT = "INTERACT", "WAIT"


def can_plan(level: Level) -> bool:
    """Whether a level has what the planner needs: something that can be used, and every way to it."""
    ways = {name for name, (dx, dy) in STEPS.items() if (level.grid.width if dx else level.grid.height) > 1}
    return bool(level.placed_affordances) and ways | {USE} <= {*level.actions}


class Planner:
    """Chooses an action for every agent from its state and its map; the level must be one that it `can_plan`.

    The shape of imagined things grows by one axis a stop: [num_agents], [num_agents, num_stops], and so on. The last
    stop of all is to wait a tick where one is.
    """

    def __init__(self, level: Level, tables: Tables) -> None:
        self.level, self.tables, device = level, tables, tables.initial.device
        affordances = list(level.affordances.values())
        ticks = [one.ticks if level.multi_tick else 1 for one in affordances]
        self.ticks = torch.tensor([*ticks, 1], device=device)  # [num_stops]
        self.gains, self.costs = list[Tensor](), list[Tensor]()  # per meter, each [num_stops]
        for name in level.present_meters:
            costs = torch.tensor([*(one.costs.get(name, 0.0) for one in affordances), 0.0], device=device)
            effects = torch.tensor([*(one.effects.get(name, 0.0) for one in affordances), 0.0], device=device)
            self.costs.append(costs.clamp(min=0.0))
            self.gains.append(effects - costs)
        hours = range(level.day_ticks or 1)
        self.wait = torch.tensor([[*_waits(level, hour), 0] for hour in hours], device=device)  # [day_ticks, num_stops]

    def act(self, state: EnvState) -> Tensor:
        """One action for each agent, [num_agents] int64."""
        agent = torch.arange(len(state.x), device=state.x.device)
        x, y, stands = self._stops(state)  # each [num_agents, num_stops]
        right, below = x - state.x.unsqueeze(1), y - state.y.unsqueeze(1)
        walk = right.abs() + below.abs()
        between = (x.unsqueeze(2) - x.unsqueeze(1)).abs() + (y.unsqueeze(2) - y.unsqueeze(1)).abs()
        between[:, :, -1], between[:, -1, :] = 0, walk  # one waits where one is

        meters, now = list(state.meters.unbind()), state.tick
        meters, now, first = self._visit(meters, now, walk)
        meters, now, second = self._visit(meters, now, between)
        worth = self._worth(meters, now - state.tick[:, None, None])
        worth = worth - HOPELESS * ~(first.unsqueeze(2) & second)
        score = worth.masked_fill(~(stands.unsqueeze(2) & stands.unsqueeze(1)), -torch.inf)
        target = score.amax(dim=2).argmax(dim=1)  # [num_agents]
        return self._towards(state, right[agent, target], below[agent, target], target)

    def _towards(self, state: EnvState, right: Tensor, below: Tensor, target: Tensor) -> Tensor:
        index: dict[str, int] = {name: position for position, name in enumerate(self.level.actions)}
        use, wait = index[USE], index.get(WAIT, index[USE])  # what cannot be used is waited for
        underfoot = look_underfoot(self.level, self.tables, state)
        usable = can_interact(self.level, self.tables, state.tick, state.meters, underfoot)
        here = torch.where(usable & (target < len(self.level.affordances)), use, wait)
        along_x = torch.where(right > 0, index.get("RIGHT", wait), index.get("LEFT", wait))
        along_y = torch.where(below > 0, index.get("DOWN", wait), index.get("UP", wait))
        there = torch.where(right != 0, along_x, torch.where(below != 0, along_y, here))
        finishing = (state.progress > 0) & usable  # what was begun and left would be lost
        return torch.where(finishing, use, there)

    def _stops(self, state: EnvState) -> tuple[Tensor, Tensor, Tensor]:
        """Column, row and presence of every stop, each [num_agents, num_stops]; the last is the agent's own cell."""
        count = len(self.level.affordances)
        index = state.map_index.unsqueeze(1) * count + torch.arange(count, device=state.x.device)
        x = torch.cat([self.tables.place_x[index], state.x.unsqueeze(1)], dim=1)
        y = torch.cat([self.tables.place_y[index], state.y.unsqueeze(1)], dim=1)
        stands = x >= 0
        stands[:, -1] = WAIT in self.level.actions
        return x, y, stands

    def _visit(self, meters: list[Tensor], now: Tensor, walk: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The meters and the clock after each next stop, and whether it can be lived through and paid."""
        stop = torch.arange(len(self.ticks), device=walk.device)
        wait = self.wait[(now.unsqueeze(-1) + walk) % len(self.wait), stop]
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
