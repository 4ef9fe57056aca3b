"""What a training run keeps: replay, checkpoints, metrics and the run folder."""
