"""A compiled step of the world, made again kernel by kernel, over memory that is used again."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.capture import leaves, mapped, write
from townlet.environment.kernels import (
    Input,
    Memory,
    Noted,
    Place,
    UnknownKernelsError,
    holders,
    note,
    placed,
    shared_memory,
)
from townlet.environment.types import EnvState, Observation, StepResult

KEPT = 4  # blocks of results that are kept to be used again


class Carried(NamedTuple):
    """What a step hands to the next: one of two sets of buffers, of which each step reads one and writes the other."""

    state: EnvState
    counts: Any  # a tuple of tensors


class Repeated:
    """A compiled `step(key, state, counts, actions, difficulty, skipped)`, as calls of its kernels.

    What it returns is what the step returns, bit for bit, but for parts that are not handed out. State and counts lie
    in buffers that the step after the next overwrites: given back at the next call they need not be copied. A result
    lies in a block of memory that is used again as soon as nobody has any part of it, no view and no array: whoever
    keeps a result keeps it as it is, and who lets go of it has the next one in the same memory.

    `constants` are the tensors that the step reads besides. Raises UnknownKernelsError where it is more than kernels.
    """

    def __init__(self, step: Callable[..., Any], constants: Sequence[Tensor], inputs: Sequence[Any]) -> None:
        self.step, self.constants = step, constants
        _, state, counts, *_ = inputs
        self.carried = [Carried(*mapped(_copy, (state, counts))) for _ in range(2)]
        self._forms: dict[tuple[bool, bool], _Form | None] = {}
        self._note(inputs)

    def __call__(
        self, key: Tensor, state: EnvState, counts: Any, actions: Tensor, difficulty: Any = None, skipped: Any = None
    ) -> Any:
        """Return what the step returns for these inputs."""
        kind = difficulty is None, skipped is None
        if kind not in self._forms:
            self._note_if_possible((key, state, counts, actions, difficulty, skipped))
        form = self._forms[kind]
        if form is None:
            return self.step(key, state, counts, actions, difficulty, skipped)
        turn = 1 if state is self.carried[1].state else 0
        mine = self.carried[turn]
        if state is not mine.state or counts is not mine.counts:
            write([*mine.state, *mine.counts], [*state, *counts])
        form.take(key, actions, difficulty, skipped)
        result = form.run(turn)
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
        self.inputs = [list(leaves((key, *one, *given))) for one in carried]  # in each turn
        states = list(leaves((noted.outputs.state, noted.outputs.counts)))
        handed = {place.allocation for place in leaves(noted.outputs.result) if place is not None}
        if handed & {place.allocation for place in states} or len({place.allocation for place in states}) < len(states):
            raise UnknownKernelsError("expected outputs in memory of their own, got some that share it")
        self.handed = sorted(handed)
        others = set(range(len(noted.allocations))) - handed - {place.allocation for place in states}
        scratch = shared_memory(noted, sorted(others))
        self.memory = [{**scratch, **_memory_of(states, one)} for one in reversed(carried)]  # to write to in each turn
        self.blocks: list[_Block] = []

    def take(self, key: Tensor, actions: Tensor, difficulty: Any, skipped: Any) -> None:
        """Copy what a call was given into the buffers that are read."""
        if key is not self.key:
            self.given[0].copy_(key)
            self.key = key
        values = (actions, *(() if difficulty is None else difficulty), *(() if skipped is None else (skipped,)))
        for buffer, value in zip(self.given[1:], values, strict=True):
            buffer.copy_(value)

    def run(self, turn: int) -> StepResult:
        """Call the kernels; return the result in a block that nobody has any part of."""
        block = next(filter(_Block.is_free, self.blocks), None)
        if block is None:
            block = _Block(self)
            self.blocks = [*self.blocks[1 - KEPT :], block]
        for kernel, arguments in block.calls[turn]:
            kernel(*arguments)
        return block.hand_out()


class _Block:
    """The memory of one result, and the calls that write it in either turn."""

    def __init__(self, form: _Form) -> None:
        noted = form.noted
        memory = shared_memory(noted, form.handed)
        self.storage, _ = memory[form.handed[0]]
        self.parts = [placed(memory, place) for place in leaves(noted.outputs.result) if place is not None]
        self.calls = [
            [
                (kernel, tuple(_argument(one, form.inputs[turn], {**memory, **form.memory[turn]}) for one in arguments))
                for kernel, arguments in noted.calls
            ]
            for turn in range(2)
        ]
        self.own = holders(self.storage)

    def is_free(self) -> bool:
        """Whether nobody else has a tensor in it."""
        return holders(self.storage) == self.own

    def hand_out(self) -> StepResult:
        """Return new tensors of what lies here, for others to hold."""
        features, mask, *others = [part.detach() for part in self.parts]
        return StepResult(Observation(features, mask), *others)


def _argument(one: Place | Input | Tensor, inputs: Sequence[Any], memory: Memory) -> Any:
    if isinstance(one, Place):
        return placed(memory, one)
    return inputs[one.index] if isinstance(one, Input) else one


def _memory_of(places: Sequence[Place], carried: Carried) -> Memory:
    """The memory of buffers in which outputs come to lie. Raises UnknownKernelsError where they do not fit."""
    memory = {}
    for place, buffer in zip(places, leaves(tuple(carried)), strict=True):
        form = place.dtype, place.size, place.stride, place.offset
        if form != (buffer.dtype, buffer.size(), buffer.stride(), 0):
            raise UnknownKernelsError(f"expected {list(buffer.shape)} {buffer.dtype}, got {form}")
        memory[place.allocation] = buffer.untyped_storage(), 0
    return memory


def _copy(part: Tensor) -> Tensor:
    return part.clone(memory_format=torch.contiguous_format)
