"""Priorities: what a window's is made of, how often it is then drawn, and how much less it weighs."""

import copy

import pytest
import torch

from support.lives import MEMORY, NUM_ACTIONS, Lives, make_episode, make_steps, same, seen
from townlet.config import Priority
from townlet.replay.priorities import Priorities, mixed_error
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer

NO, YES = False, True
PRIORITY = Priority(exponent=1.0, importance=1.0, largest=0.9)
CPU = torch.device("cpu")


def ranking(**changes):
    return PRIORITY.model_copy(update=changes)


def lived(capacity, *lives, steps, seed=0, stored_every=1, **changes):
    """A buffer with priorities in which agents have lived."""
    buffer = SequentialReplayBuffer(
        capacity, len(lives), 1, NUM_ACTIONS, hidden=MEMORY, generator=torch.Generator().manual_seed(seed),
        stored_every=stored_every, priority=ranking(**changes),
    )  # fmt: skip
    Lives(buffer, lives).live(steps)
    return buffer


def rank(buffer, priorities):
    """Set priorities by row, as learning does: by windows of one step with that error."""
    batch = buffer.windows(torch.tensor(list(priorities)), 1, 1)
    buffer.update_priorities(batch, torch.tensor([[float(one)] for one in priorities.values()]))


# --- one window's priority ----------------------------------------------------------------------------------------


def test_a_priority_is_nine_tenths_of_the_largest_error_and_a_tenth_of_the_mean():
    errors = torch.tensor([[1.0, -4.0, 1.0], [2.0, 2.0, 2.0]])
    valid = torch.ones(2, 3, dtype=torch.bool)
    assert mixed_error(errors, valid, 0.9).tolist() == pytest.approx([0.9 * 4 + 0.1 * 2, 2.0])
    assert mixed_error(errors, valid, 1.0).tolist() == [4.0, 2.0]
    assert mixed_error(errors, valid, 0.0).tolist() == [2.0, 2.0]


def test_only_valid_steps_count_whatever_the_others_hold():
    errors = torch.tensor([[1.0, -3.0, 100.0], [torch.nan, 2.0, torch.inf]])
    valid = torch.tensor([[YES, YES, NO], [NO, YES, NO]])
    assert mixed_error(errors, valid, 0.9).tolist() == pytest.approx([0.9 * 3 + 0.1 * 2, 2.0])


def test_a_window_without_a_valid_step_has_priority_zero():
    errors = torch.tensor([[5.0, torch.nan]])
    assert mixed_error(errors, torch.tensor([[NO, NO]]), 0.9).tolist() == [0.0]


# --- the priorities of a tape -------------------------------------------------------------------------------------


def test_the_mass_of_a_row_is_its_priority_to_the_power_of_the_exponent():
    priorities = Priorities(4, ranking(exponent=0.5), CPU)
    priorities.update(torch.tensor([1, 3]), torch.tensor([[9.0], [4.0]]), torch.ones(2, 1, dtype=torch.bool))
    masses = priorities.masses(torch.tensor([3, 1, 0]))
    assert masses.dtype == torch.float64
    assert masses.tolist() == pytest.approx([2.0, 3.0, 1e-3])  # that of an empty row is the least, one in a million


@pytest.mark.parametrize("exponent", [0.3, 0.6, 0.9])
def test_the_mass_of_a_row_is_the_same_to_the_last_bit_whatever_rows_come_with_it(exponent):
    priorities = Priorities(1000, ranking(exponent=exponent), CPU)
    errors = 9.0 * torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    priorities.update(torch.arange(1000), errors, torch.ones(1000, 1, dtype=torch.bool))
    everything = priorities.masses(torch.arange(1000))
    for together in (1, 2, 3, 7, 100):
        parts = [priorities.masses(rows) for rows in torch.arange(1000).split(together)]
        assert torch.equal(torch.cat(parts), everything)


