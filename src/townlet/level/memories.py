"""Memories beside the cell, as a level names them: `network.memory` is a list of these."""

from typing import Annotated, Literal

from pydantic import Field

from townlet.level.part import MOST, WHOLE, Name, Part

Banks = Annotated[int, Field(ge=1, le=64), WHOLE]
Width = Annotated[int, Field(ge=1, le=1024), WHOLE]
Share = Annotated[float, Field(gt=0.0, le=1.0)]


class SpectralMemory(Part):
    """What was observed up to `lags` steps ago, each step times `keep`: see `agent.memory.spectral`.

    `turn`: at a fixed speed, or as learned from what comes in, in so many `banks`: see `agent.memory.steered`.
    `squash`: read logarithms of what is held, since what adds up for long is large. `widest`: wider observations come
    in as so many random sums of their numbers.
    """

    kind: Literal["spectral"]
    lags: Annotated[int, Field(ge=2, le=1024, multiple_of=2), WHOLE]
    keep: Share
    turn: Literal["fixed", "learned"] = "fixed"
    banks: Banks = 1
    squash: bool = False
    widest: Width | None = None


class DeltaMemory(Part):
    """What was seen with what: `values` numbers at each of `keys` directions, see `agent.memory.delta`.

    `phases`: the values are angles, and read relative to today's, as places are: see `agent.memory.phases`.
    `at`: a part of the observation; there is a key for each of its numbers at first, and keys stay apart.
    `whole`: what was held at a key is written over whole, and not by a learned share.
    """

    kind: Literal["delta"]
    keys: Width
    values: Width
    keep: Share
    phases: bool = False
    at: Name | None = None
    whole: bool = False


class GroundMemory(Part):
    """What was seen where: `values` learned numbers at each cell of the map, see `agent.memory.ground`.

    It takes a normalised position. `whole`: as for `delta`.
    """

    kind: Literal["ground"]
    values: Width
    whole: bool = False


class CounterMemory(Part):
    """How often everything was seen, told apart up to `most`: see `agent.memory.counter`.

    `of`: all that is observed; its outcomes, by the action that they came after; parts, where an observation has an
    equal one for each action; or actions: of parts where it is made of so many equal ones, else of outcomes. What is
    then known of an action, and of those up to `reach` choices away, is read alike for all: see `agent.memory.records`.
    """

    kind: Literal["counter"]
    most: Width
    of: Literal["all", "outcomes", "parts", "actions"] = "all"
    reach: Annotated[int, Field(ge=0, le=8), WHOLE] = 0


class LinearRecurrentMemory(Part):
    """Units that fade and turn at learned rates, at first over 1 to `span` steps: see `agent.memory.lru`.

    `traces`: they learn from before their window too, back to the episode's start: see `agent.memory.traces`.
    """

    kind: Literal["lru"]
    units: Width
    span: Annotated[int, Field(ge=2, le=MOST), WHOLE]
    traces: bool = False


Memory = Annotated[
    SpectralMemory | DeltaMemory | GroundMemory | CounterMemory | LinearRecurrentMemory, Field(discriminator="kind")
]
