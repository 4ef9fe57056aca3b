"""A town as a person sees it through one agent: a picture, or lines of text.

What the agent does not see now lies in fog. Colours, letters and words follow from the level alone.
"""

import colorsys
import math
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from townlet.config import Level
from townlet.environment import rules
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState

MAP, PANEL, MARGIN = 480, 260, 16  # pixels: longer side of the map, panel beside it, space between
FINE = 2  # how much finer it is drawn than it is shown
GROUND, GRASS, FOG, TEXT, FAINT = (28, 31, 38), (126, 158, 108), (34, 40, 52), (236, 238, 242), (150, 157, 170)
NIGHT, CLOSED, AGENT = (24, 30, 66), (112, 116, 122), (250, 250, 252)
GOOD, LOW, EMPTY = (104, 190, 120), (232, 178, 72), (222, 88, 80)
FOG_LETTER = "\N{LIGHT SHADE}"
DARKEST = 0.55  # of the night over the town at midnight
Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]  # [height, width, 3]


class Scene(NamedTuple):
    """What one agent's world is in a moment, in plain numbers."""

    x: int
    y: int
    tick: int
    progress: int
    meters: list[float]
    places: dict[tuple[int, int], int]  # the affordance in a cell
    dead: bool

    @classmethod
    def of(cls, level: Level, tables: Tables, state: EnvState, agent: int) -> "Scene":
        """Read the scene of an agent from the state of all."""
        first, count = int(state.map_index[agent]) * len(level.affordances), len(level.affordances)
        x, y = (column[first : first + count].tolist() for column in (tables.place_x, tables.place_y))
        meters = state.meters[:, agent].tolist()
        lethal = [level.meters[name].lethal for name in level.present_meters]
        return cls(
            x=int(state.x[agent]),
            y=int(state.y[agent]),
            tick=int(state.tick[agent]),
            progress=int(state.progress[agent]),
            meters=meters,
            places={(x[index], y[index]): index for index in range(count) if x[index] >= 0},
            dead=any(kills and value <= rules.EMPTY for kills, value in zip(lethal, meters, strict=True)),
        )

    def sees(self, level: Level, cell: tuple[int, int]) -> bool:
        """Whether the agent sees a cell: within its window, and everything where it has none."""
        reach = (level.observation.window or 1 + 2 * max(level.grid.width, level.grid.height)) // 2
        return max(abs(cell[0] - self.x), abs(cell[1] - self.y)) <= reach

    def is_open(self, level: Level, affordance: int) -> bool:
        """Whether an affordance can be used at this hour."""
        hours = list(level.affordances.values())[affordance].hours
        if level.day_ticks is None or hours is None:
            return True
        hour, (opening, closing) = self.tick % level.day_ticks, hours
        return opening <= hour < closing if opening < closing else hour >= opening or hour < closing

    def clock(self, level: Level) -> str:
        """The step, and the hour where there is a day."""
        hour = "" if level.day_ticks is None else f", hour {self.tick % level.day_ticks} of {level.day_ticks}"
        return f"step {self.tick} of {level.max_steps}{hour}"


# --- text ---------------------------------------------------------------------------------------------------------


def write(level: Level, scene: Scene) -> str:
    """Write the town as text: @ the agent, a letter a place, a dot for ground in view, and the meters."""
    names, letters = list(level.affordances), letters_of(level)
    lines = [f"level {level.id} {level.name}, {scene.clock(level)}{', dead' if scene.dead else ''}"]
    for y in range(level.grid.height):
        row = [(x, y) for x in range(level.grid.width)]
        lines.append(" ".join(_letter(level, scene, cell, letters) for cell in row))
    seen = sorted({index for cell, index in scene.places.items() if scene.sees(level, cell)})
    lines.append(", ".join(f"{letters[index]} {names[index]}" for index in seen) or "nothing in view")
    if (underfoot := scene.places.get((scene.x, scene.y))) is not None:
        lines.append(f"@ is at {names[underfoot]}{'' if scene.is_open(level, underfoot) else ', closed'}")
    values = zip(level.present_meters, scene.meters, strict=True)
    return "\n".join([*lines, ", ".join(f"{name} {value:.2f}" for name, value in values)]) + "\n"


