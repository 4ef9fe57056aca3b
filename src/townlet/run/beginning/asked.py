"""What is asked of a training, read and checked whole before anything is written.

What needs PyTorch, which takes long to import, is imported where it is used: a plan is made and told without it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from townlet.agent.requirements import check_network
from townlet.config import Level, Task, Tell, load_gym_task, load_task, taken_on_cuda
from townlet.run.meta import read_meta
from townlet.run.plan import Plan, Wishes, make_plan
from townlet.run.run_directory import CONFIG_NAME, RunDirectory, resolve_run
from townlet.run.saving.changes import refuse_changes

if TYPE_CHECKING:
    from townlet.run.saving.checkpoint import Checkpoint
    from townlet.run.training_run import TrainingRun

FLAGS = {  # that are keys of the level too
    "seed": "training.seed",
    "num_agents": "training.num_agents",
    "total_steps": "training.total_steps",
    "evaluate_every": "evaluation.every",
}


class Asked(NamedTuple):
    """A training as it is asked for, by flags or by keywords: a new run, or one that goes on."""

    level: str | None  # an id, a name or a file; None: Level 2, or the shipped recipe for `gym`
    gym: str | None  # the id of another environment
    resume: str | None  # the run that goes on: "latest", its name or its folder
    load: Path | None  # whose weights a new run begins with
    overrides: Mapping[str, Any]  # by dotted keys of the level
    run_name: str | None
    runs_dir: Path


class Prepared(NamedTuple):
    """A training that can begin."""

    asked: Asked
    task: Task
    plan: Plan
    wishes: Wishes
    resumed: Path | None  # the folder of a run that goes on
    taught: "Checkpoint | None"  # whose weights it begins with
    settled: Mapping[str, Any] = {}  # facts for meta.json: what was settled, and by what

    def open_folder(self) -> RunDirectory:
        """Make the folder of a new run, or open that of one that goes on. Raises RunError."""
        if self.resumed:
            return RunDirectory.open(self.resumed)
        from townlet.run.training import write_about

        slug, seed = f"{self.task.id}_{self.task.name}", self.task.training.seed
        run = RunDirectory.create(self.asked.runs_dir, slug, seed, self.asked.run_name)
        write_about(run, self.task, self.wishes, load=self.taught and str(self.taught.path.resolve()), **self.settled)
        return run

    def begin(self, training: "TrainingRun") -> None:
        """Let a training go on from where its run stands, or begin with what it was taught.

        Raises CheckpointError, and TrainingFailedError where the environment cannot be reset.
        """
        from townlet.run.beginning.resuming import load_weights, resume

        if self.resumed and resume(training):
            if (step := training.population.env_steps) >= self.plan.total_steps:
                done = f"step {step:,} of {self.plan.total_steps:,}"
                training.tell(f"nothing is left to train: {done}; --total-steps asks for more")
            elif training.ending:
                training.tell(f"nothing is left to train: {training.ending.why}; --set training.stop=null goes on")
        elif self.taught:
            load_weights(training, self.taught)
        training.run.note(checkpoint_every=self.wishes.checkpoint_every)


def overridden(settings: Mapping[str, Any], **flags: Any) -> dict[str, Any]:
    """Return what is asked for by dotted keys: flags, those of `FLAGS` that are not None, come last and win."""
    given = {FLAGS[name]: value for name, value in flags.items() if value is not None}
    return {key: value for key, value in settings.items() if key not in given} | given


def prepare(asked: Asked, wishes: Wishes, say: Tell, aside: Callable[[str], None]) -> Prepared:
    """Read and check all that a training begins with; nothing is written.

    What is settled otherwise than it was asked for is told by `say`, what was found by `aside`, a line each. Raises
    ConfigError, RunError, CheckpointError and WorldError, where an environment hands out what nobody can live with.
    """
    resumed = resolve_run(asked.resume, asked.runs_dir, aside) if asked.resume else None
    kept = (read_meta(resumed) or {}) if resumed else {}
    task, settled = _load(asked, resumed, say, wishes.device)
    wishes = wishes._replace(checkpoint_every=wishes.checkpoint_every or _pace_before(kept))
    _check(task, say, wishes.device)
    teacher = _teacher(asked, resumed, kept)
    taught = _load_taught(teacher, asked, task, aside) if teacher else None
    return Prepared(asked, task, make_plan(task, wishes), wishes, resumed, taught, settled)


def _check(task: Task, say: Tell, device: str) -> None:
    if isinstance(task, Level):
        check_network(task)
        return
    from townlet.environment.make import check_env

    check_env(task, say, device)


def _load_taught(teacher: Path, asked: Asked, task: Task, aside: Callable[[str], None]) -> "Checkpoint":
    from townlet.run.saving.taught import load_taught

    return load_taught(teacher, asked.runs_dir, task, aside)


def _load(asked: Asked, resumed: Path | None, say: Tell, device: str) -> tuple[Task, dict[str, Any]]:
    """The task, and what was settled of it by the device: a run that goes on does so as it was."""
    if resumed:
        config = resumed / CONFIG_NAME
        now = load_task(config, asked.overrides, say)
        refuse_changes(load_task(config), now, resumed)
        return now, {}
    if device != "cuda" or not (taken := taken_on_cuda(_new(asked, asked.overrides, None), asked.overrides)):
        return _new(asked, asked.overrides, say), {}
    task = _new(asked, {**asked.overrides, **taken, "on_cuda": None}, say)
    listed = ", ".join(f"{key} {value:,}" for key, value in taken.items())
    say(f"on a CUDA device level {task.id} has {listed}; --set KEY=VALUE keeps any of them as you like")
    return task, {"on_cuda": taken}


def _new(asked: Asked, overrides: Mapping[str, Any], say: Tell | None) -> Task:
    if asked.gym is not None:
        return load_gym_task(asked.gym, asked.level, overrides, say)
    return load_task(asked.level or "2", overrides, say)


def _teacher(asked: Asked, resumed: Path | None, kept: Mapping[str, Any]) -> Path | None:
    """The checkpoint that a run begins with the weights of: asked for, or of a run that saved none of its own yet."""
    if resumed is None:
        return asked.load
    from townlet.run.saving.checkpoint import checkpoints_in

    begun = checkpoints_in(resumed / "checkpoints")
    return Path(kept["load"]) if isinstance(kept.get("load"), str) and not begun else None


def _pace_before(kept: Mapping[str, Any]) -> int | None:
    """The steps between checkpoints that were asked for when the run began."""
    every = kept.get("checkpoint_every")
    return every if type(every) is int and every > 0 else None
