"""A graph without a CUDA device: the operations of one run, noted with their tensors and numbers, and repeated."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from support.launches import is_launch

# What a device would be waited for in, and what is copied to it from the host: no graph can hold either.
WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "lift_fresh", "item")


class Recording(TorchDispatchMode):
    """Writes down all that is run, as the capture of a graph does. Raises AssertionError at what no graph can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name.removeprefix("aten::")
        assert name not in WAITS, f"{name}: a graph cannot wait for the device, nor copy from the host"
        kwargs = kwargs or {}
        made = function(*args, **kwargs)
        if is_launch(function):
            self.calls.append((function, args, kwargs, made))
        return made

    def replay(self) -> None:
        """Do the same with the same tensors again; nothing of Python that ran between is run."""
        with torch.no_grad():
            for function, args, kwargs, made in self.calls:
                for mine, new in zip(parts(made), parts(function(*args, **kwargs)), strict=True):
                    if isinstance(mine, Tensor) and new is not mine:
                        mine.copy_(new)


def parts(made: Any) -> list[Any]:
    """What an operation returns: one tensor, or several."""
    return list(made) if isinstance(made, tuple | list) else [made]


class GraphOnTheCPU:
    """In the place of a CapturedStep: runs its function `warm_ups` times, notes it at the next call, and repeats it."""

    warm_ups = 1

    def __init__(self, function: Callable[[], Any], device: torch.device) -> None:
        self.function, self.device, self.failure = function, device, None
        self.runs, self.recording = 0, Recording()

    def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self.warm_ups:
            self.function()
        elif self.runs == self.warm_ups + 1:
            with self.recording:
                self.function()
        else:
            self.recording.replay()
