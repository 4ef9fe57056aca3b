"""A process that holds one share of a population: python -m townlet.population.

It does what it is told through its standard input, and ends with it. It answers through its standard output, and what
else is printed there goes to its standard error.
"""

import os
import pickle
import signal
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from townlet.config import Task
from townlet.environment.make import make_env
from townlet.population.vectorized import VectorizedPopulation
from townlet.shares.share import Share, ShareLostError
from townlet.shares.sums import Link

OF_ALL = ("learner",)  # parts of a population's state that are equal in all shares


class Begin(NamedTuple):
    """What a worker is told first."""

    task: Task
    rank: int
    size: int
    memory: Path  # that all shares sum in
    threads: int
    precision: str  # of products, as `torch.set_float32_matmul_precision` takes it


class Ready(NamedTuple):
    """A worker's first answer."""


class Broken(NamedTuple):
    """A worker's last answer: what was raised in it."""

    error: str  # a line


class Worker:
    """Does what it is told to the population that it holds; methods are named as what they answer to."""

    def __init__(self, begin: Begin, link: Link) -> None:
        torch.set_num_threads(begin.threads)
        torch.set_float32_matmul_precision(begin.precision)
        self.share = Share(begin.rank, begin.size)
        rows = begin.task.training.num_agents // begin.size
        env = make_env(begin.task, rows, share=self.share)
        self.population = VectorizedPopulation(begin.task, env, share=self.share)
        self.share.meet([link], begin.memory)

    def step(self, _: None) -> None:
        """Take a step, and learn where it is due."""
        self.population.step()

    def agree(self, told: tuple[dict[str, Any], dict[str, Any]]) -> None:
        """Take over the weights and the learner's state of the first share."""
        weights, learner = told
        self.population.network.load_state_dict(weights)
        self.population.learner.load_state_dict(learner)

    def read_metrics(self, _: None) -> None:
        """Add this share's part to all that is told."""
        self.population.read_metrics()

    def state_dict(self, _: None) -> dict[str, Any]:
        """Return what this share alone holds."""
        return {name: part for name, part in self.population.state_dict().items() if name not in OF_ALL}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, and from what all shares have in common."""
        self.population.load_state_dict(state)


ANSWERED = ("state_dict",)


def serve(commands: BufferedReader, answers: BinaryIO) -> None:
    """Do what is told, until there is nothing more to read."""

    def answer(what: object) -> None:
        pickle.dump(what, answers)
        answers.flush()

    try:
        worker = Worker(pickle.load(commands), Link(commands, answers))
        answer(Ready())
        while True:
            name, told = pickle.load(commands)
            done = getattr(worker, name)(told)
            if name in ANSWERED:
                answer(done)
    except (EOFError, ShareLostError):
        return  # whoever began this process ended, and needs no answer
    except Exception as error:
        answer(Broken(f"{type(error).__name__}: {error}".partition("\n")[0]))


def main() -> None:
    """Serve whoever began this process, and end at once: threads of a library are still at work."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # it ends with whoever began it, after a last save
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    assert isinstance(sys.stdin.buffer, BufferedReader)
    serve(sys.stdin.buffer, answers)
    os._exit(0)
