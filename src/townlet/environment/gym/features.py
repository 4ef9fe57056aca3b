"""Observation spaces of others as one vector, and the action mask that may stand among them."""

from typing import Any

import numpy as np
from gymnasium import spaces

from townlet.config import ConfigError
from townlet.environment.gym.gate import MASK, Array, Gate
from townlet.environment.layout import Image

MOST_LETTERS = 120  # of a space in an error
SHORT_MASK = "mask"  # what some call the part of an observation that is the mask
BYTES = ("b", "u")  # NumPy's kinds of what is in a byte, where it takes one


def features_of(space: spaces.Space) -> int:
    """Return the width of an observation as one vector. Raises ConfigError for a space that has none."""
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(np.sum(space.nvec))
    if isinstance(space, spaces.Tuple | spaces.Dict):
        return sum(features_of(part) for _, part in _parts(space))
    expected = "Box, Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of them"
    raise ConfigError([f"gym: expected an observation space of {expected}, got {tell(space)}"])


def images_of(space: spaces.Space, start: int = 0) -> tuple[Image, ...]:
    """Return the images in an observation that is encoded from `start` on.

    Those are Boxes of three axes, and of bytes also of two, of at least two rows and columns. Channels are the axis
    beside a square, the last or the first; else the shorter of the two, the last of two alike. What bytes span the
    space says; other numbers span 0 to 1.
    """
    if isinstance(space, spaces.Tuple | spaces.Dict):
        images: tuple[Image, ...] = ()
        for _, part in _parts(space):
            images, start = images + images_of(part, start), start + features_of(part)
        return images
    if not isinstance(space, spaces.Box):
        return ()
    in_bytes = space.dtype == np.uint8
    if len(space.shape) != 3 and not (in_bytes and len(space.shape) == 2):
        return ()
    shape = space.shape if len(space.shape) == 3 else (*space.shape, 1)
    rows, columns, last = shape
    square = rows == columns, columns == last  # with channels last, and with channels first
    first = square[1] if square[0] != square[1] else rows < last
    channels, height, width = shape if first else (shape[2], *shape[:2])
    if min(height, width) < 2:
        return ()
    low, high = (float(space.low.min()), float(space.high.max())) if in_bytes else (0.0, 1.0)
    return (Image(slice(start, start + features_of(space)), height, width, channels, first, low, high),)


def equal_parts(space: spaces.Space) -> int:
    """Return of how many discrete values of one kind an observation is made; 1 where it is made of others too.

    Those of MultiBinary, a number each, are none: what is equal there is each number.
    """
    kinds = _kinds(space)
    return len(kinds) if None not in kinds and len(set(kinds)) == 1 else 1


def _kinds(space: spaces.Space) -> list[int | None]:
    """How many there are of each discrete value, in their order, and None for what is no such value."""
    if isinstance(space, spaces.Tuple | spaces.Dict):
        return [kind for _, part in _parts(space) for kind in _kinds(part)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(size) for size in space.nvec.ravel()]
    return [int(space.n) if isinstance(space, spaces.Discrete) else None]


def in_bytes(space: spaces.Space) -> bool:
    """Return whether all numbers of an encoded observation are whole ones from 0 to 255."""
    if isinstance(space, spaces.Tuple | spaces.Dict):
        return all(in_bytes(part) for _, part in _parts(space))
    discrete = isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)
    return discrete or _is_of_bytes(space)


def _is_of_bytes(space: spaces.Space) -> bool:
    return space.dtype is not None and space.dtype.kind in BYTES and space.dtype.itemsize == 1


def without_mask(space: spaces.Space, num_actions: int) -> tuple[spaces.Space, str | None]:
    """Return what is seen besides the part of a Dict that is the mask, and the name of that part, None for none.

    It is "action_mask", or, without such a part, a "mask" of zeros and ones for so many actions: another one is
    something to see. Raises ConfigError for an "action_mask" that is not of so many actions.
    """
    if not isinstance(space, spaces.Dict):
        return space, None
    name = next((name for name in (MASK, SHORT_MASK) if name in space.spaces), None)
    if name == MASK and space[MASK].shape != (num_actions,):
        raise ConfigError([f"gym: {MASK}: expected {num_actions} values in the observation, got {tell(space[MASK])}"])
    if name is None or not (name == MASK or _could_be_mask(space[name], num_actions)):
        return space, None
    return spaces.Dict([(other, part) for other, part in space.spaces.items() if other != name]), name


