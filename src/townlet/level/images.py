"""How networks read images, which environments of Gymnasium may show and no town does."""

from typing import Annotated

from pydantic import Field

from townlet.level.part import Part, Positive
from townlet.level.parts import FeedForward, Recurrent


class Images(Part):
    """Images as numbers from 0 to 1; those of at least `smallest` rows and columns are read by convolutions.

    There is a layer for each of `channels`, of `kernel` x `kernel` with a step of `stride`. What their space spans
    becomes 0 to 1; with `largest` that number becomes 1 and 0 stays 0, for those that hold less than their space says.
    """

    channels: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    kernel: Annotated[int, Field(ge=1, le=15)] = 3
    stride: Annotated[int, Field(ge=1, le=8)] = 2
    smallest: Positive = 16
    largest: Annotated[float, Field(gt=0.0)] | None = None


class SeeingFeedForward(FeedForward):
    """A network without memory; without `image` all that is observed is flat, as it comes."""

    image: Images | None = None


class SeeingRecurrent(Recurrent):
    """A network with memory; `image` as without. Memories beside the cell read images flat."""

    image: Images | None = None
