"""What a training goes on from: a checkpoint of its own, or the weights of another."""

from townlet.config import resolved_config
from townlet.run.plan import passes
from townlet.run.saving import checkpoint, exported, saved
from townlet.run.training_run import TrainingRun


def resume(training: TrainingRun) -> bool:
    """Go on from the newest whole checkpoint, or begin anew where none was saved yet; return whether there was one.

    Raises CheckpointError where all are damaged or of another run, or the newest does not fit, and
    TrainingFailedError where the environment cannot be reset.
    """
    run = training.run
    begun = bool(checkpoint.checkpoints_in(run.checkpoints))
    if begun:
        facts = saved.facts_of(training.task, run.id)
        _go_on_from(checkpoint.load_latest(run.checkpoints, training.tell, facts), training)
    else:
        training.resumed_at = -1  # what was recorded before is recorded again
        training.tell(f"no checkpoint was saved yet: begins anew from {run.config_path}")
    if not training.done:  # what a run was trained by, it stays
        run.write_config(resolved_config(training.task))  # flags may have changed it, the total steps above all
    run.note()
    return begun


def _go_on_from(found: checkpoint.Checkpoint, training: TrainingRun) -> None:
    population, plan = training.population, training.plan
    with training.logs_what_is_at_fault():
        training.elapsed_before, training.learned, training.marks = saved.go_on_from(found, population)
    training.saved_at = training.resumed_at = found.step
    training.ending = plan.ending(training.task, training.marks)
    due = passes(found.step, plan.evaluate_every, population.num_agents)
    training.owes_evaluation = found.manifest.get("score") is None and (due or found.step >= plan.total_steps)
    training.run.id = training.run.id or found.manifest["facts"].get("run")
    training.tell(f"goes on from {found.path.name}")
    if not population.env.resumes:
        training.tell("environments cannot be saved: every agent begins a new episode, with a blank memory", "yellow")


def load_weights(training: TrainingRun, found: checkpoint.Checkpoint) -> None:
    """Begin with the weights of another checkpoint, and nothing else of it. Raises CheckpointError."""
    exported.check_interface(found, training.population.env)
    saved.load_network(training.population.network, found)
    training.population.learner.copy_to_target()
