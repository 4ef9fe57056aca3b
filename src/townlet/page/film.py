"""A recorded life as pictures: the town, the meters, and the memory lens below."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from townlet.config import Level, load_level
from townlet.environment.gym.picture import FAINT, FINE, GOOD, GROUND, MARGIN, TEXT, Brush, Picture, Scene, draw
from townlet.page.numbers import Array
from townlet.page.replay import Replay

ROW, NAME, BAR = 22, 110, 210  # pixels: height of an action's row, width of its name, and of each of its two bars
WITH, WITHOUT, TRACK = GOOD, (138, 150, 214), (52, 57, 68)


def film(replay: Replay, life: int, first: int = 0, last: int | None = None) -> Iterator[Picture]:
    """Draw the frames `first` to `last` of a life, each [height, width, 3] uint8, all of one even size.

    Below the town stands what the network thinks each action worth with its memory and with none. Raises IndexError
    for frames that the life has not.
    """
    level, length = level_of(replay), replay.lives[life].length
    last = length if last is None else last
    if not 0 <= first <= last <= length:
        raise IndexError(f"frames: expected some of 0 to {length}, got {first} to {last}")
    columns = {name: replay[name][life] for name in replay}
    for frame in range(first, last + 1):
        town = draw(level, _scene(level, replay, life, columns, frame))
        lens = _draw_lens(level, columns, min(frame, length - 1), town.shape[1], over=frame == length)
        yield np.concatenate([town, lens])


def level_of(replay: Replay) -> Level:
    """Return the level that a replay was recorded in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "level.yaml"
        path.write_text(replay.header.level.yaml, encoding="utf-8")
        return load_level(path)


def _scene(level: Level, replay: Replay, life: int, columns: dict[str, Array], frame: int) -> Scene:
    recorded = replay.lives[life]
    x, y = (int(part[frame]) for part in columns["position"])
    return Scene(
        x=x,
        y=y,
        tick=int(columns["tick"][0, frame]),
        progress=int(columns["progress"][0, frame]),
        meters=[float(part[frame]) for part in columns["meters"]],
        places={place: index for index, place in enumerate(recorded.places) if place is not None},
        dead=recorded.ended == "death" and frame == recorded.length,
    )


def _draw_lens(level: Level, columns: dict[str, Array], step: int, width: int, over: bool) -> Picture:
    """Draw the values of a step, two bars an action, [height, width, 3]; those of forbidden actions are hollow."""
    q, blank = columns["q"][:, step], columns["q_blank"][:, step] if "q_blank" in columns else None
    size = (width, _even(2 * MARGIN + 24 + ROW * len(level.actions)))
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), GROUND)
    brush = Brush(ImageDraw.Draw(image), MARGIN, MARGIN // 2)
    allowed, taken = int(columns["allowed"][0, step]), int(columns["action"][0, step])
    brush.text(0, 0, _sentence(level, q, blank, allowed, over), 13, TEXT)
    values = q if blank is None else np.concatenate([q, blank])
    low, high = float(values.min()), float(values.max())
    for index, name in enumerate(level.actions):
        top = 28 + ROW * index
        may = bool(allowed >> index & 1)
        brush.text(0, top, f"{'▸ ' if index == taken and not over else ''}{name.lower()}", 13, TEXT if may else FAINT)
        for at, (part, colour) in enumerate(((q, WITH), (blank, WITHOUT))):
            if part is not None:
                _bar(brush, NAME + at * (BAR + 90), top, float(part[index]), (low, high), colour if may else None)
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.uint8).copy()


def _bar(
    brush: Brush, left: int, top: int, value: float, ends: tuple[float, float], colour: tuple[int, int, int] | None
) -> None:
    """A bar from the least value to this one, and the value as a number; without a colour, of what is forbidden."""
    share = (value - ends[0]) / max(ends[1] - ends[0], 1e-9)
    brush.box(left, top + 3, BAR, 10, TRACK, 3)
    brush.box(left, top + 3, max(4.0, share * BAR), 10, FAINT if colour is None else colour, 3)
    if colour is None:
        brush.box(left + 2, top + 5, max(1.0, share * BAR - 4), 6, TRACK, 2)
    brush.text(left + BAR + 8, top, f"{value:.2f}", 13, FAINT)


def _sentence(level: Level, q: Array, blank: Array | None, allowed: int, over: bool) -> str:
    """What the bars say: whether memory decides."""
    if over:
        return "the end"
    if blank is None:
        return "value of each action"
    may = [index for index in range(len(level.actions)) if allowed >> index & 1]
    best, without = (level.actions[max(may, key=lambda index: part[index])].lower() for part in (q, blank))
    heads = "value of each action: left with its memory, right with none"
    return f"{heads}; memory decides: {best}, not {without}" if best != without else heads


def _even(size: int) -> int:
    return size + size % 2
