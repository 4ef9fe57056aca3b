"""`python -m townlet.bench`: one word for each benchmark."""

import sys
from collections.abc import Sequence

from townlet.screen.command_line import lazily, run_word
from townlet.screen.process import run_as_process

USAGE = """usage: townlet bench BENCHMARK ... (or python -m townlet.bench)

  env        the world's step, beside a C kernel, NumPy and Gymnasium
  learner    updates of networks, beside a matrix product
  memories   what each kind of memory costs, to act with and to learn from
  train      the whole loop of a level, beside learners of Stable-Baselines3
  scale      how costs grow with agents, windows, capacity and the world
  gpu        env, learner and train on a CUDA device
  memory     public tasks of memory, beside a control and a peer
  recall     what each kind of memory learns to hold: lags, places, counts, order

townlet bench BENCHMARK --help says more."""

BENCHMARKS = {
    "env": lazily("townlet.bench.speed.env"),
    "learner": lazily("townlet.bench.speed.learner"),
    "memories": lazily("townlet.bench.speed.memories"),
    "train": lazily("townlet.bench.speed.train"),
    "scale": lazily("townlet.bench.scale.command"),
    "gpu": lazily("townlet.bench.speed.gpu"),
    "memory": lazily("townlet.bench.memory.command"),
    "recall": lazily("townlet.bench.recall.command"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return run_word(words, BENCHMARKS, USAGE, "townlet bench", "townlet bench --help")


if __name__ == "__main__":
    sys.exit(run_as_process(main))
