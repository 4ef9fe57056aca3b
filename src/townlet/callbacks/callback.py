"""What people derive their own callbacks from, and what these are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from townlet.config import Task


@dataclass(frozen=True)
class Moment:
    """Where a training stands, for callbacks to read; `stop` ends the training, and `tell` says a line beside it.

    `metrics` are numbers by name: in `on_record` those that were recorded just now, in `on_evaluation` those of the
    evaluation, elsewhere the newest of each. To read them never waits for the device.
    """

    run: Path  # its folder
    level: Task
    steps: int  # environment steps, summed over agents
    total_steps: int  # at which the training ends
    elapsed: float = 0.0  # seconds of training
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluation: Mapping[str, Any] | None = None  # what the newest found, as `townlet evaluate --json` tells it
    checkpoint: Path | None = None  # the folder of the newest
    resumed_at: int | None = None  # the step that the training went on from; None: a new one
    goes_on: bool = True  # whether there are steps to come
    ended_by: str | None = None  # in `on_end`: steps, goal, patience, callback, interrupt or error
    _stop: Callable[[str], None] = field(default=lambda why: None, repr=False, compare=False)
    _tell: Callable[[str], None] = field(default=lambda text: None, repr=False, compare=False)

    def stop(self, why: str = "a callback asked for it") -> None:
        """End the training after the step that it is in: it is evaluated and saved, as at its end, and `why` is told.

        The first who stops it is the one who is told of. When no steps are to come this does nothing.
        """
        self._stop(why)

    def tell(self, text: str) -> None:
        """Say a line on the screen and in train.log."""
        self._tell(text)


class Callback:
    """Is told how a training goes, by methods that do nothing here. Derive from it, and write those that you need.

    Each takes a `Moment` and returns nothing; `moment.stop("why")` ends the training. What one raises ends the training
    too: it is saved first, and then `townlet.learn` raises it. No callback changes what is learned, bit for bit.
    """

    def on_start(self, moment: Moment) -> None:
        """Come before the first step."""

    def on_step(self, moment: Moment) -> None:
        """Come after each step of all agents: some thousand times a second, so what is done here has to be quick."""

    def on_record(self, moment: Moment) -> None:
        """Come after metrics were recorded, about 400 times in a run."""

    def on_evaluation(self, moment: Moment) -> None:
        """Come after an evaluation, before it is saved."""

    def on_checkpoint(self, moment: Moment) -> None:
        """Come after a checkpoint was saved."""

    def on_end(self, moment: Moment) -> None:
        """Come when all is saved, whatever ended the training; `moment.ended_by` says what did."""
