"""Weights & Biases."""

from typing import Any

from townlet.callbacks.callback import Callback, Moment
from townlet.loggers.needed import needed
from townlet.run.meta import id_in, read_meta


class WeightsAndBiases(Callback):
    """Sends metrics to Weights & Biases, and the whole level as its config; a run that is resumed goes on there too.

    Keywords are those of `wandb.init`, as project, entity and mode; without any, runs lie in the project townlet.
    Raises ImportError where wandb is not installed.
    """

    def __init__(self, **settings: Any) -> None:
        self._wandb, self._settings = needed("wandb", "loggers"), settings
        self.run: Any = None  # wandb's, once the training has begun

    def on_start(self, moment: Moment) -> None:
        """Begin a run there."""
        own: dict[str, Any] = {"project": "townlet", "name": moment.run.name, "dir": str(moment.run)}
        own |= {"id": id_in(read_meta(moment.run)) or None, "config": moment.level.model_dump()}
        own |= {"resume": "allow"} if moment.resumed_at is not None else {}
        self.run = self._wandb.init(**(own | self._settings))

    def on_record(self, moment: Moment) -> None:
        """Send numbers of one step."""
        self.run.log(dict(moment.metrics), step=moment.steps)

    on_evaluation = on_record

    def on_end(self, moment: Moment) -> None:
        """End the run there."""
        self.run.finish(exit_code=int(moment.ended_by == "error"))
