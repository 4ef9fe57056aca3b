"""Compiling a pure function into one fused kernel, for one owner."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def fuse(function: F, varying: str) -> F:
    """Compile a pure function of tensors, of constants that are the same at each call, and of one argument that varies.

    PyTorch asks at each call whether all that it compiled in is as it was, which for a level takes as long as the
    arithmetic of a hundred agents. Here it asks for the shapes and types of tensors, and for `varying`, the argument
    that may be None, alone. So the function is copied: what is compiled stays with a function's code, for all callers.
    """
    assert isinstance(function, FunctionType)
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__)

    def kept(guards: Sequence[Any]) -> list[bool]:
        return [guard.guard_type == "TENSOR_MATCH" or varying in guard.name for guard in guards]

    filters = hasattr(torch.compiler, "keep_tensor_guards_unsafe")  # of later PyTorch; others ask for everything
    options: dict[str, Any] = {"guard_filter_fn": kept} if filters else {}
    return cast(F, torch.compile(own, dynamic=False, fullgraph=True, options=options))
