"""An associative memory that is written by the delta rule."""

import pytest
import torch

from support.learning import network_of
from support.windows import a_window, check_single_steps
from townlet.agent.memory.delta import Delta
from townlet.config import ConfigError, load_level

F, T = False, True
SURE = 50.0  # the sigmoid of it is 1


def by_hand(steps, keep=1.0, reset=None, strength=SURE):
    """What each step reads, and S after the last, for steps of (key, query, value) with two keys and one value."""
    memory = Delta(5, 2, 1, keep)
    with torch.no_grad():
        memory.address.weight.zero_()
        memory.address.weight[:5] = torch.eye(5)
        memory.address.bias.zero_()
        memory.address.bias[-1] = strength
    features = torch.tensor([[(*key, value, *query) for key, query, value in steps]])
    flags = None if reset is None else torch.tensor([reset])
    read, (after,) = memory(features, memory.initial_hidden(1, features), flags)
    return read[0, :, 0].tolist(), after[0, 0].tolist()


ONE, OTHER, BOTH = (1.0, 0.0), (0.0, 1.0), (3.0, 4.0)  # BOTH has the length 5: its key is 0.6, 0.8


def test_what_is_written_at_a_key_is_found_there_and_written_over_by_hand():
    read, after = by_hand([(ONE, ONE, 7.0), (OTHER, ONE, 2.0), (ONE, ONE, 5.0), (ONE, OTHER, 5.0)])
    assert read == pytest.approx([7.0, 7.0, 5.0, 2.0])
    assert after == pytest.approx([5.0, 2.0])


def test_a_key_between_others_changes_both_so_that_it_finds_its_value_by_hand():
    """After 7 at the first key, 0.6 of it is found at (0.6, 0.8): 10 - 4.2 is added, in these shares."""
    read, after = by_hand([(ONE, ONE, 7.0), (BOTH, BOTH, 10.0)])
    assert read == pytest.approx([7.0, 10.0])
    assert after == pytest.approx([7.0 + 0.6 * 5.8, 0.8 * 5.8])


def test_a_strength_of_a_half_goes_half_the_way_by_hand():
    read, _ = by_hand([(ONE, ONE, 8.0), (ONE, ONE, 8.0), (ONE, ONE, 0.0)], strength=0.0)
    assert read == pytest.approx([4.0, 6.0, 3.0])


def test_a_share_is_kept_and_nothing_across_a_reset_by_hand():
    steps = [(ONE, ONE, 8.0), (OTHER, ONE, 2.0), (OTHER, ONE, 2.0)]
    assert by_hand(steps, keep=0.5)[0] == pytest.approx([8.0, 4.0, 2.0])
    read, after = by_hand(steps, keep=0.5, reset=[F, F, T])
    assert read == pytest.approx([8.0, 4.0, 0.0])
    assert after == pytest.approx([0.0, 2.0])


def test_strengths_begin_open():
    memory = Delta(3, 2, 2, 1.0)
    assert memory.address.weight[-1].tolist() == [0.0] * 3 and memory.address.bias[-1] == 3.0


def test_keys_at_a_part_begin_as_one_for_each_of_its_numbers_and_leave_each_other_alone():
    """What came with the first number is found by it after a hundred steps that showed the others."""
    memory = Delta(4, 3, 2, 1.0, at=slice(1, 3))
    one, other = torch.tensor([5.0, 1.0, 0.0, -3.0]), torch.tensor([-2.0, 0.0, 1.0, 7.0])
    assert memory.address.weight[:3].tolist() == [[0.0, 10.0, 0.0, 0.0], [0.0, 0.0, 10.0, 0.0], [0.0] * 4]
    features = torch.stack([one, *[other] * 100]).unsqueeze(0)
    _, (held,) = memory(features, memory.initial_hidden(1, features), None)
    _, (first,) = memory(features[:, :1], memory.initial_hidden(1, features), None)
    torch.testing.assert_close(held.view(3, 2)[0], first.view(3, 2)[0], atol=0.02, rtol=0.0)
    assert held.view(3, 2)[2].abs().max() < 0.02  # what no number of the part is at


def test_keys_at_a_part_are_shares_before_they_get_their_length_by_hand():
    """Weights of ln 3 and 0 are shares of 3/4 and 1/4: a key of 0.9487 and 0.3162."""
    memory = Delta(1, 2, 1, 1.0, at=slice(0, 1))
    with torch.no_grad():
        memory.address.weight.zero_()
        memory.address.weight[0, 0] = torch.log(torch.tensor(3.0))
        memory.address.bias[:] = torch.tensor([0.0, 0.0, 10.0, 0.0, 0.0, SURE])
    features = torch.ones(1, 1, 1)
    _, (held,) = memory(features, memory.initial_hidden(1, features), None)
    assert held.flatten().tolist() == pytest.approx([9.4868, 3.1623], abs=1e-3)


def test_what_is_written_whole_is_held_as_it_came_whatever_is_observed_by_hand():
    """Without a learned strength: 7, then 5 in its place, where a strength of a half would leave 4.25 of them."""
    memory = Delta(3, 1, 1, 1.0, whole=True)
    with torch.no_grad():
        memory.address.weight.zero_()
        memory.address.weight[0, 0] = memory.address.weight[1, 1] = 1.0
        memory.address.bias.zero_()
    assert len(memory.address.weight) == 1 + 1 + 1  # key, value and query, and no strength
    features = torch.tensor([[[1.0, 7.0, 9.0], [2.0, 5.0, -9.0]]])
    for end, expected in ((1, 7.0), (2, 5.0)):
        _, (held,) = memory(features[:, :end], memory.initial_hidden(1, features), None)
        assert held.flatten().tolist() == [expected]


def test_a_window_that_is_written_whole_equals_single_steps():
    torch.manual_seed(0)
    memory = Delta(5, 3, 4, 0.9, whole=True).double()
    check_single_steps(memory, *a_window(memory))


@pytest.mark.parametrize(
    "memory, said",
    [
        (
            {"keys": 16, "at": "underfot"},
            "at: expected a part of the observation, window, position, meters, underfoot",
        ),
        (
            {"keys": 3, "at": "underfoot"},
            "keys: expected at least 15, one for each number of underfoot, got 3",
        ),
    ],
)
def test_keys_at_what_is_no_part_or_too_few_are_refused_in_a_line(memory, said):
    level = load_level("2", {"network.memory": [{"kind": "delta", "values": 5, "keep": 1.0, **memory}]})
    with pytest.raises(ConfigError, match=rf"^network\.memory\[0\]\.{said}"):
        network_of(level)


def test_a_network_carries_the_matrix_and_sends_it_gradients():
    memory = {"kind": "delta", "keys": 6, "values": 5, "keep": 1.0}
    network = network_of(load_level("2", {"network.memory": [memory]}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, 30]
    q, _ = network(torch.rand(2, 3, 50), hidden, torch.zeros(2, 3, dtype=torch.int64))
    q.sum().backward()
    assert (network.learned[0].address.weight.grad.abs().sum(dim=1) > 0.0).all()
    assert network.input_layers()["learned.0.address.weight"] == slice(None)
