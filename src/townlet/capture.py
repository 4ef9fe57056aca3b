"""A function run over static buffers: on a CUDA device as one graph, captured once and then replayed."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

WARM_UPS = 3  # runs before a capture, in which libraries choose their algorithms and reserve their memory


class Captured:
    """A function of tensors in nested tuples, run over buffers of its own.

    A call copies its inputs into the buffers and replays the graph of the function; what it returns lies in buffers
    too, and is overwritten by the next call with inputs of the same shapes. A function may write into its inputs and
    return them: given back at the next call they are where they have to be, and are not copied. `state` names what
    else the function changes in place, always the same tensors: warming up leaves it as it was.

    Inputs of other shapes or types, None in place of a tensor or another number get buffers and a graph of their own.
    On a device without graphs, and where capturing fails, the function itself runs over the buffers; `failure` says why
    it failed.
    """

    def __init__(
        self, function: Callable[..., Any], device: torch.device, state: Callable[[], Sequence[Tensor]] = tuple
    ) -> None:
        self.function, self.device, self.state = function, device, state
        self.failure: str | None = None
        self._runs: dict[tuple[Any, ...], _Run] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Return what the function returns for these inputs, in buffers that the next call overwrites."""
        parts = list(leaves(inputs))
        form = tuple((part.shape, part.dtype) if isinstance(part, Tensor) else part for part in parts)
        if form not in self._runs:
            self._runs[form] = self._prepare(inputs)
        run = self._runs[form]
        write(run.buffers, parts)
        run.replay()
        return mapped(lambda buffer: buffer, run.outputs)  # the same tensors, in dicts that the caller may change

    def _prepare(self, inputs: Any) -> "_Run":
        """Warm up, put back what that changed, and capture. The buffers are left for the call to fill again."""
        with torch.no_grad():
            buffers = mapped(Tensor.clone, inputs)
            kept = [part.clone() for part in self.state()]
        if self.device.type == "cuda":
            side = torch.cuda.Stream(self.device)  # neither warming up nor capturing may use the default stream
            outputs = self._warm_up_on(side, buffers)
        else:
            side, outputs = None, self._warm_up(buffers)
        write(self.state(), kept)
        if side is not None:
            try:
                return self._record_on(side, buffers)
            except Exception as error:  # drivers, libraries and memory fail in many ways
                self.failure = reason_of(error)
        return _Run(list(leaves(buffers)), partial(self._run_again, buffers, outputs), outputs)

    def _warm_up(self, buffers: Any) -> Any:
        for _ in range(WARM_UPS):
            outputs = self.function(*buffers)
        return outputs

    def _warm_up_on(self, side: torch.cuda.Stream, buffers: Any) -> Any:
        return run_on(side, lambda: self._warm_up(buffers))

    def _record_on(self, side: torch.cuda.Stream, buffers: Any) -> "_Run":
        replay, outputs = record_on(side, lambda: self.function(*buffers))
        return _Run(list(leaves(buffers)), replay, outputs)

    def _run_again(self, buffers: Any, outputs: Any) -> None:
        write(list(leaves(outputs)), list(leaves(self.function(*buffers))))


class _Run(NamedTuple):
    buffers: list[Any]  # the leaves of the inputs
    replay: Callable[[], None]
    outputs: Any


class CapturedStep:
    """A function without inputs, of all that it changes where it lies: on a CUDA device one graph, captured once.

    The first WARM_UPS calls run the function: they warm libraries up, and are steps like any other. The next call
    captures it, which runs nothing, and from then on the graph is replayed. So whatever the function reads and changes
    has to be a tensor that stays where it is; what it does with objects of Python is done at the first calls alone.
    On a device without graphs, and where capturing fails, each call runs the function; `failure` says why it failed.
    """

    def __init__(self, function: Callable[[], Any], device: torch.device) -> None:
        self.function, self.device = function, device
        self.failure: str | None = None
        self._warm_ups = WARM_UPS if device.type == "cuda" else 0  # that are still to come
        self._side: torch.cuda.Stream | None = None
        self._run: Callable[[], Any] | None = None if self._warm_ups else function

    def __call__(self) -> None:
        """Run the function, or its graph."""
        if self._run is None and self._warm_ups:
            self._warm_ups -= 1
            run_on(self._stream(), self.function)
            return
        if self._run is None:
            self._run = self._captured()
        self._run()

    def _stream(self) -> torch.cuda.Stream:
        if self._side is None:
            self._side = torch.cuda.Stream(self.device)
        return self._side

    def _captured(self) -> Callable[[], Any]:
        try:
            return record_on(self._stream(), self.function)[0]
        except Exception as error:  # as above
            self.failure = reason_of(error)
            return self.function


def run_on(side: torch.cuda.Stream, function: Callable[[], Any]) -> Any:
    """Run a function on another stream than the current one, in its turn, and return what it returns."""
    main = torch.cuda.current_stream(side.device)
    side.wait_stream(main)
    with torch.cuda.stream(side):
        outputs = function()
    main.wait_stream(side)
    return outputs


def record_on(side: torch.cuda.Stream, function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """Capture a function on a stream, which runs nothing; returns how to replay it, and what it returned."""
    graph = torch.cuda.CUDAGraph()
    # The outer one brings the stream back where the end of a capture fails before the inner one does.
    with torch.cuda.stream(torch.cuda.current_stream(side.device)), torch.cuda.graph(graph, stream=side):
        outputs = function()
    return graph.replay, outputs


def reason_of(error: object) -> str:
    """Say in one short line why something failed."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def leaves(tree: Any) -> Iterator[Any]:
    """Give all that lies in nested tuples and dicts, in order."""
    if isinstance(tree, tuple | dict):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(part)
    else:
        yield tree


def mapped(change: Callable[[Tensor], Any], tree: Any) -> Any:
    """Return nested tuples and dicts with each tensor changed, and all else as it is."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return {name: mapped(change, part) for name, part in tree.items()}
    if isinstance(tree, tuple):
        parts = [mapped(change, part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree


@torch.no_grad()
def write(buffers: Sequence[Any], values: Sequence[Any]) -> None:
    """Copy tensors into their buffers, all in one operation, but for those that are the buffers."""
    pairs = zip(buffers, values, strict=True)
    apart = [(buffer, value) for buffer, value in pairs if buffer is not value and isinstance(buffer, Tensor)]
    if apart:
        torch._foreach_copy_([buffer for buffer, _ in apart], [value for _, value in apart])
