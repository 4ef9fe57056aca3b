"""The task of a run: a level of the town or an environment of Gymnasium, and how agents learn in it."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from townlet.level import (
    Action,
    Adversarial,
    Affordance,
    Cascades,
    Drain,
    Evaluation,
    FeedForward,
    Grid,
    Layout,
    Meter,
    MultiTick,
    Name,
    Observation,
    Part,
    Recurrent,
    Reward,
    Ticks,
    Training,
)


class Score(NamedTuple):
    """What says how well agents do."""

    word: str  # for people
    key: str  # of an evaluation's result
    rollout: str  # the metric of training
    unseen: str  # what evaluation plays on
    limit: int | None = None  # the greatest that there is, None where nobody knows

    def tell(self, result: Mapping[str, Any]) -> str:
        """Write an evaluation's score: "466.0 of 500", or "0.97" where there is no limit."""
        return f"{result[self.key]:.2f}" if self.limit is None else f"{result[self.key]:.1f} of {self.limit}"


class Task(Part):
    """What every run has: a name, a network, and how it learns. The world is that of a Level or of a GymTask."""

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=64)]
    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=64)]
    description: str
    max_steps: Ticks | None
    yardsticks: dict[Name, float] = Field(default_factory=dict)  # scores that are known, by name
    network: Annotated[FeedForward | Recurrent, Field(discriminator="kind")]
    training: Training
    evaluation: Evaluation

    @property
    def score(self) -> Score:
        """What the best checkpoint is chosen by, and people are told."""
        raise NotImplementedError

    @property
    def window(self) -> int | None:
        """Side of the window that is observed, None without one."""
        raise NotImplementedError

    def action_weights(self, num_actions: int) -> list[float]:
        """How often each action is chosen at random, in proportion."""
        raise NotImplementedError


class Level(Task):
    """A whole level: the world, what agents see and are rewarded for, and how they learn."""

    grid: Grid
    meters: Annotated[dict[Name, Meter], Field(min_length=1)]
    present_meters: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]  # in observation order
    drains: Annotated[tuple[Drain, ...], Field(strict=False)] = ()
    cascades: Cascades | None = None
    affordances: Annotated[dict[Name, Affordance], Field(min_length=1)]  # the vocabulary, in observation order
    placed_affordances: Annotated[tuple[Name, ...], Field(strict=False)]
    layout: Layout
    actions: Annotated[tuple[Action, ...], Field(strict=False, min_length=1)]
    max_steps: Ticks
    day_ticks: Annotated[int, Field(ge=1, le=10_000)] | None = None
    multi_tick: MultiTick | None = None
    observation: Observation
    reward: Reward
    sparse_reward: Reward | None = None  # what counts for those to whom `Difficulty.sparse` says so

    @property
    def graded(self) -> bool:
        """Whether training has agents for whom the world is easier than the level says."""
        return isinstance(self.training.curriculum, Adversarial)

    @property
    def score(self) -> Score:
        """Survival, in steps."""
        return Score("survival", "mean_ep_length", "rollout/ep_len_mean", "unseen maps", self.max_steps)

    @property
    def window(self) -> int | None:
        """Side of the window that is observed, None without one."""
        return self.observation.window

    def action_weights(self, num_actions: int) -> list[float]:
        """As the level says, by the actions' names."""
        return [self.training.exploration.action_weights.get(action, 1.0) for action in self.actions]


class GymTask(Task):
    """A Gymnasium environment with discrete actions, and how agents learn in it."""

    gym: Annotated[str, Field(min_length=1)]  # its id; module:id where a module registers it
    gym_options: dict[str, Any] = Field(default_factory=dict)  # keyword arguments of the environment
    max_steps: Ticks | None = None  # time limit; null: the environment's own

    @property
    def score(self) -> Score:
        """The return: whether a long episode is a good one only the environment knows."""
        return Score("return", "mean_reward", "rollout/ep_rew_mean", "unseen seeds")

    @property
    def window(self) -> int | None:
        """None: an observation is one vector."""
        return None

    def action_weights(self, num_actions: int) -> list[float]:
        """All alike: the actions have no names."""
        return [1.0] * num_actions