def _could_be_mask(space: spaces.Space, num_actions: int) -> bool:
    """Whether a space is of zeros and ones, one an action."""
    if space.shape != (num_actions,) or not isinstance(space, spaces.Box):
        return space.shape == (num_actions,) and isinstance(space, spaces.MultiBinary)
    return space.dtype.kind in "biu" and space.low.min() >= 0 and space.high.max() <= 1


def without_text(space: spaces.Space) -> tuple[spaces.Space, tuple[str, ...]]:
    """Return what is seen besides the texts among the parts of a Dict, and the names of those: agents cannot read."""
    if not isinstance(space, spaces.Dict):
        return space, ()
    texts = tuple(name for name, part in space.spaces.items() if part.dtype is not None and part.dtype.kind == "U")
    return spaces.Dict([(name, part) for name, part in space.spaces.items() if name not in texts]), texts


def encode(
    gate: Gate, space: spaces.Space, observed: Any, field: str = "observation", agents: Array | None = None
) -> Array:
    """Encode what agents observed, [agents, features_of(space)] float32: see Gate for `agents` and what is raised.

    A Box is flat, discrete values are one-hot, the parts of a Tuple or Dict stand in their order.
    """
    if isinstance(space, spaces.Tuple | spaces.Dict):
        parts = [(f"{field}[{name!r}]", part, gate.part(field, observed, name)) for name, part in _parts(space)]
        encoded = [encode(gate, part, seen, below, agents) for below, part, seen in parts]
        return np.concatenate(encoded, axis=1) if encoded else np.zeros((_count(gate, agents), 0), np.float32)
    shape = tuple(space.shape or ())
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return _one_hot(gate, space, gate.array(field, observed, shape, agents), field, agents)
    numbers = gate.numbers(field, observed, shape, agents).reshape(_count(gate, agents), -1)  # [agents, values of one]
    if isinstance(space, spaces.MultiBinary) or _is_of_bytes(space):
        _check_bytes(gate, space, numbers, field, agents)
    return numbers


def _check_bytes(gate: Gate, space: spaces.Space, numbers: Array, field: str, agents: Array | None) -> None:
    """See that numbers are what their space says, since they may be stored as bytes."""
    with np.errstate(invalid="ignore"):
        strange = numbers != numbers.astype(np.uint8)
    if strange.any():
        row, column = np.argwhere(strange)[0]
        expected, got = f"whole numbers from 0 to 255, as in {tell(space)}", f"{numbers[row, column]:g}"
        raise gate.refusal(field, expected, got, int(row if agents is None else agents[row]))


def _one_hot(
    gate: Gate, space: spaces.Discrete | spaces.MultiDiscrete, values: Array, field: str, agents: Array | None
) -> Array:
    """Discrete values [agents, *shape] as [agents, sum of their numbers] float32."""
    sizes = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec).ravel()
    steps = values.reshape(len(values), -1) - np.atleast_1d(space.start).ravel()  # [agents, values of one]
    hot = [column[:, None] == np.arange(size) for column, size in zip(steps.T, sizes, strict=True)]
    for column, of_one in enumerate(hot):
        if not (known := of_one.any(axis=1)).all():
            row = int(known.argmin())
            got = str(values.reshape(len(values), -1)[row, column])
            raise gate.refusal(field, f"one within {tell(space)}", got, int(row if agents is None else agents[row]))
    return np.concatenate(hot, axis=1).astype(np.float32)


def tell(space: Any) -> str:
    """Write a space in one line that is not too long."""
    text = " ".join(str(space).split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."


def _parts(space: spaces.Tuple | spaces.Dict) -> list[tuple[Any, spaces.Space]]:
    return list(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces))


def _count(gate: Gate, agents: Array | None) -> int:
    return gate.num_agents if agents is None else len(agents)
