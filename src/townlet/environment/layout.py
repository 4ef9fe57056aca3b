"""Where each part of an observation lies: what can be said of it without a tensor, and without PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass

from townlet.config import Level


@dataclass(frozen=True)
class Image:
    """An image among what is observed: where it lies, flat, and what its numbers span.

    It is [channels, height, width] with `channels_first`, else [height, width, channels].
    """

    part: slice
    height: int
    width: int
    channels: int
    channels_first: bool
    low: float
    high: float


@dataclass(frozen=True)
class ObservationLayout:
    """Where each part of an observation lies.

    `window_size` is the window's side, None without a window; `grid` the map's columns and rows, None without a map.
    `choices` are how many there are of each, where an action is several choices at once, in row-major order. `images`
    lie within the parts. `in_bytes`: all that is observed are whole numbers from 0 to 255. `equal_parts`: of so many
    alike, one after the other, an observation is made.
    """

    slices: dict[str, slice]
    window_size: int | None = None
    grid: tuple[int, int] | None = None
    choices: tuple[int, ...] = ()
    images: tuple[Image, ...] = ()
    in_bytes: bool = False
    equal_parts: int = 1

    @property
    def obs_dim(self) -> int:
        """Width of an observation."""
        return max((part.stop for part in self.slices.values()), default=0)

    def width(self, part: str) -> int:
        """Width of one part."""
        return self.slices[part].stop - self.slices[part].start


def lay_out(level: Level) -> ObservationLayout:
    """Lay out the observation of a level, in the order in which `observation.observe` writes it."""
    slices, start = {}, 0
    for name, width_in in WIDTHS.items():
        if width := width_in(level):
            slices[name] = slice(start, start + width)
            start += width
    return ObservationLayout(slices, level.observation.window, (level.grid.width, level.grid.height))


def _position(level: Level) -> int:
    one_hot = level.grid.width * level.grid.height
    return {None: 0, "normalised": 2, "one_hot": one_hot}[level.observation.position]


# How many numbers each part takes, 0 where a level has it not, in the order in which the parts follow one another. What
# each holds is said in `level.parts.Observation`, and how it is written in `observation.PARTS`.
WIDTHS: dict[str, Callable[[Level], int]] = {
    "window": lambda level: (level.observation.window or 0) ** 2,
    "position": _position,
    "offsets": lambda level: 2 * len(level.affordances) * level.observation.offsets,
    "meters": lambda level: len(level.present_meters),
    "underfoot": lambda level: len(level.affordances) + 1,
    "clock": lambda level: 2 * level.observation.clock,
    "progress": lambda level: int(level.observation.progress),
    "age": lambda level: int(level.observation.age),
}
