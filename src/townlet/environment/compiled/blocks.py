"""A compiled step of many agents, block by block: what is written of a block is in the processor's cache until it ends.

A kernel writes each part of its rows in a pass of its own. Where the rows of all agents are larger than the cache, each
pass brings them in anew.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from townlet.capture import leaves, mapped
from townlet.config import Level
from townlet.environment.advance import Advanced, Counts, advance
from townlet.environment.compiled.fuse import fuse
from townlet.environment.compiled.kernels import Call, Input, Noted, Place, UnknownKernelsError, note
from townlet.environment.layout import lay_out
from townlet.environment.observation import with_bools
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState

VARYING = ("difficulty", "skipped")  # what a step is given only sometimes
CACHED = 840_000  # bytes of rows a thread, of the 1 or 2 MB that a second cache has: two of 200 bytes of 2,100 agents


def compiled_step(level: Level, tables: Tables, trial: tuple[Any, ...]) -> Callable[..., Advanced]:
    """Compile a world's step, block by block where that is faster; `trial` is like what it is called with."""
    key, state, counts, *given = trial
    agents = agents_of_a_block(len(key), 2 * 4 * lay_out(level).obs_dim, torch.get_num_threads())
    if not key.is_cpu or agents == len(key):
        return compiled_at_once(level, tables, trial)
    own_key, own_state, own = cut((key, state, tuple(given)), 0, agents)
    return Blocks(fuse(advance, VARYING, (level, tables, own_key, own_state, counts, *own, True)), agents)


def compiled_at_once(level: Level, tables: Tables, trial: tuple[Any, ...]) -> Callable[..., Advanced]:
    """Compile a world's step for all agents at once."""
    return fuse(advance, VARYING, (level, tables, *trial))


