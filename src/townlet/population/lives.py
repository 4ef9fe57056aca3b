"""The lives of one evaluation, step by step: one episode of each agent, by a policy of its own."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from townlet.agent.acting import Memory, carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.capture import Captured, leaves, write
from townlet.environment.types import Environment, EnvState, Observation, StepResult
from townlet.masking import masked_argmax
from townlet.population.episodes import FirstEpisodes
from townlet.population.visits import NoVisits, Visits

FEWEST_ROWS = 32  # that are acted for alone: products of a few rows are made by other routines, which round otherwise


class Town(Environment, Protocol):
    """A world whose step can be captured together with what is around it."""

    state: EnvState

    def step_in_place(self, actions: Tensor) -> StepResult:
        """Advance as `step` does, and write the state where it lies."""
        ...


class Policy(Protocol):
    """What acts in an evaluation."""

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        ...

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Take note of the step that they made."""
        ...


class GreedyPolicy:
    """The best allowed action by a network, with a memory of its own, zeroed before every `forget_every`-th step.

    That of the agents in `forgetful` [num_agents] bool is zeroed before every step.
    """

    def __init__(
        self,
        network: QNetwork,
        num_agents: int,
        device: torch.device,
        forget_every: int | None = None,
        forgetful: Tensor | None = None,
    ) -> None:
        self.network, self.num_agents, self.forget_every, self.forgetful = network, num_agents, forget_every, forgetful
        self.rows: Tensor | None = None  # [acted for] int64: who is; None: all
        self.begin(device)

    def begin(self, device: torch.device) -> None:
        """Be without a past."""
        self.memory = initial_memory(self.network, self.num_agents, device)
        self._hidden, self.steps = self.memory.hidden, 0
        self.forgets = self.forgets_before(0)

    def forgets_before(self, step: int) -> bool:
        """Whether all memory is zeroed before a step, counted from 0."""
        return self.forget_every is not None and step % self.forget_every == 0

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64; those who are not acted for take the first one."""
        seen = observation if self.rows is None else Observation(*(part[self.rows] for part in observation))
        q, self._hidden = q_values(self.network, seen, self._remembered())
        actions = masked_argmax(q, seen.action_mask)
        return actions if self.rows is None else actions.new_zeros(self.num_agents).index_copy_(0, self.rows, actions)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Remember the step."""
        forgets = result.forgets
        if self.rows is not None:
            actions, forgets = actions[self.rows], forgets[self.rows]
        self.memory = carry_on(self._hidden, actions, forgets, self.network.num_actions)
        self.steps += 1
        self.forgets = self.forgets_before(self.steps)

    def act_for(self, agents: Tensor) -> None:
        """Act from now on for `agents` [num_agents] bool alone, of those who are acted for; waits for the device."""
        kept = agents if self.rows is None else agents[self.rows]
        self.rows = agents.nonzero()[:, 0]
        hidden = tuple(part[:, kept] for part in self.memory.hidden)
        self.memory = Memory(hidden, self.memory.previous_actions[kept])
        self.forgetful = None if self.forgetful is None else self.forgetful[kept]

    def _remembered(self) -> Memory:
        if self.forgets:
            return self.memory._replace(hidden=tuple(torch.zeros_like(part) for part in self.memory.hidden))
        return self.memory if self.forgetful is None else self.memory.without(self.forgetful)


class Lives:
    """One episode of each agent by a policy; the steps of those in `counted` [num_agents] bool are visits."""

    def __init__(self, env: Environment, policy: Policy, visits: Visits | NoVisits, counted: Tensor) -> None:
        self.env, self.policy, self.visits, self.counted = env, policy, visits, counted
        self.tick: Callable[[Tensor], StepResult] = env.step
        self.begin()

    def begin(self) -> None:
        """Begin an episode of every agent."""
        self.seen = self.env.reset()
        self.first = FirstEpisodes.begin(self.env.num_agents, self.env.device)

    def step(self) -> tuple[Tensor, Tensor]:
        """Live a step; returns actions [num_agents] int64, and whose episode ended, [num_agents] bool."""
        actions = self.policy.act(self.seen)
        self.visits.record(self.first.running & self.counted)  # before the step, whose reset would move them
        result = self.tick(actions)
        self.policy.after(actions, result)
        self.first = self.first.after(result, self.env.cause_of_death(result.final_features))
        self.seen = result.observation
        return actions, result.ended

    def all_ended(self) -> bool:
        """Whether no first episode runs any more; waits for the device."""
        return not bool(self.first.running.any())


class SoleLives(Lives):
    """Greedy lives in the town: once an episode is found to have ended, its agent is acted for no more."""

    policy: GreedyPolicy

    def all_ended(self) -> bool:
        """Whether no first episode runs any more; from now on those that run are acted for alone."""
        if self.first.running.sum() >= FEWEST_ROWS:
            self.policy.act_for(self.first.running)
        return super().all_ended()


class _Standing(NamedTuple):
    """All that a step in the town reads and changes."""

    state: EnvState
    seen: Observation
    memory: Memory
    first: FirstEpisodes
    visits: Tensor


class CapturedLives(Lives):
    """Greedy lives in the town, each step one function over buffers: on a CUDA device one graph, see `Captured`.

    They begin anew as often as is asked, by the same graph. All agents are acted for throughout: shapes are fixed.
    """

    env: Town
    policy: GreedyPolicy
    visits: Visits

    def __init__(self, env: Town, policy: GreedyPolicy, visits: Visits, counted: Tensor) -> None:
        super().__init__(env, policy, visits, counted)
        self.tick = env.step_in_place
        self._captured = Captured(self._live, env.device)

    def begin(self) -> None:
        """Begin an episode of every agent."""
        super().begin()
        self.policy.begin(self.env.device)
        self.visits.begin()
        self.steps, self._standing = 0, self._now(self.env.state)

    def step(self) -> tuple[Tensor, Tensor]:
        """As without a graph; what it returns is overwritten by the next step."""
        self._standing, actions, ended = self._captured(self._standing, self.policy.forgets_before(self.steps))
        self.first, self.visits.counts = self._standing.first, self._standing.visits
        self.steps += 1
        return actions, ended

    def are_of(self, network: QNetwork, forget_every: int | None, forgetful: bool) -> bool:
        """Whether these are lives by a network that forgets so often, with agents among them who always do."""
        policy = self.policy
        asked = (network, forget_every, forgetful)
        return (policy.network, policy.forget_every, policy.forgetful is not None) == asked

    def _live(self, standing: _Standing, forgets: bool) -> tuple[Any, ...]:
        """Live a step from where `standing` says, and write there what came of it."""
        self.env.state, self.seen, self.policy.memory, self.first, self.visits.counts = standing
        self.policy.forgets = forgets
        actions, ended = super().step()
        write(list(leaves(standing)), list(leaves(self._now(standing.state))))
        return standing, actions, ended

    def _now(self, state: EnvState) -> _Standing:
        return _Standing(state, self.seen, self.policy.memory, self.first, self.visits.counts)
