"""How a ladder begins, as it is asked for by flags or by keywords, or goes on as it is."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from townlet.config import ConfigError, Level
from townlet.run.ladder import MASTERY, Ladder, load_levels
from townlet.run.plan import Pacing, Wishes, describe, make_plan
from townlet.run.training import describe_climb

ALL_IS_DONE = "nothing is left to train: every level of the ladder is done"
Say = Callable[[str], object]


class Climb(NamedTuple):
    """A ladder as it is asked for: a new one, or one that goes on."""

    path: Path | None  # of one that goes on
    levels: Sequence[str]  # of a new one: ids, names or files
    mastery: float | None
    total_steps: int | None  # of all levels together
    overrides: Mapping[str, Any]  # by dotted keys of each level
    pace: Pacing
    run_name: str | None
    runs_dir: Path

    def ladder(self, say: Say) -> Ladder:
        """Make the folder of a new ladder, or open the one that goes on; `say` is told what is settled, a line each.

        Raises ConfigError for what is asked wrongly, and RunError.
        """
        if self.path is None:
            levels = self._load(say)
            return Ladder.create(
                self.runs_dir, self.run_name, levels, self.mastery or MASTERY, self.total_steps, self.pace
            )
        ladder = self._open(self.path)
        ladder.keep_pace(self.pace)
        if ladder.rung() is None:
            say(ALL_IS_DONE)
        return ladder

    def plan(self, wishes: Wishes, say: Say) -> str:
        """Tell a person what there is to train, and write nothing. Raises as `ladder` does."""
        if self.path is None:
            levels = self._load(say)
            return describe_climb(levels, wishes, self.total_steps, self.mastery or MASTERY, self.pace)
        if rung := self._open(self.path).rung():
            return describe(rung.level, make_plan(rung.level, wishes, rung.goal), wishes.device, rung.path)
        return ALL_IS_DONE

    def _load(self, say: Say) -> list[Level]:
        return load_levels(self.levels, self.overrides, say)

    def _open(self, path: Path) -> Ladder:
        if self.overrides or self.total_steps:
            raise ConfigError([f"{path}: a ladder goes on as it is, without other settings"])
        return Ladder.open(path)
