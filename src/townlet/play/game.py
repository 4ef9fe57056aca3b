"""A life by hand, and the same life by a policy: the same map, the same cell, the same hour."""

from typing import NamedTuple

import torch

from townlet.agent.acting import carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.environment.gym.picture import Scene
from townlet.environment.observation import observe
from townlet.environment.rules import look_underfoot, tick
from townlet.environment.types import EnvState, Observation
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.masking import masked_argmax

PERSON, POLICY = 0, 1  # their columns of the state


class Ended(NamedTuple):
    """How a life ended."""

    steps: int
    cause: str | None  # the meter of which it died; None: it lived to the limit


class Game:
    """One evaluation map of a level, on which a person lives and, given a network, a policy too, greedily.

    Both begin in the state in which an evaluation of `seed` begins for its first agent; neither meets the other.
    """

    def __init__(self, level: Level, seed: int, network: QNetwork | None = None) -> None:
        env = VectorizedEnv(level, 1, "cpu", seed, compile=False, maps="evaluation")
        self.level, self.tables, self.network = level, env.tables, network
        who = torch.zeros(1 if network is None else 2, dtype=torch.int64)
        self.state = EnvState(*(part[..., who] for part in env.state))
        self.ended: list[Ended | None] = [None] * len(who)
        self.seen: dict[tuple[int, int], int] = {}  # the tick at which the person last saw a cell
        self.memory = None if network is None else initial_memory(network, len(who), torch.device("cpu"))
        self._look()

    @property
    def scene(self) -> Scene:
        """What the person's world is now."""
        return Scene.of(self.level, self.tables, self.state, PERSON)

    @property
    def beside(self) -> Scene | None:
        """What the policy's world is now; None without one."""
        return None if self.network is None else Scene.of(self.level, self.tables, self.state, POLICY)

    def allowed(self) -> list[bool]:
        """What the person may do, an entry an action."""
        return [bool(may) for may in self._observe().action_mask[PERSON]]

    def act(self, action: int) -> None:
        """Take a step: the person's action, and the policy's own where it lives; then nothing more of those who ended.

        The person must be alive. Raises ValueError for an action that is none.
        """
        if not 0 <= action < len(self.level.actions):
            raise ValueError(f"action: expected 0 to {len(self.level.actions) - 1}, got {action}")
        assert self.ended[PERSON] is None
        self._step(action)
        self._look()

    def finish(self) -> None:
        """Let the policy live on alone to its end."""
        while not all(self.ended):
            self._step(0)

    def _step(self, action: int) -> None:
        actions = torch.full_like(self.state.x, action, dtype=torch.int64)
        if self.network is not None and self.memory is not None:
            seen = self._observe()
            q, hidden = q_values(self.network, seen, self.memory)
            actions[POLICY] = masked_argmax(q, seen.action_mask)[POLICY]
            nobody = torch.zeros_like(actions, dtype=torch.bool)
            self.memory = carry_on(hidden, actions, nobody, self.network.num_actions)
        done = tick(self.level, self.tables, self.state, actions)
        over = torch.tensor([end is not None for end in self.ended])
        self.state = EnvState(*map(lambda old, new: torch.where(over, old, new), self.state, done.state))
        for who, end in enumerate(self.ended):
            if end is None and bool(done.terminated[who] | done.truncated[who]):
                died = bool(done.terminated[who])
                cause = self.level.present_meters[int(done.cause[who])] if died else None
                self.ended[who] = Ended(int(done.state.tick[who]), cause)

    def _observe(self) -> Observation:
        underfoot = look_underfoot(self.level, self.tables, self.state)
        return observe(self.level, self.tables, self.state, underfoot)

    def _look(self) -> None:
        scene, grid = self.scene, self.level.grid
        cells = ((x, y) for x in range(grid.width) for y in range(grid.height))
        self.seen |= {cell: scene.tick for cell in cells if scene.sees(self.level, cell)}


def result_of(game: Game) -> str:
    """Say in a sentence or two how the lives ended, and who lived longer."""
    lives = [_told(end, game.level.max_steps) for end in game.ended if end is not None]
    if len(lives) < 2:
        return f"You {lives[0]}."
    mine, other = (end.steps if end else 0 for end in game.ended)
    longer = "You lived longer." if mine > other else "The agent lived longer." if other > mine else "Equally long."
    return f"You {lives[0]}; the agent, from the same place on the same map, {lives[1]}. {longer}"


def _told(end: Ended, limit: int) -> str:
    if end.cause is None:
        return f"lived all {limit} steps"
    return f"died of {end.cause} after {end.steps} steps"
