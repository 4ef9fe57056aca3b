"""The process that records lives of a run's newest agent: python -m townlet.watch.recorder RUN FOLDER LIVES.

It takes a small share of the machine: one thread, of the priority of who started it, which is the lowest, that rests
after each recording for as long as that share asks. It ends with the process that started it.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from townlet.config import ConfigError, Level, load_task
from townlet.environment.types import WorldError
from townlet.evaluate import evaluation_seed, trained_network
from townlet.page.recorder import Wanted
from townlet.page.replay import ReplayError
from townlet.run.meta import id_in, read_meta
from townlet.run.run_directory import REPLAY_SUFFIX, write_atomically
from townlet.run.saving.checkpoint import CheckpointError, checkpoints_in, load_weights
from townlet.run.saving.replays import origin_of, record_greedy
from townlet.run.saving.saved import facts_of
from townlet.watch.folder import goes_on, replays_in
from townlet.watch.modest import end_with_parent

SHARE = 0.015  # of all cores, while the run goes on; the server takes the rest of two hundredths
SECONDS_BETWEEN_LOOKS = 1.0
KEPT = 12  # files, of the newest agents
STEPS = 500  # of a life at most
CPU = torch.device("cpu")


class Recorder:
    """Records lives of each agent that is the newest when it is asked, on the same maps each time."""

    def __init__(self, run: Path, into: Path, lives: int) -> None:
        self.run, self.into, self.wanted = run, into, Wanted(range(lives), STEPS)
        self._tried: str | None = None  # the checkpoint that was recorded, or could not be

    def record_newest(self) -> str | None:
        """Record lives of the newest checkpoint; returns what kept it from that, in a sentence, "" after it was done.

        Returns None where there was nothing to do.
        """
        newest = None
        try:
            newest = next(iter(checkpoints_in(self.run / "checkpoints")), None)
            if newest is None or newest.name == self._tried:
                return None
            self._tried = newest.name
            self._record(newest)
        except CheckpointError as error:
            if newest and not newest.exists():  # the run has removed it meanwhile: there are newer ones
                self._tried = None
                return None
            return f"The newest agent cannot be read: {error}"
        except (ConfigError, WorldError, ReplayError, OSError) as error:
            return f"No life can be recorded: {error}"
        return ""

    def _record(self, checkpoint: Path) -> None:
        task = load_task(self.run / "config.yaml")
        if not isinstance(task, Level):
            raise ReplayError("expected a level of the town, got a task of Gymnasium")
        found = load_weights(checkpoint, facts_of(task, id_in(read_meta(self.run))))
        origin = origin_of(self.run, task, task, found, evaluation_seed(task))
        packed = record_greedy(task, trained_network(task, found, CPU), self.wanted, origin, CPU)
        write_atomically(self.into / f"step_{found.step:09}_newest{REPLAY_SUFFIX}", packed)
        for name in sorted(replays_in(self.into), key=lambda name: (len(name), name))[:-KEPT]:
            (self.into / name).unlink(missing_ok=True)


def pause_after(worked: float, cores: int, share: float = SHARE) -> float:
    """Return for how many seconds one thread rests after it worked, so that it takes a share of so many cores."""
    return max(0.0, worked / (share * cores) - worked)


def cores_there() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_recording(recorder: Recorder, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep) -> None:
    """Record the newest agent again and again, and rest in between; what is said is a sentence, or nothing."""
    cores, began = cores_there(), 0.0  # its first work was to begin
    while True:
        said = recorder.record_newest()
        if said is not None:
            say(said)
        worked = time.process_time() - began
        pause(max(SECONDS_BETWEEN_LOOKS, pause_after(worked, cores) if goes_on(recorder.run) else 0.0))
        began = time.process_time()


def main() -> None:
    """Record until the process that started this one ends."""
    end_with_parent()
    torch.set_num_threads(1)
    run, into, lives = sys.argv[1:]
    keep_recording(Recorder(Path(run), Path(into), int(lives)), lambda said: print(" ".join(said.split()), flush=True))


if __name__ == "__main__":
    main()