def test_new_rows_get_the_greatest_priority_so_far():
    priorities = Priorities(4, PRIORITY, CPU)
    priorities.add(torch.tensor([0, 1]))
    assert priorities.values.tolist() == [1.0, 1.0, 0.0, 0.0]
    valid = torch.ones(2, 1, dtype=torch.bool)
    priorities.update(torch.tensor([0, 1]), torch.tensor([[0.25], [-5.0]]), valid)
    priorities.update(torch.tensor([1, 0]), torch.tensor([[2.0], [0.5]]), valid)
    priorities.add(torch.tensor([3]))
    assert priorities.values.tolist() == [0.5, 2.0, 0.0, 5.0]  # 5 was the greatest, though no row has it any more


def test_small_errors_do_not_lower_what_new_rows_get():
    priorities = Priorities(2, PRIORITY, CPU)
    priorities.update(torch.tensor([0]), torch.tensor([[0.01]]), torch.tensor([[YES]]))
    priorities.add(torch.tensor([1]))
    assert priorities.values.tolist() == pytest.approx([0.01, 1.0])


@pytest.mark.parametrize("errors", [[1.0, 7.0, 3.0], [7.0, 3.0, 1.0], [3.0, 1.0, 7.0]])
def test_a_row_that_was_drawn_more_than_once_gets_its_largest_priority_whatever_the_order(errors):
    priorities = Priorities(3, PRIORITY, CPU)
    priorities.add(torch.tensor([0, 1, 2]))
    priorities.update(torch.tensor([1]), torch.tensor([[50.0]]), torch.tensor([[YES]]))  # what it was does not count
    rows = torch.tensor([1, 1, 1, 2])
    priorities.update(rows, torch.tensor([[one] for one in [*errors, 0.5]]), torch.ones(4, 1, dtype=torch.bool))
    assert priorities.values.tolist() == [1.0, 7.0, 0.5]


def test_rows_that_are_written_again_lose_their_old_priority():
    buffer = lived(4, "", steps=3)
    rank(buffer, {0: 0.1, 1: 8.0, 2: 0.2})
    Lives(buffer, [""]).live(3)  # slots 3, 4 and 0
    assert buffer.priorities.values.tolist() == pytest.approx([8.0, 8.0, 0.2, 8.0, 8.0])


def test_steps_of_a_stored_episode_are_ranked_as_new_ones():
    buffer = lived(10, "", steps=0)
    buffer.store_episode(make_episode(make_steps(0, 0, 3, "d")))
    assert buffer.priorities.values.tolist() == [1.0, 1.0, 1.0] + [0.0] * 8
    rank(buffer, {1: 4.0})
    buffer.store_episode(make_episode(make_steps(0, 1, 2, "d")))
    assert buffer.priorities.values[:6].tolist() == [1.0, 4.0, 1.0, 0.0, 4.0, 4.0]


def test_a_window_is_ranked_where_its_first_step_to_learn_from_lies_and_by_those_steps_alone():
    buffer = lived(20, "9d", steps=9)
    batch = buffer.windows(torch.tensor([5, 7]), 3, seq_len=3, burn_in=2)
    assert [row[2] for row in seen(batch)] == [5, 7]
    # The second window has two steps before its episode ends: the third error is of padding.
    buffer.update_priorities(batch, torch.tensor([[3.0, -6.0, 0.0], [1.0, 2.0, 99.0]]))
    expected = [1.0] * 9 + [0.0] * 12
    expected[5], expected[7] = 0.9 * 6 + 0.1 * 3, 0.9 * 2 + 0.1 * 1.5
    assert buffer.priorities.values.tolist() == pytest.approx(expected)


# --- draws and weights --------------------------------------------------------------------------------------------


def draws_of(buffer, seq_len=1, draws=20_000):
    """How often a window began in each row, and the weights of the windows there by their lengths."""
    batch = buffer.sample_sequences(draws, seq_len)
    counts = batch.where.bincount(minlength=len(buffer.valid))
    steps = batch.valid.sum(dim=1).tolist()
    weights = {
        place: weight
        for place, weight in zip(zip(batch.where.tolist(), steps, strict=True), batch.weights.tolist(), strict=True)
    }
    return counts, weights


