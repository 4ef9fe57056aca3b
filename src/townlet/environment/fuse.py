"""Compiling a pure function into one fused kernel, for one owner."""

from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])

QUICKER = {
    "cpp.vec_isa_ok": True,  # take PyTorch's word for what the processor can, instead of compiling to see
    "cpp_cache_precompile_headers": False,  # one kernel does not repay a header that is compiled beforehand
}


def fuse(function: F, varying: str) -> F:
    """Compile a pure function of tensors, of constants that are the same at each call, and of one argument that varies.

    PyTorch asks at each call whether all that it compiled in is as it was, which for a level takes as long as the
    arithmetic of a hundred agents. Here it asks for the shapes and types of tensors, and for `varying`, the argument
    that may be None, alone. So the function is copied: what is compiled stays with a function's code, for all callers.
    `QUICKER` is for the time that compiling takes, cold; what is compiled is the same without it.
    """
    assert isinstance(function, FunctionType)
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__)

    def kept(guards: Sequence[Any]) -> list[bool]:
        return [guard.guard_type == "TENSOR_MATCH" or varying in guard.name for guard in guards]

    filters = hasattr(torch.compiler, "keep_tensor_guards_unsafe")  # of later PyTorch; others ask for everything
    options: dict[str, Any] = {"guard_filter_fn": kept} if filters else {}
    compiled = partial(torch.compile, own, dynamic=False, fullgraph=True)
    try:
        return cast(F, compiled(options=options | QUICKER))
    except RuntimeError:  # raised before compiling, by a PyTorch that has not all of these options
        return cast(F, compiled(options=options))
