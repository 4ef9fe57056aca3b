"""What may change where a run is resumed, and what is the run's for good."""

from collections.abc import Iterator, Mapping
from typing import Any

from townlet.config import ConfigError, Task
from townlet.level.errors import short

# Keys of a task that may change, with all below them: what is told of it, what is learned for, and how.
MAY_CHANGE = ("description", "yardsticks", "reward", "sparse_reward", "evaluation", "training", "on_cuda", "replays")
# But for these, with all below them: chance follows from the seed, and the saved state has the shape of the others.
KEPT = (
    "training.seed", "training.num_agents", "training.workers", "training.seq_len", "training.mode.kind",
    "training.mode.capacity", "training.mode.stored_every", "training.mode.priority", "training.curriculum.kind",
    "training.curriculum.stages", "training.curriculum.episodes", "training.curiosity.hidden",
    "training.curiosity.embedding", "training.curiosity.anneal.episodes", "training.recall.ask", "training.recall.tell",
    "training.recall.back", "training.prediction.width",
)  # fmt: skip
# These may change, but not so that a target network comes or goes, which is saved.
OF_TARGET = ("training.target_every", "training.target_rate")


def refuse_changes(before: Task, now: Task, run: object) -> None:
    """Raise ConfigError, with a line for each key, where a resumed run would not be the run that it was."""
    comes_or_goes = before.training.has_target != now.training.has_target
    wrong = [
        f"--resume {run}: {key}: expected {_short(old)}, with which the run began, got {_short(new)}"
        for key, old, new in _differences(before.model_dump(), now.model_dump())
        if not _may_change(key) or (comes_or_goes and key in OF_TARGET)
    ]
    if wrong:
        raise ConfigError(wrong)


def _differences(before: Any, now: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each innermost key at which two tasks differ, with both values."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(name), now.get(name), f"{key}.{name}".removeprefix("."))
    elif before != now:
        yield key, before, now


def _may_change(key: str) -> bool:
    """Whether neither the key is one that is kept, nor any that is lies below it."""
    return key.partition(".")[0] in MAY_CHANGE and not any(_is_below(key, one) or _is_below(one, key) for one in KEPT)


def _is_below(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")


def _short(value: Any) -> str:
    return short([*value] if isinstance(value, tuple) else value)
