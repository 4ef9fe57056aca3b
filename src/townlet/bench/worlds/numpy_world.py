"""A level of Level 2's family in NumPy: the same rules, all agents at once, one column a meter."""

import numpy as np

from townlet.bench.worlds.plain_rules import (
    MAP_STREAM,
    X_STREAM,
    Y_STREAM,
    Array,
    PlainRules,
    PlainStep,
    draw_below,
    mix,
)
from townlet.environment.rules import EMPTY, STEPS


class NumpyWorld:
    """The peer of VectorizedEnv for those who write worlds in NumPy.

    Meters are columns, what is seen is looked up in tables, and only agents whose episode ended are reset. Lives are
    those of a VectorizedEnv with the same seed.
    """

    def __init__(self, rules: PlainRules, num_agents: int, seed: int) -> None:
        self.rules, self.num_agents, level = rules, num_agents, rules.level
        self.width, self.height, self.actions = level.grid.width, level.grid.height, level.actions
        self.num_maps, self.num_cells = rules.affordance_at.shape
        self.affordance_at = rules.affordance_at.ravel().astype(np.intp)
        cells = np.arange((level.observation.window or 1) ** 2, dtype=np.uint64)
        self.windows = ((rules.window_bits.reshape(-1, 1) >> cells) & np.uint64(1)).astype(np.uint8)
        self.underfoot = np.eye(rules.num_affordances + 1, dtype=np.float32)
        self.costly = [(meter, row) for meter, row in enumerate(rules.costs) if row.any()]
        self.effective = [(meter, row) for meter, row in enumerate(rules.effects) if row.any()]
        self.key = rules.keys(num_agents, seed)
        self.episode = np.zeros(num_agents, dtype=np.uint32)
        self.x, self.y, self.map, self.tick = (np.zeros(num_agents, dtype=np.intp) for _ in range(4))
        self.meters = [np.zeros(num_agents, dtype=np.float32) for _ in range(rules.num_meters)]
        self.features = np.zeros((num_agents, rules.layout.obs_dim), dtype=np.float32)
        self.mask = np.zeros((num_agents, len(level.actions)), dtype=np.bool_)
        self.final_features, self.final_mask = self.features.copy(), self.mask.copy()

    def reset(self) -> tuple[Array, Array]:
        """Begin the first episode of every agent."""
        self.episode[:] = 0
        everyone = np.arange(self.num_agents)
        self._begin(everyone)
        self._observe(everyone, self.features, self.mask)
        return self.features, self.mask

    def step(self, actions: Array) -> PlainStep:
        """Advance all agents; the arrays of the result are written again by the next step."""
        before = self._potential()
        moved = self._move(actions)
        self._interact(actions, moved)
        self._change()
        terminated = np.zeros(self.num_agents, dtype=np.bool_)
        for meter, lethal in zip(self.meters, self.rules.lethal, strict=True):
            if lethal:
                terminated |= meter <= np.float32(EMPTY)
        self.tick += 1
        truncated = ~terminated & (self.tick >= self.rules.level.max_steps)
        reward = self._reward(before, terminated)
        self._observe(slice(None), self.final_features, self.final_mask)
        np.copyto(self.features, self.final_features)
        np.copyto(self.mask, self.final_mask)
        ended = np.flatnonzero(terminated | truncated)
        if ended.size:
            self.episode[ended] += 1
            self._begin(ended)
            self._observe(ended, self.features, self.mask)
        return PlainStep(self.features, self.mask, reward, terminated, truncated, self.final_features, self.final_mask)

    def _begin(self, who: Array) -> None:
        hashed = mix(self.key[who] ^ self.episode[who])
        self.x[who] = draw_below(mix(hashed ^ np.uint32(X_STREAM)), self.width)
        self.y[who] = draw_below(mix(hashed ^ np.uint32(Y_STREAM)), self.height)
        self.map[who] = draw_below(mix(hashed ^ np.uint32(MAP_STREAM)), self.num_maps)
        self.tick[who] = 0
        for meter, initial in zip(self.meters, self.rules.initial, strict=True):
            meter[who] = initial

    def _can_move(self, action: str, x: Array, y: Array) -> Array:
        dx, dy = STEPS[action]
        if dx:
            return x > 0 if dx < 0 else x < self.width - 1
        return y > 0 if dy < 0 else y < self.height - 1

    def _move(self, actions: Array) -> Array:
        moved = np.zeros(self.num_agents, dtype=np.bool_)
        x, y = self.x.copy(), self.y.copy()
        for index, action in enumerate(self.actions):
            if action in STEPS:
                goes = (actions == index) & self._can_move(action, self.x, self.y)
                dx, dy = STEPS[action]
                x += dx * goes
                y += dy * goes
                moved |= goes
        self.x, self.y = x, y
        paid = moved.astype(np.float32)
        for meter, cost in zip(self.meters, self.rules.move, strict=True):
            if cost:
                meter += np.float32(cost) * paid
        return moved

    def _can_interact(self, affordance: Array, meters: list[Array]) -> Array:
        possible = affordance < self.rules.num_affordances
        for meter, costs in self.costly:
            possible &= costs[affordance] <= meters[meter] + np.float32(EMPTY)
        return possible

    def _interact(self, actions: Array, moved: Array) -> None:
        affordance = self.affordance_at[self.map * self.num_cells + self.y * self.width + self.x]
        tries = (actions == self.actions.index("INTERACT")) & ~moved
        acts = tries & self._can_interact(affordance, self.meters)
        affordance[~acts] = self.rules.num_affordances  # whose row is zero
        for meter, costs in self.costly:
            self.meters[meter] -= costs[affordance]
        for meter, effects in self.effective:
            self.meters[meter] += effects[affordance]

    def _change(self) -> None:
        """What happens to meters whatever an agent does."""
        one, rules = np.float32(1.0), self.rules
        for meter, rate in zip(self.meters, rules.passive, strict=True):
            if rate:
                meter += np.float32(rate)
        losses = []
        for target, by, rate, at_full, more in rules.drains:
            missing = one - self.meters[by] if by is not None else np.float32(0.0)
            losses.append((target, np.float32(rate) * (np.float32(at_full) + np.float32(more) * missing)))
        for target, loss in losses:
            self.meters[target] -= loss
        threshold = np.float32(rules.threshold)
        for pulls in rules.groups:
            read = {source: self.meters[source] for source, _, _ in pulls}
            short = {source: np.maximum(threshold - row, np.float32(0.0)) / threshold for source, row in read.items()}
            for source, target, strength in pulls:
                self.meters[target] -= np.float32(strength) * short[source]
        for meter in self.meters:
            np.clip(meter, np.float32(0.0), one, out=meter)

    def _potential(self) -> Array:
        one, phi = np.float32(1.0), np.zeros(self.num_agents, dtype=np.float32)
        for meter, weight, full in self.rules.potential:
            missing = one - np.minimum(self.meters[meter] / np.float32(full), one)
            phi += np.float32(weight) * (one - missing * missing)
        return phi / np.float32(sum(weight for _, weight, _ in self.rules.potential))

    def _reward(self, before: Array, terminated: Array) -> Array:
        terms, alive = self.rules.level.reward, (~terminated).astype(np.float32)
        assert terms.potential is not None  # such levels alone are plain
        after = self._potential() * alive
        total = np.float32(terms.alive) * alive + np.float32(terms.death) * terminated
        shaping = np.float32(self.rules.level.training.gamma) * after - before
        return (total + np.float32(terms.potential.scale) * shaping).astype(np.float32)

    def _observe(self, who: Array | slice, features: Array, mask: Array) -> None:
        """Write the rows of `who`."""
        parts, x, y = self.rules.layout.slices, self.x[who], self.y[who]
        cell = self.map[who] * self.num_cells + y * self.width + x
        affordance = self.affordance_at[cell]
        meters = [meter[who] for meter in self.meters]
        features[who, parts["window"]] = self.windows[cell]
        features[who, parts["position"].start] = x.astype(np.float32) / np.float32(max(self.width - 1, 1))
        features[who, parts["position"].start + 1] = y.astype(np.float32) / np.float32(max(self.height - 1, 1))
        for index, meter in enumerate(meters):
            features[who, parts["meters"].start + index] = meter
        features[who, parts["underfoot"]] = self.underfoot[affordance]
        for index, action in enumerate(self.actions):
            if action == "WAIT":
                mask[who, index] = True
            elif action == "INTERACT":
                mask[who, index] = self._can_interact(affordance, meters)
            else:
                mask[who, index] = self._can_move(action, x, y)
