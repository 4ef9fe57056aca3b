"""Counting operations: on a CUDA device each outside of a graph is a launch of the host's."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


def is_launch(function: Any) -> bool:
    """Whether an operation computes or allocates: a view of what is there launches nothing."""
    returns = [one.alias_info for one in function._schema.returns]
    return not any(alias is not None and not alias.is_write for alias in returns)


class Launches(TorchDispatchMode):
    """Counts operations that are launches."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += is_launch(function)
        return function(*args, **(kwargs or {}))


def launches(part: Callable[[], Any]) -> tuple[int, Any]:
    """How many operations a part of a step is, and what it returned."""
    with Launches() as mode:
        returned = part()
    return mode.count, returned
