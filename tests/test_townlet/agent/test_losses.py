"""Targets and losses, on arrays worked out by hand and against slow references."""

import pytest
import torch

from townlet.agent.losses import (
    discounted_returns,
    discounts,
    double_q_values,
    elementwise_loss,
    lambda_returns,
    masked_mean,
    n_step_returns,
    plain_means,
    rescale,
    unscale,
)

NO, YES = False, True


def row(*values):
    """One row of a batch, [1, seq_len]."""
    return torch.tensor([values])


def random_windows(seed, batch=64, seq_len=7):
    """Random rewards, values, deaths, and steps that continue; a death never continues, nor does the last step."""
    stream = torch.Generator().manual_seed(seed)
    rewards = torch.randn(batch, seq_len, generator=stream, dtype=torch.float64)
    values = torch.randn(batch, seq_len, generator=stream, dtype=torch.float64)
    terminated = torch.rand(batch, seq_len, generator=stream) < 0.15
    continues = (torch.rand(batch, seq_len, generator=stream) < 0.8) & ~terminated
    continues[:, -1] = False
    return rewards, values, terminated, continues


def slow_lambda_return(rewards, values, terminated, continues, gamma, trace_decay, t):
    """G_t of one row by recursion on plain numbers."""
    if terminated[t]:
        return rewards[t]
    if not continues[t]:
        return rewards[t] + gamma * values[t]
    later = slow_lambda_return(rewards, values, terminated, continues, gamma, trace_decay, t + 1)
    return rewards[t] + gamma * ((1 - trace_decay) * values[t] + trace_decay * later)


def slow_n_step_return(rewards, values, terminated, continues, gamma, n, t):
    """Discounted rewards of up to n steps and the value after them, of one row, by a walk over the steps."""
    total, discount = 0.0, 1.0
    for taken in range(1, n + 1):
        total += discount * rewards[t]
        discount *= gamma
        if terminated[t]:
            return total
        if taken == n or not continues[t]:
            return total + discount * values[t]
        t += 1


# --- double Q under a mask ----------------------------------------------------------------------------------------


def test_double_q_takes_the_targets_value_of_the_action_that_online_prefers():
    online = torch.tensor([[1.0, 9.0, 2.0], [3.0, 1.0, 2.0]])
    target = torch.tensor([[70.0, 10.0, 50.0], [-4.0, 8.0, 6.0]])
    mask = torch.ones(2, 3, dtype=torch.bool)
    assert double_q_values(online, target, mask).tolist() == [10.0, -4.0]  # neither max of target nor of online


def test_double_q_never_takes_a_forbidden_action_however_good():
    online = torch.tensor([[1.0, 9.0, 2.0]])
    target = torch.tensor([[70.0, 10.0, 50.0]])
    assert double_q_values(online, target, torch.tensor([[YES, NO, YES]])).tolist() == [50.0]
    assert double_q_values(online, target, torch.tensor([[YES, NO, NO]])).tolist() == [70.0]


def test_double_q_of_a_row_without_any_allowed_action_is_zero():
    q, mask = torch.tensor([[5.0, 1.0], [5.0, 1.0]]), torch.tensor([[NO, NO], [YES, YES]])
    assert double_q_values(q, q, mask).tolist() == [0.0, 5.0]


# --- lambda returns -----------------------------------------------------------------------------------------------


def test_lambda_zero_is_the_one_step_target():
    returns = lambda_returns(
        row(1.0, 2.0, 3.0), row(10.0, 20.0, 30.0), row(NO, NO, NO), row(YES, YES, NO), gamma=0.5, trace_decay=0.0
    )
    assert returns.tolist() == [[1 + 0.5 * 10, 2 + 0.5 * 20, 3 + 0.5 * 30]]


def test_lambda_one_is_the_discounted_sum_and_the_value_at_the_windows_end():
    returns = lambda_returns(
        row(1.0, 2.0, 3.0), row(10.0, 20.0, 30.0), row(NO, NO, NO), row(YES, YES, NO), gamma=0.5, trace_decay=1.0
    )
    last = 3 + 0.5 * 30  # 18
    assert returns.tolist() == [[1 + 0.5 * (2 + 0.5 * last), 2 + 0.5 * last, last]]  # 6.5, 11, 18


def test_lambda_in_between_mixes_value_and_return():
    returns = lambda_returns(
        row(1.0, 2.0, 3.0), row(10.0, 20.0, 30.0), row(NO, NO, NO), row(YES, YES, NO), gamma=0.5, trace_decay=0.75
    )
    # 3 + 0.5 * 30 = 18; 2 + 0.5 (0.25 * 20 + 0.75 * 18) = 11.25; 1 + 0.5 (0.25 * 10 + 0.75 * 11.25) = 6.46875
    assert returns.tolist() == [[6.46875, 11.25, 18.0]]


def test_death_does_not_bootstrap_and_nothing_of_the_next_episode_reaches_it():
    returns = lambda_returns(
        row(1.0, -1.0, 3.0), row(10.0, 1e6, 30.0), row(NO, YES, NO), row(YES, NO, NO), gamma=0.5, trace_decay=1.0
    )
    assert returns.tolist() == [[1 + 0.5 * -1.0, -1.0, 18.0]]


