"""Single environments of others in processes, side by side: the same lives as by turns."""

import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from townlet.config import ConfigError
from townlet.environment.gym.gate import Array, Each, Gate, told
from townlet.environment.gym.turns import Lived, Turns, begun, check_same, lived
from townlet.environment.types import WorldError

PATIENCE = 60.0  # seconds for a step; ten times as many to be made, and for a reset
CLOSING = 5.0  # seconds to close

Made = Callable[[Gate], Turns]  # what makes the environments of a share of the agents


class ElsewhereError(Exception):
    """What was raised in another process: its traceback, as text."""


class Share(NamedTuple):
    """Agents whose environments are in one process."""

    first: int
    agents: int
    process: BaseProcess
    pipe: Connection

    def __str__(self) -> str:
        last = self.first + self.agents - 1
        return f"agent {self.first}" if self.agents == 1 else f"agents {self.first} to {last}"


class Processes:
    """What Turns does, in as many processes as there are processors: each lives its share of the agents by turns.

    Each environment lives as it would by turns, so both return the same. A process that ends or does not answer, and
    what Turns raises in one, is a WorldError here. Signals are the business of this process alone: the others end when
    it does, however it ends.
    """

    def __init__(self, make: Made, gate: Gate) -> None:
        self.gate, self.num_envs = gate, gate.num_agents
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self._shares: list[Share] = []
        self._finish = Finalize(self, _end, args=(self._shares,), exitpriority=10)
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        try:
            for agents in np.array_split(np.arange(self.num_envs), min(self.num_envs, _processors())):
                self._shares.append(self._start(context, make, int(agents[0]), len(agents)))
            made = self._answers("made")
        except BaseException:
            self._finish()
            raise
        self.single_observation_space, self.single_action_space, _ = made[0]
        self.masks_by_method = any(by_method for *_, by_method in made)
        for share, (seen, done, _) in zip(self._shares, made, strict=True):
            try:
                check_same(self, seen, done, share.first)
            except ConfigError:
                self._finish()
                raise

    def _start(self, context: BaseContext, make: Made, first: int, count: int) -> Share:
        pipe, theirs = context.Pipe()
        ours = [*(share.pipe for share in self._shares), pipe]  # which a fork inherits, and would keep open
        forked = ours if context.get_start_method() == "fork" else []
        gate = Gate(self.gate.environment, count, first)
        process = context.Process(target=_work, args=(theirs, forked, make, gate), daemon=True)  # type: ignore[attr-defined]
        with warnings.catch_warnings():  # that a process with threads is forked: what runs there needs none of them
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        return Share(first, count, process, pipe)

    def reset(self, *, seed: int) -> tuple[Each, dict[str, Any]]:
        """Begin an episode of every agent, as Turns does. Raises WorldError."""
        return begun(self._ask("reset", [seed] * len(self._shares)))

    def step(self, actions: Array) -> Lived:
        """Step every environment by its action, as Turns does. Raises WorldError."""
        return lived(self._ask("step", [actions[one.first : one.first + one.agents] for one in self._shares]))

    def _ask(self, what: str, given: Sequence[Any]) -> list[Any]:
        """Ask each process with what it is given; returns a value an agent."""
        for share, one in zip(self._shares, given, strict=True):
            with suppress(BrokenPipeError):  # of a process that ended: its answer says so
                share.pipe.send((what, self.gate.moment, one))
        return [one for answer in self._answers(what) for one in answer]

    def _answers(self, what: str) -> list[Any]:
        """What each process answers, in the order of the agents."""
        return [self._answer(what, share) for share in self._shares]

    def _answer(self, what: str, share: Share) -> Any:
        patience = PATIENCE if what == "step" else 10 * PATIENCE
        expected = f"an answer of the process of {share}"
        if not share.pipe.poll(patience):
            raise self.gate.refusal(what, f"{expected} within {patience:g} seconds", "none")
        try:
            right, found = share.pipe.recv()
        except (EOFError, ConnectionError):
            share.process.join(CLOSING)
            raise self.gate.refusal(what, expected, f"its end{_by(share.process.exitcode)}") from None
        if right:
            return found
        error, text = found
        self.gate.refused = True
        raise error from ElsewhereError(f"\n{text}")

    def close(self) -> None:
        """Close all of them, and then raise WorldError where some refused; whoever does not answer is ended."""
        refusals = self._finish() or []
        if refusals:
            self.gate.refused = True
            raise refusals[0]


def _end(shares: Sequence[Share]) -> list[WorldError]:
    """Let processes close their environments, and end them; returns what was raised there."""
    for share in shares:
        with suppress(OSError):
            share.pipe.send(None)
    refusals = []
    for share in shares:
        last: Any = (True, None)
        try:
            while share.pipe.poll(CLOSING):  # also what was asked for before, and not waited for
                last = share.pipe.recv()
            share.process.kill()
        except (EOFError, OSError):  # which is how an answer to the last question ends, too
            pass
        share.pipe.close()
        share.process.join(CLOSING)
        if share.process.is_alive():
            share.process.kill()
            share.process.join()
        if not last[0] and isinstance(last[1][0], WorldError):
            refusals.append(last[1][0])
    return refusals


def _by(code: int | None) -> str:
    """How a process ended, by its exit code."""
    if code is None or code >= 0:
        return "" if code is None else f" with code {code}"
    names = {one.value: one.name for one in signal.Signals}
    return f" by {names.get(-code, f'signal {-code}')}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- in the other process ----------------------------------------------------------------------------------------


def _work(pipe: Connection, inherited: Sequence[Connection], make: Made, gate: Gate) -> None:
    """Make the environments of a share, and do what is asked until nothing more is, or nobody is there to ask."""
    for other in inherited:
        other.close()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(1)  # threads of a process that was forked cannot be used; and there is one for each processor
    with suppress(EOFError, OSError):  # nobody is there
        right, turns = made = _attempt(make, gate)
        if not right:
            pipe.send(made)
            return
        try:
            pipe.send((True, (turns.single_observation_space, turns.single_action_space, turns.masks_by_method)))
            while (asked := pipe.recv()) is not None:
                what, gate.moment, given = asked
                _send(pipe, gate, what, _attempt(turns.begin if what == "reset" else turns.live, given))
        finally:
            closed = _attempt(turns.close)
        pipe.send(closed)


def _attempt(function: Callable[..., Any], *given: Any) -> tuple[bool, Any]:
    """Call a function; returns whether it returned and what, or the error with its traceback."""
    try:
        return True, function(*given)
    except (ConfigError, WorldError) as error:
        return False, (error, traceback.format_exc())
    except BaseException as error:
        return False, (WorldError(told(error)), traceback.format_exc())


def _send(pipe: Connection, gate: Gate, what: str, answer: tuple[bool, Any]) -> None:
    """Send an answer, or, where an environment handed out what no other process can have, a refusal."""
    try:
        pipe.send(answer)
    except OSError:
        raise
    except Exception as error:
        refusal = gate.refusal(what, "values that can be sent to another process", told(error))
        pipe.send((False, (refusal, traceback.format_exc())))
