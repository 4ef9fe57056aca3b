"""A compiled step of many agents, block by block: what is written of a block is in the processor's cache until it ends.

A kernel writes each part of its rows in a pass of its own. Where the rows of all agents are larger than the cache, each
pass brings them in anew.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from townlet.capture import mapped
from townlet.config import Level
from townlet.environment.advance import Advanced, Counts, advance, advance_block
from townlet.environment.compiled.fuse import fuse
from townlet.environment.compiled.kernels import Call, Input, Noted, Place, UnknownKernelsError, note
from townlet.environment.observation import with_bools
from townlet.environment.tables import Tables
from townlet.environment.types import EnvState

VARYING = ("difficulty", "skipped")  # what a step is given only sometimes
LARGEST = 2_048  # agents a thread: two rows each, of 200 bytes in Level 2, take 800 KB of the 1 or 2 MB of a cache


def compiled_step(level: Level, tables: Tables, trial: tuple[Any, ...]) -> Callable[..., Advanced]:
    """Compile a world's step, block by block where that is faster; `trial` is like what it is called with."""
    key, state, counts, *given = trial
    agents = agents_of_a_block(len(key), torch.get_num_threads())
    if not key.is_cpu or agents == len(key):
        return fuse(advance, VARYING, (level, tables, *trial))
    own_key, own_state, own = cut((key, state, tuple(given)), 0, agents)
    return Blocks(fuse(advance_block, VARYING, (level, tables, own_key, own_state, counts, *own)), agents)


def agents_of_a_block(num_agents: int, threads: int) -> int:
    """How many agents a block has: the most that divide all, of half a block or more, else all."""
    largest = LARGEST * threads
    return next((size for size in range(largest, largest // 2 - 1, -1) if num_agents % size == 0), num_agents)


class Blocks:
    """A step of so many `agents`, as `advance_block` takes it, called for one block after the other; as `advance` is.

    What it returns for all is put together of what there is of each, which `note` needs not.
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
            blocks.append(self.step(level, tables, own_key, own_state, counts, *own))
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
    """Put blocks together, by what puts together tensors, `rows(parts)`, and what does tuples, `columns(parts)`."""

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
    """Where outputs of all blocks lie, one behind the other, in place of what PyTorch allocates for each."""

    def __init__(self, noted: Noted) -> None:
        self.before = noted
        self.allocations = list(noted.allocations)
        self.moved: dict[int, tuple[int, int]] = {}  # of an allocation: into which, and how many numbers before it

    def noted(self) -> Noted:
        """Return the same calls, of other places."""
        outputs = joined(self.before.outputs, self._rows, self._columns)
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
        if parts[0].allocation in self.moved:  # handed out twice
            return self.moved[parts[0].allocation][0]
        start, whole = 0, len(self.allocations)
        for part in parts:
            size = part.size.numel()
            alone = part.allocation not in self.moved and part.is_all_of(self.allocations[part.allocation])
            if not alone:
                raise UnknownKernelsError(f"expected outputs in memory of their own, got {part}")
            self.moved[part.allocation] = whole, start
            self.allocations[part.allocation] = 0
            start += size
        self.allocations.append(start * parts[0].dtype.itemsize)
        return whole

    def _found(self, part: Place | Input | Tensor) -> Place | Input | Tensor:
        if not isinstance(part, Place) or part.allocation not in self.moved:
            return part
        whole, start = self.moved[part.allocation]
        return Place(whole, part.dtype, part.size, part.stride, start + part.offset)
