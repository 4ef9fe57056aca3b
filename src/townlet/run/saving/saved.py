"""What a population is saved as in a run, and how one goes on from that."""

from pathlib import Path

from townlet.agent.networks import QNetwork
from townlet.config import Task
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.saving import checkpoint


def save(directory: Path, task: Task, population: VectorizedPopulation, elapsed: float, score: float | None) -> Path:
    """Write all that a population is as one checkpoint, and return its folder; `elapsed` is seconds of training.

    `score` is that of an evaluation at this step, None where there was none. Raises CheckpointError, and
    TrainingDivergedError for a population that must not be kept.
    """
    state = {"population": population.state_dict(), "elapsed": elapsed}
    facts = {"level": task.id, "seed": task.training.seed}
    model = population.network.state_dict()
    return checkpoint.save(directory, population.env_steps, model, state, best_score=score, facts=facts)


def go_on_from(found: checkpoint.Checkpoint, population: VectorizedPopulation) -> None:
    """Make a population the one that was saved. Raises CheckpointError where it does not fit."""
    try:
        load_network(population.network, found)
        population.load_state_dict(found.state["population"])
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise checkpoint.CheckpointError(f"{found.path}: expected a checkpoint of this level, got {reason}") from error


def load_network(network: QNetwork, found: checkpoint.Checkpoint) -> None:
    """Give a network the weights of a checkpoint. Raises CheckpointError, naming the first that does not fit."""
    parts = (network.state_dict(), found.model)
    shapes, got = ({name: list(one.shape) for name, one in part.items()} for part in parts)
    for name in shapes | got:
        if shapes.get(name) != got.get(name):
            expected = f"weights of this level's network, {name} {shapes.get(name, 'not there')}"
            raise checkpoint.CheckpointError(f"{found.path}: expected {expected}, got {got.get(name, 'none')}")
    network.load_state_dict(found.model)
