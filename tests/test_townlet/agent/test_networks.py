"""Networks: sizes, memory as argument and return value, gradients through time, resets, options and compilation."""

import copy

import pytest
import torch

from support.learning import HIDDEN, NUM_ACTIONS, OBS_DIM, differences, feed_forward, joint, random_hidden, recurrent
from townlet.agent.memory.cells import make_cell
from townlet.agent.networks import QHead, RecurrentSpatialQNetwork, make_network
from townlet.config import SpatialEncoder, load_level
from townlet.environment.layout import ObservationLayout, lay_out
from townlet.level.memories import CounterMemory, DeltaMemory, LinearRecurrentMemory, SpectralMemory

OPTIONS = {
    "plain": {},
    "skip": {"skip": True},
    "layer_norm": {"layer_norm": True},
    "dueling": {"dueling": True},
    "previous_action": {"previous_action": True},
    "all": {"skip": True, "layer_norm": True, "dueling": True, "previous_action": True},
}
GRU = {"cell": "gru"}
BESIDE = {
    "previous_action": True,
    "memory": (
        SpectralMemory(kind="spectral", lags=4, keep=0.9),
        SpectralMemory(kind="spectral", lags=4, keep=0.9, turn="learned", banks=2),
        DeltaMemory(kind="delta", keys=3, values=2, keep=0.9),
        DeltaMemory(kind="delta", keys=3, values=2, keep=0.9, phases=True),
        LinearRecurrentMemory(kind="lru", units=3, span=8),
        LinearRecurrentMemory(kind="lru", units=3, span=8, traces=True),
    ),
}
COUNTS = {
    "previous_action": True,
    "memory": (
        CounterMemory(kind="counter", most=3),
        CounterMemory(kind="counter", most=2, of="outcomes", reach=1),
    ),
}
SMALL_SPATIAL = SpatialEncoder(kind="spatial", window=6, part=3)
SPATIAL_LAYOUT = ObservationLayout({"window": slice(0, 9), "meters": slice(9, 11)}, window_size=3)


def make(kind, options, seed=0):
    """A small network of a kind: recurrent with a joint or spatial encoder, or feed-forward."""
    if kind == "feed_forward":
        return feed_forward(seed, **{key: value for key, value in options.items() if key != "skip"})
    if kind == "joint":
        return recurrent(seed, joint(**options))
    torch.manual_seed(seed)
    return RecurrentSpatialQNetwork(SPATIAL_LAYOUT, NUM_ACTIONS, joint(encoder=SMALL_SPATIAL, **options))


EACH_NETWORK = [
    *(
        pytest.param(kind, options, id=f"{kind}-{name}")
        for kind in ("joint", "spatial", "feed_forward")
        for name, options in OPTIONS.items()
        if not (kind == "feed_forward" and name == "skip")
    ),
    pytest.param("joint", GRU, id="joint-gru"),
    pytest.param("joint", BESIDE, id="joint-beside"),
    pytest.param("joint", COUNTS, id="joint-counts"),
]
ALL_NETWORKS = pytest.mark.parametrize(("kind", "options"), EACH_NETWORK)
RECURRENT = pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param(kind, OPTIONS[name], id=f"{kind}-{name}")
        for kind in ("joint", "spatial")
        for name in ("plain", "all")
    ]
    + [pytest.param("joint", GRU, id="joint-gru"), pytest.param("joint", BESIDE, id="joint-beside")],
)


def inputs(network, batch=3, time=6, seed=0):
    """Features, a memory that is not zero where there is one, and previous actions."""
    stream = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, time, network.obs_dim, generator=stream)
    previous = torch.randint(0, NUM_ACTIONS + 1, (batch, time), generator=stream)
    return features, memory_of(network, batch, seed + 1), previous


def memory_of(network, batch, seed):
    """A memory that is not zero, of as many parts as the network's."""
    empty, stream = network.initial_hidden(batch), torch.Generator().manual_seed(seed + 1)
    beside = [torch.randn(part.shape, generator=stream) for part in empty[2:]]  # of an LSTM's network
    return (*random_hidden(batch, seed), *beside)[: len(empty)]


def gradients(network, loss):
    """Gradients of all parameters by name."""
    network.zero_grad(set_to_none=True)
    loss.backward()
    return {name: one.grad.clone() for name, one in network.named_parameters()}


# --- size and choice ----------------------------------------------------------------------------------------------