def chi_square(counts, shares):
    expected = torch.tensor(shares, dtype=torch.float64) * counts.sum()
    assert not counts[len(shares) :].any()
    return float(((counts[: len(shares)] - expected).square() / expected).sum())


@pytest.mark.parametrize(("exponent", "masses"), [(1.0, [1, 4, 9, 16, 25]), (0.5, [1, 2, 3, 4, 5])])
def test_draws_follow_the_priority_to_the_power_of_the_exponent(exponent, masses):
    buffer = lived(20, "9d", steps=5, exponent=exponent)
    rank(buffer, {0: 1, 1: 4, 2: 9, 3: 16, 4: 25})
    counts, _ = draws_of(buffer)
    assert chi_square(counts, [mass / sum(masses) for mass in masses]) < 18.47  # 4 degrees of freedom, 0.001


def test_draws_with_windows_before_the_episode_follow_the_priority_too():
    """Windows of 3 that begin at -2, -1 and 0 share a row and its priority."""
    buffer = lived(20, "9d", steps=4)
    rank(buffer, {0: 2, 1: 1, 2: 3, 3: 4})
    counts, _ = draws_of(buffer, seq_len=3)
    assert chi_square(counts, [6 / 14, 1 / 14, 3 / 14, 4 / 14]) < 16.27  # 3 degrees of freedom


def test_an_exponent_of_zero_draws_all_windows_alike_whatever_their_priorities():
    buffer = lived(20, "9d", steps=4, exponent=0.0)
    rank(buffer, {0: 1000, 1: 0, 2: 1, 3: 7})
    counts, weights = draws_of(buffer)
    assert chi_square(counts, [0.25] * 4) < 16.27
    assert set(weights.values()) == {1.0}


def test_windows_learned_perfectly_are_still_drawn_and_nothing_is_not_a_number():
    buffer = lived(20, "9d", steps=4)
    rank(buffer, {0: 0, 1: 0, 2: 0, 3: 0})
    counts, weights = draws_of(buffer)
    assert chi_square(counts, [0.25] * 4) < 16.27
    assert set(weights.values()) == {1.0}
    rank(buffer, {0: 1.0})  # the others keep a chance of one in a million
    batch = buffer.sample_sequences(1000, 1)
    assert batch.weights.isfinite().all() and (batch.where == 0).sum() > 990


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_an_unfilled_buffer_never_draws_an_empty_row(exponent):
    buffer = lived(300, "2d 9d", "1d 1t 9d", steps=4, exponent=exponent)
    lived_rows = {0, 1, 3, 4, 151, 153, 155, 156}
    rank(buffer, dict.fromkeys(sorted(lived_rows), 0.0))  # no more than an empty row has
    batch = buffer.sample_sequences(5000, 2)
    assert batch.valid[:, 0].all()
    assert set(batch.where.tolist()) == lived_rows


def test_importance_weights_of_two_windows_by_hand():
    # Chances 3/4 and 1/4 of 2 windows: (2 * 3/4) ** -0.5 over (2 * 1/4) ** -0.5 is sqrt(1/3).
    buffer = lived(20, "9d", steps=2, importance=0.5)
    rank(buffer, {0: 3, 1: 1})
    _, weights = draws_of(buffer)
    assert weights == pytest.approx({(0, 1): 3**-0.5, (1, 1): 1.0})


def test_importance_of_one_makes_up_for_the_priorities():
    buffer = lived(20, "9d", steps=3)
    rank(buffer, {0: 1, 1: 2, 2: 4})
    counts, weights = draws_of(buffer)
    assert weights == pytest.approx({(0, 1): 1.0, (1, 1): 0.5, (2, 1): 0.25})
    weighted = [int(counts[row]) * weights[row, 1] for row in range(3)]
    assert weighted == pytest.approx([20_000 / 7] * 3, rel=0.06)


