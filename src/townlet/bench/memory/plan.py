"""What a benchmark of public tasks consists of: rows, the bar of each, and who tries. It is read from YAML."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from townlet.config import ConfigError, GymTask, Part, load_gym_task, load_task
from townlet.level.file import configs_directory, load
from townlet.level.part import Positive
from townlet.level.suggestion import suggestion

Agent = Literal["recurrent", "control", "peer"]


class Peer(Part):
    """sb3-contrib's RecurrentPPO, one LSTM for policy and one for value; the rest is its own default."""

    num_envs: Positive
    n_steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    gamma: Annotated[float, Field(ge=0.0, le=1.0)]
    hidden: Positive


class Row(Part):
    """A task with settings of its own, solved where the mean greedy return reaches the bar, and who tries it.

    `gym`: another environment, by its id, in the place of the task's; without a task, by the recipe of `--gym`.
    """

    task: str | None = None
    gym: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    bar: float
    agents: Annotated[tuple[Agent, ...], Field(strict=False, min_length=1)]
    budgets: dict[Agent, Positive] = Field(default_factory=dict)  # environment steps, where not the task's own


class Plan(Part):
    """The rows of a benchmark, in their order."""

    peer: Peer
    peer_seeds: Positive  # at most so many seeds of it
    one_scale: bool = False  # whether returns of all rows mean the same, so that their mean says something
    rows: Annotated[dict[str, Row], Field(min_length=1)]


class Trial(NamedTuple):
    """One training: who tries which row, and the seed of all randomness."""

    row: str
    agent: Agent
    seed: int
    task: GymTask
    bar: float
    budget: int  # environment steps
    peer: Peer

    @property
    def key(self) -> str:
        """What it is called where results are kept."""
        return f"{self.row}/{self.agent}/{self.seed}"

    @property
    def recipe(self) -> str:
        """A digest of all that its result depends on, but for the machine."""
        parts = (self.task.model_dump_json(), self.bar, self.budget, self.peer if self.agent == "peer" else "")
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def load_plan(reference: str = "memory") -> Plan:
    """Read a benchmark: a shipped one by name, or a path to a .yaml. Raises ConfigError."""
    if reference.endswith((".yaml", ".yml")):
        return load(Plan, Path(reference))
    shipped = {path.stem: path for path in sorted((configs_directory() / "bench").glob("*.yaml"))}
    if reference not in shipped:
        expected = f"expected one of {', '.join(shipped)} or a path to a .yaml file"
        raise ConfigError([f"--plan: {expected}, got {reference}{suggestion(reference, shipped)}"])
    return load(Plan, shipped[reference])


def trials_of(plan: Plan, rows: list[str] | None, seeds: Sequence[int], peers: bool) -> list[Trial]:
    """List the trials of some rows (default: all), all rows with one seed before any with the next.

    Raises ConfigError for an unknown row, and for a task that is wrong or none of Gymnasium.
    """
    chosen = list(plan.rows) if rows is None else rows
    for name in chosen:
        if name not in plan.rows:
            known = ", ".join(plan.rows)
            raise ConfigError([f"--tasks: expected some of {known}, got {name}{suggestion(name, plan.rows)}"])
    return [
        _trial(plan, name, agent, seed)
        for number, seed in enumerate(seeds)
        for name in chosen
        for agent in plan.rows[name].agents
        if agent != "peer" or (peers and number < plan.peer_seeds)
    ]


def _trial(plan: Plan, name: str, agent: Agent, seed: int) -> Trial:
    row = plan.rows[name]
    settings = {**row.settings, "training.seed": seed}
    if row.gym is None and row.task is None:
        raise ConfigError([f"{name}: expected a task or gym, got neither"])
    task = load_gym_task(row.gym, row.task, settings) if row.gym else load_task(row.task or "", settings)
    if not isinstance(task, GymTask):
        raise ConfigError([f"{name}: expected a task of Gymnasium, got {row.task}, a level of the town"])
    budget = row.budgets.get(agent, task.training.total_steps)
    return Trial(name, agent, seed, task, row.bar, budget, plan.peer)