def test_the_reference_network_has_635333_parameters():
    """Layer by layer, for 5 actions and an observation of a 5x5 window, 2 for position, 8 meters, 15 underfoot:

    first convolution    16 x 1 x 3 x 3 + 16             160
    second convolution   32 x 16 x 3 x 3 + 32          4,640
    window               32 x 25 x 128 + 128         102,528
    position             2 x 32 + 32                      96
    meters               8 x 32 + 32                     288
    underfoot            15 x 32 + 32                    512
    LSTM, 224 in         4 x 256 x (224 + 256 + 2)   493,568
    head                 256 x 128 + 128              32,896
    Q-values             128 x 5 + 5                     645
    """
    level = load_level("2-reference")
    assert len(level.actions) == 5 and lay_out(level).obs_dim == 25 + 2 + 8 + 15
    network = make_network(level.network, lay_out(level), len(level.actions))
    layers = [160, 4_640, 102_528, 96, 288, 512, 493_568, 32_896, 645]
    assert sum(layers) == 635_333
    assert sum(one.numel() for one in network.parameters()) == 635_333
    assert sum(one.numel() for one in network.cell.parameters()) == 493_568


def test_the_reference_config_is_the_default_of_the_recurrent_network():
    layout = lay_out(load_level("2"))
    assert sum(one.numel() for one in RecurrentSpatialQNetwork(layout, 5).parameters()) == 635_333


def test_each_level_gets_the_network_that_it_names():
    for reference, has_memory in [("0", False), ("1", False), ("2", True), ("2-reference", True)]:
        level = load_level(reference)
        network = make_network(level.network, lay_out(level), len(level.actions))
        assert bool(network.initial_hidden(2)) == has_memory
        assert network.num_actions == len(level.actions)
        q, _ = network(
            torch.zeros(2, 1, network.obs_dim), network.initial_hidden(2), torch.zeros(2, 1, dtype=torch.int64)
        )
        assert q.shape == (2, 1, len(level.actions))


def test_a_spatial_encoder_without_a_window_is_refused():
    with pytest.raises(ValueError, match=r"encoder: expected .* window, got one without"):
        RecurrentSpatialQNetwork(ObservationLayout({"meters": slice(0, 2)}), 2, joint(encoder=SMALL_SPATIAL))


@pytest.mark.parametrize(("cell", "parts"), [("lstm", 2), ("gru", 1)])
def test_initial_memory_is_zero_and_has_a_row_for_each_agent(cell, parts):
    hidden = recurrent(0, joint(cell=cell)).initial_hidden(7)
    assert [part.shape for part in hidden] == [(1, 7, HIDDEN)] * parts
    assert not any(part.any() for part in hidden)


def test_a_memory_span_spreads_how_long_fresh_units_keep_what_they_hold():
    """A unit of forget bias log(k) keeps k / (k + 1) of its cell a step, and takes in the rest."""
    torch.manual_seed(0)
    lstm = make_cell("lstm", 3, 2000, span=50)
    inputs, forgets = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().view(4, 2000)[:2]
    assert torch.equal(inputs, -forgets)
    kept = forgets.exp()
    assert 1.0 <= kept.min() < 2.0 and 49.0 < kept.max() <= 50.0
    assert kept.mean() == pytest.approx(25.5, abs=1.0)  # evenly between 1 and 50


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_memory_span_keeps_gradients_alive_over_that_many_steps(kind):
    def gradient(span):
        torch.manual_seed(0)
        cell = make_cell(kind, 3, 32, span)
        inputs = torch.randn(8, 50, 3, requires_grad=True)
        cell(inputs, cell.initial_hidden(8))[0][:, -1].square().sum().backward()
        return float(inputs.grad[:, 0].norm())

    assert gradient(50) > 5 * gradient(None)


# --- memory is an argument and a return value ---------------------------------------------------------------------


@ALL_NETWORKS
def test_a_forward_leaves_nothing_in_the_network(kind, options):
    network = make(kind, options)

    def held():
        """Every attribute of every module, tensors by address and value."""
        found = {}
        for name, module in network.named_modules():
            for key, value in vars(module).items():
                if key not in ("_parameters", "_buffers", "_modules", "_flat_weights", "_flat_weight_refs"):
                    found[name, key] = repr(value)
        return found

    before, state = held(), copy.deepcopy([network.state_dict(), dict(network.named_buffers())])
    features, hidden, previous = inputs(network)
    network(features, hidden, previous)
    network(features, hidden, previous, torch.ones(3, 6, dtype=torch.bool))
    assert held() == before
    assert differences([network.state_dict(), dict(network.named_buffers())], state) == []  # buffers are constants


