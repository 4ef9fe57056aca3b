"""Compiling a pure function into one fused kernel, for one owner."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])

VECTOR_BITS = {"AVX512": 512, "AVX2": 256, "SVE256": 256}  # by what PyTorch calls the instructions that it uses


def fuse(function: F, varying: tuple[str, ...], trial: Sequence[Any]) -> F:
    """Compile a pure function of tensors, of constants that are the same at each call, and of what may be None.

    PyTorch asks at each call whether all that it compiled in is as it was, which for a level takes as long as the
    arithmetic of a hundred agents. Here it asks for the shapes and types of tensors, and for `varying`, the arguments
    that may be None, alone. So the function is copied: what is compiled stays with a function's code, for all callers.
    Called once with `trial`, like which all calls are. Raises what PyTorch raises where it fails.
    """
    assert isinstance(function, FunctionType)
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__)

    def kept(guards: Sequence[Any]) -> list[bool]:
        return [guard.guard_type == "TENSOR_MATCH" or any(name in guard.name for name in varying) for guard in guards]

    filters = hasattr(torch.compiler, "keep_tensor_guards_unsafe")  # of later PyTorch; others ask for everything
    options: dict[str, Any] = {"guard_filter_fn": kept} if filters else {}
    # What was compiled is kept by its options. By default the instruction set is none of them, and a loop over vectors
    # of 16 numbers would be taken from there, and built, by a process whose vectors hold 8: half would not be computed.
    options["cpp.simdlen"] = VECTOR_BITS.get(torch.backends.cpu.get_cpu_capability())  # None: as PyTorch finds
    with _no_garbage_collected(), _hurried() as quicker:
        compiled = torch.compile(own, dynamic=False, fullgraph=True, options=options | quicker)
        compiled(*trial)
    return cast(F, compiled)


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Compiling makes millions of objects, few of them garbage: looking for it takes a tenth of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@contextmanager
def _hurried() -> Iterator[dict[str, Any]]:
    """Give options for compiling quickly, none where PyTorch's compiler is not the one that they are made for."""
    with ExitStack() as stack:
        try:
            from townlet.environment.compiled.haste import hurried

            options = stack.enter_context(hurried())
        except (ImportError, AttributeError, KeyError):  # as PyTorch answers for what it does not have
            options = {}
        yield options
