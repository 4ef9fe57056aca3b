"""The parts of a level that say how its difficulty grows."""

from typing import Annotated, Literal

from pydantic import Field

from townlet.level_part import Name, Part, Rate, Ticks, Unit


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
    episodes: Annotated[int, Field(ge=2, le=1000)]  # of an agent, that it is judged by
    min_stay: Ticks  # steps of an agent in a stage before it may leave it
    advance_above: Unit  # survival
    retreat_below: Unit  # survival
    least_progress: Rate = 0.0  # survival in the later half of the episodes less that in the earlier one
    entropy_below: Unit
    temperature: Annotated[float, Field(gt=0.0)]
