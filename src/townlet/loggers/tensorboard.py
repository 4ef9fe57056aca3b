"""TensorBoard, for those who look at several runs in one folder."""

import os
from pathlib import Path

from townlet.loggers.needed import needed
from townlet.run.board import Board


class TensorBoard(Board):
    """Writes metrics for TensorBoard into `folder`. A run by itself writes them into its own.

    Raises ImportError where TensorBoard is not installed.
    """

    def __init__(self, folder: os.PathLike[str] | str) -> None:
        needed("tensorboard", "tensorboard")
        super().__init__(Path(folder))
