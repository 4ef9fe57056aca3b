"""How many steps of a run fit into the minutes that it may take, by a first measurement.

A population is made, lives and learns for some seconds, and is thrown away: the run itself then begins with the steps
that it has to the end, so that its learning rate, its evaluations and its checkpoints are those of a run that was asked
for so many. The machine is measured once. Where it is slower later, the run takes longer.
"""

import math
import time
from contextlib import closing, suppress
from functools import partial
from itertools import count
from typing import NamedTuple

import torch

from townlet.config import ConfigError, Task, Tell
from townlet.environment.make import limit_of, make_training_env
from townlet.population.evaluation import EvaluationStoppedError
from townlet.population.shared import populate
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.beginning.asked import Prepared
from townlet.run.examiner import make_evaluator
from townlet.run.plan import Plan, make_plan, with_budget
from townlet.screen.device import device_named
from townlet.screen.facts import format_duration
from townlet.screen.signals import StopRequest

SECONDS_OF_STEPS = 5.0  # that are measured
SECONDS_UNTIL_UPDATES = 10.0  # at most, until the first episodes have ended that replay waits for
EVALUATION_STEPS = 30  # that are measured
SECONDS_OF_EVALUATION = 5.0  # at most, of one whose episodes have no limit that is known
SPARE = 0.05  # of the time: for checkpoints, curves and the report, and because no machine is as fast all the time


class Measured(NamedTuple):
    """What a run costs on this machine, in seconds."""

    begin: float  # until the first step: compiling, above all
    steps_per_second: float  # environment steps, summed over agents, learning included
    evaluation: float  # of one, where every episode lasts as long as it can; without a limit, as long as they do now

    def seconds(self, plan: Plan) -> float:
        """Return how long a whole run takes."""
        return self.begin + plan.total_steps / self.steps_per_second + self.evaluations(plan)

    def evaluations(self, plan: Plan) -> float:
        """Return how long all evaluations of a run take; there is one at its end."""
        return math.ceil(plan.total_steps / plan.evaluate_every) * self.evaluation

    def fitting(self, plan: Plan, seconds: float) -> int:
        """Return the steps that fit, in three digits, beside as many evaluations as the plan has; 0 for none."""
        steps = int((seconds - self.begin - self.evaluations(plan)) * self.steps_per_second)
        return steps // (unit := 10 ** max(0, len(str(steps)) - 3)) * unit if steps > 0 else 0


def allowed(ready: Prepared, stop: StopRequest, say: Tell) -> Prepared:
    """Return what is prepared with the steps that fit into its minutes, all of them where it has no such limit.

    Says what was measured and what follows. Raises ConfigError where not even the evaluations fit.
    """
    minutes, plan = ready.wishes.minutes, ready.plan
    if minutes is None:
        return ready
    started = time.monotonic()
    say("measuring how fast this machine trains")
    measured = measure(ready.task, device_named(ready.wishes.device), stop, say)
    if stop.wanted:
        return ready
    allowance = "1 minute" if minutes == 1.0 else f"{minutes:g} minutes"
    seconds = 60.0 * minutes * (1.0 - SPARE) - (time.monotonic() - started)
    takes, rate = measured.seconds(plan), f"{measured.steps_per_second:,.0f} steps/s"
    facts = {"at_most": minutes, "steps_asked": plan.total_steps, **measured._asdict()}
    ready = ready._replace(settled={**ready.settled, "minutes": facts})
    if takes <= seconds:
        say(f"{rate}: {plan.total_steps:,} steps take {format_duration(takes)}, which fits into {allowance}")
        return ready
    if not (steps := measured.fitting(plan, seconds)):
        least = f"{format_duration(measured.begin + measured.evaluations(plan))} for its beginning and its evaluations"
        raise ConfigError([f"--minutes: expected more than {least} and the measurement before, got {minutes:g}"])
    said = f"{plan.total_steps:,} steps would take {format_duration(takes)}"
    say(f"{rate}: {said}; {steps:,} fit into {allowance}")
    task = _with_steps(ready, steps)
    return ready._replace(task=task, plan=make_plan(task, ready.wishes))


def _with_steps(ready: Prepared, steps: int) -> Task:
    """The task with fewer steps; what somebody asked for by its key stays."""
    asked = ready.asked.overrides
    task = with_budget(ready.task, steps, ready.plan.evaluate_every if "evaluation.every" in asked else None)
    if "training.decay_steps" not in asked:
        return task
    kept = {"decay_steps": ready.task.training.decay_steps}
    return task.model_copy(update={"training": task.training.model_copy(update=kept)})


def measure(task: Task, device: torch.device, stop: StopRequest, say: Tell) -> Measured:
    """Return what a run of a task costs, by a population of its own that lives for some seconds or until stopped."""
    started = time.monotonic()
    make_env = partial(make_training_env, task, device, lambda text, style: say(text))
    with closing(populate(task, device, make_env)) as population:
        population.step()
        begin = time.monotonic() - started
        _steps(population, stop, SECONDS_UNTIL_UPDATES, until_updates=True)
        rate = _steps(population, stop, SECONDS_OF_STEPS)
        with population.paused():
            evaluation = _evaluation(task, population, device, stop)
    return Measured(begin, rate, evaluation)


def _steps(population: VectorizedPopulation, stop: StopRequest, seconds: float, until_updates: bool = False) -> float:
    """Live windows of steps for so many seconds, or until there are updates; returns environment steps a second."""
    population.read_metrics()  # waits for the device
    started, before, updates = time.monotonic(), population.env_steps, population.learner.updates
    while (passed := time.monotonic() - started) < seconds and not stop.wanted:
        if until_updates and population.learner.updates > updates:
            break
        for _ in range(population.task.training.seq_len):
            population.step()
        population.read_metrics()
    return (population.env_steps - before) / max(passed, 1e-9)


def _evaluation(task: Task, population: VectorizedPopulation, device: torch.device, stop: StopRequest) -> float:
    """Seconds of an evaluation whose episodes all last, by the first steps of one.

    Where no limit is known, they are those of a whole one, if it ends in time: few episodes last as long as they may.
    """
    times: list[float] = []
    steps, has_limit = count(), limit_of(task) is not None

    def stopped() -> bool:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.monotonic())
        enough = next(steps) >= EVALUATION_STEPS if has_limit else times[-1] - times[0] > SECONDS_OF_EVALUATION
        return stop.wanted or enough

    with closing(make_evaluator(task, population, device, 1)) as evaluator:
        with suppress(EvaluationStoppedError):
            evaluator.compare(population.network, stopped)
            if not has_limit:
                return time.monotonic() - times[0]
        return (times[-1] - times[0]) / max(len(times) - 1, 1) * evaluator.limit * evaluator.plays
