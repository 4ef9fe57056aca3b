"""Who tries a task: recurrent agents, and agents of the same size without memory."""

from collections.abc import Callable
from typing import Protocol

import torch

from townlet.agent.networks import count_parameters, make_network
from townlet.config import FeedForward, GymTask, Recurrent
from townlet.environment.make import make_env
from townlet.population.lives import GreedyPolicy, Policy
from townlet.population.vectorized import VectorizedPopulation

CPU = torch.device("cpu")


class Contestant(Protocol):
    """An agent in training."""

    parameters: int  # of what is trained

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        ...

    def train_to(self, steps: int) -> None:
        """Train until `steps` environment steps are reached or just passed."""
        ...

    def policy(self, episodes: int) -> Policy:
        """Return a greedy policy for as many episodes at once."""
        ...


class TownletAgent:
    """A population that learns as its task says."""

    def __init__(self, task: GymTask) -> None:
        self.population = VectorizedPopulation(task, make_env(task, task.training.num_agents, CPU))
        self.parameters = count_parameters(self.population.network)

    @property
    def steps(self) -> int:
        """Environment steps so far, summed over agents."""
        return self.population.env_steps

    def train_to(self, steps: int) -> None:
        """Train until `steps` environment steps are reached or just passed."""
        while self.population.env_steps < steps:
            self.population.step()

    def policy(self, episodes: int) -> GreedyPolicy:
        """Return the greedy policy of the network as it is."""
        return GreedyPolicy(self.population.network, episodes, CPU)


def control_of(task: GymTask) -> GymTask:
    """Return the task with two layers without memory, as many parameters as the recurrent network has, to within 2%.

    All else stays: layer norm, dueling head, previous action, and how it learns, but for what teaches a memory beside
    values. Raises ValueError where the task's network has no memory, or no width comes as near.
    """
    if not isinstance(task.network, Recurrent):
        raise ValueError(f"control: expected a recurrent network, got {task.network.kind}")
    env = make_env(task, 1, CPU)
    layout, num_actions = env.observation_layout, env.num_actions
    env.close()
    wanted = count_parameters(make_network(task.network, layout, num_actions))
    shared = task.network.model_dump(include=FeedForward.model_fields.keys() - {"kind", "hidden"})

    def control(first: int, second: int) -> tuple[FeedForward, int]:
        config = FeedForward(kind="feed_forward", hidden=(first, second), **shared)
        return config, count_parameters(make_network(config, layout, num_actions))

    first = _largest(lambda width: control(width, width)[1] <= wanted)
    second = _largest(lambda width: control(first, width)[1] <= wanted)
    nearest = (control(first, width) for width in (second, second + 1))
    config, parameters = min(nearest, key=lambda one: abs(one[1] - wanted))
    if abs(parameters - wanted) > 0.02 * wanted:
        raise ValueError(f"control: expected within 2% of {wanted} parameters, got {parameters} at best")
    training = task.training.model_copy(update={"recall": None, "prediction": None})
    return task.model_copy(update={"network": config, "training": training})


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest number from 1 on that fits, where all smaller ones do."""
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
