"""What is known of each action, read in the same way for all of them."""

import pytest
import torch

from support.learning import differences, make_population, network_of
from townlet.agent.memory.counter import Counter, OutcomeCounter, PartCounter
from townlet.agent.memory.records import Record, Records
from townlet.agent.memory.spectral import Spectral
from townlet.config import load_level

DARK = torch.zeros(1, 1, 2)  # a context that says nothing


def a_record(grid, reach, kernel):
    """A record of one number for each action, whose first unit is the sum of kernel * counts, and all that is read."""
    record = Record(1, grid, reach, 2)
    with torch.no_grad():
        for weight in record.parameters():
            weight.zero_()
        record.near.weight[0, 0] = torch.tensor(kernel)
        record.output.weight[0, 0] = 1.0
    return record


def test_an_action_is_read_with_its_neighbours_on_the_grid_of_two_choices_by_hand():
    record = a_record((2, 3), 1, [[0.0, 0.0, 0.0], [4.0, 1.0, 2.0], [0.0, 8.0, 0.0]])  # left, own, right; below
    counts = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    expected = [[1.0, 4.0, 8.0], [0.0, 2.0, 1.0]]
    assert record(counts.view(1, 1, 6), DARK).view(2, 3).tolist() == expected


def test_actions_in_a_row_have_neighbours_on_two_sides_by_hand():
    record = a_record((4, 1), 1, [[0.0, 2.0, 0.0], [9.0, 1.0, 9.0], [0.0, 4.0, 0.0]])  # before, own, after
    counts = torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 0.0]]])
    assert record(counts, DARK.expand(2, 1, 2)).tolist() == [[[1.0, 2.0, 0.0, 0.0]], [[0.0, 4.0, 1.0, 2.0]]]


def test_without_reach_each_action_is_read_alone_and_an_edge_is_told_by_what_has_no_neighbour():
    record = a_record((3, 1), 0, [[1.0]])
    assert record(torch.tensor([[[0.0, 1.0, 0.0]]]), DARK).tolist() == [[[0.0, 1.0, 0.0]]]
    edges = a_record((3, 1), 1, [[0.0] * 3] * 3)
    with torch.no_grad():
        edges.near.weight[0, 1] = 1.0  # of what is 1 wherever there is an action
    assert edges(torch.zeros(1, 1, 3), DARK).tolist() == [[[2.0, 3.0, 2.0]]]


@pytest.mark.parametrize(("choices", "grid"), [((2, 3), (2, 3)), ((6,), (6, 1)), ((), (6, 1)), ((3, 1, 2), (6, 1))])
def test_two_choices_are_a_grid_and_all_else_a_row(choices, grid):
    records = Records([OutcomeCounter(2, slice(2, 8), 1, 0)], 6, choices, 2)
    assert records.readers[0].grid == grid


def test_each_memory_that_tells_actions_apart_is_found_where_it_is_read():
    """Three actions, four memories: behind all counts, outcomes; behind a spectrum, parts without what follows them."""
    of_actions = OutcomeCounter(2, slice(3, 6), 1, 0), PartCounter(3, slice(3, 6), 2, 0)
    records = Records([Counter(3, 3), of_actions[0], Spectral(3, 2, 1.0), of_actions[1]], 3, (), 2)
    assert records.parts == [slice(9, 15), slice(27, 36)]
    read, context = torch.rand(2, 4, 37), torch.rand(2, 4, 2)
    assert torch.equal(records(read, context), torch.zeros(2, 4, 3))  # at first
    with torch.no_grad():
        for reader in records.readers:
            reader.output.weight.fill_(1.0)
    read_apart = [one(read[..., part], context) for one, part in zip(records.readers, records.parts, strict=True)]
    torch.testing.assert_close(records(read, context), read_apart[0] + read_apart[1])


def test_the_context_is_told_to_all_actions_alike_and_each_step_has_its_own():
    record = a_record((3, 1), 0, [[1.0]])
    with torch.no_grad():
        record.light.weight[0] = torch.tensor([10.0, 100.0])
    context = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    told = record(torch.tensor([[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]]), context)
    assert told.tolist() == [[[10, 11, 10], [100, 101, 100]]]


def test_what_came_of_an_action_is_added_to_the_value_of_that_action_alone():
    memory = [{"kind": "counter", "most": 1, "of": "outcomes"}]
    network = network_of(load_level("2", {"network.memory": memory, "network.dueling": False}))
    hidden, features = network.initial_hidden(1), torch.ones(1, 2, 50)
    previous = torch.tensor([[5, 3]])  # none, then action 3
    before, _ = network(features, hidden, previous)
    with torch.no_grad():
        network.records.readers[0].output.weight.fill_(1.0)
        network.records.readers[0].near.bias.zero_()
        network.records.readers[0].light.weight.zero_()
        network.records.readers[0].near.weight[:, -1] = 0.0
    after, _ = network(features, hidden, previous)
    assert (after != before).tolist() == [[[False] * 5, [False, False, False, True, False]]]


def test_records_are_learned_and_a_network_without_counts_of_actions_has_none():
    memory = [{"kind": "counter", "most": 1, "of": "outcomes", "reach": 1}]
    population = make_population("fresh", network__memory=memory, network__previous_action=True)
    before = {name: one.clone() for name, one in population.network.state_dict().items()}
    for _ in range(20):
        population.step()
    changed = set(differences(before, population.network.state_dict()))
    assert {".records.readers.0.near.weight", ".records.readers.0.output.weight"} <= changed
    plain = make_population("fresh").network
    assert not any("records" in name for name in plain.state_dict())