@ALL_NETWORKS
def test_unrolling_a_window_equals_single_steps(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    whole, after = network(features, hidden, previous)
    steps, carried = [], hidden
    for t in range(features.shape[1]):
        q, carried = network(features[:, t : t + 1], carried, previous[:, t : t + 1])
        steps.append(q)
    assert whole.shape == (3, 6, NUM_ACTIONS)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(carried, after, rtol=1e-5, atol=1e-6)


@RECURRENT
def test_unrolling_with_resets_equals_single_steps_whose_memory_is_zeroed_by_row(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    reset = torch.rand(3, 6, generator=torch.Generator().manual_seed(5)) < 0.4
    reset[0, 0], reset[1, 0] = True, False
    whole, after = network(features, hidden, previous, reset)
    steps, carried = [], hidden
    for t in range(6):
        carried = tuple(torch.where(reset[:, t].view(1, 3, 1), torch.zeros_like(part), part) for part in carried)
        q, carried = network(features[:, t : t + 1], carried, previous[:, t : t + 1])
        steps.append(q)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(carried, after, rtol=1e-5, atol=1e-6)


def test_without_memory_the_hidden_state_is_empty_in_and_out():
    network = feed_forward()
    assert network.initial_hidden(5) == ()
    q, hidden = network(torch.zeros(5, 2, OBS_DIM), ())
    assert hidden == () and q.shape == (5, 2, NUM_ACTIONS)


def test_a_network_without_memory_sees_each_step_alone_whatever_the_flags():
    network = feed_forward()
    features, _, _ = inputs(network)
    q, _ = network(features, (), None, torch.ones(3, 6, dtype=torch.bool))
    alone = torch.cat([network(features[:, t : t + 1], ())[0] for t in range(6)], dim=1)
    torch.testing.assert_close(q, alone)


@RECURRENT
def test_the_memory_passed_in_is_not_changed(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    kept = tuple(part.clone() for part in hidden)
    _, after = network(features, hidden, previous)
    _, reset_after = network(features, hidden, previous, torch.ones(3, 6, dtype=torch.bool))
    assert all(torch.equal(part, copy) for part, copy in zip(hidden, kept, strict=True))
    assert not torch.equal(after[0], hidden[0]) and not torch.equal(reset_after[0], after[0])


@ALL_NETWORKS
def test_any_batch_size_from_one_call_to_the_next_and_rows_do_not_touch(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network, batch=5)
    whole, _ = network(features, hidden, previous)
    for rows in ([0], [3], [1, 4], [0, 1, 2, 3, 4], [2]):
        q, after = network(features[rows], tuple(part[:, rows] for part in hidden), previous[rows])
        assert [part.shape for part in after] == [(1, len(rows), part.shape[2]) for part in hidden]
        torch.testing.assert_close(q, whole[rows], rtol=1e-5, atol=1e-6)


@ALL_NETWORKS
def test_time_and_batch_do_not_change_places(kind, options):
    """A window of one step of many rows, and one row of many steps, keep their axes."""
    network = make(kind, options)
    features, hidden, previous = inputs(network, batch=4, time=1)
    assert network(features, hidden, previous)[0].shape == (4, 1, NUM_ACTIONS)
    features, hidden, previous = inputs(network, batch=1, time=4)
    assert network(features, hidden, previous)[0].shape == (1, 4, NUM_ACTIONS)


# --- gradients through time ---------------------------------------------------------------------------------------


@RECURRENT
def test_as_many_backward_passes_as_one_likes_on_the_same_stored_data(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    with torch.no_grad():
        _, hidden = network(features, hidden, previous)  # memory as acting stores it: without a graph
    assert not any(part.requires_grad for part in hidden)
    first = gradients(network, network(features, hidden, previous)[0].square().sum())
    for _ in range(3):
        again = gradients(network, network(features, hidden, previous)[0].square().sum())
        assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("flagged", [False, True], ids=["fused", "loop"])
@RECURRENT
def test_the_last_q_value_has_a_gradient_at_the_first_observation_of_the_window(kind, options, flagged):
    network = make(kind, options)
    features, hidden, previous = inputs(network, seed=1)  # at 0 the small head of one is all off in a row
    features.requires_grad_(True)
    reset = torch.zeros(3, 6, dtype=torch.bool) if flagged else None
    q, _ = network(features, hidden, previous, reset)
    q[:, -1].square().sum().backward()
    assert (features.grad.abs().sum(dim=2) > 0).all()  # of every row and step


@RECURRENT
def test_a_gradient_ends_at_a_reset_and_at_no_other_row(kind, options):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    features.requires_grad_(True)
    reset = torch.zeros(3, 6, dtype=torch.bool)
    reset[1, 3] = True
    q, _ = network(features, hidden, previous, reset)
    q[:, -1].square().sum().backward()
    reached = features.grad.abs().sum(dim=2) > 0
    assert reached.tolist() == [[True] * 6, [False] * 3 + [True] * 3, [True] * 6]


def test_the_recurrent_weights_learn_through_time_and_not_from_the_last_step_alone():
    """The gradient of the last Q at the recurrent weights differs from that of a last step whose past is cut off."""
    network = recurrent()
    features, hidden, previous = inputs(network)
    through_time = gradients(network, network(features, hidden, previous)[0][:, -1].sum())
    with torch.no_grad():
        _, past = network(features[:, :-1], hidden, previous[:, :-1])
    cut = gradients(network, network(features[:, -1:], past, previous[:, -1:])[0].sum())
    difference = (through_time["cell.weight_hh_l0"] - cut["cell.weight_hh_l0"]).abs().max()
    assert float(difference) > 1e-4


@RECURRENT
def test_the_same_observation_after_a_different_past_has_a_different_q(kind, options):
    """Along the path that learning takes: one window, with its gradient, with flags and without."""
    network = make(kind, options)
    features, hidden, previous = inputs(network, batch=1)
    past = features.clone()
    past[:, 0] += 1.0
    none = torch.zeros(1, 6, dtype=torch.bool)
    for flags in (None, none):
        one, _ = network(features, hidden, previous, flags)
        other, _ = network(past, hidden, previous, flags)
        assert one.requires_grad
        assert not torch.allclose(one[:, -1], other[:, -1], atol=1e-6)
        remembered, _ = network(features, memory_of(network, 1, seed=9), previous, flags)
        assert not torch.allclose(one[:, -1], remembered[:, -1], atol=1e-6)
    none[0, 3] = True
    one, other = network(features, hidden, previous, none)[0], network(past, hidden, previous, none)[0]
    assert torch.equal(one[:, 3:], other[:, 3:])  # what lies before the reset is forgotten


def test_a_copied_network_learns_and_remembers_apart_from_its_original():
    network = recurrent()
    other = copy.deepcopy(network)
    features, hidden, previous = inputs(network)
    before, _ = network(features, hidden, previous)
    with torch.no_grad():
        for one in other.parameters():
            one.add_(0.1)
    after, _ = network(features, hidden, previous)
    assert torch.equal(before, after)
    assert not torch.equal(other(features, hidden, previous)[0], before)


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["joint", "spatial", "feed_forward"])
def test_the_previous_action_is_used_and_none_is_an_action_of_its_own(kind):
    network = make(kind, {"previous_action": True})
    features, hidden, _ = inputs(network, batch=1, time=1)
    seen = [network(features, hidden, torch.full((1, 1), action))[0] for action in range(NUM_ACTIONS + 1)]
    assert all(not torch.allclose(seen[a], seen[b]) for a in range(3) for b in range(a))


@pytest.mark.parametrize("kind", ["joint", "spatial", "feed_forward"])
def test_a_network_that_takes_the_previous_action_refuses_to_go_without(kind):
    network = make(kind, {"previous_action": True})
    features, hidden, _ = inputs(network)
    with pytest.raises(
        ValueError, match=r"previous_actions: expected \[batch, time\] int64 for this network, got None"
    ):
        network(features, hidden)


@pytest.mark.parametrize("kind", ["joint", "spatial", "feed_forward"])
def test_a_network_without_that_option_does_not_look_at_previous_actions(kind):
    network = make(kind, {})
    features, hidden, previous = inputs(network)
    assert torch.equal(network(features, hidden, previous)[0], network(features, hidden)[0])


def test_dueling_is_the_value_plus_the_advantage_less_its_mean():
    head = QHead(2, 3, dueling=True)
    with torch.no_grad():
        head.output.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0]]))
        head.output.bias.copy_(torch.tensor([0.0, 0.0, 3.0, 10.0]))
    # For (1, 2): advantages 1, 2, 6 of mean 3, value 2 - 2 + 10 = 10.
    assert head(torch.tensor([[1.0, 2.0]])).tolist() == [[8.0, 9.0, 13.0]]


