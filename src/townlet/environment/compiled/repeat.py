"""A compiled step of the world, made again kernel by kernel, over memory that is used again."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from townlet.capture import leaves, mapped, write
from townlet.environment.compiled.kernels import (
    Input,
    Memory,
    Noted,
    Place,
    UnknownKernelsError,
    note,
    placed,
    shared_memory,
)
from townlet.environment.compiled.pieces import ArrayPiece, Piece, Shelf, apart
from townlet.environment.types import EnvState, Observation, StepResult


class Carried(NamedTuple):
    """What a step hands to the next: one of two sets of buffers, of which each step reads one and writes the other."""

    state: EnvState
    counts: Any  # a tuple of tensors


class Repeated:
    """A compiled `step(key, state, counts, actions, difficulty, skipped)`, as calls of its kernels.

    What it returns is what the step returns, bit for bit, but for parts that are not handed out. State and counts lie
    in buffers that the step after the next overwrites: given back at the next call they need not be copied. Each large
    part of a result lies in a piece of memory of its own, and the small ones lie together in one. A piece is used again
    as soon as nobody in this process has anything of it, no view and no array: whoever keeps a part keeps it as it is,
    and who lets go of it has the next one in the same memory, which is still in the processor's cache. Who calls it
    with arrays in place of tensors gets arrays, unless that kind of step is more than kernels: for a few hundred agents
    it is the tensors that cost.

    `constants` are the tensors that the step reads besides; `noting(constants, inputs)` tells its kernels, by default
    as `note` does. Raises UnknownKernelsError where it is more than kernels.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        constants: Sequence[Tensor],
        inputs: Sequence[Any],
        noting: Callable[..., Noted] | None = None,
    ) -> None:
        self.step, self.constants, self.example = step, constants, inputs
        self.noting = noting or partial(note, step)
        _, state, counts, *_ = inputs
        self.carried = [Carried(*mapped(_copy, (state, counts))) for _ in range(2)]
        self._forms: dict[tuple[bool, bool, type[Piece]], _Form | None] = {}
        self._note(inputs, Piece)

    def __deepcopy__(self, memo: Any) -> "Repeated":
        """Return one with memory of its own; a copy of memory would not be known by who lies in it."""
        return Repeated(self.step, self.constants, self.example, self.noting)

    def __call__(
        self, key: Tensor, state: EnvState, counts: Any, actions: Any, difficulty: Any = None, skipped: Any = None
    ) -> Any:
        """Return what the step returns for these inputs."""
        piece = ArrayPiece if isinstance(actions, np.ndarray) else Piece
        kind = difficulty is None, skipped is None, piece
        if kind not in self._forms:
            self._forms[kind] = None
            with suppress(UnknownKernelsError):
                self._note((key, state, counts, _tensor(actions), difficulty, _tensor(skipped)), piece)
        form = self._forms[kind]
        if form is None:
            return self.step(key, state, counts, _tensor(actions), difficulty, _tensor(skipped))
        turn = 1 if state is self.carried[1].state else 0
        mine = self.carried[turn]
        if state is not mine.state or counts is not mine.counts:
            write([*mine.state, *mine.counts], [*state, *counts])
        form.take(key, actions, difficulty, skipped)
        result = form.run(turn)
        after = self.carried[1 - turn]
        return form.kind(after.state, result, after.counts, ())

    def _note(self, inputs: Sequence[Any], piece: type[Piece]) -> None:
        inputs = mapped(_copy, tuple(inputs))
        noted = self.noting(self.constants, inputs)
        self._forms[inputs[4] is None, inputs[5] is None, piece] = _Form(noted, self.carried, inputs, piece)


