"""The rules of the world, in the order in which one tick applies them.

Meters are lists of rows, one a meter, each [num_agents] float32: that is what fuses into one kernel. All functions are
pure and know nothing of resets.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from townlet.config import Level
from townlet.environment.tables import Row, Tables
from townlet.environment.types import Difficulty, EnvState, changed

Meters = Tensor | list[Tensor]  # a row a meter, each [num_agents] float32

EMPTY = 1e-6  # a meter at or below this is 0, and a cost within this of what is there can be paid: float32 rounding

STEPS = {"UP": (0, -1), "DOWN": (0, 1), "LEFT": (-1, 0), "RIGHT": (1, 0)}  # action -> (dx, dy)


class Underfoot(NamedTuple):
    """What stands where each agent is, and around it."""

    cell: Tensor  # [num_agents] int32 or int64, as in `tables.cells`
    affordance: Tensor  # [num_agents] int32, num_affordances for none
    at: list[Tensor]  # whose affordance is the first, whose the second, and so on, each [num_agents] bool


class Tick(NamedTuple):
    """What one tick did, before any reset."""

    state: EnvState
    terminated: Tensor  # [num_agents] bool
    truncated: Tensor  # [num_agents] bool
    cause: Tensor  # [num_agents] int32: the meter of which an agent died, num_meters for none
    found: list[Tensor]  # meters as the tick found them, each [num_agents]
    before: list[Tensor]  # before this tick's interaction
    after: list[Tensor]  # after it
    left: list[Tensor]  # as the tick leaves them: state.meters, row by row
    underfoot: Underfoot  # where each agent is, before any reset
    completed: Tensor  # [num_agents] int32: the affordance whose interaction ended, num_affordances for none


def tick(level: Level, tables: Tables, state: EnvState, actions: Tensor, difficulty: Difficulty | None = None) -> Tick:
    """Apply one tick to all agents; `actions` [num_agents] int64 are indices into the level's actions."""
    found = list(state.meters.unbind())
    state, moved = move(level, state, actions)
    before = pay_for_moving(level, found, moved)
    underfoot = look_underfoot(level, tables, state)
    state, after, completed = interact(level, tables, state, before, actions, moved, underfoot)
    shares = None if difficulty is None else difficulty.passive
    meters = change_passively(level, after, shares)
    meters = drain(level, meters, shares)
    meters = cascade(level, meters)
    meters = [meter.clamp(0.0, 1.0) for meter in meters]
    cause = cause_of_death(level, meters)
    terminated = cause < len(meters)
    state = changed(state, meters=torch.stack(meters), tick=state.tick + 1)
    truncated = ~terminated & (state.tick >= level.max_steps)
    return Tick(state, terminated, truncated, cause, found, before, after, meters, underfoot, completed)


def can_act(level: Level, tables: Tables, state: EnvState, underfoot: Underfoot, action: str) -> Tensor:
    """Who may take an action, [num_agents] bool: stay on the grid, use what is open and can be paid, else anyone."""
    if action in STEPS:
        return can_move(level, state, action)
    if action == "INTERACT":
        return can_interact(level, tables, state.tick, state.meters, underfoot)
    return torch.ones_like(state.x, dtype=torch.bool)


def can_move(level: Level, state: EnvState, action: str) -> Tensor:
    """Where `action` stays on the grid, [num_agents] bool."""
    limits = {
        "UP": lambda: state.y > 0,
        "DOWN": lambda: state.y < level.grid.height - 1,
        "LEFT": lambda: state.x > 0,
        "RIGHT": lambda: state.x < level.grid.width - 1,
    }
    return limits[action]()


def look_underfoot(level: Level, tables: Tables, state: EnvState) -> Underfoot:
    """Read the tables at each agent's cell."""
    cell, affordance = look_down(level, tables, state)
    return Underfoot(cell, affordance, [affordance == index for index in range(len(level.affordances))])


def look_down(level: Level, tables: Tables, state: EnvState) -> tuple[Tensor, Tensor]:
    """What the tables have of each agent's cell, and its affordance alone, as in `Underfoot`."""
    num_cells = level.grid.width * level.grid.height
    cell = tables.cells[state.map_index * num_cells + state.y * level.grid.width + state.x]
    return cell, (cell & ((1 << tables.affordance_bits) - 1)).int()


def look_up(row: Row, at: list[Tensor]) -> Tensor:
    """What a row has for each agent's affordance, [num_agents] float32; `at` as in `Underfoot`.

    By choosing for each affordance whose number is not the usual one, so that it vectorises.
    """
    found = torch.full_like(at[0], row.usual, dtype=torch.float32)
    for affordance, number in row.others:
        found.masked_fill_(at[affordance], number)
    return found


