"""The products in an update, against counts by hand and against PyTorch's own counter."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from townlet.agent.learner import QLearner
from townlet.agent.networks import QNetwork, make_network
from townlet.bench.speed import learner
from townlet.bench.speed.arithmetic import Products, products_of, update_products
from townlet.config import load_level
from townlet.environment.observation import lay_out


def network_of(reference: str, **overrides: object) -> tuple[QNetwork, QLearner]:
    level = load_level(reference, {name.replace("__", "."): value for name, value in overrides.items()})
    network = make_network(level.network, lay_out(level), len(level.actions))
    return network, QLearner(network, level.training)


def test_the_reference_network_by_hand():
    seen = 25 * 16 * 9 + 2 * 32 + 8 * 32 + 15 * 32  # first convolution, position, meters, underfoot
    spatial = 25 * 32 * 16 * 9 + 32 * 25 * 128
    inputs, memory = 4 * 256 * (128 + 3 * 32), 4 * 256 * 256
    head = 256 * 128 + 128 * 5
    forward = seen + spatial + inputs + memory + head
    assert forward == 746_928
    network, trained = network_of("2-reference")
    assert products_of(network) == Products(forward, 2 * forward - seen)
    assert update_products(trained, 16, 8) == 16 * 9 * (forward + 2 * forward - seen + forward)  # it has a target
    assert update_products(trained, 16, 8, burn_in=4) == update_products(trained, 16, 8) + 16 * 4 * 2 * forward


def test_the_network_of_level_2_by_sightings_by_hand():
    seen = (50 + 5) * 64  # the observation and the previous action
    forward = seen + 4 * 32 * (64 + 32) + (32 + 64 + 4 * 14) * 128 + 128 * (5 + 1)  # the head reads sightings
    network, trained = network_of("2-sightings")
    assert products_of(network) == Products(forward, 2 * forward - seen)
    assert update_products(trained, 64, 8) == 64 * 9 * (forward + 2 * forward - seen)  # it has no target


def test_a_gru_has_three_gates():
    lstm, gru = (products_of(network_of("2", network__cell=cell)[0]).forward for cell in ("lstm", "gru"))
    assert lstm - gru == 32 * (64 + 32)


@pytest.mark.parametrize("reference", ["2-sightings", "2-reference"])
def test_pytorch_counts_as_many(reference):
    """PyTorch counts products where an LSTM is made of them; the gradient of the first memory is what it saves."""
    subject = learner.make_subject(reference, {"max_steps": 12}, 16, torch.device("cpu"))
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        subject.learner.update(subject.batch._replace(reset=None))
    hidden = subject.learner.network.cell.hidden_size
    first_memory = 16 * 4 * hidden * hidden
    assert subject.products - counter.get_total_flops() / 2 == pytest.approx(first_memory)


def test_layers_of_other_kinds_are_refused():
    network, _ = network_of("2")
    network.extra = nn.Bilinear(2, 2, 2)
    with pytest.raises(ValueError, match="LSTM, GRU, LayerNorm, LinearRecurrentUnit, got Bilinear"):
        products_of(network)


def test_counting_leaves_the_network_as_it_was():
    network, _ = network_of("2")
    products_of(network)
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_a_linear_recurrent_unit_drives_is_counted_and_its_own_rates_are_not():
    plain, with_units = (
        products_of(network_of("2", network__memory=memory)[0])
        for memory in ([], [{"kind": "lru", "units": 3, "span": 4}])
    )
    seen = 6 * (50 + 5)  # real and imaginary parts of each, of the observation and the previous action
    assert with_units.forward - plain.forward == seen + 6 * 128  # and the head reads them
