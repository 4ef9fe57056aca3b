"""Memories beside the cell, as a level names them: `network.memory` is a list of these."""

from typing import Annotated, Literal

from pydantic import Field

from townlet.level.part import MOST, Part

Banks = Annotated[int, Field(ge=1, le=64)]
Width = Annotated[int, Field(ge=1, le=1024)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]


class SpectralMemory(Part):
    """What was observed up to `lags` steps ago, each step times `keep`: see `agent.memory.spectral`.

    `turn`: at a fixed speed, or as learned from what comes in, in so many `banks`: see `agent.memory.steered`.
    `squash`: read logarithms of what is held, since what adds up for long is large. `widest`: wider observations come
    in as so many random sums of their numbers, at a fixed speed alone.
    """

    kind: Literal["spectral"]
    lags: Annotated[int, Field(ge=2, le=1024, multiple_of=2)]
    keep: Share
    turn: Literal["fixed", "learned"] = "fixed"
    banks: Banks = 1
    squash: bool = False
    widest: Width | None = None


class DeltaMemory(Part):
    """What was seen with what: `values` numbers at each of `keys` directions, see `agent.memory.delta`.

    `phases`: the values are angles, and read relative to today's, as places are: see `agent.memory.phases`.
    """

    kind: Literal["delta"]
    keys: Width
    values: Width
    keep: Share
    phases: bool = False


class LinearRecurrentMemory(Part):
    """Units that fade and turn at learned rates, at first over 1 to `span` steps: see `agent.memory.lru`."""

    kind: Literal["lru"]
    units: Width
    span: Annotated[int, Field(ge=2, le=MOST)]


Memory = Annotated[SpectralMemory | DeltaMemory | LinearRecurrentMemory, Field(discriminator="kind")]
