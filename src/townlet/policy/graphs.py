"""One step of a network as a graph that other programs run: by ONNX, or by PyTorch without Townlet."""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from townlet.agent.memory.beside import Beside
from townlet.agent.networks import QNetwork
from townlet.masking import masked_argmax
from townlet.policy.policy import Policy
from townlet.sequences import Hidden

ONNX, PROGRAM = "policy.onnx", "policy.pt2"
ROWS = 3  # of the example by which a graph is made: neither 0 nor 1, which graphs may take for constants
CLOSE = 1e-4  # what values may differ by, times 1 and the greatest of them: another program adds in another order

Step = Callable[..., tuple[Tensor, ...]]


class GraphError(Exception):
    """A graph cannot be made, or does something else than its network; one line."""


class OneStep(nn.Module):
    """One step: what is seen, allowed, was done and is remembered, to values, the best action and the memory after.

    observation [batch, obs_dim] float32, action_mask [batch, num_actions] bool, previous_action [batch] int64,
    num_actions for none, and the memory's parts, each [1, batch, size], zeros at an episode's start. Returns q [batch,
    num_actions], action [batch] int64 and the parts.
    """

    def __init__(self, network: QNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().requires_grad_(False)
        for part in self.network.modules():
            if isinstance(part, Beside) and type(part).take_step is not Beside.take_step:
                part.forward = partial(_taken, part)  # type: ignore[method-assign]

    def forward(
        self, observation: Tensor, action_mask: Tensor, previous_action: Tensor, *memory: Tensor
    ) -> tuple[Tensor, ...]:
        """Take the step."""
        q, memory = self.network(observation.unsqueeze(1), memory, previous_action.unsqueeze(1))
        q = q[:, 0]
        if not self.network.takes_previous_action:
            q = q + 0 * previous_action.unsqueeze(1)  # exporters leave out inputs that nothing reads
        return (q, masked_argmax(q, action_mask), *memory)


def names_of(network: QNetwork) -> tuple[list[str], list[str]]:
    """Return the names of a graph's inputs and outputs, in order."""
    parts = range(len(network.initial_hidden(1)))
    inputs = ["observation", "action_mask", "previous_action", *(f"memory_{part}" for part in parts)]
    return inputs, ["q", "action", *(f"next_memory_{part}" for part in parts)]


def write_onnx(policy: Policy, folder: Path) -> Path:
    """Write policy.onnx, and see that onnxruntime does with it what the network does; the axis "batch" is free.

    By the exporter that follows PyTorch's calls: the newer one takes a minute for what this one does in a second, and
    fixes the number of rows. Raises GraphError, also where the packages of the extra are not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise GraphError(f"--onnx: expected the packages of the extra onnx, got {error}") from error
    inputs, outputs = names_of(policy.network)
    axes = {name: {1 if "memory" in name else 0: "batch"} for name in (*inputs, *outputs)}
    path, step = folder / ONNX, OneStep(policy.network)
    with warnings.catch_warnings(), _told("--onnx"):
        warnings.simplefilter("ignore")  # of constants that are meant, and of the newer exporter
        torch.onnx.export(
            step,
            _example(step.network, ROWS, torch.Generator().manual_seed(0)),
            path,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(*given: Tensor) -> tuple[Tensor, ...]:
        found = session.run(outputs, {name: part.numpy() for name, part in zip(inputs, given, strict=True)})
        return tuple(map(torch.from_numpy, found))

    check(policy.network, run, "--onnx")
    return path


def write_program(policy: Policy, folder: Path) -> Path:
    """Write policy.pt2, see `torch.export.load`, and see that it does what the network does; any number of rows.

    A program of torch.export and not TorchScript, which PyTorch has given up. Raises GraphError.
    """
    path, step = folder / PROGRAM, OneStep(policy.network)
    example, batch = _example(step.network, ROWS, torch.Generator().manual_seed(0)), torch.export.Dim("batch", min=1)
    rows = ({0: batch}, {0: batch}, {0: batch}, tuple({1: batch} for _ in example[3:]))
    with warnings.catch_warnings(), _told("--program"):
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(step, example, dynamic_shapes=rows), path)
        run = torch.export.load(path).module()
    check(policy.network, run, "--program")
    return path


@torch.no_grad()
def check(network: QNetwork, step: Step, where: str) -> None:
    """Take some steps with a network and with a graph of it, on random inputs, and begin anew in their midst.

    Raises GraphError where they differ.
    """
    network, draw = copy.deepcopy(network).cpu(), torch.Generator().manual_seed(1)
    for rows in (1, ROWS + 1):
        memory = theirs = _example(network, rows, draw)[3:]
        for moment in range(6):
            if moment == 3:
                memory = theirs = network.initial_hidden(rows)
            seen, mask, previous, *_ = _example(network, rows, draw)
            q, memory = network(seen.unsqueeze(1), memory, previous.unsqueeze(1))
            expected = (q[:, 0], masked_argmax(q[:, 0], mask), *memory)
            found = step(seen, mask, previous, *theirs)
            for name, mine, other in zip(names_of(network)[1], expected, found, strict=True):
                if not torch.allclose(mine.double(), other.double(), rtol=CLOSE, atol=CLOSE):
                    apart = (mine.double() - other.double()).abs().max()
                    raise GraphError(f"{where}: {name}: expected what the network has, got {apart:.2g} off it")
            theirs = tuple(found[2:])


def _taken(part: Beside, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
    """A call of a memory, by its step for graphs."""
    assert reset is None
    return part.take_step(features, hidden)


def _example(network: QNetwork, rows: int, draw: torch.Generator) -> tuple[Tensor, ...]:
    """Inputs of one step at random, with at least one action allowed, at an episode's start."""
    seen, mask = (
        torch.rand(rows, network.obs_dim, generator=draw),
        torch.rand(rows, network.num_actions, generator=draw),
    )
    allowed = mask >= mask.amax(dim=1, keepdim=True).clamp(max=0.5)
    previous = torch.randint(0, network.num_actions + 1, (rows,), generator=draw)
    return (seen, allowed, previous, *network.initial_hidden(rows))


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Raise GraphError, in a line, for whatever an exporter raises."""
    try:
        yield
    except Exception as error:  # exporters raise many kinds
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise GraphError(f"{where}: expected a network that can be written as a graph, got {said}") from error