def can_interact(level: Level, tables: Tables, tick: Tensor, meters: Meters, underfoot: Underfoot) -> Tensor:
    """Where something stands that is open and whose tick can be paid in full, [num_agents] bool."""
    possible = underfoot.affordance < len(level.affordances)
    for meter, cost in tables.costs:
        possible = possible & (look_up(cost, underfoot.at) <= meters[meter] + EMPTY)
    if tables.open_at is not None and level.day_ticks is not None:
        possible = possible & tables.open_at[underfoot.affordance * level.day_ticks + tick % level.day_ticks]
    return possible


def move(level: Level, state: EnvState, actions: Tensor) -> tuple[EnvState, Tensor]:
    """Move; who would leave the grid stays. Returns who moved, [num_agents] bool."""
    x, y = state.x, state.y
    moved = torch.zeros_like(actions, dtype=torch.bool)
    for action, (dx, dy) in STEPS.items():
        if action in level.actions:
            goes = (actions == level.actions.index(action)) & can_move(level, state, action)
            moved = moved | goes
            x, y = (x + dx * goes.int(), y) if dx else (x, y + dy * goes.int())
    progress = torch.where(moved, 0, state.progress)  # moving away forfeits what was begun
    return changed(state, x=x, y=y, progress=progress), moved


def pay_for_moving(level: Level, meters: list[Tensor], moved: Tensor) -> list[Tensor]:
    """What a move costs who moved, [num_agents] bool."""
    costs, paid = [level.meters[name].move for name in level.present_meters], moved.float()
    return [row + cost * paid if cost else row for row, cost in zip(meters, costs, strict=True)]


def interact(
    level: Level,
    tables: Tables,
    state: EnvState,
    before: list[Tensor],
    actions: Tensor,
    moved: Tensor,
    underfoot: Underfoot,
) -> tuple[EnvState, list[Tensor], Tensor]:
    """Pay one tick of the interaction underfoot and take its effects; the last tick adds the bonus."""
    nothing = torch.full_like(state.progress, len(level.affordances))
    if "INTERACT" not in level.actions:
        return state, before, nothing
    possible = can_interact(level, tables, state.tick, before, underfoot)
    acts = (actions == level.actions.index("INTERACT")) & ~moved & possible
    done = state.progress + acts.int()
    last = acts & (done >= look_up(tables.ticks, underfoot.at))
    acting, meters = acts.float(), list(before)
    for meter, row in tables.costs:
        meters[meter] = meters[meter] - look_up(row, underfoot.at) * acting
    for meter, row in tables.effects:
        meters[meter] = meters[meter] + look_up(row, underfoot.at) * acting
    for meter, row in tables.bonuses:
        meters[meter] = meters[meter] + look_up(row, underfoot.at) * last.float()
    progress = torch.where(last, 0, done)
    completed = torch.where(last, underfoot.affordance, nothing)
    return changed(state, progress=progress), meters, completed


def change_passively(level: Level, meters: list[Tensor], shares: Tensor | None = None) -> list[Tensor]:
    """Each meter's own change a tick, or each agent's share of it, [num_meters, num_agents]."""
    rates = [level.meters[name].passive for name in level.present_meters]
    if shares is None:
        return [row + rate if rate else row for row, rate in zip(meters, rates, strict=True)]
    return [row + rate * share if rate else row for row, rate, share in zip(meters, rates, shares, strict=True)]


def drain(level: Level, meters: list[Tensor], shares: Tensor | None = None) -> list[Tensor]:
    """Losses, or each agent's share, that grow as another meter falls; where that is absent it counts as full."""
    index = {name: position for position, name in enumerate(level.present_meters)}
    after = list(meters)
    for one in level.drains:
        if one.meter in index:
            missing = 1.0 - meters[index[one.by]] if one.by in index else torch.zeros_like(meters[0])
            loss = one.rate * (one.at_full + (one.at_empty - one.at_full) * missing)
            if shares is not None:
                loss = loss * shares[index[one.meter]]
            after[index[one.meter]] = after[index[one.meter]] - loss
    return after


def cascade(level: Level, meters: list[Tensor]) -> list[Tensor]:
    """Low meters pull others down: groups in order, each reading the meters as the group before left them."""
    if level.cascades is None:
        return meters
    index = {name: position for position, name in enumerate(level.present_meters)}
    threshold = level.cascades.threshold
    for group in level.cascades.groups:
        pulls = [pull for pull in group.pulls if pull.source in index and pull.target in index]
        sources = dict.fromkeys(pull.source for pull in pulls)  # each once, in order
        shortfall = {one: (threshold - meters[index[one]]).clamp(min=0.0) / threshold for one in sources}
        meters = list(meters)
        for pull in pulls:
            meters[index[pull.target]] = meters[index[pull.target]] - pull.strength * shortfall[pull.source]
    return meters


def cause_of_death(level: Level, meters: list[Tensor]) -> Tensor:
    """The first lethal meter that is empty, [num_agents] int32, num_meters for none."""
    cause = torch.full_like(meters[0], len(meters), dtype=torch.int32)
    for index in reversed(range(len(meters))):
        if level.meters[level.present_meters[index]].lethal:
            cause = torch.where(meters[index] <= EMPTY, index, cause)
    return cause
