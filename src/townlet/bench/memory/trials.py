"""Run trials side by side, one thread each: train until the bar is reached twice in a row, or the budget is spent."""

import contextlib
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from queue import Empty
from typing import Any, NamedTuple

import torch

from townlet.bench.memory.contestants import CPU, Contestant, TownletAgent, control_of
from townlet.bench.memory.plan import Trial
from townlet.population.evaluation import play
from townlet.seeding import stream_seed

IN_A_ROW = 2  # evaluations at or above the bar, for solved
TOLERANCE = 1e-6  # of sums of float32 rewards
SECONDS_BETWEEN_LOOKS = 0.25


class Standing(NamedTuple):
    """How a running trial stands."""

    key: str
    steps: int
    score: float  # of its newest evaluation


Record = dict[str, Any]  # what is kept of a trial: plain values for JSON
Tell = Callable[[Standing], None]


def run_trial(trial: Trial, tell: Tell) -> Record:
    """Train and evaluate in turns; returns what is kept.

    That is `points`, one an evaluation: environment steps, seconds and processor seconds of training up to there, and
    mean and standard deviation of the greedy return; and `solved`, the first point from which on the bar was reached,
    None where it was not. Evaluation plays fresh episodes each time and is not part of the seconds.
    """
    contestant, points, reached = _contestant(trial), list[Record](), 0
    seconds = processor = 0.0
    every, episodes = trial.task.evaluation.every, trial.task.evaluation.episodes
    while contestant.steps < trial.budget and reached < IN_A_ROW:
        begun, begun_processor = time.perf_counter(), time.process_time()
        contestant.train_to(min(trial.budget, contestant.steps + every))
        seconds += time.perf_counter() - begun
        processor += time.process_time() - begun_processor
        seed = stream_seed(trial.seed, f"bench/{len(points)}")
        result = play(trial.task, contestant.policy(episodes), episodes, seed, CPU)
        score, deviation = result["mean_reward"], result["std_reward"]
        times = {"seconds": round(seconds, 3), "processor_seconds": round(processor, 3)}
        points.append({"steps": contestant.steps, **times, "score": score, "deviation": deviation})
        reached = reached + 1 if score >= trial.bar - TOLERANCE else 0
        tell(Standing(trial.key, contestant.steps, score))
    facts = {"row": trial.row, "agent": trial.agent, "seed": trial.seed, "recipe": trial.recipe, "bar": trial.bar}
    solved = points[-IN_A_ROW] if reached == IN_A_ROW else None
    return {**facts, "budget": trial.budget, "parameters": contestant.parameters, "solved": solved, "points": points}


def _contestant(trial: Trial) -> Contestant:
    if trial.agent == "peer":
        from townlet.bench.memory.peer import PeerAgent  # needs packages that nothing else does

        return PeerAgent(trial.task, trial.peer, trial.seed)
    return TownletAgent(trial.task if trial.agent == "recurrent" else control_of(trial.task))


def run_side_by_side(
    trials: Sequence[Trial], processes: int, look: Callable[[list[Standing]], None]
) -> Iterator[tuple[Trial, Record | str]]:
    """Run trials in processes of their own; yields each as it ends, with its record, or with a line on what failed.

    `look` is called four times a second with the news of those that run. On the way out, an exception of the caller's
    included, what still runs is ended.
    """
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    # One thread each: set before a process is made, since libraries read it when they are loaded.
    with _environment(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"):
        pool = ProcessPoolExecutor(processes, context, _begin, (news,))
        waiting: dict[Future[Record], Trial] = {pool.submit(_work, trial): trial for trial in trials}
        try:
            while waiting:
                done, _ = wait(waiting, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
                look(_drain(news))
                for future in done:
                    yield waiting.pop(future), _outcome(future)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()


def _outcome(future: "Future[Record]") -> Record | str:
    error = future.exception()
    return future.result() if error is None else " ".join(f"{type(error).__name__}: {error}".split())


def _drain(news: Any) -> list[Standing]:
    found = []
    with contextlib.suppress(Empty):
        while True:
            found.append(news.get_nowait())
    return found


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


_news: Any = None  # of a worker: the queue to the process that shows how trials stand


def _begin(news: Any) -> None:
    """Prepare a worker: its parent alone hears Ctrl-C."""
    global _news
    _news = news
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # old packages warn of their age


def _work(trial: Trial) -> Record:
    return run_trial(trial, _news.put)