def test_without_dueling_the_head_is_one_linear_layer():
    head = QHead(2, 3, dueling=False)
    assert head.output.weight.shape == (3, 2)
    encoded = torch.tensor([[1.0, 2.0]])
    assert torch.equal(head(encoded), encoded @ head.output.weight.t() + head.output.bias)


def test_with_skip_the_observation_reaches_its_own_q_past_the_lstm():
    """An LSTM whose output gate is shut hands nothing on; the encoding still does."""
    for skip in (False, True):
        network = recurrent(0, joint(skip=skip))
        with torch.no_grad():
            network.cell.bias_ih_l0[3 * HIDDEN :] = -100.0
        features, hidden, _ = inputs(network)
        q, _ = network(features, hidden)
        assert torch.allclose(q[:, 0], q[:, 1]) != skip


def test_each_part_of_the_observation_reaches_the_q_values():
    level = load_level("2-reference", {"network.hidden": 16, "network.encoder.window": 16, "network.encoder.part": 8})
    torch.manual_seed(0)
    network = make_network(level.network, lay_out(level), len(level.actions))
    features = torch.rand(2, 1, network.obs_dim, requires_grad=True)
    network(features, network.initial_hidden(2))[0].square().sum().backward()
    for part in lay_out(level).slices.values():
        assert (features.grad[..., part].abs().sum(dim=-1) > 0).all()


