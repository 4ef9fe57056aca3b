"""What all parts of a level are made of."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from townlet.level.whole import as_whole

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(ge=-1.0, le=1.0)]
MOST = 10**15  # of anything that is counted: what follows from it still fits into 64 bits, and a float holds it
WHOLE = BeforeValidator(as_whole)  # stands behind the limits of an int, so that a JSON Schema still tells them
Positive = Annotated[int, Field(ge=1, le=MOST), WHOLE]
Count = Annotated[int, Field(ge=0, le=MOST), WHOLE]
Ticks = Annotated[int, Field(ge=1, lt=2**31), WHOLE]  # what the world counts in int32
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Part(BaseModel):
    """Base of all parts of a level: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
