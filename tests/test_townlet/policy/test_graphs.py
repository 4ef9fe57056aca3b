"""A network as a graph takes the steps that the network takes: for each level, and for each kind of memory."""

from types import SimpleNamespace

import pytest
import torch

from townlet.agent.networks import make_network
from townlet.config import load_level
from townlet.environment.layout import lay_out
from townlet.level.file import shipped_levels
from townlet.policy.graphs import GraphError, OneStep, check, names_of, write_onnx, write_program

SPECTRAL, DELTA = {"kind": "spectral", "lags": 8, "keep": 0.9}, {"kind": "delta", "keys": 8, "values": 4, "keep": 0.9}
LRU, COUNTER = {"kind": "lru", "units": 4, "span": 20}, {"kind": "counter", "most": 3}
MEMORIES = {
    "spectral": SPECTRAL, "squashed": SPECTRAL | {"squash": True}, "mixed": SPECTRAL | {"widest": 6},
    "steered": SPECTRAL | {"turn": "learned", "banks": 3, "squash": True},
    "steered, mixed": SPECTRAL | {"turn": "learned", "banks": 2, "widest": 6},
    "delta": DELTA, "delta at": DELTA | {"at": "underfoot", "keys": 20}, "phases": DELTA | {"phases": True},
    "lru": LRU, "traces": LRU | {"traces": True},
    "counter": COUNTER, "outcomes": COUNTER | {"of": "outcomes", "reach": 1}, "parts": COUNTER | {"of": "parts"},
}  # fmt: skip


def network_of(level):
    """The network of a level with weights at random, those that begin at zero too."""
    torch.manual_seed(0)
    network = make_network(level.network, lay_out(level), len(level.actions))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return network


def kinds():
    """Each network that a level has, and Level 2 with each kind of memory and cell."""
    levels, known = [load_level(path) for path in shipped_levels().values()], []
    for level in levels:
        if (key := (level.network, lay_out(level))) not in known:
            known.append(key)
            yield pytest.param(level, id=f"level {level.id}")
    for name, memory in MEMORIES.items():
        yield pytest.param(level_with(memory), id=name)
    yield pytest.param(load_level("2", {"network.cell": "gru"}), id="gru")


def level_with(memory):
    return load_level("2", {"network.memory": [memory], "network.previous_action": True, "network.sightings": False})


@pytest.mark.parametrize("level", [*kinds()])
def test_an_onnx_graph_takes_the_steps_of_the_network_with_a_reset_in_their_midst(level, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = write_onnx(SimpleNamespace(network=network_of(level)), tmp_path)  # which checks it
    inputs, outputs = names_of(network_of(level))
    graph = onnx.load(path).graph
    axes = {part.name: part.type.tensor_type.shape.dim for part in graph.input}
    shapes = {name: [axis.dim_param or axis.dim_value for axis in dim] for name, dim in axes.items()}
    assert [*shapes] == inputs and [part.name for part in graph.output] == outputs
    assert shapes["observation"] == ["batch", lay_out(level).obs_dim] and shapes["previous_action"] == ["batch"]
    assert all(shapes[name][:2] == [1, "batch"] for name in inputs[3:])


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMORIES)
def test_a_program_takes_the_steps_of_the_network_with_a_reset_in_their_midst(name, tmp_path):
    path = write_program(SimpleNamespace(network=network_of(level_with(MEMORIES[name]))), tmp_path)  # which checks it
    assert path.name == "policy.pt2" and path.stat().st_size > 1000


@pytest.mark.parametrize("name", MEMORIES)
def test_a_memorys_step_for_graphs_is_its_step(name):
    network = network_of(level_with(MEMORIES[name]))
    check(network, OneStep(network), "step")


def test_a_graph_that_does_something_else_is_refused():
    network, other = network_of(load_level("0")), OneStep(network_of(load_level("0")))
    with torch.no_grad():
        other.network.value.output.bias[0] += 0.5
    with pytest.raises(GraphError, match=r"^--onnx: q: expected what the network has, got 0\.\d+ off it$"):
        check(network, other, "--onnx")


def test_a_graph_that_remembers_through_a_reset_is_refused():
    network, kept = network_of(load_level("2")), []
    step = OneStep(network)

    def remembers(seen, mask, previous, *memory):
        begun = kept and kept[-1].shape == memory[0].shape and not memory[0].any()
        found = step(seen, mask, previous, *((kept[-1], *memory[1:]) if begun else memory))
        kept.append(found[2])
        return found

    with pytest.raises(GraphError, match=r"^--onnx: "):
        check(network, remembers, "--onnx")
