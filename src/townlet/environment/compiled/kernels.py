"""A compiled function as what it comes down to: calls of a few kernels, noted once, to be made again elsewhere.

What PyTorch's compiler makes for a CPU is kernels in C++, and for each call of them a page of Python that asks whether
the inputs are what they were, allocates all outputs anew and takes dozens of views of them. For a few hundred agents
that takes longer than the kernels do, and for many the new memory does, each page of which the system clears first.

By PyTorch's internals: where a version lacks them, or a function is more than its kernels, `note` says so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.capture import leaves, mapped

LINE = 64  # bytes of a line of the cache: in memory that is shared, each allocation begins with one


class UnknownKernelsError(Exception):
    """A compiled function cannot be told as calls of kernels; one line: why."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in an allocation."""

    allocation: int
    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]
    offset: int  # numbers from the start of the allocation

    def t(self) -> "Place":
        """Return where the transposed matrix lies."""
        return replace(self, size=torch.Size(reversed(self.size)), stride=self.stride[::-1])

    def is_all_of(self, allocation: int) -> bool:
        """Whether so many bytes are the tensor's, one number after the other."""
        ordered = torch.empty(self.size, device="meta").stride() == self.stride
        return ordered and self.offset == 0 and allocation == self.size.numel() * self.dtype.itemsize


@dataclass(frozen=True)
class Input:
    """Which leaf of the inputs a tensor is, or is a part of."""

    index: int
    size: torch.Size
    stride: tuple[int, ...]
    offset: int

    def of(self, leaf: Tensor) -> Tensor:
        """Return the same part of another leaf."""
        return leaf.as_strided(self.size, self.stride, self.offset)


class Call(NamedTuple):
    """A kernel and what it is called with; a constant is itself."""

    kernel: Callable[..., Any]
    arguments: list[Place | Input | Tensor]


class Noted(NamedTuple):
    """A function as calls of kernels."""

    calls: list[Call]
    allocations: list[int]  # bytes of each
    outputs: Any  # what the function returns, with a Place for each tensor


def note(function: Callable[..., Any], constants: Sequence[Tensor], inputs: Sequence[Any]) -> Noted:
    """Call a compiled function and note which kernels it calls, and with what.

    Each tensor of the `inputs`, which may be nested tuples, has memory of its own. What kernels read besides is among
    the `constants`. Raises UnknownKernelsError, and what PyTorch raises.
    """
    function(*inputs)  # compiles what is not compiled yet
    made: list[Tensor] = []
    called: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    with _watched(made, called):
        returned = function(*inputs)
    if not called:
        raise UnknownKernelsError("expected calls of kernels, got none")
    known = {part.data_ptr(): part for part in constants}
    given = {_start(part): index for index, part in enumerate(leaves(inputs)) if isinstance(part, Tensor)}
    starts = {_start(part): index for index, part in enumerate(made)}

    def found(part: Any) -> Place | Input | Tensor:
        if not isinstance(part, Tensor):
            raise UnknownKernelsError(f"expected kernels of tensors alone, got {type(part).__name__}")
        where = part.size(), part.stride(), int(part.storage_offset())
        if (start := _start(part)) in starts:
            return Place(starts[start], part.dtype, *where)
        if start in given:
            return Input(given[start], *where)
        if part.data_ptr() not in known:
            raise UnknownKernelsError(f"expected inputs and new memory alone, got another tensor {list(part.shape)}")
        return known[part.data_ptr()]

    outputs = mapped(found, returned)
    if not all(isinstance(part, Place) for part in leaves(outputs) if part is not None):
        raise UnknownKernelsError("expected outputs in new memory, got some of other kinds")
    calls = [Call(kernel, [found(part) for part in arguments]) for kernel, arguments in called]
    return Noted(calls, [part.untyped_storage().nbytes() for part in made], outputs)


def _start(part: Tensor) -> int:
    return part.untyped_storage().data_ptr()


@contextmanager
def _watched(made: list[Tensor], called: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Iterator[None]:
    """Add to both lists what compiled functions allocate, and which kernels they call with what."""

    def keeping(allocate: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def make(*form: Any) -> Tensor:
            made.append(allocate(*form))
            return made[-1]

        return make

    def noting(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> None:
            called.append((kernel, arguments))
            kernel(*arguments)

        return call

    with ExitStack() as stack:
        for module in _generated_modules():
            for name, value in list(vars(module).items()):
                if name == "empty_strided_cpu":
                    stack.enter_context(_replaced(module, name, keeping(value)))
                elif name.startswith("cpp_fused"):
                    stack.enter_context(_replaced(module, name, noting(value)))
        yield


def _generated_modules() -> list[ModuleType]:
    """What PyTorch's compiler has generated in this process, each once."""
    try:
        from torch._inductor.codecache import PyCodeCache

        return list({id(module): module for module in PyCodeCache.modules}.values())
    except (ImportError, AttributeError) as error:  # as PyTorch answers for what it does not have
        raise UnknownKernelsError(f"expected the modules that PyTorch generated, got {error}") from error


@contextmanager
def _replaced(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


# --- memory to make the calls in -----------------------------------------------------------------------------------

Memory = Mapping[int, tuple[torch.UntypedStorage, int]]  # of an allocation: where it is, and its first byte there


def shared_memory(noted: Noted, allocations: Sequence[int]) -> Memory:
    """Return one piece of memory for several allocations."""
    starts, size = dict[int, int](), 0
    for index in allocations:
        starts[index] = size
        size += -(-noted.allocations[index] // LINE) * LINE
    storage = torch.empty(size, dtype=torch.uint8).untyped_storage()
    return {index: (storage, start) for index, start in starts.items()}


def placed(memory: Memory, place: Place) -> Tensor:
    """Return the tensor that lies in a place of this memory."""
    storage, start = memory[place.allocation]
    tensor = torch.empty(0, dtype=place.dtype)
    return tensor.set_(storage, start // place.dtype.itemsize + place.offset, place.size, place.stride)


def counter_of_holders(storage: torch.UntypedStorage) -> Callable[[], int]:
    """Return what tells how many tensors lie in a piece of memory, whoever has them, while `storage` itself is held.

    Views, and what arrays are made of, count too.
    """
    return partial(torch._C._storage_Use_Count, storage._cdata)
