"""Levels in few words: all of them in a table, and the size of one in a line."""

from collections.abc import Iterable

from rich.table import Column, Table
from rich.text import Text

from townlet.config import Level
from townlet.environment.layout import lay_out
from townlet.screen.facts import format_count


def levels_table(levels: Iterable[Level]) -> Table:
    """List levels, one a row: what the world is, what is seen of it, and how it is learned."""
    table = Table(Column("id", no_wrap=True), "level", "map", "seen", "learned", padding=(0, 1, 1, 0))
    for level in levels:
        training, grid = level.training, level.grid
        world = f"{grid.width}x{grid.height} {level.layout.kind}\n{_count(len(level.placed_affordances), 'place')}"
        steps = f"{training.num_agents:,} agents\n{format_count(training.total_steps)} steps"
        about = Text(f"{level.name}\n{level.description}", overflow="fold")
        table.add_row(Text(level.id), about, world, "\n".join(_sights(level)), f"{level.network.kind}\n{steps}")
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
