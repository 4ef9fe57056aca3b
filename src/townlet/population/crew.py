"""The processes that hold all shares of a population but the first."""

import pickle
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader
from typing import IO, Any

import torch

from townlet.children import child
from townlet.children.child import Child
from townlet.config import Task
from townlet.environment.types import WorldError
from townlet.population.worker import Begin, Broken, Ready
from townlet.shares.share import Share
from townlet.shares.sums import Link, shared_memory

SECONDS_TO_END = 3.0  # for a worker that was told nothing more; then it is killed
SECONDS_BETWEEN_LOOKS = 0.01  # for the one that ended


class WorkerEndedError(WorldError):
    """A process that held a share of the population, and its world, is gone; one line says which, and why."""


class Crew:
    """Begins a process for each share but the first, tells all of them what to do, and ends them.

    Use `begin` once the first share's environment is made: what was compiled for it is then found by the others.
    """

    def __init__(self, size: int) -> None:
        self.share = Share(0, size)
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  # by workers, until they end; it has no name
        self.threads = max(1, torch.get_num_threads() // size)  # of each process
        self._workers = [
            child.begin("townlet.population", said=self._said, threads=self.threads) for _ in range(size - 1)
        ]

    def begin(self, task: Task) -> None:
        """Let each make its share, and all meet. Raises WorkerEndedError, and OSError where memory is short."""
        size, alike = self.share.size, (self.threads, torch.get_float32_matmul_precision())
        with shared_memory(size) as memory:
            for rank, worker in enumerate(self._workers, start=1):
                self._tell(worker, Begin(task, rank, size, memory, *alike))
            for answer in self._answers():
                assert isinstance(answer, Ready)
            self.share.meet([Link(_heard(worker), _pipe(worker.stdin)) for worker in self._workers], memory)

    def tell(self, name: str, told: object = None) -> None:
        """Tell all workers to do what a method of `Worker` names. Raises WorkerEndedError."""
        for worker in self._workers:
            self._tell(worker, (name, told))

    def tell_each(self, name: str, told: Sequence[object]) -> None:
        """Tell each worker the same with something of its own. Raises WorkerEndedError."""
        for worker, own in zip(self._workers, told, strict=True):
            self._tell(worker, (name, own))

    def ask(self, name: str) -> list[Any]:
        """Tell all workers the same, and return what each answers. Raises WorkerEndedError."""
        self.tell(name)
        return self._answers()

    def _tell(self, worker: Child, what: object) -> None:
        try:
            pickle.dump(what, _pipe(worker.stdin))
            _pipe(worker.stdin).flush()
        except OSError as error:
            raise self.lost() from error

    def _answers(self) -> list[Any]:
        answers = []
        for worker in self._workers:
            try:
                answers.append(pickle.load(_pipe(worker.stdout)))
            except (EOFError, pickle.UnpicklingError) as error:
                raise self.lost() from error
            if isinstance(answers[-1], Broken):
                raise WorkerEndedError(f"{self._name(worker)}: {answers[-1].error}")
        return answers

    def lost(self) -> WorkerEndedError:
        """Find out which worker ended, and why."""
        until = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < until:
            for worker in self._workers:
                if (code := worker.poll()) is not None:
                    return WorkerEndedError(f"{self._name(worker)}: {self._reason(worker, code)}")
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return WorkerEndedError(f"a worker of {len(self._workers)} answers no more")

    def _reason(self, worker: Child, code: int) -> str:
        with suppress(EOFError, pickle.UnpicklingError, OSError):
            while True:
                answer = pickle.load(_pipe(worker.stdout))
                if isinstance(answer, Broken):
                    return answer.error
        if code < 0:
            return f"ended by signal {-code}"
        self._said.seek(0)
        last = self._said.read().strip().rpartition("\n")[2]
        return f"ended with code {code}" + (f": {last}" if last else "")

    def _name(self, worker: Child) -> str:
        return f"worker {self._workers.index(worker) + 2} of {self.share.size}"

    def close(self) -> None:
        """End all workers."""
        self.share.part()
        child.end(self._workers, SECONDS_TO_END)
        for worker in self._workers:
            _pipe(worker.stdout).close()
        self._said.close()


def _heard(worker: Child) -> BufferedReader:
    assert isinstance(worker.stdout, BufferedReader)
    return worker.stdout


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
