"""Counting operations: on a CUDA device each outside of a graph is a launch of the host's."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Launches(TorchDispatchMode):
    """Counts operations that compute or allocate: views of what is there launch nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returns = [one.alias_info for one in function._schema.returns]
        self.count += not any(alias is not None and not alias.is_write for alias in returns)
        return function(*args, **(kwargs or {}))


def launches(part: Callable[[], Any]) -> tuple[int, Any]:
    """How many operations a part of a step is, and what it returned."""
    with Launches() as mode:
        returned = part()
    return mode.count, returned
