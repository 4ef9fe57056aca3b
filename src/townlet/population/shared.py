"""A population whose agents live in several processes, a share in each, and learn as one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from townlet.config import Task
from townlet.environment.types import Environment, WorldError
from townlet.population.crew import Crew, WorkerEndedError
from townlet.population.vectorized import VectorizedPopulation
from townlet.population.worker import OF_ALL
from townlet.shares.share import ALONE, Share, ShareLostError


def populate(task: Task, device: torch.device, make_env: Callable[[Share], Environment]) -> VectorizedPopulation:
    """Make the population of a task, in as many processes as it says; on a device that is not the CPU in one.

    `make_env` makes the environment of a share. Raises WorkerEndedError, OSError, and what making
    one raises.
    """
    if task.training.workers == 1 or device.type != "cpu":
        env = make_env(ALONE)
        with _closed_where_it_fails(env):
            return VectorizedPopulation(task, env)
    crew = Crew(task.training.workers)  # it needs some seconds, in which the first environment is made
    with _closed_where_it_fails(crew):
        with _threads(crew.threads):  # for which its step is compiled
            env = make_env(crew.share)
        return SharedPopulation(task, env, crew)


@contextmanager
def _closed_where_it_fails(held: Environment | Crew) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(WorldError):
            held.close()
        raise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class SharedPopulation(VectorizedPopulation):
    """The first share of a population, and through it the others, which its `crew` holds.

    Each process steps its own agents; gradients are summed at each update, so that weights are equal in all of them.
    What `step` returns and `read_metrics` says is of all agents. Lives and weights are those of no other number of
    shares, and the same bit for bit for the same number. Raises WorkerEndedError in any call after a process ended.
    """

    def __init__(self, task: Task, env: Environment, crew: Crew) -> None:
        super().__init__(task, env, share=crew.share)
        self._crew, self._agreed = crew, False
        crew.begin(task)
        self._threads = torch.get_num_threads()
        torch.set_num_threads(crew.threads)

    def step(self) -> dict[str, Tensor]:
        """Advance every agent by one tick, and learn where it is due, in all processes."""
        with self._together():
            if not self._agreed:  # this one may have been given other weights
                self._crew.tell("agree", (self.network.state_dict(), self.learner.state_dict()))
                self._agreed = True
            self._crew.tell("step")
            return super().step()

    def read_metrics(self) -> dict[str, float]:
        """What happened to all agents since the last call, by metric name."""
        with self._together():
            self._crew.tell("read_metrics")
            return super().read_metrics()

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except ShareLostError as error:
            self.whole = False
            raise self._crew.lost() from error
        except WorkerEndedError:
            self.whole = False
            raise

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take no step meanwhile: this process has all cores."""
        with _threads(self._threads):
            yield

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step of any share depends on, but for the weights."""
        with self._together():
            return {**super().state_dict(), "shares": self._crew.ask("state_dict")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError where it does not fit."""
        super().load_state_dict(state)
        of_all = {name: state[name] for name in OF_ALL}
        with self._together():
            self._crew.tell_each("load_state_dict", [own | of_all for own in state["shares"]])
        self._agreed = False

    def close(self) -> None:
        """Close the environment and end the other processes."""
        torch.set_num_threads(self._threads)
        self._crew.close()
        super().close()