def test_a_step_that_does_not_continue_bootstraps_from_its_stored_successor():
    """A time limit, and the last valid step before padding: the value counts, the next index does not."""
    returns = lambda_returns(
        row(1.0, 2.0, 1e6), row(10.0, 20.0, 1e6), row(NO, NO, NO), row(YES, NO, NO), gamma=0.5, trace_decay=1.0
    )
    assert returns.tolist()[0][:2] == [1 + 0.5 * 12, 2 + 0.5 * 20]  # 7, 12


def test_what_no_value_changes_of_a_return_is_worked_out_before_it_by_hand():
    known = discounts(row(NO, YES, NO), row(YES, NO, NO), gamma=0.5, trace_decay=0.75)
    # 0.5 (1 - 0.75) and 0.5 * 0.75 where a step goes on, nothing after a death, 0.5 and 0 at the window's end.
    assert known.tolist() == [[[0.125, 0.0, 0.5], [0.375, 0.0, 0.0]]]
    returns = discounted_returns(row(1.0, -1.0, 3.0), row(16.0, 1e6, 30.0), known)
    assert returns.tolist() == [[1 + 0.125 * 16 + 0.375 * -1.0, -1.0, 18.0]]


@pytest.mark.parametrize("trace_decay", [0.0, 0.3, 0.7, 1.0])
def test_lambda_returns_equal_a_slow_recursion(trace_decay):
    windows = random_windows(seed=1)
    returns = lambda_returns(*windows, gamma=0.9, trace_decay=trace_decay)
    rows = list(zip(*(part.tolist() for part in windows), strict=True))
    expected = [[slow_lambda_return(*one, 0.9, trace_decay, t) for t in range(7)] for one in rows]
    torch.testing.assert_close(returns, torch.tensor(expected, dtype=torch.float64))


def test_a_window_of_one_step_has_its_one_step_target_for_any_lambda_and_n():
    arguments = (row(1.0), row(10.0), row(NO), row(NO))
    assert lambda_returns(*arguments, gamma=0.5, trace_decay=0.9).tolist() == [[6.0]]
    assert n_step_returns(*arguments, gamma=0.5, n=4).tolist() == [[6.0]]


# --- n-step returns -----------------------------------------------------------------------------------------------

REWARDS, VALUES = row(1.0, 2.0, 4.0, 8.0), row(16.0, 32.0, 64.0, 128.0)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, [1 + 8, 2 + 16, 4 + 32, 8 + 64]),
        (2, [1 + 1 + 8, 2 + 2 + 16, 4 + 4 + 32, 8 + 64]),  # the last has one step left
        (3, [1 + 1 + 1 + 8, 2 + 2 + 2 + 16, 4 + 4 + 32, 8 + 64]),
        (4, [1 + 1 + 1 + 1 + 8, 2 + 2 + 2 + 16, 4 + 4 + 32, 8 + 64]),
        (9, [1 + 1 + 1 + 1 + 8, 2 + 2 + 2 + 16, 4 + 4 + 32, 8 + 64]),  # longer than the window
    ],
)
def test_n_step_returns_are_shortened_at_the_windows_end(n, expected):
    returns = n_step_returns(REWARDS, VALUES, row(NO, NO, NO, NO), row(YES, YES, YES, NO), gamma=0.5, n=n)
    assert returns.tolist() == [expected]


def test_n_step_returns_are_cut_by_death_without_a_value():
    returns = n_step_returns(REWARDS, VALUES, row(NO, YES, NO, NO), row(YES, NO, YES, NO), gamma=0.5, n=3)
    assert returns.tolist() == [[1 + 0.5 * 2, 2, 4 + 0.5 * 8 + 0.25 * 128, 8 + 64]]


def test_n_step_returns_are_cut_by_a_time_limit_with_the_value_of_the_successor():
    returns = n_step_returns(REWARDS, VALUES, row(NO, NO, NO, NO), row(YES, NO, YES, NO), gamma=0.5, n=3)
    assert returns.tolist() == [[1 + 0.5 * 2 + 0.25 * 32, 2 + 0.5 * 32, 4 + 0.5 * 8 + 0.25 * 128, 8 + 64]]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 12])
def test_n_step_returns_equal_a_slow_walk(n):
    windows = random_windows(seed=2)
    returns = n_step_returns(*windows, gamma=0.9, n=n)
    rows = list(zip(*(part.tolist() for part in windows), strict=True))
    expected = [[slow_n_step_return(*one, 0.9, n, t) for t in range(7)] for one in rows]
    torch.testing.assert_close(returns, torch.tensor(expected, dtype=torch.float64))


# --- value rescaling ----------------------------------------------------------------------------------------------


