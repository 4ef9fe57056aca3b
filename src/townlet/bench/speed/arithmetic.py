"""The products in an update: what a learner must multiply and add, counted from its network's layers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from townlet.agent.learner import QLearner
from townlet.agent.memory.lru import LinearRecurrentUnit
from townlet.agent.networks import QNetwork

KNOWN = (nn.Linear, nn.Conv2d, nn.LSTM, nn.GRU, nn.LayerNorm, LinearRecurrentUnit)


class Products(NamedTuple):
    """Multiply-adds of one timestep of one window."""

    forward: int
    backward: int  # gradients of all weights, and of those inputs that are no observations


def products_of(network: QNetwork) -> Products:
    """Count the products of linear layers, convolutions and cells. Raises ValueError for layers of other kinds.

    Elementwise work, norms and optimiser are left out. A product costs its own size backward for the gradient of its
    weights, and as much again for that of its inputs, unless nobody asks for it, as in the first layer.
    """
    for module in network.modules():
        if next(module.parameters(recurse=False), None) is not None and not isinstance(module, KNOWN):
            expected = ", ".join(kind.__name__ for kind in KNOWN)
            raise ValueError(f"network: expected layers of {expected}, got {type(module).__name__}")
    forward = backward = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], outputs: object) -> None:
        nonlocal forward, backward
        of_inputs, of_memory = _layer_products(module, outputs)
        forward += of_inputs + of_memory
        backward += of_inputs + 2 * of_memory + (of_inputs if inputs[0].requires_grad else 0)

    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, KNOWN)]
    device = next(network.parameters()).device
    try:
        with torch.enable_grad():
            features = torch.zeros(1, 1, network.obs_dim, device=device)
            none = torch.zeros(1, 1, dtype=torch.int64, device=device)
            network(features, network.initial_hidden(1), none)
    finally:
        for hook in hooks:
            hook.remove()
    return Products(forward, backward)


def _layer_products(module: nn.Module, outputs: object) -> tuple[int, int]:
    """Multiply-adds of one call with a layer's inputs, and with its memory."""
    if isinstance(module, nn.Linear):
        assert isinstance(outputs, Tensor)
        return outputs.numel() * module.in_features, 0
    if isinstance(module, nn.Conv2d):
        assert isinstance(outputs, Tensor)
        return outputs.numel() * module.weight[0].numel(), 0
    if isinstance(module, nn.RNNBase):
        return module.get_parameter("weight_ih_l0").numel(), module.get_parameter("weight_hh_l0").numel()
    return 0, 0


def update_products(learner: QLearner, windows: int, seq_len: int, burn_in: int = 0) -> int:
    """Count the multiply-adds of one update from so many windows.

    The online network goes forward and backward over seq_len + 1 timesteps, the target network, where there is one,
    forward; both go forward over the burn-in.
    """
    products = products_of(learner.network)
    passes = 1 if learner.target is None else 2
    steps = (seq_len + 1) * (passes * products.forward + products.backward) + burn_in * passes * products.forward
    return windows * steps
