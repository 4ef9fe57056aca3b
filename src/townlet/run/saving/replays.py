"""The replays of a run: at which evaluations lives are recorded, and whose."""

import contextlib
from pathlib import Path

import torch

from townlet.agent.networks import QNetwork
from townlet.config import Level, Replays, Task
from townlet.page.header import Origin
from townlet.page.recorder import Noted, Wanted, record, versions
from townlet.population.evaluation import Evaluator
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.meta import id_in, read_meta
from townlet.run.run_directory import REPLAY_SUFFIX, REPLAYS, RunDirectory, write_atomically
from townlet.run.saving.checkpoint import Checkpoint
from townlet.run.saving.replay_folder import last_evaluation, last_stage, prune

_IN_STAGE = "curriculum/agents_in_stage_"  # how metrics begin that count agents


class Recorder:
    """Records lives of evaluations by a level's rule, `replays`; where there is none, nothing."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.rule = task.replays if isinstance(task, Level) else None

    def due(self, population: VectorizedPopulation, run: RunDirectory, step: int) -> bool:
        """Whether the evaluation at this step is one whose lives are recorded."""
        rule = self.rule
        if rule is None:
            return False
        first = rule.first_of_stage and farthest_stage(population) > last_stage(run.path / REPLAYS)
        return first or step // rule.every > last_evaluation(run.evaluation, step) // rule.every

    def keep(self, noted: Noted, population: VectorizedPopulation, run: RunDirectory, step: int) -> None:
        """Record what was played in an evaluation that is due, and remove the oldest files.

        Raises OSError, and ReplayError where what was lived cannot be recorded.
        """
        task, folder, stage = self.task, run.path / REPLAYS, farthest_stage(population)
        assert isinstance(task, Level) and task.replays is not None
        origin = _origin(run.path.name, run.id, step, task, task, self.seed)
        packed = record(task, population.network, noted, Wanted(chosen(noted, task.replays)), origin)
        folder.mkdir(exist_ok=True)
        in_stage = f"_stage-{stage}" if stage else ""
        write_atomically(folder / f"step_{step:09}{in_stage}{REPLAY_SUFFIX}", packed)
        prune(folder, task.replays.keep)


def record_greedy(world: Level, network: QNetwork, wanted: Wanted, origin: Origin, device: torch.device) -> bytes:
    """Play greedy episodes by a trained network, and return the file of the replay of those lives.

    Raises ReplayError, and WorldError.
    """
    noted, played = Noted(), max(wanted.agents) + 1
    with contextlib.closing(Evaluator(world, played, origin.seed, device)) as evaluator:
        evaluator.evaluate(network, note=noted)
    return record(world, network, noted, wanted, origin)


def origin_of(run: Path, learned: Level, world: Level, found: Checkpoint, seed: int) -> Origin:
    """Return where lives come from that the agent of a run's checkpoint lives in a world."""
    return _origin(run.name, id_in(read_meta(run)), found.step, learned, world, seed)


def _origin(run: str, run_id: str | None, step: int, learned: Level, world: Level, seed: int) -> Origin:
    return Origin(
        run=run,
        run_id=run_id,
        checkpoint=f"step_{step:09}",
        learned=learned.id,
        env_steps=step,
        seed=seed,
        level_seed=world.training.seed,
        versions=versions(),
    )


def chosen(noted: Noted, rule: Replays) -> list[int]:
    """Return whose lives are recorded, each once: the longest, the shortest, and the first ones."""
    lengths = noted.lengths()
    best, worst = int(lengths.argmax()), int(lengths.argmin())
    agents = [best] * rule.best + [worst] * rule.worst + [*range(min(rule.agents, len(lengths)))]
    return list(dict.fromkeys(agents))


def farthest_stage(population: VectorizedPopulation) -> int:
    """Return the highest stage of the curriculum that an agent is in, counted from 1; 0 without stages."""
    counts = population.curriculum.read_metrics()
    stages = (int(name.removeprefix(_IN_STAGE)) for name, count in counts.items() if count and _IN_STAGE in name)
    return max(stages, default=0)
