"""`townlet transfer`: how long agents live in levels that they did not learn in."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from townlet.agent.networks import QNetwork
from townlet.bench.statistics import Interval, bootstrap_interval
from townlet.config import ConfigError, Level, Task, load_level, load_task
from townlet.environment.types import WorldError
from townlet.evaluate import evaluation_seed, find_checkpoint, load_world, trained_network
from townlet.level.file import NOT_THE_WORLD, shipped_levels
from townlet.population.evaluation import evaluate
from townlet.run.run_directory import RunError
from townlet.run.saving.checkpoint import CheckpointError
from townlet.run.saving.saved import find_run
from townlet.screen.command_line import (
    DONE,
    Parser,
    aside,
    labelled,
    named,
    named_list,
    named_path,
    positive,
    tells_errors,
)
from townlet.screen.device import device_named
from townlet.screen.process import run_as_process

HOME = "*"  # marks the level that an agent learned in


class Agent(NamedTuple):
    """A trained agent, and the task that it learned in."""

    learned: Task
    network: QNetwork


class Cell(NamedTuple):
    """Scores of a label's agents in a level, one a seed; or none, and the reason."""

    scores: tuple[float, ...] = ()
    reason: str = ""
    home: bool = False  # whether they learned there

    @property
    def interval(self) -> Interval:
        """Mean over the seeds, and its bootstrap interval."""
        return bootstrap_interval(self.scores)


class TransferTable(NamedTuple):
    """What agents reach: `rows` holds a label's cells, one a level."""

    episodes: int  # of each agent in each level
    levels: Sequence[Task]
    rows: Mapping[str, Sequence[Cell]]

    def reasons(self) -> list[str]:
        """Every reason for an empty cell, once, in the order in which they come."""
        return list(dict.fromkeys(cell.reason for row in self.rows.values() for cell in row if cell.reason))

    def texts(self) -> list[list[str]]:
        """The table as text, under its head a line a level: what agents reach, and what other policies are known to."""
        known = dict.fromkeys(name for level in self.levels for name in level.yardsticks)
        lines = [["level", *self.rows, *known]]
        for level, *cells in zip(self.levels, *self.rows.values(), strict=True):
            limit = level.score.limit
            scores = [f"{level.yardsticks[name]:g}" if name in level.yardsticks else "" for name in known]
            lines.append([f"{level.id} (of {limit})" if limit else level.id, *map(self._text, cells), *scores])
        return lines

    def _text(self, cell: Cell) -> str:
        if cell.reason:
            return f"- ({self.reasons().index(cell.reason) + 1})"
        mean, low, high = cell.interval
        between = f" [{low:.1f}, {high:.1f}]" if len(cell.scores) > 1 else ""
        return f"{mean:.1f}{between}{HOME * cell.home}"

    def notes(self) -> list[str]:
        """What stands under the table."""
        played = f"{self.episodes} greedy episodes an agent; [mean over seeds between]; {HOME} learned there"
        return [played, *(f"({number}) {reason}" for number, reason in enumerate(self.reasons(), start=1))]

    def as_json(self) -> dict[str, Any]:
        """The table as plain values: for each label and level scores and interval, or a reason."""
        rows = {
            label: {level.id: _plain(cell) for level, cell in zip(self.levels, cells, strict=True)}
            for label, cells in self.rows.items()
        }
        return {"episodes": self.episodes, "levels": [level.id for level in self.levels], "agents": rows}

    def as_markdown(self) -> str:
        """The table for a document."""
        head, *rows = [[text.replace("|", "\\|") for text in row] for row in self.texts()]
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(
            [*(f"| {' | '.join(line)} |" for line in lines), "", *(f"{one}  " for one in self.notes()), ""]
        )


@tells_errors("townlet transfer", RunError, CheckpointError, WorldError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet transfer", description="Play trained agents in other levels, all in one table.")
    parser.add_argument(
        "runs", nargs="+", type=labelled, metavar="LABEL=RUN", help="a run; runs of one label are seeds of one thing"
    )
    parser.add_argument(
        "--levels", type=named_list, help="ids, names or files with commas between (default: every shipped world)"
    )
    parser.add_argument("--episodes", type=positive, default=512, help="of each agent in each level (default: 512)")
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument("--markdown", type=named_path, metavar="FILE", help="write the table there")
    parser.add_argument("--json", type=named_path, metavar="FILE", help="write scores and intervals there")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    table = _measure(options)
    _show(table)
    if options.markdown:
        options.markdown.write_text(table.as_markdown(), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(table.as_json()), encoding="utf-8")
    return DONE


def _measure(options: Namespace) -> TransferTable:
    names = options.levels or shipped_worlds()
    levels, agents, rows = [load_task(name) for name in names], _load_agents(options), dict[str, list[Cell]]()
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("playing", total=len(agents) * len(levels))
        for label, seeds in agents.items():
            for name, level in zip(names, levels, strict=True):
                progress.update(task, description=f"{label} in level {level.id}")
                rows.setdefault(label, []).append(_play(seeds, name, options))
                progress.advance(task)
    return TransferTable(options.episodes, levels, rows)


def shipped_worlds() -> list[str]:
    """Return the ids of the shipped levels, of those that share a world the first; broken ones are told of."""
    found: dict[str, Level] = {}
    for name, path in shipped_levels().items():
        try:
            level = load_level(path)
        except ConfigError as error:
            print(error, file=sys.stderr)
            continue
        if all(_world(level) != _world(other) for other in found.values()):
            found[name] = level
    return list(found)


def _world(level: Level) -> dict[str, Any]:
    return level.model_dump(exclude=NOT_THE_WORLD | {"yardsticks"})


def _load_agents(options: Namespace) -> dict[str, list[Agent]]:
    agents: dict[str, list[Agent]] = {}
    for label, reference in options.runs:
        run, name = find_run(reference, options.runs_dir, options.checkpoint, tell=aside)
        learned = load_task(run / "config.yaml")
        found = find_checkpoint(run, learned, name)
        seeds = agents.setdefault(label or run.name, [])
        if seeds and seeds[0].learned.id != learned.id:
            expected = f"runs of one level, {seeds[0].learned.id}"
            raise ConfigError([f"{label}: expected {expected}, got one of {learned.id}: {run}"])
        seeds.append(Agent(learned, trained_network(learned, found, options.device)))
    return agents


def _play(seeds: Sequence[Agent], level: str, options: Namespace) -> Cell:
    scores = []
    for learned, network in seeds:
        try:
            world = load_world(learned, level)
        except ConfigError as error:
            return Cell(reason=str(error))
        result = evaluate(world, network, options.episodes, evaluation_seed(learned), options.device)
        scores.append(float(result[world.score.key]))
    return Cell(tuple(scores), home=world.id == seeds[0].learned.id)


def _plain(cell: Cell) -> dict[str, Any]:
    if cell.reason:
        return {"reason": cell.reason}
    return {"each": list(cell.scores), **cell.interval._asdict(), "home": cell.home}


def _show(table: TransferTable) -> None:
    head, *rows = table.texts()
    drawn = Table(*(Column(Text(name)) for name in head), box=None, padding=(0, 2, 0, 0), header_style="dim")
    for row in rows:
        drawn.add_row(*map(Text, row))
    Console().print(drawn, *map(Text, table.notes()), sep="\n")


if __name__ == "__main__":
    sys.exit(run_as_process(main))