def test_each_of_the_windows_that_share_a_row_has_a_chance_and_weight_of_its_own():
    # Memory in every second slot, windows of 4 at slots -2, 0, 2 and 4, the first two of priority 2: chances 2/6, 2/6,
    # 1/6 and 1/6 of 4 windows, weights 6/8 and 6/4 over 6/4.
    buffer = lived(20, "5d", steps=5, stored_every=2)
    rank(buffer, {0: 2, 2: 1, 4: 1})
    counts, weights = draws_of(buffer, seq_len=4)
    assert chi_square(counts[[0, 2, 4]], [4 / 6, 1 / 6, 1 / 6]) < 13.82  # 2 degrees of freedom
    assert weights == pytest.approx({(0, 2): 0.5, (0, 4): 0.5, (2, 3): 1.0, (4, 1): 1.0})


def test_importance_weights_are_powers_of_the_chance_over_the_largest():
    priorities = Priorities(8, ranking(importance=0.5), CPU)
    weights = priorities.weights(torch.tensor([0.02, 0.08], dtype=torch.float64))
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx([1.0, 0.5])  # 2 ** -0.5 and 8 ** -0.5


def test_without_importance_all_weights_are_one():
    buffer = lived(20, "9d", steps=4, importance=0.0)
    rank(buffer, {0: 9, 1: 1, 2: 5, 3: 0})
    assert buffer.sample_sequences(200, 3).weights.tolist() == [1.0] * 200


@pytest.mark.parametrize("importance", [0.3, 1.0])
def test_the_largest_weight_of_a_batch_is_one(importance):
    buffer = lived(20, "9d", steps=9, importance=importance)
    rank(buffer, {row: row + 1 for row in range(9)})
    for _ in range(20):
        weights = buffer.sample_sequences(3, 2).weights
        assert weights.max() == 1.0 and (weights > 0.0).all()


def test_without_priorities_errors_change_nothing_and_all_windows_weigh_the_same():
    buffer = SequentialReplayBuffer(
        20, 1, 1, NUM_ACTIONS, hidden=MEMORY, generator=torch.Generator().manual_seed(0)
    )  # fmt: skip
    Lives(buffer, ["9d"]).live(5)
    before = copy.deepcopy(buffer.state_dict())
    batch = buffer.sample_sequences(40, 2)
    buffer.update_priorities(batch, torch.rand(40, 2))
    assert batch.weights.tolist() == [1.0] * 40 and same(buffer.state_dict(), before)


# --- state --------------------------------------------------------------------------------------------------------


def test_a_loaded_buffer_draws_and_ranks_what_the_saved_one_does():
    lives = ["3d 4t 1d", "5d 9t"]
    saved = lived(14, *lives, steps=6, seed=7, importance=0.4)
    rank(saved, {0: 5, 1: 0.5, 9: 2})
    rank(saved, {0: 1})  # the greatest so far is that of no row any more
    loaded = lived(14, *lives, steps=0, seed=7, importance=0.4)
    loaded.load_state_dict(saved.state_dict())
    errors = torch.arange(18.0).view(6, 3) / 9.0  # below the greatest so far, which new steps get
    for _ in range(6):
        batches = [buffer.sample_sequences(6, 3) for buffer in (saved, loaded)]
        assert same(batches[0]._asdict(), batches[1]._asdict())
        saved.update_priorities(batches[0], errors)
        assert not same(saved.state_dict(), loaded.state_dict())  # no tensor is shared
        loaded.update_priorities(batches[1], errors)
        for buffer in (saved, loaded):
            Lives(buffer, lives).step()
        assert same(saved.state_dict(), loaded.state_dict())


@pytest.mark.parametrize(
    ("mine", "message"), [(True, "expected some, got a state without"), (False, "expected none, got a state with some")]
)
def test_a_state_with_priorities_does_not_fit_a_buffer_without_nor_the_reverse(mine, message):
    ranked = lived(14, "3d 4t", steps=6)
    plain = SequentialReplayBuffer(14, 1, 1, NUM_ACTIONS, hidden=MEMORY)
    Lives(plain, ["3d 4t"]).live(5)
    buffer, state = (ranked, plain.state_dict()) if mine else (plain, ranked.state_dict())
    before = copy.deepcopy(buffer.state_dict())
    with pytest.raises(ValueError, match=f"priorities: {message}"):
        buffer.load_state_dict(state)
    assert same(buffer.state_dict(), before)
