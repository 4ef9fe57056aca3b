"""What a run is saved as, and how it goes on from that."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from townlet.agent.networks import QNetwork
from townlet.config import ConfigError, Task
from townlet.environment.types import WorldError
from townlet.level.suggestion import suggestion
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.meta import UNKNOWN, id_in, read_meta
from townlet.run.plan import Marks
from townlet.run.run_directory import is_exported, resolve_run
from townlet.run.saving import checkpoint, exported
from townlet.run.saving.checkpoint import Checkpoint
from townlet.run.saving.manifest import MANIFEST, CheckpointError, one_line
from townlet.run.saving.state_form import unlike, wrong_optimizer


class Standing(NamedTuple):
    """How a run stands, beside its population."""

    elapsed: float  # seconds of training
    learned: Mapping[str, float]  # metrics of the newest update, by name
    marks: Marks


def facts_of(task: Task, run_id: str | None) -> dict[str, object]:
    """Return what a run and all its checkpoints say alike; a run whose id is `UNKNOWN` cannot be asked for it."""
    facts: dict[str, object] = {"level": task.id, "seed": task.training.seed}
    return facts if run_id is UNKNOWN else facts | {"run": run_id}


def find_run(
    reference: str,
    runs_dir: Path,
    checkpoint: str | None = None,
    usual: str = "latest",
    tell: Callable[[str], None] | None = None,
) -> tuple[Path, str]:
    """Return the folder of a trained agent, and which of its checkpoints is meant: `latest`, `best`, or a name.

    `reference` is a run's, see `resolve_run`, or the path of a checkpoint's own folder, RUN/checkpoints/NAME, or that
    of a folder that an agent was exported to. The usual checkpoint is meant where none is given; `tell` is as in
    `resolve_run`. Raises RunError, and ConfigError where one is given though the reference leaves nothing to choose.
    """
    folder = Path(reference)
    itself = os.path.isfile(folder / MANIFEST)
    if not itself and not is_exported(folder):
        return resolve_run(reference, runs_dir, tell), checkpoint or usual
    if checkpoint is not None:
        beside = "a checkpoint's own folder" if itself else "an exported policy"
        raise ConfigError([f"--checkpoint: expected none beside {beside}, got {checkpoint}"])
    folder = folder.resolve()
    return (folder.parent.parent, folder.name) if itself else (folder, "latest")


def folder_for(run: Path, within: str = "") -> Path:
    """Return where commands write by themselves what they make of a trained agent: into its run's folder.

    One that it was exported to is handed on as it is, so that they write into the working folder beside it.
    """
    return Path() if is_exported(run) else run / within


def find(run: Path, task: Task, name: str, report: Callable[[str], None]) -> Checkpoint:
    """Read a checkpoint of the run that lies in a folder: `latest`, `best`, or by its name. Raises CheckpointError.

    What is passed over is told through `report`. A folder that an agent was exported to holds one alone.
    """
    if is_exported(run):
        if name != "latest":
            raise CheckpointError(f"{run}: expected no checkpoint but the one that was exported, got {name}")
        return exported.read(run)
    directory, facts = run / "checkpoints", facts_of(task, id_in(read_meta(run)))
    if name == "latest":
        return checkpoint.load_latest(directory, report, facts)
    if name == "best":
        return checkpoint.load_best(directory, facts)
    folder = directory / Path(name).name
    if not folder.is_dir():
        names = ["latest", "best", *(path.name for path in checkpoint.checkpoints_in(directory))]
        raise CheckpointError(f"{folder}: expected a checkpoint, got nothing there{suggestion(name, names)}")
    return checkpoint.load(folder, facts)


def save(
    directory: Path,
    facts: Mapping[str, object],
    population: VectorizedPopulation,
    standing: Standing,
    best_score: float | None,
) -> Path:
    """Write all that a population is as one checkpoint, and return its folder.

    `best_score` is that of an evaluation at this step, None where there was none. Raises CheckpointError, and
    TrainingDivergedError for a population that must not be kept.
    """
    state = {
        "population": population.state_dict(),
        "elapsed": standing.elapsed,
        "learned": dict(standing.learned),
        **standing.marks._asdict(),
    }
    model = population.network.state_dict()
    return checkpoint.save(directory, population.env_steps, model, state, best_score=best_score, facts=facts)


def go_on_from(found: Checkpoint, population: VectorizedPopulation) -> Standing:
    """Make a population what was saved, and return how its run stood.

    Raises CheckpointError where it does not fit, and WorldError where the environment cannot be reset.
    """
    load_network(population.network, found)
    standing = _standing(found)
    with fitting(found):
        state = found.state["population"]
        if problem := unlike(population.state_dict(), state, "population"):
            raise ValueError(problem)
        population.load_state_dict(state)
        optimizers = (getattr(part, "optimizer", None) for part in (population.learner, population.curiosity))
        if problem := next(filter(None, map(wrong_optimizer, filter(None, optimizers))), None):
            raise ValueError(problem)
        if population.env_steps != found.step:
            raise ValueError(f"a state of step {population.env_steps}")
    return standing


def _standing(found: Checkpoint) -> Standing:
    """How the run stood; older checkpoints say less of it."""
    elapsed: Any = found.state.get("elapsed")
    learned = found.state.get("learned", {})
    score = found.state.get("score", found.manifest.get("score"))
    best, waited = found.state.get("best", -math.inf if score is None else score), found.state.get("waited", 0)
    numbers = isinstance(learned, dict) and all(type(value) is float for value in learned.values())
    if type(elapsed) not in (int, float) or not 0.0 <= elapsed < math.inf:
        raise CheckpointError(f"{found.path}: expected seconds of training as elapsed, got {one_line(elapsed)}")
    if not numbers or not (score is None or type(score) is float):
        got = one_line(score if numbers else learned)
        raise CheckpointError(f"{found.path}: expected numbers as learned and score, got {got}")
    if type(best) is not float or type(waited) is not int or waited < 0:
        raise CheckpointError(f"{found.path}: expected numbers as best and waited, got {one_line((best, waited))}")
    return Standing(elapsed, learned, Marks(score, best, waited))


@contextmanager
def fitting(found: Checkpoint) -> Iterator[None]:
    """Raise CheckpointError for whatever is raised while parts of a checkpoint are taken over: they do not fit.

    An environment that raises WorldError when it is reset says nothing about the checkpoint, and is heard itself.
    """
    try:
        yield
    except WorldError:
        raise
    except Exception as error:  # content that was made up, with hashes that fit, can raise anything
        reason = str(error).partition("\n")[0] if type(error) in (ValueError, RuntimeError) else one_line(error)
        raise CheckpointError(f"{found.path}: expected a checkpoint of this level, got {reason}") from error


def load_network(network: QNetwork, found: Checkpoint) -> None:
    """Give a network the weights of a checkpoint. Raises CheckpointError, naming the first that does not fit."""
    parts = (network.state_dict(), found.model)
    shapes, got = ({name: list(one.shape) for name, one in part.items()} for part in parts)
    for name in shapes | got:
        if shapes.get(name) != got.get(name):
            expected = f"weights of this level's network, {name} {shapes.get(name, 'not there')}"
            raise CheckpointError(f"{found.path}: expected {expected}, got {got.get(name, 'none')}")
    network.load_state_dict(found.model)