def letters_of(level: Level) -> list[str]:
    """Return a letter of its own for each affordance: the first of its name that is free, else the first of all."""
    taken: list[str] = []
    for name in level.affordances:
        spare = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        letters = [letter for letter in (name[0].upper(), *name[1:].lower(), *spare) if letter.isalnum()]
        taken.append(next((letter for letter in letters if letter not in taken), "?"))
    return taken


def _letter(level: Level, scene: Scene, cell: tuple[int, int], letters: list[str]) -> str:
    if cell == (scene.x, scene.y):
        return "@"
    if not scene.sees(level, cell):
        return FOG_LETTER
    return letters[scene.places[cell]] if cell in scene.places else "."


# --- picture ------------------------------------------------------------------------------------------------------


def draw(level: Level, scene: Scene) -> Picture:
    """Draw the town as [height, width, 3] uint8: the map with fog, and beside it the clock and the meters."""
    cell = max(4, MAP // max(level.grid.width, level.grid.height))
    width, height = cell * level.grid.width, cell * level.grid.height
    wide, tall = width + PANEL + 3 * MARGIN, max(height + 2 * MARGIN, 110 + 30 * len(level.present_meters))
    size = (wide + wide % 2, tall + tall % 2)  # video encoders take even numbers alone
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), GROUND)
    town = Brush(ImageDraw.Draw(image), MARGIN, (size[1] - height) // 2)
    _draw_town(town, level, scene, cell)
    _draw_panel(Brush(town.canvas, width + 2 * MARGIN, MARGIN), level, scene)
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.uint8).copy()


class Brush(NamedTuple):
    """A canvas with an origin, whose pixels are `FINE` times finer than those of the picture; all is said in these."""

    canvas: ImageDraw.ImageDraw
    left: int
    top: int

    def box(self, x: float, y: float, width: float, height: float, fill: Colour, round: float = 0.0) -> None:
        """Fill a box with round corners."""
        corners = [self.left + x, self.top + y, self.left + x + width - 0.5, self.top + y + height - 0.5]
        self.canvas.rounded_rectangle([one * FINE for one in corners], round * FINE, fill)

    def text(self, x: float, y: float, said: str, size: int, fill: Colour, anchor: str = "la") -> None:
        """Write a line or several, at an anchor as Pillow names them."""
        place = ((self.left + x) * FINE, (self.top + y) * FINE)
        self.canvas.multiline_text(place, said, fill, _font(size * FINE), anchor, spacing=FINE, align="center")

    def disc(self, x: float, y: float, radius: float, fill: Colour, turn: float = 1.0) -> None:
        """Fill a disc, or a share of it from the top on."""
        place = [(self.left + x - radius), (self.top + y - radius), (self.left + x + radius), (self.top + y + radius)]
        self.canvas.pieslice([one * FINE for one in place], -90, -90 + 360 * turn, fill)


def _draw_town(brush: Brush, level: Level, scene: Scene, cell: int) -> None:
    dark, names, gap = _darkness(level, scene), list(level.affordances), 1 if cell > 8 else 0
    for y in range(level.grid.height):
        for x in range(level.grid.width):
            fog = 0.0 if scene.sees(level, (x, y)) else 0.62
            shade = 1.0 if (x + y) % 2 else 0.96
            ground = tuple(int(part * shade) for part in GRASS)
            brush.box(x * cell, y * cell, cell - gap, cell - gap, _mix(_mix(ground, NIGHT, dark), FOG, fog))
            if (index := scene.places.get((x, y))) is None:
                continue
            wall = colour_of(index, len(names)) if scene.is_open(level, index) else CLOSED
            wall = _mix(_mix(wall, NIGHT, 0.6 * dark), FOG, fog)
            inset = 0.08 * cell
            side = cell - 2 * inset - gap
            brush.box(x * cell + inset, y * cell + inset, side, side, wall, 0.14 * cell)
            said, size = _label(names[index], cell - 2 * inset - 3)
            middle = 0.33 if "\n" in said else 0.36
            brush.text((x + 0.5) * cell, (y + middle) * cell, said, size, _mix(TEXT, FOG, 0.7 * fog), "mm")
    _draw_agent(brush, level, scene, cell)


