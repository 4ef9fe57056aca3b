"""Callbacks that write a run's metrics where people keep those of all their runs.

May import: callbacks, run.board, run.meta.
"""

from townlet.loggers.mlflow import MLflow
from townlet.loggers.tensorboard import TensorBoard
from townlet.loggers.weights_and_biases import WeightsAndBiases

__all__ = ["MLflow", "TensorBoard", "WeightsAndBiases"]