def agents_of_a_block(num_agents: int, row_bytes: int, threads: int) -> int:
    """How many agents a block has: the most that divide all and fill half of the cache or more, else all."""
    largest = CACHED // row_bytes * threads
    return next((size for size in range(largest, largest // 2 - 1, -1) if num_agents % size == 0), num_agents)


class Blocks:
    """`advance`, compiled or not, of a block of so many `agents`, for all blocks one after the other.

    A call copies what the blocks return into one result. Kernels that were noted write there themselves, see `note`.
    """

    def __init__(self, step: Callable[..., Advanced], agents: int) -> None:
        self.step, self.agents = step, agents

    def __call__(
        self, level: Level, tables: Tables, key: Tensor, state: EnvState, counts: Counts, *given: Any
    ) -> Advanced:
        """Return what `advance` returns."""
        return joined(self.apart(level, tables, key, state, counts, *given), torch.cat, _stack)

    def apart(
        self, level: Level, tables: Tables, key: Tensor, state: EnvState, counts: Counts, *given: Any
    ) -> tuple[Advanced, ...]:
        """Return what there is of each block; each goes on with the counts of the one before."""
        blocks: list[Advanced] = []
        for first in range(0, len(key), self.agents):
            own_key, own_state, own = cut((key, state, given), first, self.agents)
            blocks.append(self.step(level, tables, own_key, own_state, counts, *own, True))
            counts = blocks[-1].counts
        return tuple(blocks)

    def note(self, level: Level, tables: Tables, constants: Sequence[Tensor], inputs: Sequence[Any]) -> Noted:
        """Note the kernels of all blocks, which write where it lies together; see `kernels.note`."""
        noted = note(lambda *inputs: with_bools(self.apart(level, tables, *inputs)), constants, inputs)
        return _Together(noted).noted()


def cut(tree: Any, first: int, agents: int) -> Any:
    """Return a block's part of tensors in nested tuples, in whose last dimension the agents are."""
    return mapped(lambda part: part[..., first : first + agents], tree)


def joined(blocks: Sequence[Advanced], rows: Callable[..., Any], columns: Callable[..., Any]) -> Advanced:
    """Put blocks together: row after row what comes in rows, by `rows(parts)`, and tuples by `columns(parts)`.

    These put together tensors, or the places where kernels are to write them.
    """

    def together(parts: Sequence[Any]) -> Any:
        if isinstance(parts[0], tuple) and hasattr(parts[0], "_fields"):
            return type(parts[0])(*map(together, zip(*parts, strict=True)))
        if isinstance(parts[0], tuple):
            return columns(parts)
        return None if parts[0] is None else rows(parts)

    state, result = together([block.state for block in blocks]), together([block.result for block in blocks])
    seen = result.observation
    result = result._replace(
        observation=seen._replace(action_mask=seen.action_mask.t()), final_action_mask=result.final_action_mask.t()
    )
    return Advanced(state, result, blocks[-1].counts, ())


def _stack(blocks: Sequence[Sequence[Tensor]]) -> Tensor:
    return torch.stack([torch.cat(column) for column in zip(*blocks, strict=True)])


class _Together:
    """Where kernels of all blocks write: outputs one behind the other, and what is no output into the same memory."""

    def __init__(self, noted: Noted) -> None:
        self.before = noted
        self.allocations = list(noted.allocations)
        self.moved: dict[int, tuple[int, int]] = {}  # of an allocation: into which, and its first byte there

    def noted(self) -> Noted:
        """Return the same calls, of other places."""
        outputs = joined(self.before.outputs, self._rows, self._columns)
        self._share()
        calls = [Call(kernel, list(map(self._found, arguments))) for kernel, arguments in self.before.calls]
        return Noted(calls, self.allocations, outputs)

    def _rows(self, parts: Sequence[Place]) -> Place:
        first = parts[0]
        agents = sum(part.size[0] for part in parts)
        whole = self._move(parts)
        return Place(whole, first.dtype, torch.Size([agents, *first.size[1:]]), first.stride, 0)

    def _columns(self, blocks: Sequence[Sequence[Place]]) -> Place:
        first, agents = blocks[0][0], sum(block[0].size[0] for block in blocks)
        whole = self._move([part for column in zip(*blocks, strict=True) for part in column])
        return Place(whole, first.dtype, torch.Size([len(blocks[0]), agents]), (agents, 1), 0)

    def _move(self, parts: Sequence[Place]) -> int:
        """Let parts lie one behind the other, in an allocation of their own; return which."""
        before = {self.moved[part.allocation][0] for part in parts if part.allocation in self.moved}
        if len(before) == 1 and all(part.allocation in self.moved for part in parts):
            return before.pop()  # handed out twice
        start, whole = 0, len(self.allocations)
        for part in parts:
            alone = part.allocation not in self.moved and part.is_all_of(self.allocations[part.allocation])
            if not alone:
                raise UnknownKernelsError(f"expected outputs in memory of their own, got {part}")
            start += self._put(part.allocation, whole, start)
        self.allocations.append(start)
        return whole

    def _share(self) -> None:
        """Let each block use the memory of the first for what it hands to nobody, while that is in the cache.

        Counts are handed from each block to the next.
        """
        of_a_block, odd = divmod(len(self.before.allocations), len(self.before.outputs))
        sizes = self.before.allocations
        if odd or sizes != sizes[:of_a_block] * len(self.before.outputs):
            return  # blocks that are not alike
        counts = {place.allocation for block in self.before.outputs for place in leaves(block.counts) if place}
        for index in range(of_a_block, len(sizes)):
            first = index % of_a_block
            if not {index, first} & (counts | self.moved.keys()):
                self._put(index, first, 0)

    def _put(self, allocation: int, into: int, start: int) -> int:
        """Let an allocation lie within another, from a byte on; return how large it is."""
        size = self.allocations[allocation]
        self.moved[allocation], self.allocations[allocation] = (into, start), 0
        return size

    def _found(self, part: Place | Input | Tensor) -> Place | Input | Tensor:
        if not isinstance(part, Place) or part.allocation not in self.moved:
            return part
        whole, start = self.moved[part.allocation]
        return Place(whole, part.dtype, part.size, part.stride, start // part.dtype.itemsize + part.offset)
