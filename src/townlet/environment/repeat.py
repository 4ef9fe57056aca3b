"""A compiled step of the world, made again kernel by kernel, over memory that is used again."""

from collections.abc import Callable, Iterable, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from townlet.capture import leaves, mapped, write
from townlet.environment.kernels import (
    Input,
    Memory,
    Noted,
    Place,
    UnknownKernelsError,
    counter_of_holders,
    note,
    placed,
    shared_memory,
)
from townlet.environment.types import EnvState, Observation, StepResult

KEPT = 4  # pieces of memory for one part of results that are kept to be used again
LARGE = 0.25  # the share of a result's bytes from which on a part lies alone: who holds a mask holds no features


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

    `constants` are the tensors that the step reads besides. Raises UnknownKernelsError where it is more than kernels.
    """

    def __init__(self, step: Callable[..., Any], constants: Sequence[Tensor], inputs: Sequence[Any]) -> None:
        self.step, self.constants, self.example = step, constants, inputs
        _, state, counts, *_ = inputs
        self.carried = [Carried(*mapped(_copy, (state, counts))) for _ in range(2)]
        self._forms: dict[tuple[bool, bool], _Form | None] = {}
        self._note(inputs)

    def __deepcopy__(self, memo: Any) -> "Repeated":
        """Return one with memory of its own; a copy of memory would not be known by who lies in it."""
        return Repeated(self.step, self.constants, self.example)

    def __call__(
        self, key: Tensor, state: EnvState, counts: Any, actions: Any, difficulty: Any = None, skipped: Any = None
    ) -> Any:
        """Return what the step returns for these inputs."""
        kind = difficulty is None, skipped is None
        if kind not in self._forms:
            self._note_if_possible((key, state, counts, _tensor(actions), difficulty, _tensor(skipped)))
        form, in_numpy = self._forms[kind], isinstance(actions, np.ndarray)
        if form is None:
            return self.step(key, state, counts, _tensor(actions), difficulty, _tensor(skipped))
        turn = 1 if state is self.carried[1].state else 0
        mine = self.carried[turn]
        if state is not mine.state or counts is not mine.counts:
            write([*mine.state, *mine.counts], [*state, *counts])
        form.take(key, actions, difficulty, skipped, in_numpy)
        result = form.run(turn, in_numpy)
        after = self.carried[1 - turn]
        return form.kind(after.state, result, after.counts, ())

    def _note(self, inputs: Sequence[Any]) -> None:
        inputs = mapped(_copy, tuple(inputs))
        noted = note(self.step, self.constants, inputs)
        self._forms[inputs[4] is None, inputs[5] is None] = _Form(noted, self.carried, inputs)

    def _note_if_possible(self, inputs: Sequence[Any]) -> None:
        try:
            self._note(inputs)
        except UnknownKernelsError:
            self._forms[inputs[4] is None, inputs[5] is None] = None


class _Form:
    """The step for inputs of one kind: with a difficulty or without, with ticks that are skipped or without."""

    def __init__(self, noted: Noted, carried: Sequence[Carried], inputs: Sequence[Any]) -> None:
        self.noted, self.kind = noted, type(noted.outputs)
        self.key: Tensor | None = None  # whose content lies in the first buffer
        key, _, _, *given = inputs
        self.given = [part for part in leaves((key, *given)) if part is not None]  # buffers
        self.given_in_numpy = [part.numpy() for part in self.given]
        self.inputs = [list(leaves((key, *one, *given))) for one in carried]  # in each turn
        states = list(leaves((noted.outputs.state, noted.outputs.counts)))
        self.parts = [place for place in leaves(noted.outputs.result) if place is not None]
        handed = {place.allocation for place in self.parts}
        if handed & {place.allocation for place in states} or len({place.allocation for place in states}) < len(states):
            raise UnknownKernelsError("expected outputs in memory of their own, got some that share it")
        others = set(range(len(noted.allocations))) - handed - {place.allocation for place in states}
        scratch = shared_memory(noted, sorted(others))
        self.memory = [{**scratch, **_memory_of(states, one)} for one in reversed(carried)]  # to write to in each turn
        self.shelves = [_Shelf(noted, allocations) for allocations in _apart(noted, sorted(handed))]
        self.prepared: dict[tuple[Any, ...], _Prepared] = {}  # by turn and pieces

    def take(self, key: Tensor, actions: Any, difficulty: Any, skipped: Any, in_numpy: bool) -> None:
        """Copy what a call was given into the buffers that are read."""
        if key is not self.key:
            self.given[0].copy_(key)
            self.key = key
        values = (actions, *(() if difficulty is None else difficulty), *(() if skipped is None else (skipped,)))
        if in_numpy:
            for array, value in zip(self.given_in_numpy[1:], values, strict=True):
                np.copyto(array, value)
            return
        for buffer, value in zip(self.given[1:], values, strict=True):
            buffer.copy_(value)

    def run(self, turn: int, in_numpy: bool) -> StepResult:
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
        # New tensors or arrays of what lies there, for others to hold.
        handed: list[Any]
        if in_numpy:
            handed = [piece.arrays[index].view() for piece, index in prepared.arrays]
        else:
            handed = [part.detach() for part in prepared.parts]
        features, mask, *others = handed
        return StepResult(Observation(features, mask), *others)

    def _prepare(self, turn: int, pieces: Sequence["_Piece"]) -> "_Prepared":
        handed = {place: tensor for piece in pieces for place, tensor in piece.tensors.items()}

        def found(one: Place | Input | Tensor) -> Tensor:
            if isinstance(one, Place):
                return handed[one] if one in handed else placed(self.memory[turn], one)
            return self.inputs[turn][one.index] if isinstance(one, Input) else one

        calls = [(kernel, tuple(map(found, arguments))) for kernel, arguments in self.noted.calls]
        where = {place: (piece, index) for piece in pieces for index, place in enumerate(piece.tensors)}
        return _Prepared(calls, [handed[place] for place in self.parts], [where[place] for place in self.parts])


class _Prepared(NamedTuple):
    """A step that is ready to be made: its calls, and the parts of the result that they write."""

    calls: list[tuple[Callable[..., Any], tuple[Tensor, ...]]]
    parts: list[Tensor]
    arrays: list[tuple["_Piece", int]]  # the same: which array of which piece, and not itself, since holders count


class _Shelf:
    """Pieces of memory for the same part of results."""

    def __init__(self, noted: Noted, allocations: Sequence[int]) -> None:
        self.noted, self.allocations = noted, allocations
        used = [*leaves(noted.outputs.result), *(one for call in noted.calls for one in call.arguments)]
        self.places = {one for one in used if isinstance(one, Place) and one.allocation in allocations}
        self.pieces: list[_Piece] = []

    def free(self) -> "_Piece | None":
        """Return one that nobody has anything of."""
        return next(filter(_Piece.is_free, self.pieces), None)

    def add(self) -> "_Piece":
        """Make a new one; of too many the oldest goes to those who hold it."""
        piece = _Piece(shared_memory(self.noted, self.allocations), self.places)
        self.pieces = [*self.pieces[1 - KEPT :], piece]
        return piece


class _Piece:
    """Memory for a part of a result, and all tensors in it that the calls and the result need."""

    def __init__(self, memory: Memory, places: Iterable[Place]) -> None:
        self.tensors = {place: placed(memory, place) for place in places}
        self.arrays = [tensor.numpy() for tensor in self.tensors.values()]  # what is handed out is a view of one
        self.storage, _ = next(iter(memory.values()))
        self.count, self.address = counter_of_holders(self.storage), self.storage.data_ptr()
        self.own, self.own_in_numpy = self.count(), list(map(getrefcount, self.arrays))

    def is_free(self) -> bool:
        """Whether nobody else has a tensor or an array in it, nor has moved it to where another process sees it."""
        still = self.count() == self.own and self.storage.data_ptr() == self.address
        return still and list(map(getrefcount, self.arrays)) == self.own_in_numpy


def _apart(noted: Noted, allocations: Sequence[int]) -> list[list[int]]:
    """Which allocations of a result lie together."""
    least = LARGE * sum(noted.allocations[index] for index in allocations)
    large = [[index] for index in allocations if noted.allocations[index] >= least]
    small = [index for index in allocations if noted.allocations[index] < least]
    return [*large, small] if small else large


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
