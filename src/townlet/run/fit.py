"""Whether what a network learned to see and to do in one task means the same in another, and is new to it."""

from contextlib import closing
from typing import NamedTuple

from townlet.config import Level, Task
from townlet.environment.layout import Image, ObservationLayout, lay_out
from townlet.environment.make import make_env
from townlet.environment.tables import draw_places


class _Face(NamedTuple):
    """What a network meets of a task: widths, and what each number of them stands for, where it has a name."""

    widths: dict[str, int | str]  # of the parts of the observation, then of the actions, and what these are made of
    names: dict[str, tuple[str, ...]]


def misfit(learned: Task, other: Task) -> str | None:
    """Say where a network of `learned` cannot act in `other`, in one line; None where it can.

    It can where each part of the observation is as wide and names the same meters and affordances in the same order,
    and the actions are the same, made of the same choices. Grid, map, rules, rewards and time limit may differ. Raises
    ConfigError where an environment of Gymnasium cannot be made.
    """
    was, now = _face(learned), _face(other)
    wrong = [
        f"{part}: expected {_tell(was, part)}, got {_tell(now, part)}"
        for part in dict.fromkeys([*was.widths, *now.widths])
        if was.widths.get(part) != now.widths.get(part)
    ]
    renamed = (_renamed(part, names, now.names[part]) for part, names in was.names.items() if part in now.names)
    return "; ".join([*wrong, *filter(None, renamed)]) or None


def seen_maps(learned: Task, other: Task) -> str | None:
    """Say in one line that maps on which `other` is evaluated are maps that `learned` is trained on; None: none are.

    Where there is one map, training and evaluation share it.
    """
    if not (isinstance(learned, Level) and isinstance(other, Level)) or other.layout.kind == "fixed":
        return None
    if learned.grid != other.grid or set(learned.placed_affordances) != set(other.placed_affordances):
        return None
    trained, played = _maps(learned, "training"), _maps(other, "evaluation")
    if not (seen := len(trained & played)):
        return None
    first, kept = learned.layout.training_maps or 0, other.layout.training_maps or 0
    if learned.training.seed == other.training.seed and kept < first:  # maps of one seed come in one order
        return (
            f"layout.training_maps: expected at least {first}, since the first {first} maps were trained on, got {kept}"
        )
    expected = f"maps of evaluation that were not trained on, as with the seed {learned.training.seed}"
    return f"layout: expected {expected}, got {seen} of {len(played)} that were"


def _maps(level: Level, maps: str) -> set[tuple[int, ...]]:
    """The cells of what stands on each map, in the order of their names."""
    columns = [list(level.affordances).index(name) for name in sorted(level.placed_affordances)]
    return set(map(tuple, draw_places(level, maps)[:, columns].tolist()))


def _face(task: Task) -> _Face:
    if not isinstance(task, Level):
        with closing(make_env(task, 1, compile=False)) as env:
            return _Face(_widths(env.observation_layout, env.num_actions), {})
    places, grid = tuple(task.affordances), task.grid
    names = {"meters": task.present_meters, "underfoot": places, "offsets": places, "actions": tuple(task.actions)}
    if task.observation.position == "one_hot":
        names["position"] = (f"cells of {grid.width}x{grid.height}",)
    widths = _widths(lay_out(task), len(task.actions))
    return _Face(widths, {part: names[part] for part in widths if part in names})


def _widths(layout: ObservationLayout, num_actions: int) -> dict[str, int | str]:
    widths: dict[str, int | str] = {part: layout.width(part) for part in layout.slices}
    choices = {"choices": " x ".join(map(str, layout.choices))} if len(layout.choices) > 1 else {}
    shapes = {f"image {at}": _shape(image) for at, image in enumerate(layout.images)}
    return {**widths, **shapes, "actions": num_actions, **choices}


def _shape(image: Image) -> str:
    order = (
        (image.channels, image.height, image.width)
        if image.channels_first
        else (image.height, image.width, image.channels)
    )
    return " x ".join(map(str, order))


def _tell(face: _Face, part: str) -> str:
    if part not in face.widths:
        return "none"
    listed = f" ({', '.join(face.names[part])})" if part == "actions" and part in face.names else ""
    return f"{face.widths[part]}{listed}"


def _renamed(part: str, before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    """The first name that stands for something else now; lists of different length are told by their widths."""
    if len(before) != len(after):
        return None
    pairs = enumerate(zip(before, after, strict=True), start=1)
    return next((f"{part}: expected {old} as number {at}, got {new}" for at, (old, new) in pairs if old != new), None)
