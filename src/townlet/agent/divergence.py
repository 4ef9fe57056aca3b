"""What ends a training whose numbers are no numbers any more; without PyTorch, for those who only tell of it."""


class TrainingDivergedError(Exception):
    """A loss or gradient is not finite; the message names which, and at which update."""
