"""Observation spaces of others as one vector, and the action mask that may stand among them."""

from typing import Any

import numpy as np
from gymnasium import spaces

from townlet.config import ConfigError
from townlet.environment.gym.gate import MASK, Array, Gate

MOST_LETTERS = 120  # of a space in an error


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


def without_mask(space: spaces.Space, num_actions: int) -> tuple[spaces.Space, bool]:
    """Return what is seen besides a part "action_mask" of a Dict, and whether there is such a part.

    Raises ConfigError for a mask that is not of so many actions.
    """
    if not isinstance(space, spaces.Dict) or MASK not in space.spaces:
        return space, False
    if space[MASK].shape != (num_actions,):
        raise ConfigError([f"gym: {MASK}: expected {num_actions} values in the observation, got {tell(space[MASK])}"])
    return spaces.Dict([(name, part) for name, part in space.spaces.items() if name != MASK]), True


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
    return gate.numbers(field, observed, shape, agents).reshape(_count(gate, agents), -1)  # [agents, values of one]


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
