"""The rules of the world for one agent, slow and obvious: plain Python numbers, no tables, no tensors.

It reads a Level and nothing else of the code under test, so it can judge the vectorised world. Where the rules leave
room it settles them so: meters are clamped once, at the end of the tick; a forbidden action does nothing; what acts on
an absent meter is dropped, and an absent meter that scales a loss counts as full; alive, milestones and wellbeing are
paid for ticks that the agent survives.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from townlet.config import Affordance, Level

TOLERANCE = 1e-6
MOVES = {"UP": (0, -1), "DOWN": (0, 1), "LEFT": (-1, 0), "RIGHT": (1, 0)}


@dataclass(frozen=True)
class ReferenceState:
    """One agent between two ticks."""

    meters: dict[str, float]
    x: int
    y: int
    progress: int = 0
    tick: int = 0


@dataclass(frozen=True)
class ReferenceTick:
    """What one tick did, before any reset."""

    state: ReferenceState
    terminated: bool
    truncated: bool
    rewards: dict[str, float]  # by term
    completed: str | None = None  # the affordance whose interaction ended
    raw_meters: dict[str, float] = field(default_factory=dict)  # before the clamp

    @property
    def reward(self) -> float:
        """The sum of the terms."""
        return sum(self.rewards.values())


class ReferenceWorld:
    """A level on one map; `places` maps each affordance that stands on it to its cell (x, y)."""

    def __init__(self, level: Level, places: Mapping[str, tuple[int, int]]) -> None:
        self.level = level
        self.places = dict(places)

    # --- one tick ----------------------------------------------------------------------------------------------

    def tick(self, state: ReferenceState, action: str) -> ReferenceTick:
        """Move and pay, interact, passive change, drains, cascades, clamp, death, reward, clock."""
        level, before = self.level, state.meters
        meters = dict(before)
        x, y, progress = state.x, state.y, state.progress
        change = dict.fromkeys(meters, 0.0)
        completed = None
        if not self.allows(state, action):
            action = "WAIT"

        if action in MOVES:
            x, y = x + MOVES[action][0], y + MOVES[action][1]
            progress = 0
            for name in meters:
                meters[name] += level.meters[name].move
        elif action == "INTERACT":
            name = self.underfoot(state)
            assert name is not None
            affordance, ticks = level.affordances[name], self.ticks(name)
            progress += 1
            for meter, cost in self._present(affordance.costs).items():
                meters[meter] -= cost / ticks
            for meter, effect in self._present(affordance.effects).items():
                spread = level.multi_tick.spread if level.multi_tick else 1.0
                meters[meter] += effect * spread / ticks
                if progress >= ticks:
                    meters[meter] += effect * (1.0 - spread)
            change = {meter: clamped(value) - before[meter] for meter, value in meters.items()}
            if progress >= ticks:
                progress, completed = 0, name

        for name in meters:
            meters[name] += level.meters[name].passive
        self._drain(meters)
        self._cascade(meters)

        raw = dict(meters)
        meters = {name: clamped(value) for name, value in meters.items()}
        terminated = any(level.meters[name].lethal and value <= TOLERANCE for name, value in meters.items())
        after = ReferenceState(meters, x, y, progress, state.tick + 1)
        truncated = not terminated and after.tick >= level.max_steps
        return ReferenceTick(
            after, terminated, truncated, self._rewards(before, after, change, terminated), completed, raw
        )

    def _drain(self, meters: dict[str, float]) -> None:
        seen = dict(meters)
        for drain in self.level.drains:
            if drain.meter in meters:
                emptiness = 1.0 - seen.get(drain.by, 1.0)
                meters[drain.meter] -= drain.rate * (drain.at_full + (drain.at_empty - drain.at_full) * emptiness)

    def _cascade(self, meters: dict[str, float]) -> None:
        if self.level.cascades is None:
            return
        threshold = self.level.cascades.threshold
        for group in self.level.cascades.groups:
            seen = dict(meters)
            for pull in group.pulls:
                if pull.source in meters and pull.target in meters and seen[pull.source] < threshold:
                    meters[pull.target] -= pull.strength * (threshold - seen[pull.source]) / threshold

    # --- what is possible --------------------------------------------------------------------------------------

    def underfoot(self, state: ReferenceState) -> str | None:
        """The affordance in the agent's cell."""
        return next((name for name, place in self.places.items() if place == (state.x, state.y)), None)

    def ticks(self, name: str) -> int:
        """How many ticks an interaction takes."""
        return self.level.affordances[name].ticks if self.level.multi_tick else 1

    def is_open(self, affordance: Affordance, tick: int) -> bool:
        """Whether the door is open in this tick."""
        if self.level.day_ticks is None or affordance.hours is None:
            return True
        opening, closing = affordance.hours
        hour = tick % self.level.day_ticks
        return opening <= hour < closing if opening < closing else hour >= opening or hour < closing

    def allows(self, state: ReferenceState, action: str) -> bool:
        """Whether the mask allows an action."""
        if action == "WAIT":
            return True
        if action in MOVES:
            x, y = state.x + MOVES[action][0], state.y + MOVES[action][1]
            return 0 <= x < self.level.grid.width and 0 <= y < self.level.grid.height
        name = self.underfoot(state)
        if name is None:
            return False
        affordance = self.level.affordances[name]
        costs = {meter: cost / self.ticks(name) for meter, cost in self._present(affordance.costs).items()}
        affordable = all(cost <= state.meters[meter] + TOLERANCE for meter, cost in costs.items())
        return affordable and self.is_open(affordance, state.tick)

    def mask(self, state: ReferenceState) -> list[bool]:
        """The mask over the level's actions."""
        return [self.allows(state, action) for action in self.level.actions]

    # --- what is seen ------------------------------------------------------------------------------------------

    def observe(self, state: ReferenceState) -> list[float]:
        """The observation, part after part."""
        level, seen = self.level, self.level.observation
        width, height = level.grid.width, level.grid.height
        right, below = max(width - 1, 1), max(height - 1, 1)
        parts: list[float] = []
        if seen.window:
            reach = seen.window // 2
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    parts.append(float((state.x + dx, state.y + dy) in self.places.values()))
        if seen.position == "normalised":
            parts += [state.x / right, state.y / below]
        elif seen.position == "one_hot":
            parts += [float((x, y) == (state.x, state.y)) for y in range(height) for x in range(width)]
        if seen.offsets:
            here = (state.x, state.y)
            places = [self.places.get(name, here) for name in level.affordances]
            parts += [(x - state.x) / right for x, _ in places]
            parts += [(y - state.y) / below for _, y in places]
        parts += [state.meters[name] for name in level.present_meters]
        name = self.underfoot(state)
        parts += [float(name == other) for other in level.affordances] + [float(name is None)]
        if seen.clock:
            angle = 2.0 * math.pi * (state.tick % level.day_ticks) / level.day_ticks
            parts += [math.sin(angle), math.cos(angle)]
        if seen.progress:
            parts.append(state.progress / self.ticks(name) if name else 0.0)
        if seen.age:
            parts.append(state.tick / level.max_steps)
        return parts

    # --- what it is worth --------------------------------------------------------------------------------------

    def _rewards(
        self, before: dict[str, float], after: ReferenceState, change: dict[str, float], terminated: bool
    ) -> dict[str, float]:
        terms, rewards = self.level.reward, {}
        if terminated:
            rewards["death"] = terms.death
        else:
            rewards["alive"] = terms.alive
            rewards["milestones"] = sum(one.value for one in terms.milestones if after.tick % one.every == 0)
            rewards["wellbeing"] = sum(weight * after.meters[name] for name, weight in terms.wellbeing.items())
        rewards["interaction"] = sum(weight * change[name] for name, weight in terms.interaction.items())
        if terms.potential:
            value = 0.0 if terminated else self.potential(after.meters)
            shaping = self.level.training.gamma * value - self.potential(before)
            rewards["potential"] = terms.potential.scale * shaping
        return rewards

    def potential(self, meters: Mapping[str, float]) -> float:
        """Weighted mean of 1 - (1 - m / full)^2, where a meter over its `full` counts as full."""
        assert self.level.reward.potential is not None
        total = weights = 0.0
        for name, one in self.level.reward.potential.meters.items():
            filled = min(meters[name] / one.full, 1.0)
            total += one.weight * (1.0 - (1.0 - filled) ** 2)
            weights += one.weight
        return total / weights

    def _present(self, amounts: Mapping[str, float]) -> dict[str, float]:
        return {meter: amount for meter, amount in amounts.items() if meter in self.level.present_meters}

    def start(self, x: int, y: int) -> ReferenceState:
        """The first state of an episode that begins in a cell."""
        return ReferenceState({name: self.level.meters[name].initial for name in self.level.present_meters}, x, y)

    def with_meters(self, state: ReferenceState, **meters: float) -> ReferenceState:
        """The same state with other meters."""
        return replace(state, meters={**state.meters, **meters})


def clamped(value: float) -> float:
    """The value within [0, 1]."""
    return min(max(value, 0.0), 1.0)
