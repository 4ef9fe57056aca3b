"""Greedy evaluation in episodes that training never saw."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Literal, cast

import torch
from torch import Tensor

from townlet.agent.networks import QNetwork
from townlet.config import Level, Task
from townlet.environment.make import compiles_for, limit_of, make_env
from townlet.environment.types import Environment, Observation, StepResult, WorldError
from townlet.population.lives import CapturedLives, GreedyPolicy, Lives, Policy, SoleLives, Town
from townlet.population.visits import Visits, make_visits
from townlet.seeding import generator

STEPS_BETWEEN_CHECKS = 25  # whether all episodes have ended is asked this seldom: it waits for the device
MOST_STEPS = 3_000  # of an episode without a limit that is known: some seconds for 64 of them

Stopped = Callable[[], bool]  # asked before each step whether to stop
Note = Callable[[Tensor, Tensor], None]  # told after each step of actions, and whose episode ended, each [episodes]


class EvaluationStoppedError(Exception):
    """An evaluation was asked to stop before its end; it has no result."""


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

    Where `times` such plays repay it, the world is compiled, which changes no figure. `capture` says whether greedy
    steps in the town are captured, see `CapturedLives`; None: on a CUDA device. `without_memory` is how many episodes
    `compare` plays without memory: in the town so many others, at once with those with it; elsewhere the same again.
    """

    def __init__(
        self,
        task: Task,
        episodes: int,
        seed: int,
        device: torch.device,
        times: int = 1,
        without_memory: int = 0,
        capture: bool | None = None,
    ) -> None:
        self.task, self.episodes, self.seed, self.device = task, episodes, seed, device
        self.without_memory, self.rows = without_memory, episodes + (without_memory if isinstance(task, Level) else 0)
        self.capture = device.type == "cuda" if capture is None else capture
        self.limit = most_steps(task)
        self.compile: bool | Literal["auto"] = "auto" if compiles_for(task, times * self.limit) else False
        self._env: Environment | None = None
        self._captured: CapturedLives | None = None
        self._refusals: list[WorldError] = []

    @property
    def plays(self) -> int:
        """How often `compare` plays, one after the other."""
        return 2 if self.without_memory and self.rows == self.episodes else 1

    def evaluate(
        self,
        network: QNetwork,
        forget_every: int | None = None,
        stopped: Stopped | None = None,
        note: Note | None = None,
    ) -> dict[str, Any]:
        """Play greedily by a network; returns what `evaluate` does, and raises what `play` does."""
        lives = self._greedy_lives(network, forget_every, None)
        return self._live(lives, stopped, note)

    def compare(
        self, network: QNetwork, stopped: Stopped | None = None, note: Note | None = None
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Play greedily by a network with memory, and without where that is asked for; else as `evaluate`, of both."""
        if self.rows == self.episodes:
            result = self.evaluate(network, None, stopped, note)
            return result, self.evaluate(network, 1, stopped) if self.without_memory else None
        lives = self._greedy_lives(network, None, torch.arange(self.rows, device=self.device) >= self.episodes)
        return self._live(lives, stopped, note), lives.first.rows(slice(self.episodes, None)).summary(lives.env.causes)

    def play(self, policy: Policy, stopped: Stopped | None = None, note: Note | None = None) -> dict[str, Any]:
        """Play by a policy; returns what `evaluate` does.

        Raises EvaluationStoppedError where `stopped`, which is asked before each step, says so, and WorldError.
        """
        env = self._world()
        return self._live(Lives(env, policy, make_visits(self.task, env), self._counted()), stopped, note)

    def _live(self, lives: Lives, stopped: Stopped | None, note: Note | None) -> dict[str, Any]:
        counted = slice(self.episodes)
        for step in range(self.limit):
            if stopped is not None and stopped():
                raise EvaluationStoppedError
            actions, ended = lives.step()
            if note is not None:
                note(actions[counted], ended[counted])
            if step % STEPS_BETWEEN_CHECKS == 0 and lives.all_ended():
                break
        return lives.first.rows(counted).summary(lives.env.causes) | lives.visits.summary()

    def _greedy_lives(self, network: QNetwork, forget_every: int | None, forgetful: Tensor | None) -> Lives:
        if self._captured is not None and self._captured.are_of(network, forget_every, forgetful is not None):
            self._captured.begin()
            return self._captured
        env = self._world()
        policy = GreedyPolicy(network, self.rows, self.device, forget_every, forgetful)
        visits, counted = make_visits(self.task, env), self._counted()
        if not isinstance(visits, Visits):  # it is no town
            return Lives(env, policy, visits, counted)
        if not self.capture:
            return SoleLives(env, policy, visits, counted)
        self._captured = CapturedLives(cast(Town, env), policy, visits, counted)
        return self._captured

    def _counted(self) -> Tensor:
        return torch.arange(self.rows, device=self.device) < self.episodes

    def _world(self) -> Environment:
        if self._env is None or not self._env.resumes:  # the next reset of such a one would begin other episodes
            self._let_go()
            self._env = make_env(self.task, self.rows, self.device, self.seed, self.compile, "evaluation")
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