def test_the_window_is_seen_row_by_row():
    """A spatial encoder convolves over a square: two cells side by side are not two cells apart."""
    torch.manual_seed(0)
    network = RecurrentSpatialQNetwork(SPATIAL_LAYOUT, NUM_ACTIONS, joint(encoder=SMALL_SPATIAL))
    seen = []
    network.encoder.spatial[0].register_forward_hook(lambda module, args, output: seen.append(args[0]))
    features = torch.arange(11.0).view(1, 1, 11).repeat(2, 3, 1)
    network(features, network.initial_hidden(2))
    assert seen[0].shape == (6, 1, 3, 3)
    assert seen[0][4, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


# --- compilation --------------------------------------------------------------------------------------------------


@pytest.fixture
def dynamo():
    """PyTorch's compiler, allowed to trace LSTMs: without that it refuses any nn.LSTM, ours included.

    And to find where episodes end, of which there may be any number: older versions refuse that by default.
    """
    import torch._dynamo as compiler

    compiler.reset()
    with compiler.config.patch(allow_rnn=True, capture_dynamic_output_shape_ops=True):
        yield compiler
    compiler.reset()


@pytest.mark.parametrize("flagged", [False, True], ids=["fused", "loop"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [  # "all" has each option; one by one they are slow together
        one if one.id.endswith(("-all", "-gru")) else pytest.param(*one.values, id=one.id, marks=pytest.mark.slow)
        for one in EACH_NETWORK
    ],
)
def test_a_forward_is_one_graph(kind, options, flagged, dynamo):
    network = make(kind, options)
    features, hidden, previous = inputs(network)
    reset = torch.rand(3, 6, generator=torch.Generator().manual_seed(2)) < 0.3 if flagged else None
    compiled = torch.compile(network, backend="eager", fullgraph=True)  # raises at a graph break
    torch.testing.assert_close(compiled(features, hidden, previous, reset), network(features, hidden, previous, reset))


def test_other_batch_sizes_compile_once_more_and_then_no_more(dynamo):
    graphs = []

    def count(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    network = make("joint", OPTIONS["all"])
    compiled = torch.compile(network, backend=count, fullgraph=True)
    for batch in (3, 5, 7, 2, 16, 64):
        features, hidden, previous = inputs(network, batch=batch)
        torch.testing.assert_close(compiled(features, hidden, previous), network(features, hidden, previous))
    assert len(graphs) <= 2


@pytest.mark.slow
def test_compiled_parts_around_the_lstm_give_the_same_values_and_gradients(dynamo):
    """What can be fused without tracing the LSTM: encoder and head, each one graph of generated code."""
    network = make("spatial", OPTIONS["all"])
    fused = copy.deepcopy(network)
    fused.encoder = torch.compile(fused.encoder, fullgraph=True)
    fused.head = torch.compile(fused.head, fullgraph=True)
    fused.value = torch.compile(fused.value, fullgraph=True)
    features, hidden, previous = inputs(network)
    one, other = network(features, hidden, previous)[0], fused(features, hidden, previous)[0]
    torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    wanted = list(gradients(network, one.square().sum()).values())
    found = list(gradients(fused, other.square().sum()).values())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