def test_rescaling_by_hand():
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x: 2 - 1 + 0.003 at 3, -(3 - 1) - 0.008 at -8."""
    values = torch.tensor([0.0, 3.0, -8.0, 99.0])
    assert rescale(values).tolist() == pytest.approx([0.0, 1.003, -2.008, 9.099], rel=1e-6)
    assert unscale(torch.tensor([0.0, 1.003, -2.008, 9.099])).tolist() == pytest.approx(
        [0.0, 3.0, -8.0, 99.0], rel=1e-6
    )


def test_rescaling_and_its_inverse_are_odd_and_increasing():
    values = torch.tensor([1e-6, 1e-3, 0.1, 1.0, 7.0, 100.0, 1e4])
    for function in (rescale, unscale):
        there = function(values)
        assert torch.equal(function(-values), -there) and there[0] > 0.0
        assert (there.diff() > 0.0).all()


MAGNITUDES = [1e-7, 1e-4, 0.01, 0.5, 1.0, 30.0, 1e4]


def textbook_unscale(values):
    """Pohlen et al. (2018), proposition A.2, as it is printed."""
    root = (1.0 + 4.0 * 0.001 * (values.abs() + 1.0 + 0.001)).sqrt()
    return values.sign() * (((root - 1.0) / (2.0 * 0.001)).square() - 1.0)


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_the_inverse_is_exact_in_float32_near_zero_and_far_from_it(magnitude):
    values = torch.tensor([magnitude, -magnitude])
    assert rescale(values).dtype == unscale(values).dtype == torch.float32
    assert unscale(rescale(values)).tolist() == pytest.approx(values.tolist(), rel=1e-5)


def test_the_textbook_inverse_is_the_same_function_and_loses_digits_near_zero():
    values = torch.tensor(MAGNITUDES, dtype=torch.float64)
    torch.testing.assert_close(textbook_unscale(values), unscale(values), rtol=1e-6, atol=0.0)
    near = torch.tensor([1e-7, 1e-4])
    wrong = (textbook_unscale(rescale(near)) - near).abs() / near
    assert wrong[0] > 1.0 and wrong[1] > 0.01


def test_rescaling_has_a_gradient_at_zero():
    values = torch.zeros(1, requires_grad=True)
    rescale(values).backward()
    assert values.grad.item() == pytest.approx(0.501)  # 1 / (2 sqrt(1)) + 0.001


# --- losses -------------------------------------------------------------------------------------------------------


def test_huber_is_half_the_square_near_zero_and_linear_beyond_delta():
    error = torch.tensor([0.0, 0.5, -0.5, 1.0, 3.0, -3.0])
    assert elementwise_loss(error, 1.0).tolist() == [0.0, 0.125, 0.125, 0.5, 2.5, 2.5]  # 1 * (3 - 0.5)
    assert elementwise_loss(torch.tensor([1.0, 5.0]), 2.0).tolist() == [0.5, 8.0]  # 2 * (5 - 1)


def test_without_a_delta_the_loss_is_half_the_square():
    assert elementwise_loss(torch.tensor([3.0, -4.0]), None).tolist() == [4.5, 8.0]


def test_hubers_gradient_is_the_error_clipped_to_delta():
    error = torch.tensor([0.25, -0.25, 3.0, -3.0], requires_grad=True)
    elementwise_loss(error, 1.0).sum().backward()
    assert error.grad.tolist() == [0.25, -0.25, 1.0, -1.0]


def test_masked_mean_divides_by_the_number_of_valid_steps():
    values = torch.tensor([[1.0, 2.0, 1e6], [4.0, 1e6, 1e6]])
    valid = torch.tensor([[YES, YES, NO], [YES, NO, NO]])
    assert float(masked_mean(values, valid, torch.ones(2))) == pytest.approx(7 / 3)


def test_masked_mean_weights_whole_rows():
    values, valid = torch.tensor([[1.0, 2.0], [4.0, 8.0]]), torch.tensor([[YES, YES], [YES, NO]])
    assert float(masked_mean(values, valid, torch.tensor([1.0, 0.5]))) == pytest.approx((1 + 2 + 0.5 * 4) / 3)


def test_masked_mean_of_nothing_is_zero_with_a_zero_gradient():
    values = torch.ones(2, 3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(2, 3, dtype=torch.bool), torch.ones(2))
    mean.backward()
    assert mean.item() == 0.0
    assert values.grad.tolist() == [[0.0] * 3] * 2


def test_what_is_not_valid_may_be_not_a_number_in_the_mean_and_in_its_gradient():
    values = torch.tensor([[1.0, torch.nan], [torch.inf, 4.0]], requires_grad=True)
    mean = masked_mean(values, torch.tensor([[YES, NO], [NO, YES]]), torch.tensor([1.0, 0.5]))
    mean.backward()
    assert mean.item() == (1.0 + 2.0) / 2
    assert values.grad.tolist() == [[0.5, 0.0], [0.0, 0.25]]


def test_means_of_several_values_count_valid_steps_alone():
    values = [row(1.0, 5.0, float("nan")), row(-2.0, 0.0, 7.0)]
    assert [mean.item() for mean in plain_means(values, row(YES, YES, NO))] == [3.0, -1.0]
    assert [mean.item() for mean in plain_means(values, row(NO, NO, NO))] == [0.0, 0.0]
