"""How often everything was seen, and what came of each action."""

import pytest
import torch

from support.learning import network_of
from support.windows import a_window, check_single_steps
from townlet.agent.memories import make_memory
from townlet.agent.memory.counter import Counter, OutcomeCounter, PartCounter
from townlet.config import ConfigError, CounterMemory, load_level
from townlet.environment.layout import ObservationLayout

F, T = False, True


def read(values, most, memory=None, reset=None):
    """What each step reads of one number, [steps][most]; and the memory after the last."""
    counter = Counter(1, most)
    hidden = counter.initial_hidden(1, torch.zeros(1)) if memory is None else (torch.tensor([[[memory]]]),)
    flags = None if reset is None else torch.tensor([reset])
    found, (after,) = counter(torch.tensor(values).view(1, -1, 1), hidden, flags)
    return found[0].tolist(), after.item()


def test_of_a_count_one_number_is_one_and_the_last_stays_for_more_by_hand():
    found, after = read([0.0, 1.0, 1.0, 0.0, 1.0, 1.0], most=3)
    assert found == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert after == 4.0


def test_sums_between_two_counts_are_shared_by_both_and_those_below_zero_are_none_by_hand():
    found, after = read([-2.0, 2.25, 1.5, 2.0], most=2)  # -2, 0.25, 1.75, 3.75
    assert found == [[0, 0], [0.25, 0], [0.25, 0.75], [0, 1]]
    assert after == 3.75


def test_with_a_most_of_one_it_tells_what_was_seen_at_all():
    assert read([0.0, 1.0, 0.0, 1.0], most=1)[0] == [[0], [1], [1], [1]]


def test_a_reset_forgets_what_was_seen_before_it_and_nothing_after():
    assert read([1.0, 1.0, 1.0], most=3, memory=1.0, reset=[F, T, F]) == ([[0, 1, 0], [1, 0, 0], [0, 1, 0]], 2.0)


def test_each_action_has_sums_of_what_was_observed_right_after_it_by_hand():
    """Two numbers observed, three actions, and a last input that is neither; after none nothing is counted."""
    counter = OutcomeCounter(2, slice(2, 5), 1, 0)
    none, first, last = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]
    steps = [[1.0, 0.0, *none, 9.0], [1.0, 0.0, *last, 9.0], [0.0, 1.0, *first, 9.0], [1.0, 1.0, *last, 9.0]]
    found, (after,) = counter(torch.tensor([steps]), counter.initial_hidden(1, torch.zeros(1)), None)
    assert found[0].tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 1, 1]]
    assert after[0, 0].tolist() == [0, 1, 0, 0, 2, 1]


def test_of_a_part_for_each_action_are_read_its_counts_and_its_present_then_that_of_the_previous_action_by_hand():
    """Two actions, with a part of two numbers each; the first step comes after none, the second after action 1."""
    counter = PartCounter(4, slice(4, 6), 2, 0)
    steps = [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]]
    found, (after,) = counter(torch.tensor([steps]), counter.initial_hidden(1, torch.zeros(1)), None)
    # Of each action: first number once, twice; second number once, twice; both now.
    assert found[0, 0].tolist() == [*[1, 0, 0, 0, 1, 0], *[0, 0, 1, 0, 0, 1], 0, 0]
    assert found[0, 1].tolist() == [*[0, 1, 0, 0, 1, 0], *[1, 0, 1, 0, 1, 0], 1, 0]
    assert after[0, 0].tolist() == [2, 0, 1, 1]


COUNTERS = [Counter(6, 4), OutcomeCounter(3, slice(3, 5), 4, 0), PartCounter(4, slice(4, 6), 4, 0)]


@pytest.mark.parametrize("counter", COUNTERS, ids=["all", "outcomes", "parts"])
def test_a_window_equals_single_steps_and_rows_stay_apart(counter):
    torch.manual_seed(0)
    assert not counter.learned
    check_single_steps(counter.double(), *a_window(counter, 6))


@pytest.mark.parametrize(("of", "numbers"), [("all", 50), ("outcomes", 50 * 5), ("parts", 50)])
def test_a_network_tells_what_was_seen_once_apart_however_long_ago(of, numbers):
    memory = [{"kind": "counter", "most": 2, "of": of}]
    network = network_of(load_level("2", {"network.memory": memory}))
    hidden = network.initial_hidden(2)
    assert [part.shape[2] for part in hidden] == [32, 32, numbers]
    features, previous = torch.zeros(2, 200, 50), torch.zeros(2, 200, dtype=torch.int64)
    features[1, 0, 0] = 1.0
    blank = tuple(torch.zeros_like(part) for part in hidden)
    _, after = network(features, hidden, previous)
    only_counts = (*blank[:2], after[2])  # nothing of the cell's
    q, _ = network(features[:, -1:], only_counts, previous[:, -1:])
    assert not torch.allclose(q[0], q[1], atol=1e-5)


@pytest.mark.parametrize(
    ("equal_parts", "kind"), [(3, PartCounter), (1, OutcomeCounter), (2, OutcomeCounter)], ids=["equal", "none", "two"]
)
def test_of_actions_a_counter_is_of_parts_where_the_observation_has_one_for_each_and_else_of_outcomes(
    equal_parts, kind
):
    config = CounterMemory(kind="counter", most=2, of="actions", reach=1)
    layout = ObservationLayout({"features": slice(0, 6)}, equal_parts=equal_parts)
    made = make_memory(config, layout, inputs=9, num_actions=3, where="memory")
    assert type(made) is kind and made.actions == slice(6, 9) and made.reach == 1


def test_of_one_action_a_counter_of_actions_is_of_outcomes_since_any_observation_is_one_part():
    config = CounterMemory(kind="counter", most=2, of="actions")
    made = make_memory(config, ObservationLayout({"features": slice(0, 6)}), inputs=7, num_actions=1, where="memory")
    assert type(made) is OutcomeCounter


def test_what_was_done_before_is_in_what_is_read_once_for_all():
    memory = [{"kind": "counter", "most": 2, "of": "outcomes"}]
    network = network_of(load_level("2", {"network.memory": memory}))
    hidden, features = network.initial_hidden(2), torch.ones(2, 3, 50)
    previous = torch.tensor([[0, 1, 2], [0, 1, 3]])
    known = network.read_beside(features, hidden, previous)
    q, _ = network(features, hidden, previous, beside=known)
    assert torch.equal(q, network(features, hidden, previous)[0])
    assert torch.equal(known[0, :2], known[1, :2]) and not torch.equal(known[0, 2], known[1, 2])


def test_an_observation_without_an_equal_part_for_each_action_is_one_line():
    memory = [{"kind": "counter", "most": 2, "of": "parts"}]
    level = load_level("2", {"network.memory": memory, "actions": ["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"]})
    expected = "memory.*of: expected an observation of as many numbers for each of 6 actions, got 50 numbers"
    with pytest.raises(ConfigError, match=expected):
        network_of(level)
