"""The ladder: level after level, each an ordinary run in one folder, with the weights carried up from rung to rung."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch

from townlet.agent.carrying import CarryError, Interface, carry_weights
from townlet.agent.networks import QNetwork, make_network
from townlet.config import ConfigError, Level, level_problems, load_level, resolved_config
from townlet.environment.layout import lay_out
from townlet.population.vectorized import VectorizedPopulation
from townlet.run.fit import seen_maps
from townlet.run.meta import META_NAME
from townlet.run.plan import NO_PACE, Pacing, with_budget
from townlet.run.run_directory import (
    LADDERS,
    RunDirectory,
    RunError,
    make_run_folder,
    resolve_run,
    write_atomically,
)
from townlet.run.saving import saved

FILE = "ladder.json"
MASTERY = 0.9  # of the limit, by itself


class Outcome(NamedTuple):
    """How a rung was left."""

    steps: int
    score: float | None  # the newest greedy survival
    mastered: bool


class Rung(NamedTuple):
    """A level to train in now."""

    level: Level
    path: Path  # of its run
    begun: bool  # whether it was trained in before, also where no checkpoint was saved yet
    goal: float | None  # greedy survival at which it is mastered; None on the last rung, which lives all its steps


def load_levels(
    references: Sequence[str], overrides: Mapping[str, Any], tell: Callable[[str], object] | None = None
) -> list[Level]:
    """Load the levels of a ladder, see that weights can be carried from each to the next, and that no map is known.

    Where their networks differ, all take that of the last level, without what some level does not show. `tell` is as
    in `load_level`. Raises ConfigError.
    """
    levels = [load_level(reference, overrides, tell) for reference in references]
    ids = [level.id for level in levels]
    if len(set(ids)) < len(ids) or len(ids) < 2:
        raise ConfigError([f"curriculum: expected two levels or more, each once, got {', '.join(ids)}"])
    network = levels[-1].network
    for option in ("directions", "frontier"):  # what reads a part of the observation that not every level has
        asked = [level.model_copy(update={"network": network}) for level in levels]
        if any(problem.key == ("network", option) for level in asked for problem in level_problems(level)):
            network = network.model_copy(update={option: False})
    levels = [level.model_copy(update={"network": network}) for level in levels]
    wrong = [(level.id, problem) for level in levels for problem in level_problems(level)]
    if wrong:
        said = [
            f"level {id}: {'.'.join(map(str, key))}: expected {expected}, got {got}"
            for id, (key, expected, got) in wrong
        ]
        raise ConfigError([f"{line} (all levels of a ladder have the network of the last)" for line in said])
    for below, above in pairwise(levels):
        try:
            carry_weights(_network(below), _interface(below), _network(above), _interface(above))
        except CarryError as error:
            raise ConfigError([f"curriculum: from level {below.id} to {above.id}: {error}"]) from error
    for below, above in combinations(levels, 2):
        if problem := seen_maps(below, above):
            raise ConfigError([f"curriculum: after level {below.id}, level {above.id}: {problem}"])
    return levels


def share_out(levels: Sequence[Level], total: int) -> list[int]:
    """Return the environment steps that each level gets of `total`, in proportion to its own."""
    own = [level.training.total_steps for level in levels]
    return [max(1, total * steps // sum(own)) for steps in own]


class Ladder:
    """A folder with a run for each level, and ladder.json: the order, what counts as mastered, and how rungs ended.

    `pace` holds the steps between checkpoints and between evaluations of every rung, None where nobody asked for some.
    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path, self.facts = path, facts
        self.levels = [load_level(path / name / "config.yaml") for name in facts["rungs"]]
        self.pace = Pacing(**facts.get("pace", {}))  # ladders did not always keep it

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        run_name: str | None,
        levels: Sequence[Level],
        mastery: float,
        total_steps: int | None,
        pace: Pacing = NO_PACE,
    ) -> "Ladder":
        """Make the folder, with a run for each level that has not begun. Raises RunError.

        A level is mastered at a greedy survival of `mastery` times its limit. `total_steps` of the whole ladder are by
        default those of its levels together.
        """
        total = total_steps or sum(level.training.total_steps for level in levels)
        path = make_run_folder(runs_dir / LADDERS, levels[0].training.seed, run_name)
        names = [f"{level.id}_{level.name}" for level in levels]
        for name, level, steps in zip(names, levels, share_out(levels, total), strict=True):
            with RunDirectory.create(path.parent, path.name, level.training.seed, name) as run:
                run.write_config(resolved_config(with_budget(level, steps, pace.evaluate_every)))
        ladder = cls(path, {"rungs": names, "mastery": mastery, "total_steps": total, "outcomes": []})
        ladder.keep_pace(pace)
        return ladder

    @classmethod
    def open(cls, path: Path) -> "Ladder":
        """Read a ladder's folder. Raises RunError, and ConfigError where a level in it is wrong."""
        try:
            facts = json.loads((path / FILE).read_text())
            kinds = {"rungs": list, "mastery": float, "total_steps": int, "outcomes": list}
            if any(type(facts[name]) is not kind for name, kind in kinds.items()):
                raise ValueError("a value of another kind")
            for outcome in facts["outcomes"]:
                Outcome(**outcome)
            Pacing(**facts.get("pace", {}))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"{path / FILE}: expected a ladder, got {type(error).__name__}: {error}") from error
        return cls(path, facts)

    @property
    def outcomes(self) -> list[Outcome]:
        """How the rungs that were left ended."""
        return [Outcome(**one) for one in self.facts["outcomes"]]

    @property
    def paths(self) -> list[Path]:
        """The run of each level, in their order."""
        return [self.path / name for name in self.facts["rungs"]]

    def rung(self) -> Rung | None:
        """Return what is to be trained in now; None where all is done."""
        done, names = len(self.outcomes), self.facts["rungs"]
        if done == len(names):
            return None
        level, path, last = self.levels[done], self.path / names[done], done == len(names) - 1
        if last:  # what mastered levels left of their steps is lived here
            left = self.facts["total_steps"] - sum(one.steps for one in self.outcomes)
            level = with_budget(level, max(1, left))
        if self.pace.evaluate_every:
            level = with_budget(level, level.training.total_steps, self.pace.evaluate_every)
        begun = (path / META_NAME).exists() or any((path / "checkpoints").glob("step_*"))
        return Rung(level, path, begun, None if last else self.facts["mastery"] * level.max_steps)

    def newest(self) -> Path:
        """Return the run of the present rung, of the last one where all is done."""
        return self.paths[min(len(self.outcomes), len(self.levels) - 1)]

    def teach(self, population: VectorizedPopulation) -> None:
        """Give a rung's population the weights of the rung below; on the first there are none."""
        done = len(self.outcomes)
        if not done:
            return
        level, path = self.levels[done - 1], self.path / self.facts["rungs"][done - 1]
        below = _network(level)
        saved.load_network(below, saved.find(path, level, "latest", lambda _: None))
        below.to(population.device)
        carry_weights(below, _interface(level), population.network, _interface(self.levels[done]))
        population.learner.copy_to_target()

    def keep_pace(self, asked: Pacing) -> None:
        """Pace all rungs from now on as is asked, where something is, else as before. Raises RunError."""
        self.pace = Pacing(*(new or old for new, old in zip(asked, self.pace, strict=True)))
        self.facts["pace"] = self.pace._asdict()
        self._write()

    def leave(self, outcome: Outcome) -> None:
        """Note how the present rung ended. Raises RunError."""
        self.facts["outcomes"].append(outcome._asdict())
        self._write()

    def _write(self) -> None:
        try:
            write_atomically(self.path / FILE, json.dumps(self.facts, indent=1).encode())
        except OSError as error:
            raise RunError(f"cannot write {self.path / FILE}: {error.strerror}") from error


def find_ladder(reference: str, runs_dir: Path) -> Path | None:
    """Return the folder of the ladder that `reference` means: its path or name, or a run in it; None for none."""
    for path in (Path(reference), runs_dir / reference, runs_dir / LADDERS / reference):
        if reference != "latest" and os.path.isfile(path / FILE):
            return path
    above = resolve_run(reference, runs_dir).parent
    return above if os.path.isfile(above / FILE) else None


def _network(level: Level) -> QNetwork:
    with torch.random.fork_rng(devices=[]):
        return make_network(level.network, lay_out(level), len(level.actions))


def _interface(level: Level) -> Interface:
    return Interface.of(level, lay_out(level))
