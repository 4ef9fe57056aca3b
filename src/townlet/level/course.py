"""How the difficulty of a level grows, the worth of what is new, when it is learned and looked at, and by what."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from townlet.level.part import WHOLE, Name, Part, Positive, Rate, Ticks, Unit


class Static(Part):
    """The level as it is, from the first step to the last."""

    kind: Literal["static"]


class Stage(Part):
    """The share `passive` of the passive change and drains of `meters` (null: all), and of no others; the reward."""

    meters: Annotated[tuple[Name, ...], Field(strict=False)] | None = None
    passive: Unit
    reward: Literal["dense", "sparse"] = "dense"  # the level's reward, or its sparse_reward


class Adversarial(Part):
    """Each agent has a stage of its own, from the first on; see `curriculum.adversarial` for the rule.

    Shares of survival are of the level's limit; entropy is that of softmax(q / temperature) over that of chance.
    """

    kind: Literal["adversarial"]
    stages: Annotated[tuple[Stage, ...], Field(strict=False, min_length=2)]
    episodes: Annotated[int, Field(ge=2, le=1000), WHOLE]  # of an agent, that it is judged by
    min_stay: Ticks  # steps of an agent in a stage before it may leave it
    advance_above: Unit  # survival
    retreat_below: Unit  # survival
    least_progress: Rate = 0.0  # survival in the later half of the episodes less that in the earlier one
    entropy_below: Unit
    temperature: Annotated[float, Field(gt=0.0)]


class Anneal(Part):
    """When the weight of curiosity is multiplied by `factor`: see `exploration.annealing` for the rule."""

    episodes: Annotated[int, Field(ge=1, le=1000), WHOLE]  # of each agent, that are looked at
    survival: Unit  # their mean survival, in shares of the time limit, is at least this
    spread: Unit  # and its standard deviation at most this
    factor: Annotated[float, Field(ge=0.0, lt=1.0)]


class Curiosity(Part):
    """What is new is worth `weight`: the error of a network that predicts a frozen one (Burda et al., 2018).

    Both have `hidden` layers and answer with `embedding` numbers. anneal null: the weight stays.
    """

    weight: Annotated[float, Field(gt=0.0)]
    hidden: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    embedding: Positive
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    anneal: Anneal | None = None


class Recall(Part):
    """What a memory is asked beside what actions are worth: told `ask` of an earlier observation, what was `tell`?

    Both name parts of the observation; the earlier one is of the same episode, and at most `back` steps old. The
    squared error counts `weight` times in the loss.
    """

    weight: Annotated[float, Field(gt=0.0)]
    ask: str
    tell: str
    back: Positive


class Prediction(Part):
    """Beside what actions are worth, a network of `width` units tells the next observation from what is read of memory.

    Its squared error, in the numbers that are observed, counts `weight` times in the loss. With `alone` values teach
    nothing of what is read: they read what they find.
    """

    weight: Annotated[float, Field(gt=0.0)]
    alone: bool = False
    width: Positive = 128


class Stop(Part):
    """What ends training before its steps are used up: a greedy score of `goal`, or `patience`.

    That is so many evaluations one after the other without a better one than before. The score is survival in the town,
    and the return in a task of Gymnasium.
    """

    goal: float | None = None
    patience: Positive | None = None

    @model_validator(mode="after")
    def _by_something(self) -> Self:
        if self.goal is None and self.patience is None:
            raise ValueError("expected a goal, a patience or both, got neither")
        return self


class Evaluation(Part):
    """Greedy episodes on maps that training never saw: how many, and every how many environment steps."""

    episodes: Positive
    every: Positive


class Replays(Part):
    """Lives recorded at evaluations, every so many environment steps; of their files the newest `keep` stay.

    The first `agents` of the evaluation, and the one that lived longest (`best`) and shortest (`worst`). With
    `first_of_stage` also where an agent was for the first time in a stage of the curriculum that none was in before.
    """

    every: Positive
    keep: Positive = 20
    agents: Positive = 2
    best: bool = True
    worst: bool = True
    first_of_stage: bool = True


class OnCuda(Part):
    """What a run on a CUDA device takes in place of the level's own, but for what somebody asks for; null: the same.

    It is of one level: those that extend it have none of it.
    """

    num_agents: Annotated[int, Field(ge=1, le=2**20), WHOLE] | None = None
    minibatches: Positive | None = None  # of training.mode
    total_steps: Positive | None = None
    decay_steps: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    evaluate_every: Positive | None = None  # evaluation.every