class _Form:
    """The step for inputs of one kind: tensors or arrays, with or without a difficulty, and skipped ticks."""

    def __init__(self, noted: Noted, carried: Sequence[Carried], inputs: Sequence[Any], piece: type[Piece]) -> None:
        self.noted, self.kind = noted, type(noted.outputs)
        self.key: Tensor | None = None  # whose content lies in the first buffer
        key, _, _, *given = inputs
        self.given = [part for part in leaves((key, *given)) if part is not None]  # buffers
        self.fillers = [piece.filler(buffer) for buffer in self.given[1:]]
        self.inputs = [list(leaves((key, *one, *given))) for one in carried]  # in each turn
        states = list(leaves((noted.outputs.state, noted.outputs.counts)))
        self.parts = [place for place in leaves(noted.outputs.result) if place is not None]
        handed = {place.allocation for place in self.parts}
        if handed & {place.allocation for place in states} or len({place.allocation for place in states}) < len(states):
            raise UnknownKernelsError("expected outputs in memory of their own, got some that share it")
        others = set(range(len(noted.allocations))) - handed - {place.allocation for place in states}
        scratch = shared_memory(noted, sorted(others))
        self.memory = [{**scratch, **_memory_of(states, one)} for one in reversed(carried)]  # to write to in each turn
        self.shelves = [Shelf(noted, allocations, piece) for allocations in apart(noted, sorted(handed))]
        self.prepared: dict[tuple[Any, ...], _Prepared] = {}  # by turn and pieces

    def take(self, key: Tensor, actions: Any, difficulty: Any, skipped: Any) -> None:
        """Copy what a call was given into the buffers that are read."""
        if key is not self.key:
            self.given[0].copy_(key)
            self.key = key
        values = (actions, *(() if difficulty is None else difficulty), *(() if skipped is None else (skipped,)))
        for fill, value in zip(self.fillers, values, strict=True):
            fill(value)

    def run(self, turn: int) -> StepResult:
        """Call the kernels; return the result in pieces of memory that nobody has anything of."""
        free = [shelf.free() for shelf in self.shelves]
        if None in free:
            self.prepared.clear()  # it would keep the pieces that are let go of
            free = [piece or shelf.add() for piece, shelf in zip(free, self.shelves, strict=True)]
        prepared = self.prepared.get((turn, *free))
        if prepared is None:
            prepared = self.prepared[turn, *free] = self._prepare(turn, [piece for piece in free if piece])
        for kernel, arguments in prepared.calls:
            kernel(*arguments)
        features, mask, *others = [hand() for hand in prepared.hands]
        return StepResult(Observation(features, mask), *others)

    def _prepare(self, turn: int, pieces: Sequence[Piece]) -> "_Prepared":
        handed = {place: tensor for piece in pieces for place, tensor in piece.tensors.items()}

        def found(one: Place | Input | Tensor) -> Tensor:
            if isinstance(one, Place):
                return handed[one] if one in handed else placed(self.memory[turn], one)
            return one.of(self.inputs[turn][one.index]) if isinstance(one, Input) else one

        calls = [(kernel, tuple(map(found, arguments))) for kernel, arguments in self.noted.calls]
        hands = {place: piece.hand(place) for piece in pieces for place in piece.tensors}
        return _Prepared(calls, [hands[place] for place in self.parts])


class _Prepared(NamedTuple):
    """A step that is ready to be made: its calls, and what makes each part of the result of what they write."""

    calls: list[tuple[Callable[..., Any], tuple[Tensor, ...]]]
    hands: list[Callable[[], Any]]


def _memory_of(places: Sequence[Place], carried: Carried) -> Memory:
    """The memory of buffers in which outputs come to lie. Raises UnknownKernelsError where they do not fit."""
    memory = {}
    for place, buffer in zip(places, leaves(tuple(carried)), strict=True):
        form = place.dtype, place.size, place.stride, place.offset
        if form != (buffer.dtype, buffer.size(), buffer.stride(), 0):
            raise UnknownKernelsError(f"expected {list(buffer.shape)} {buffer.dtype}, got {form}")
        memory[place.allocation] = buffer.untyped_storage(), 0
    return memory


def _tensor(part: Any) -> Any:
    return torch.from_numpy(part) if isinstance(part, np.ndarray) else part


def _copy(part: Tensor) -> Tensor:
    return part.clone(memory_format=torch.contiguous_format)
