"""Greedy evaluation in episodes that training never saw."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from townlet.agent.acting import carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.config import Task
from townlet.environment.make import compiles_for, limit_of, make_env
from townlet.environment.types import Environment, Observation, StepResult, WorldError
from townlet.masking import masked_argmax
from townlet.population.visits import make_visits
from townlet.seeding import generator

STEPS_BETWEEN_CHECKS = 25  # whether all episodes have ended is asked this seldom: it waits for the device
MOST_STEPS = 3_000  # of an episode without a limit that is known: some seconds for 64 of them

Stopped = Callable[[], bool]  # asked before each step whether to stop
Note = Callable[[Tensor, StepResult], None]  # told after each step of its actions [num_agents] and what they made


class EvaluationStoppedError(Exception):
    """An evaluation was asked to stop before its end; it has no result."""


class Policy(Protocol):
    """What acts in an evaluation."""

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        ...

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Take note of the step that they made."""
        ...


class GreedyPolicy:
    """The best allowed action by a network, with a memory of its own, zeroed before every `forget_every`-th step."""

    def __init__(
        self, network: QNetwork, num_agents: int, device: torch.device, forget_every: int | None = None
    ) -> None:
        self.network, self.forget_every, self.steps = network, forget_every, 0
        self.memory = initial_memory(network, num_agents, device)
        self._hidden, self._blank = self.memory.hidden, self.memory.hidden

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        forgets = self.forget_every is not None and self.steps % self.forget_every == 0
        memory = self.memory._replace(hidden=self._blank) if forgets else self.memory
        q, self._hidden = q_values(self.network, observation, memory)
        return masked_argmax(q, observation.action_mask)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Remember the step."""
        self.memory = carry_on(self._hidden, actions, result.forgets, self.network.num_actions)
        self.steps += 1


class RandomPolicy:
    """An allowed action at random."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.stream = generator(seed, "random policy", device)

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        mask = observation.action_mask
        noise = torch.rand(mask.shape, generator=self.stream, device=mask.device)
        return noise.masked_fill(~mask, -1.0).argmax(dim=1)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Learn nothing."""


def evaluate(
    task: Task,
    network: QNetwork,
    episodes: int,
    seed: int,
    device: torch.device | str,
    forget_every: int | None = None,
) -> dict[str, Any]:
    """Play one greedy episode for each of `episodes` agents, on evaluation maps or seeds.

    With `forget_every` memory is zeroed before steps 0, n, 2n and so on of all agents: 1 is to have none.
    Returns `episodes`, mean and standard deviation of length (`mean_ep_length`, `std_ep_length`) and of reward
    (`mean_reward`, `std_reward`), `survival_rate` (ended by a time limit), `deaths` by cause where the environment
    tells causes, and `cut`, how many episodes had no end within `most_steps` and count as far as they went; of a town
    also `visits`, see `Visits.summary`. Nothing of a training run is touched. Raises WorldError where a stranger's
    environment does what nobody can live with.
    """
    with closing(Evaluator(task, episodes, seed, torch.device(device))) as evaluator:
        return evaluator.evaluate(network, forget_every)


def play(task: Task, policy: Policy, episodes: int, seed: int, device: torch.device) -> dict[str, Any]:
    """Play one episode for each of `episodes` agents by `policy`; returns what `evaluate` does."""
    with closing(Evaluator(task, episodes, seed, device)) as evaluator:
        return evaluator.play(policy)


def most_steps(task: Task) -> int:
    """Return the steps after which an evaluation cuts the episodes that still run."""
    return limit_of(task) or MOST_STEPS


def tell_cut(task: Task, result: Mapping[str, Any]) -> str:
    """Say how many episodes of a result were cut, and where; nothing where none was."""
    if not result["cut"]:
        return ""
    said = f"{result['cut']:,} of {result['episodes']:,} episodes cut at {most_steps(task):,} steps"
    return said if limit_of(task) else f"{said} (--set max_steps=N for another limit)"


class Evaluator:
    """Plays the same unseen episodes as often as it is asked: see `evaluate`.

    Where `times` such plays repay it, the world is compiled, which changes no figure.
    """

    def __init__(self, task: Task, episodes: int, seed: int, device: torch.device, times: int = 1) -> None:
        self.task, self.episodes, self.seed, self.device = task, episodes, seed, device
        self.limit = most_steps(task)
        self.compile: bool | Literal["auto"] = "auto" if compiles_for(task, times * self.limit) else False
        self._env: Environment | None = None
        self._refusals: list[WorldError] = []

    def evaluate(
        self,
        network: QNetwork,
        forget_every: int | None = None,
        stopped: Stopped | None = None,
        note: Note | None = None,
    ) -> dict[str, Any]:
        """Play greedily by a network; returns what `evaluate` does, and raises what `play` does."""
        return self.play(GreedyPolicy(network, self.episodes, self.device, forget_every), stopped, note)

    def play(self, policy: Policy, stopped: Stopped | None = None, note: Note | None = None) -> dict[str, Any]:
        """Play by a policy; returns what `evaluate` does.

        Raises EvaluationStoppedError where `stopped`, which is asked before each step, says so, and WorldError.
        """
        env = self._world()
        observation, first, visits = env.reset(), _FirstEpisodes(env), make_visits(self.task, env)
        for step in range(self.limit):
            if stopped is not None and stopped():
                raise EvaluationStoppedError
            actions = policy.act(observation)
            visits.record(first.running)  # before the step, whose reset would move them
            result = env.step(actions)
            policy.after(actions, result)
            if note is not None:
                note(actions, result)
            first.record(result)
            observation = result.observation
            if step % STEPS_BETWEEN_CHECKS == 0 and first.all_ended():
                break
        return first.summary() | visits.summary()

    def _world(self) -> Environment:
        if self._env is None or not self._env.resumes:  # the next reset of such a one would begin other episodes
            self._let_go()
            self._env = make_env(self.task, self.episodes, self.device, self.seed, self.compile, "evaluation")
        return self._env

    def _let_go(self) -> None:
        """Close the world; that one refuses to be closed costs no evaluation, and is told when all are done."""
        env, self._env = self._env, None
        try:
            if env is not None:
                env.close()
        except WorldError as error:
            self._refusals.append(error)

    def close(self) -> None:
        """Close the world. Raises WorldError where it, or one before it, refused to be closed."""
        self._let_go()
        if self._refusals:
            raise self._refusals.pop()


class _FirstEpisodes:
    """Lengths, rewards and causes of death of each agent's first episode."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.running = torch.ones(env.num_agents, dtype=torch.bool, device=env.device)
        self.lengths = torch.zeros(env.num_agents, dtype=torch.float64, device=env.device)
        self.rewards, self.survived = self.lengths.clone(), ~self.running
        self.died_of = torch.full((env.num_agents,), -1, device=env.device)  # -1 for none

    def record(self, result: StepResult) -> None:
        self.lengths += self.running
        self.rewards += result.reward * self.running
        self.survived |= result.truncated & self.running
        dies = result.terminated & self.running
        self.died_of = torch.where(dies, self.env.cause_of_death(result.final_features), self.died_of)
        self.running &= ~result.ended

    def all_ended(self) -> bool:
        return not bool(self.running.any())

    def summary(self) -> dict[str, Any]:
        return {
            "episodes": len(self.lengths),
            "mean_ep_length": float(self.lengths.mean()),
            "std_ep_length": float(self.lengths.std(correction=0)),
            "mean_reward": float(self.rewards.mean()),
            "std_reward": float(self.rewards.std(correction=0)),
            "survival_rate": float(self.survived.double().mean()),
            "deaths": {name: int((self.died_of == index).sum()) for index, name in self.env.causes.items()},
            "cut": int(self.running.sum()),
        }
