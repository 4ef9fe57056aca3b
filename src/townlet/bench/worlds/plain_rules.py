"""The rules of a level as plain numbers, for worlds that are written without PyTorch.

They are read from the level itself and from its maps, not from the tables of our step: what is the same in both is so
because it is right.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from townlet.config import Level
from townlet.environment.layout import ObservationLayout, lay_out
from townlet.environment.tables import draw_places
from townlet.seeding import stream_seed

Array = NDArray[Any]

MAP_STREAM, X_STREAM, Y_STREAM = 1, 2, 3  # what a new episode draws, as in VectorizedEnv


class NotPlainError(Exception):
    """A level has rules that only our own world has; one line that says which."""


class PlainStep(NamedTuple):
    """One tick of all agents, as StepResult; a world may write the next tick into the same arrays."""

    features: Array  # [num_agents, obs_dim] float32, after autoreset
    action_mask: Array  # [num_agents, num_actions] bool
    reward: Array  # [num_agents] float32
    terminated: Array  # [num_agents] bool
    truncated: Array  # [num_agents] bool
    final_features: Array  # [num_agents, obs_dim], before the reset
    final_action_mask: Array  # [num_agents, num_actions]


class PlainWorld(Protocol):
    """A world of all agents in NumPy arrays."""

    def reset(self) -> tuple[Array, Array]:
        """Begin the first episode of every agent: features and action mask."""
        ...

    def step(self, actions: Array) -> PlainStep:
        """Advance all agents by `actions` [num_agents] int64."""
        ...


class PlainRules(NamedTuple):
    """A level in numbers; meters and affordances by index, `by` None for a meter that is absent."""

    level: Level
    num_meters: int
    num_affordances: int
    initial: list[float]  # by meter, as are the next three
    passive: list[float]
    move: list[float]
    lethal: list[bool]
    costs: Array  # [num_meters, num_affordances + 1] float32, the last column is zero
    effects: Array  # [num_meters, num_affordances + 1] float32
    drains: list[tuple[int, int | None, float, float, float]]  # meter, by, rate, at_full, at_empty - at_full
    threshold: float
    groups: list[list[tuple[int, int, float]]]  # source, target, strength
    potential: list[tuple[int, float, float]]  # meter, weight, full: in the order in which they are summed
    affordance_at: Array  # [num_maps, num_cells] uint8, num_affordances for none
    window_bits: Array  # [num_maps, num_cells] uint64, bit i: the window's i-th cell holds an affordance
    layout: ObservationLayout

    def keys(self, num_agents: int, seed: int) -> Array:
        """Return what tells each agent's episodes from those of others, [num_agents] uint32."""
        return mix(np.arange(num_agents, dtype=np.uint32) ^ np.uint32(stream_seed(seed, "world/training")))


def mix(value: Array) -> Array:
    """Scatter the bits of uint32 counters, as `seeding.mix` does (lowbias32)."""
    value = (value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))


def draw_below(hashed: Array, limit: int) -> Array:
    """Map hashed uint32 values to integers in [0, limit), int32."""
    fraction = (hashed >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    return (fraction * np.float32(limit)).astype(np.int32)


def plain_rules(level: Level) -> PlainRules:
    """Read the rules of a level on its training maps.

    Raises NotPlainError where it has a day, interactions of several ticks, or observations or rewards that the Level-2
    family has not.
    """
    _check_plain(level)
    index = {name: position for position, name in enumerate(level.present_meters)}
    meters = [level.meters[name] for name in level.present_meters]
    places = draw_places(level, "training").numpy()  # [num_maps, num_affordances]
    occupied = _affordance_at(level, places)
    cascades, terms = level.cascades, level.reward.potential
    return PlainRules(
        level=level,
        num_meters=len(index),
        num_affordances=len(level.affordances),
        initial=[meter.initial for meter in meters],
        passive=[meter.passive for meter in meters],
        move=[meter.move for meter in meters],
        lethal=[meter.lethal for meter in meters],
        costs=_by_meter(level, "costs"),
        effects=_by_meter(level, "effects"),
        drains=[
            (index[one.meter], index.get(one.by), one.rate, one.at_full, one.at_empty - one.at_full)
            for one in level.drains
            if one.meter in index
        ],
        threshold=cascades.threshold if cascades else 1.0,
        groups=[
            [(index[one.source], index[one.target], one.strength)
             for one in group.pulls if one.source in index and one.target in index]
            for group in (cascades.groups if cascades else ())
        ],
        potential=[(index[name], one.weight, one.full) for name, one in sorted(terms.meters.items())] if terms else [],
        affordance_at=occupied,
        window_bits=_window_bits(level, occupied < len(level.affordances)),
        layout=lay_out(level),
    )  # fmt: skip


def _check_plain(level: Level) -> None:
    seen, terms = level.observation, level.reward
    beyond = {
        "day_ticks": level.day_ticks is not None,
        "multi_tick": level.multi_tick is not None,
        "observation.position other than normalised": seen.position != "normalised",
        "observation without a window": seen.window is None,
        "observation.offsets": seen.offsets,
        "observation.age": seen.age,
        "reward.milestones": bool(terms.milestones),
        "reward.wellbeing": bool(terms.wellbeing),
        "reward.interaction": bool(terms.interaction),
        "reward without a potential": terms.potential is None,
        "no interactions": "INTERACT" not in level.actions,
        "more than 255 affordances": len(level.affordances) > 255,
    }
    found = [name for name, has in beyond.items() if has]
    if found:
        raise NotPlainError(f"level {level.id}: expected the rules of Level 2's family, got {', '.join(found)}")


def _by_meter(level: Level, field: str) -> Array:
    rows = [
        [*(getattr(one, field).get(meter, 0.0) for one in level.affordances.values()), 0.0]
        for meter in level.present_meters
    ]
    return np.array(rows, dtype=np.float32)


def _affordance_at(level: Level, places: Array) -> Array:
    at = np.full((len(places), level.grid.width * level.grid.height), len(level.affordances), dtype=np.uint8)
    for affordance, cells in enumerate(places.T):
        there = cells >= 0
        at[np.flatnonzero(there), cells[there]] = affordance
    return at


def _window_bits(level: Level, occupied: Array) -> Array:
    width, height, size = level.grid.width, level.grid.height, level.observation.window or 1
    reach, maps = size // 2, occupied.reshape(-1, height, width)
    padded = np.pad(maps, ((0, 0), (reach, reach), (reach, reach)))
    bits = np.zeros(maps.shape, dtype=np.uint64)
    for index in range(size * size):
        row, column = divmod(index, size)
        bits |= padded[:, row : row + height, column : column + width].astype(np.uint64) << np.uint64(index)
    return bits.reshape(len(maps), -1)  # [num_maps, num_cells]
