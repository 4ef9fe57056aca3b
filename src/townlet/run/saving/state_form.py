"""Whether a saved state has the form that a population's state has: its keys, types, shapes and numbers' types.

Values that fit in form alone are taken as they are. Tensors are compared before they are copied, since PyTorch spreads
one of another shape over the place that it is copied to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Ends of what may be of another form: random streams are of a kind of device, moments of an optimiser made by its first
# step and its groups by a version of PyTorch, the past is long or short, the scale of rewards was fixed before, and
# nobody had tastes. Who loads it looks at it.
FREE = (".random", ".learning", ".reward_scale", ".tastes", ".optimizer.state", ".optimizer.param_groups")


def unlike(expected: Any, got: Any, where: str) -> str | None:
    """Say in one line where `got` is not of the form of `expected`; None where it is. More keys do no harm."""
    if isinstance(expected, Tensor):
        mine, theirs = _form(expected), _form(got) if isinstance(got, Tensor) else _kind(got)
        return None if mine == theirs else f"{where}: expected {mine}, got {theirs}"
    if isinstance(expected, Mapping):
        return _unlike_mapping(expected, got, where)
    if isinstance(expected, list | tuple):
        return _unlike_list(expected, got, where)
    if expected is None or got is None:  # what does not fit is told by who loads it, in words of its own
        return None
    fits = type(got) in (int, float) if type(expected) is float else type(got) is type(expected)
    return None if fits else f"{where}: expected {_kind(expected)}, got {_kind(got)}"


def wrong_optimizer(optimizer: torch.optim.Optimizer) -> str | None:
    """Say in one line which number of an optimiser is none, or which moments do not fit its weights; else None."""
    for group in optimizer.param_groups:
        for name, value in (("lr", group["lr"]), ("eps", group["eps"]), *(("betas", beta) for beta in group["betas"])):
            if not isinstance(value, float | Tensor):
                return f"optimizer.{name}: expected a number, got {_kind(value)}"
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for index, weight in enumerate(weights):
        moments, shape = optimizer.state.get(weight, {}), weight.shape
        if moments == {}:  # no step was taken
            continue
        expected = {"step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape}
        got = {name: getattr(moment, "shape", None) for name, moment in dict(moments).items()}
        if got != expected:
            return f"optimizer: moments of weight {index}: expected {_shapes(expected)}, got {_shapes(got)}"
    return None


def _unlike_mapping(expected: Mapping[Any, Any], got: Any, where: str) -> str | None:
    if not isinstance(got, Mapping):
        return f"{where}: expected a mapping, got {_kind(got)}"
    for name, value in expected.items():
        at = f"{where}.{name}"
        if at.endswith(FREE):
            continue
        if name not in got:
            return f"{at}: expected {_kind(value)}, got nothing"
        if problem := unlike(value, got[name], at):
            return problem
    return None


def _unlike_list(expected: Sequence[Any], got: Any, where: str) -> str | None:
    if not isinstance(got, list | tuple) or len(got) != len(expected):
        theirs = f"{len(got)}" if isinstance(got, list | tuple) else _kind(got)
        return f"{where}: expected a list of {len(expected)}, got {theirs}"
    pairs = enumerate(zip(expected, got, strict=True))
    return next((said for at, (one, other) in pairs if (said := unlike(one, other, f"{where}[{at}]"))), None)


def _form(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _shapes(moments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {None if shape is None else list(shape)}" for name, shape in moments.items())
