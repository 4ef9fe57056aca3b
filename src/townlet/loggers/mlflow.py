"""MLflow."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from townlet.callbacks.callback import Callback, Moment
from townlet.loggers.needed import needed
from townlet.run.meta import id_in, read_meta

TAG = "townlet_run"  # by which a run that is resumed is found
MOST_LETTERS, MOST_AT_ONCE = 500, 100  # of a parameter, and parameters in a batch: what MLflow takes
ENDS = {"error": "FAILED", "interrupt": "KILLED"}


class MLflow(Callback):
    """Sends metrics to MLflow, and the keys of the level as parameters; a run that is resumed goes on there too.

    `tracking_uri` is a server or a store, None: the one that MLflow is set to. Raises ImportError where neither mlflow
    nor mlflow-skinny is installed: the latter sends to servers, the former writes into databases too.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str = "townlet") -> None:
        mlflow = needed("mlflow", "loggers")
        self._client, self._entities = mlflow.MlflowClient(tracking_uri), mlflow.entities
        self.experiment, self.run_id = experiment, ""

    def on_start(self, moment: Moment) -> None:
        """Begin a run there, or go on with it."""
        client, known = self._client, self._client.get_experiment_by_name(self.experiment)
        experiment = known.experiment_id if known else client.create_experiment(self.experiment)
        mine = id_in(read_meta(moment.run)) or moment.run.name
        begun = client.search_runs([experiment], f"tags.{TAG} = '{mine}'") if moment.resumed_at is not None else []
        if begun:
            self.run_id = begun[0].info.run_id
            client.update_run(self.run_id, status="RUNNING")
            return
        self.run_id = client.create_run(experiment, run_name=moment.run.name, tags={TAG: mine}).info.run_id
        keys = [self._entities.Param(key, value) for key, value in flat(moment.level.model_dump())]
        for first in range(0, len(keys), MOST_AT_ONCE):
            client.log_batch(self.run_id, params=keys[first : first + MOST_AT_ONCE])

    def on_record(self, moment: Moment) -> None:
        """Send numbers of one step."""
        now = int(time.time() * 1000)
        numbers = [self._entities.Metric(plain(name), one, now, moment.steps) for name, one in moment.metrics.items()]
        self._client.log_batch(self.run_id, metrics=numbers)

    on_evaluation = on_record

    def on_end(self, moment: Moment) -> None:
        """End the run there."""
        self._client.set_terminated(self.run_id, ENDS.get(moment.ended_by or "", "FINISHED"))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return the innermost keys, dotted, with their values as text."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield plain(f"{prefix}{name}"), str(value)[:MOST_LETTERS]


def plain(name: str) -> str:
    """Return a name as MLflow takes it."""
    return re.sub(r"[^\w\-. :/]", "_", name)