def _draw_agent(brush: Brush, level: Level, scene: Scene, cell: int) -> None:
    underfoot = scene.places.get((scene.x, scene.y))
    x, y = (scene.x + 0.5) * cell, (scene.y + (0.5 if underfoot is None else 0.74)) * cell
    radius = (0.3 if underfoot is None else 0.17) * cell
    brush.disc(x, y, radius, GROUND)
    brush.disc(x, y, 0.86 * radius, EMPTY if scene.dead else AGENT)
    if underfoot is not None and scene.progress and level.multi_tick:
        done = scene.progress / list(level.affordances.values())[underfoot].ticks
        brush.disc(x, y, 0.86 * radius, GOOD, done)


def _draw_panel(brush: Brush, level: Level, scene: Scene) -> None:
    brush.text(0, 0, f"level {level.id}", 20, TEXT)
    brush.text(0, 28, scene.clock(level), 13, FAINT)
    if scene.dead:
        brush.text(0, 48, "dead", 13, EMPTY)
    low = level.cascades.threshold if level.cascades else 0.3
    for index, (name, value) in enumerate(zip(level.present_meters, scene.meters, strict=True)):
        top = 74 + 30 * index
        lethal = level.meters[name].lethal
        brush.text(0, top, name, 13, TEXT if lethal else FAINT)
        brush.text(PANEL, top, f"{value:.2f}", 13, FAINT, "ra")
        brush.box(0, top + 17, PANEL, 6, (52, 57, 68), 3)
        if value > 0.0:
            filled = GOOD if value >= low else LOW if value >= low / 2 else EMPTY
            brush.box(0, top + 17, max(6.0, PANEL * value), 6, filled, 3)


def colour_of(index: int, count: int) -> Colour:
    """Return the colour of one of so many affordances: hues all around, neighbours in lightness apart."""
    red, green, blue = colorsys.hls_to_rgb(index / max(count, 1), 0.46 if index % 2 else 0.36, 0.52)
    return int(255 * red), int(255 * green), int(255 * blue)


def _darkness(level: Level, scene: Scene) -> float:
    """How much of the night lies over the town: none at noon, the most at midnight, none where there is no day."""
    if level.day_ticks is None:
        return 0.0
    return DARKEST * (0.5 + 0.5 * math.cos(2.0 * math.pi * (scene.tick % level.day_ticks) / level.day_ticks))


def _mix(one: tuple[int, ...], other: Colour, share: float) -> Colour:
    red, green, blue = (round(part + (end - part) * share) for part, end in zip(one, other, strict=True))
    return red, green, blue


@lru_cache(maxsize=256)
def _label(name: str, width: float) -> tuple[str, int]:
    """A name, its words in lines, in the largest letters that fit into a width; its first letters where none do."""
    words = "\n".join(re.findall(r"[A-Z]?[^A-Z\s_]+|[A-Z]+", name)) or name
    for said in (words, name[:3], name[:2], name[:1]):
        for size in range(int(width // 3), 6, -1):
            if max(_font(size).getlength(line) for line in said.split("\n")) <= width:
                return said, min(size, 13 if "\n" in said or len(said) > 3 else size)
    return name[:1], 7


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path  # takes its time, and most never draw

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
