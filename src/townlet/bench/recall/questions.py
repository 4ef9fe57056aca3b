"""Four questions to a memory: what came so many steps ago, where is what, how often, and what backwards.

Each makes episodes of observations and what is right to say at each step, at random from a stream of its own.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from townlet.environment.layout import ObservationLayout

NOT_ASKED = -100  # the class where nothing is asked, as `cross_entropy` leaves it out
SYMBOLS = 4  # that come in streams
LAGS = (1, 2, 4, 8, 16, 32, 64)
GRID, KINDS = 8, 8  # cells a side, kinds of places
TURNS = 0.3  # share of steps at which who walks takes a new direction
STEPS_OF_A_WALK, STEPS_OF_A_STREAM = 128, 96


class Asked(NamedTuple):
    """Episodes, each from its start."""

    features: Tensor  # [episodes, time, obs_dim] float32
    right: Tensor  # [episodes, time, answers] int64: the class that is right, or NOT_ASKED
    size: Tensor  # [episodes, time, answers] int64: how large the question is, in steps or in sights, from 1 on


class Question(NamedTuple):
    """What is shown and asked; `ask` makes so many episodes."""

    title: str
    axis: str  # what `size` counts
    layout: ObservationLayout
    answers: int  # given at once at each step
    classes: int  # of which each answer is one
    ask: Callable[[int, Generator], Asked]


def ask_lags(episodes: int, stream: Generator) -> Asked:
    """A symbol a step; say which came 1, 2, 4 and up to 64 steps ago."""
    symbols = torch.randint(SYMBOLS, (episodes, STEPS_OF_A_STREAM), generator=stream)
    right = torch.full((*symbols.shape, len(LAGS)), NOT_ASKED)
    for answer, lag in enumerate(LAGS):
        right[:, lag:, answer] = symbols[:, :-lag]
    return Asked(functional.one_hot(symbols, SYMBOLS).float(), right, torch.tensor(LAGS).expand(right.shape))


def ask_counts(episodes: int, stream: Generator) -> Asked:
    """A symbol a step, some more often than others; say how often each came so far."""
    often = torch.randn(episodes, SYMBOLS, generator=stream).exp()
    symbols = torch.multinomial(often, STEPS_OF_A_STREAM, replacement=True, generator=stream)
    features = functional.one_hot(symbols, SYMBOLS)
    counts = features.cumsum(dim=1)
    return Asked(features.float(), torch.where(counts > 0, counts, NOT_ASKED), counts.clamp(min=1))


def ask_order(episodes: int, stream: Generator) -> Asked:
    """Half of an episode shows symbols; in the other say them backwards, the last first."""
    shown = STEPS_OF_A_STREAM // 2
    symbols = torch.randint(SYMBOLS, (episodes, shown), generator=stream)
    features = torch.zeros(episodes, 2 * shown, SYMBOLS + 2)
    features[:, :shown, :SYMBOLS] = functional.one_hot(symbols, SYMBOLS).float()
    features[:, :shown, SYMBOLS] = 1.0  # look
    features[:, shown:, SYMBOLS + 1] = 1.0  # say
    right = torch.full((episodes, 2 * shown, 1), NOT_ASKED)
    right[:, shown:, 0] = symbols.flip(1)
    size = torch.ones_like(right)
    size[:, shown:, 0] = 2 * torch.arange(shown) + 1  # steps since it was shown
    return Asked(features, right, size)


def ask_places(episodes: int, stream: Generator) -> Asked:
    """Walk about in a town; say which way each place lies that was underfoot before: left or right, above or below."""
    cells = torch.rand(episodes, GRID * GRID, generator=stream).argsort(dim=1)[:, :KINDS]
    place = torch.stack([cells % GRID, cells // GRID], dim=-1)  # [episodes, kinds, 2]
    here = torch.randint(GRID, (episodes, 2), generator=stream)
    ways = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])
    way, seen = torch.randint(4, (episodes,), generator=stream), torch.zeros(episodes, KINDS, dtype=torch.int64)
    steps = list[tuple[Tensor, Tensor, Tensor]]()
    for _ in range(STEPS_OF_A_WALK):
        turns = torch.rand(episodes, generator=stream) < TURNS
        way = torch.where(turns, torch.randint(4, (episodes,), generator=stream), way)
        here = (here + ways[way]).clamp(0, GRID - 1)
        underfoot = (place == here.unsqueeze(1)).all(dim=-1)  # [episodes, kinds]
        seen = torch.where(underfoot, 1, torch.where(seen > 0, seen + 1, 0))  # steps since, and one more; 0: never
        side, above = (place - here.unsqueeze(1)).sign().add(1).unbind(dim=-1)
        none = ~underfoot.any(dim=-1, keepdim=True)
        steps.append((torch.cat([here / (GRID - 1), underfoot, none], dim=-1), 3 * side + above, seen - 1))
    features, way_there, age = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
    return Asked(features, torch.where(age > 0, way_there, NOT_ASKED), age.clamp(min=1))


_STREAM = ObservationLayout({"symbol": slice(0, SYMBOLS)})
_FLAGGED = ObservationLayout({"symbol": slice(0, SYMBOLS), "phase": slice(SYMBOLS, SYMBOLS + 2)})
_WALK = ObservationLayout({"position": slice(0, 2), "underfoot": slice(2, KINDS + 3)})
QUESTIONS = {
    "lags": Question("What came?", "steps ago", _STREAM, len(LAGS), SYMBOLS, ask_lags),
    "places": Question("Which way is it?", "steps since underfoot", _WALK, KINDS, 9, ask_places),
    "counts": Question("How often?", "times so far", _STREAM, SYMBOLS, STEPS_OF_A_STREAM + 1, ask_counts),
    "order": Question("Say it backwards", "steps since shown", _FLAGGED, 1, SYMBOLS, ask_order),
}
