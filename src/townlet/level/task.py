"""The task of a run: a level of the town or an environment of Gymnasium, and how agents learn in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from townlet.level.course import Evaluation, OnCuda, Replays
from townlet.level.images import SeeingFeedForward, SeeingRecurrent
from townlet.level.part import WHOLE
from townlet.level.parts import (
    Action,
    Adversarial,
    Affordance,
    Cascades,
    Drain,
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

PRESENT = "The meters that the level has, in observation order."
VOCABULARY = "The kinds of places that agents know, by name, in observation order."
DAY = "Ticks of a day; null: no hours."
WORD = "at most 64 letters, digits, dots, dashes and underscores, a letter or digit first"
Word = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=64, description=WORD)]


def _one_wrapper(wrapper: str | dict[str, Any]) -> str | dict[str, Any]:
    if isinstance(wrapper, dict) and [type(given) for given in wrapper.values()] != [dict]:
        raise ValueError("one wrapper with its keyword arguments, as {TimeLimit: {max_episode_steps: 200}}")
    return wrapper


Wrapper = Annotated[str | dict[str, Any], AfterValidator(_one_wrapper)]


class Score(NamedTuple):
    """What says how well agents do."""

    word: str  # for people
    key: str  # of an evaluation's result
    rollout: str  # the metric of training
    unseen: str  # what evaluation plays on
    limit: int | None = None  # the greatest that there is, None where nobody knows

    def tell(self, result: Mapping[str, Any]) -> str:
        """Write an evaluation's score: "466.0 of 500", or "0.97" where there is no limit."""
        figure = self.figure(result[self.key])
        return figure if self.limit is None else f"{figure} of {self.limit}"

    def figure(self, value: float) -> str:
        """Write a score: steps to a tenth, where their limit is known, anything else to a hundredth."""
        return f"{value:.2f}" if self.limit is None else f"{value:.1f}"


class Task(Part):
    """What every run has: a name, a network, and how it learns. The world is that of a Level or of a GymTask."""

    id: Word
    name: Word
    description: Annotated[str, Field(description="What the level is and teaches, in a line or two.")]
    max_steps: Ticks | None
    yardsticks: dict[Name, float] = Field(default_factory=dict, description="Scores that are known, by name.")
    network: Annotated[FeedForward | Recurrent, Field(discriminator="kind")]
    training: Training
    on_cuda: OnCuda | None = None
    evaluation: Evaluation

    @property
    def title(self) -> str:
        """The name in words, as people read it."""
        return self.name.replace("_", " ")

    @property
    def score(self) -> Score:
        """What the best checkpoint is chosen by, and people are told."""
        raise NotImplementedError

    @property
    def window(self) -> int | None:
        """Side of the window that is observed, None without one."""
        raise NotImplementedError

    @property
    def steps_between_cuts(self) -> int:
        """The least from one episode of an agent that a time limit cuts off to the next."""
        raise NotImplementedError

    def action_weights(self, num_actions: int) -> list[float]:
        """How often each action is chosen at random, in proportion."""
        raise NotImplementedError


class Level(Task):
    """A whole level: the world, what agents see and are rewarded for, and how they learn."""

    grid: Grid
    meters: Annotated[dict[Name, Meter], Field(min_length=1, description="The needs that there are, by name.")]
    present_meters: Annotated[tuple[Name, ...], Field(strict=False, min_length=1, description=PRESENT)]
    drains: Annotated[tuple[Drain, ...], Field(strict=False)] = ()
    cascades: Cascades | None = None
    affordances: Annotated[dict[Name, Affordance], Field(min_length=1, description=VOCABULARY)]
    placed_affordances: Annotated[tuple[Name, ...], Field(strict=False, description="Those that stand on the map.")]
    layout: Layout
    actions: Annotated[tuple[Action, ...], Field(strict=False, min_length=1, description="What agents can do.")]
    max_steps: Annotated[Ticks, Field(description="Ticks after which an episode is cut off.")]
    day_ticks: Annotated[int, Field(ge=1, le=10_000, description=DAY), WHOLE] | None = None
    multi_tick: MultiTick | None = None
    observation: Observation
    reward: Reward
    sparse_reward: Reward | None = None  # what counts for those to whom `Difficulty.sparse` says so
    replays: Annotated[Replays | None, Field(description="What is recorded in training; null: nothing.")] = None

    @property
    def graded(self) -> bool:
        """Whether training has agents for whom the world is easier than the level says."""
        return isinstance(self.training.curriculum, Adversarial)

    @property
    def score(self) -> Score:
        """Survival, in steps."""
        played = "unseen maps" if self.layout.kind == "random" else "the one map"
        return Score("survival", "mean_ep_length", "rollout/ep_len_mean", played, self.max_steps)

    @property
    def window(self) -> int | None:
        """Side of the window that is observed, None without one."""
        return self.observation.window

    @property
    def steps_between_cuts(self) -> int:
        """A whole episode of the greatest length."""
        return self.max_steps

    def action_weights(self, num_actions: int) -> list[float]:
        """As the level says, by the actions' names."""
        return [self.training.exploration.action_weights.get(action, 1.0) for action in self.actions]


class GymTask(Task):
    """A Gymnasium environment with discrete actions, and how agents learn in it."""

    gym: Annotated[str, Field(min_length=1)]  # its id, or with module: or file.py: before it, see `finding.registered`
    gym_options: dict[str, Any] = Field(default_factory=dict)  # keyword arguments; asynchronous: in processes
    # Wrappers' names, or each with its keyword arguments, the innermost first: see `finding.wrapped`.
    gym_wrappers: Annotated[tuple[Wrapper, ...], Field(strict=False)] = ()
    max_steps: Ticks | None = None  # time limit; null: the environment's own
    network: Annotated[SeeingFeedForward | SeeingRecurrent, Field(discriminator="kind")]

    @property
    def score(self) -> Score:
        """The return: whether a long episode is a good one only the environment knows."""
        return Score("return", "mean_reward", "rollout/ep_rew_mean", "unseen seeds")

    @property
    def window(self) -> int | None:
        """None: an observation is one vector."""
        return None

    @property
    def steps_between_cuts(self) -> int:
        """1: it may cut its episodes off as it likes."""
        return 1

    def action_weights(self, num_actions: int) -> list[float]:
        """All alike: the actions have no names."""
        return [1.0] * num_actions


def anchored(task: GymTask, folder: Path) -> GymTask:
    """Return the task with the files that it names, as file.py:Name, by their whole paths, from here or from `folder`.

    So a run finds them wherever it is gone on with.
    """
    wrappers = tuple(
        _anchored(one, folder) if isinstance(one, str) else {_anchored(name, folder): one[name] for name in one}
        for one in task.gym_wrappers
    )
    return task.model_copy(update={"gym": _anchored(task.gym, folder), "gym_wrappers": wrappers})


def _anchored(name: str, folder: Path) -> str:
    where, colon, last = name.rpartition(":")
    if not where.endswith(".py"):
        return name
    path = next((path for path in (Path(where), folder / where) if path.is_file()), Path(where))
    return f"{path.resolve()}{colon}{last}"
