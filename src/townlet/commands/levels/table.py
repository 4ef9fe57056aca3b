"""Levels in few words: all of them in a table, and the size of one in a line."""

from collections.abc import Iterable, Sequence

from rich.table import Column, Table
from rich.text import Text

from townlet.config import GymTask, Level
from townlet.environment.layout import lay_out
from townlet.screen.facts import format_count


def levels_table(levels: Sequence[Level]) -> Table:
    """List levels, one a row: what each is for, and beside that its world, what is seen of it, how it is learned."""
    longest = max((len(level.name) for level in levels), default=0)  # no word is broken on a narrow screen
    heads = (Column("id", no_wrap=True), Column("level", min_width=longest), Column("world, sights, learning"))
    table = Table(*heads, box=None, padding=(0, 2, 1, 0), header_style="dim")
    for level in levels:
        training, grid = level.training, level.grid
        facts = (
            f"{grid.width}x{grid.height} {level.layout.kind}, {_count(len(level.placed_affordances), 'place')}",
            ", ".join(_sights(level)),
            f"{level.network.kind}, {training.num_agents:,} agents",
            f"{format_count(training.total_steps)} steps",
        )
        table.add_row(Text(level.id), Text(f"{level.name}\n{level.description}"), Text("\n".join(facts)))
    return table


def tasks_table(tasks: Iterable[GymTask]) -> Table:
    """List public tasks, one a row."""
    heads = (Column("task", no_wrap=True), "what it asks")
    table = Table(*heads, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for task in tasks:
        table.add_row(Text(task.id), Text(task.description))
    return table


def summary(level: Level) -> str:
    """Tell a level's size in one line."""
    counts = {"place": len(level.placed_affordances), "meter": len(level.present_meters), "action": len(level.actions)}
    told = [_count(count, word) for word, count in counts.items()]
    seen = _count(lay_out(level).obs_dim, "number")
    return ", ".join([f"{level.grid.width}x{level.grid.height} {level.layout.kind}", *told, f"{seen} seen"])


def _sights(level: Level) -> list[str]:
    """What is seen beside the meters and the place underfoot, in few words."""
    window, layout = level.observation.window, lay_out(level)
    words = {"window": f"{window}x{window} cells", "offsets": "all places"}
    return [words.get(part, part) for part in layout.slices if part not in ("meters", "underfoot")] or ["-"]


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
