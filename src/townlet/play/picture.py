"""The game as it stands on a terminal: the town in fog, what is underfoot, the meters, and the keys."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from townlet.config import Affordance, Level
from townlet.environment.gym.picture import FOG_LETTER, Scene, colour_of, letters_of
from townlet.play.game import Game

CELL = 3  # columns of a terminal a cell of the map
POLICY_LETTER = "&"  # no letter of a place
GROUND, REMEMBERED, SHUT = "on grey27", "grey50", "grey42"


def picture(game: Game, said: str, keys: str) -> RenderableType:
    """Return the whole screen; `said` is what became of the last key, `keys` what keys there are."""
    level, scene = game.level, game.scene
    title = Text(f"level {level.id} {level.name}", style="bold")
    both = Table.grid(padding=(0, 3))
    both.add_row(_town(game, scene), _meters(level, scene))
    deadly = Text("who has none of what is written bold is dead", style="dim")
    rows: list[RenderableType] = [title, Text(scene.clock(level)), Text(), both, deadly, Text()]
    rows += [_legend(game, scene), _underfoot(level, scene)]
    if (other := _policy(game)) is not None:
        rows.append(other)
    return Group(*rows, Text(said, style="yellow"), Text(), Text(keys, style="dim"))


def _town(game: Game, scene: Scene) -> Text:
    level, letters, beside = game.level, letters_of(game.level), game.beside
    lines = []
    for y in range(level.grid.height):
        line = Text()
        for x in range(level.grid.width):
            ghost = beside is not None and (beside.x, beside.y) == (x, y)
            line.append(*_cell(game, scene, (x, y), letters, ghost))
        lines.append(line)
    return Text("\n").join(lines)


def _cell(game: Game, scene: Scene, cell: tuple[int, int], letters: list[str], ghost: bool) -> tuple[str, str]:
    """The letters of a cell, and their style."""
    index = scene.places.get(cell)
    if cell == (scene.x, scene.y):
        return f"{'x' if scene.dead else '@':^{CELL}}", "bold black on bright_white"
    if scene.sees(game.level, cell):
        if ghost:
            return f"{POLICY_LETTER:^{CELL}}", "bold bright_cyan on grey27"
        if index is None:
            return f"{'.':^{CELL}}", f"grey54 {GROUND}"
        red, green, blue = colour_of(index, len(letters))
        is_open = scene.is_open(game.level, index)
        return (
            f"{letters[index]:^{CELL}}",
            f"bold white on rgb({red},{green},{blue})" if is_open else f"white on {SHUT}",
        )
    if cell in game.seen:  # what was seen stays in a person's memory, so it stays on the screen
        return f"{letters[index] if index is not None else '.':^{CELL}}", REMEMBERED
    return FOG_LETTER * CELL, "grey30"


def _meters(level: Level, scene: Scene) -> Table:
    low = level.cascades.threshold if level.cascades else 0.3
    table = Table.grid(padding=(0, 1))
    for name, value in zip(level.present_meters, scene.meters, strict=True):
        style = "green" if value >= low else "yellow" if value >= low / 2 else "red"
        lethal = Text(name, style="bold" if level.meters[name].lethal else "")
        table.add_row(lethal, ProgressBar(1.0, value, width=20, complete_style=style), f"{value:.2f}")
    return table


def _legend(game: Game, scene: Scene) -> Text:
    """The places that were seen, those in view in bold."""
    names, letters = list(game.level.affordances), letters_of(game.level)
    seen = {
        index: cell for cell, index in sorted(scene.places.items(), key=lambda place: place[1]) if cell in game.seen
    }
    styles = {index: "bold" if scene.sees(game.level, cell) else "dim" for index, cell in seen.items()}
    places = [Text(f"{letters[index]} {names[index]}", style) for index, style in styles.items()]
    return Text(", ").join(places) if places else Text("no place seen yet", "dim")


def _underfoot(level: Level, scene: Scene) -> Text:
    index = scene.places.get((scene.x, scene.y))
    if index is None:
        return Text("here: nothing")
    name, one = list(level.affordances.items())[index]
    closed = "" if scene.is_open(level, index) else ", closed now"
    begun = f", {scene.progress} of {one.ticks} ticks done" if scene.progress else ""
    return Text(f"here: {name}, {deal(level, one)}{closed}{begun}")


def deal(level: Level, one: Affordance) -> str:
    """Say what an interaction takes and brings, and how long and when."""
    change = {
        name: one.effects.get(name, 0.0) - one.costs.get(name, 0.0)  # a negative cost is an income
        for name in level.present_meters
    }
    takes = ", ".join(f"{-by:.2g} {name}" for name, by in change.items() if by < 0)
    brings = ", ".join(f"{by:.2g} {name}" for name, by in change.items() if by > 0)
    said = " and ".join([*([f"takes {takes}"] if takes else []), *([f"brings {brings}"] if brings else [])])
    ticks = f", {one.ticks} ticks" if level.multi_tick and one.ticks > 1 else ""
    hours = f", open from {one.hours[0]} to {one.hours[1]}" if level.day_ticks and one.hours else ""
    return f"{said or 'does nothing'}{ticks}{hours}"


def _policy(game: Game) -> Text | None:
    """How the policy fares beside."""
    if (beside := game.beside) is None:
        return None
    end = game.ended[1]
    if end is not None:
        fate = f"died of {end.cause}" if end.cause else "reached the limit"
        return Text(f"the agent ({POLICY_LETTER}) {fate} after {end.steps} steps", style="bright_cyan")
    worst = min(zip(beside.meters, game.level.present_meters, strict=True))
    return Text(f"the agent ({POLICY_LETTER}) lives, lowest is {worst[1]} at {worst[0]:.2f}", style="bright_cyan")
