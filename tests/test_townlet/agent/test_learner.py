"""The learner: which values its targets take, what an update touches, and how memory enters and leaves a window."""

import copy
import math

import pytest
import torch

from support.learning import (
    NUM_ACTIONS,
    OBS_DIM,
    Spy,
    copy_of,
    differences,
    feed_forward,
    joint,
    make_training,
    random_batch,
    random_hidden,
    recurrent,
)
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.learner import QLearner, continuing
from townlet.agent.losses import elementwise_loss, masked_mean
from townlet.config import JointEncoder
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer

# Q-values of the online network in a window of three steps of two actions: Q(o) = o in these tests.
Q = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [6.0, 5.0], [7.0, 8.0]]])
ACTIONS, REWARDS = torch.tensor([[0, 1, 0]]), torch.tensor([[1.0, 0.0, 2.0]])


def window(**changes):
    """The window above as a batch."""
    made = random_batch(batch=1, seq_len=3)
    return made._replace(**{
        "observations": Q, "actions": ACTIONS, "rewards": REWARDS, "hidden": (torch.zeros(1, 1, 1),), **changes
    })  # fmt: skip


def spying(target_scale=-10.0, decay=0.0, **training):
    """A learner whose online network says Q(o) = o, and whose target network says `target_scale` * o."""
    learner = QLearner(Spy(decay=decay), make_training(gamma=0.5, **training))
    if learner.target is not None:
        learner.target.scale.fill_(target_scale)
    return learner


def returns_of(learner, batch):
    """Targets of all steps, from the TD error and Q."""
    error, q = learner.td_error(batch)
    return (error + q).detach()


def flat_gradient(learner, batch):
    """Loss, and gradient of all parameters in one row."""
    error, _ = learner.td_error(batch)
    loss = masked_mean(
        elementwise_loss(error, learner.training.huber_delta), batch.valid[:, batch.burn_in :], batch.weights
    )
    learner.network.zero_grad(set_to_none=True)
    loss.backward()
    return loss.detach(), torch.cat([one.grad.flatten() for one in learner.network.parameters()])


def weights_of(network):
    return copy_of(network.state_dict())


# --- targets by hand ----------------------------------------------------------------------------------------------


def test_double_q_targets_one_index_later_by_hand():
    """Online prefers actions 1, 0, 1 at t + 1; the target network gives those -40, -60, -80."""
    error, q = spying().td_error(window())
    assert q.tolist() == [[1.0, 4.0, 6.0]]
    assert (error + q).tolist() == [[1 + 0.5 * -40, 0 + 0.5 * -60, 2 + 0.5 * -80]]


def test_rewards_are_scaled_and_values_are_not():
    assert returns_of(spying(reward_scale=10.0), window()).tolist() == [[10 - 20, 0 - 30, 20 - 40]]


def test_plain_targets_take_the_target_networks_own_maximum():
    assert returns_of(spying(double_q=False), window()).tolist() == [[1 + 0.5 * -30, 0.5 * -50, 2 + 0.5 * -70]]


def test_without_a_target_network_the_online_network_is_its_own():
    learner = spying(double_q=False, target_every=None)
    assert learner.target is None
    assert returns_of(learner, window()).tolist() == [[1 + 0.5 * 4, 0.5 * 6, 2 + 0.5 * 8]]


def test_the_target_of_a_step_does_not_depend_on_the_observation_before_it():
    """The value is of t + 1: changing Q(0) changes no target, changing Q(3) changes the last alone."""
    before = returns_of(spying(), window())
    first, last = Q.clone(), Q.clone()
    first[0, 0], last[0, 3] = 99.0, 99.0
    assert returns_of(spying(), window(observations=first)).tolist() == before.tolist()
    changed = returns_of(spying(), window(observations=last))
    assert changed[0, :2].tolist() == before[0, :2].tolist() and changed[0, 2] == 2 + 0.5 * -990


def test_the_stored_mask_of_the_next_observation_binds_both_networks():
    mask = torch.ones(1, 4, 2, dtype=torch.bool)
    mask[0, 0], mask[0, 1, 1], mask[0, 3, 0] = torch.tensor([False, False]), False, False
    # At t + 1 = 1 only action 0 is left, at 2 both, at 3 only action 1; the mask at 0 matters to no target.
    assert returns_of(spying(), window(action_mask=mask)).tolist() == [[1 + 0.5 * -30, 0.5 * -60, 2 + 0.5 * -80]]
    plain = returns_of(spying(double_q=False), window(action_mask=mask))
    assert plain.tolist() == [[1 + 0.5 * -30, 0.5 * -50, 2 + 0.5 * -80]]


def test_an_observation_without_any_valid_action_is_worth_zero_and_finite():
    mask = torch.ones(1, 4, 2, dtype=torch.bool)
    mask[0, 2] = False
    for double_q in (False, True):
        targets = returns_of(spying(double_q=double_q), window(action_mask=mask))
        assert targets[0, 1] == 0.0 and targets.isfinite().all()


def test_death_does_not_bootstrap_and_the_windows_end_does():
    terminated = torch.tensor([[False, True, False]])
    assert returns_of(spying(), window(terminated=terminated)).tolist() == [[1 + 0.5 * -40, 0.0, 2 + 0.5 * -80]]


def test_lambda_targets_of_the_window_by_hand():
    """18 = 2 + .5 * 32 and so on, with target Q = 4 o, so values 16, 24, 32 of the online choice, lambda 0.5."""
    learner = spying(target_scale=4.0, trace_decay=0.5)
    last = 2 + 0.5 * 32  # 18
    middle = 0 + 0.5 * (0.5 * 24 + 0.5 * last)  # 10.5
    assert returns_of(learner, window()).tolist() == [[1 + 0.5 * (0.5 * 16 + 0.5 * middle), middle, last]]


def test_n_step_targets_of_the_window_by_hand():
    learner = spying(target_scale=4.0, n_step=2)
    assert returns_of(learner, window()).tolist() == [[1 + 0.25 * 24, 0 + 0.5 * 2 + 0.25 * 32, 2 + 0.5 * 32]]


@pytest.mark.parametrize("returns", [{"trace_decay": 1.0}, {"n_step": 3}])
def test_no_target_reaches_across_a_reset_nor_past_what_is_valid(returns):
    learner = spying(target_scale=4.0, **returns)
    # Dies at step 0; steps 1 and 2 are the next episode's.
    across = window(terminated=torch.tensor([[True, False, False]]), reset=torch.tensor([[False, True, False, False]]))
    assert returns_of(learner, across).tolist() == [[1.0, 0.5 * 2 + 0.25 * 32, 2 + 0.5 * 32]]
    # A time limit at step 1: it is not valid, and step 0 stops at the value of the observation before it.
    limit = window(valid=torch.tensor([[True, False, True]]), reset=torch.tensor([[False, False, True, False]]))
    assert returns_of(learner, limit)[0, [0, 2]].tolist() == [1 + 0.5 * 16, 2 + 0.5 * 32]
    # Padding: the episode's last valid step is step 1, at a time limit.
    padded = window(valid=torch.tensor([[True, True, False]]))
    assert returns_of(learner, padded)[0, :2].tolist() == [1 + 0.25 * 24, 0.5 * 24]


def test_which_steps_continue():
    batch = random_batch(batch=1, seq_len=6)._replace(
        valid=torch.tensor([[True, True, True, True, True, False]]),
        terminated=torch.tensor([[False, True, False, False, False, False]]),
        reset=torch.tensor([[False, False, True, False, True, False, False]]),
    )
    # 0 goes on; 1 is a death; 2 goes on; before 4 there is a reset; 5 is not valid; the last never goes on.
    assert continuing(batch).tolist() == [[True, False, True, False, False, False]]


def test_which_steps_continue_after_a_burn_in():
    batch = random_batch(batch=1, seq_len=3, burn_in=2)._replace(
        reset=torch.tensor([[False, True, False, False, True, False]])
    )
    assert continuing(batch).tolist() == [[True, False, False]]


def tape_with_an_end(terminated, truncated):
    """An episode of two steps that ends in observation (30, 40), and a first step of the next, from (1000, 1000)."""
    tape = SequentialReplayBuffer(20, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    allowed = torch.ones(1, 2, dtype=torch.bool)
    steps = [([1.0, 2.0], False, False, [3.0, 4.0]), ([3.0, 4.0], terminated, truncated, [30.0, 40.0])]
    for seen, dies, stops, final in [*steps, ([1000.0, 1000.0], False, False, [2000.0, 2000.0])]:
        tape.append(
            torch.tensor([seen]), allowed, torch.tensor([0]), torch.tensor([1.0]), torch.tensor([dies]),
            torch.tensor([stops]), torch.tensor([final]), allowed,
        )  # fmt: skip
    return tape


@pytest.mark.parametrize(("terminated", "expected"), [(True, 1.0), (False, 1 + 0.5 * 40)])
def test_a_time_limit_bootstraps_from_the_final_observation_and_death_does_not(terminated, expected):
    tape = tape_with_an_end(terminated, not terminated)
    batch = tape.windows(torch.tensor([0]), 3, seq_len=3)._replace(hidden=(torch.zeros(1, 1, 1),))
    assert batch.valid.tolist() == [[True, True, False]]
    targets = returns_of(spying(target_scale=1.0), batch)
    assert targets[0, 1] == expected
    assert targets[0, 0] == 1 + 0.5 * 4


def test_in_the_newest_windows_death_is_learned_from_and_no_target_reaches_the_next_episode():
    learner = spying(target_scale=1.0, trace_decay=1.0)
    died = tape_with_an_end(True, False).newest_sequences(3)._replace(hidden=(torch.zeros(1, 1, 1),))
    assert died.valid.all()
    assert returns_of(learner, died).tolist() == [[1 + 0.5 * 1, 1.0, 1 + 0.5 * 2000]]
    stopped = tape_with_an_end(False, True).newest_sequences(3)._replace(hidden=(torch.zeros(1, 1, 1),))
    assert stopped.valid.tolist() == [[True, False, True]]
    assert returns_of(learner, stopped)[0, [0, 2]].tolist() == [1 + 0.5 * 4, 1 + 0.5 * 2000]


# --- value rescaling ----------------------------------------------------------------------------------------------


def h(x):
    """sqrt(x + 1) - 1 + 0.001 x, for x from 0 on."""
    return math.sqrt(x + 1) - 1 + 0.001 * x


# Rescaled, the online choices of indices 1, 2 and 3 are worth h(3), h(8) and h(15): 3, 8 and 15 in returns.
RESCALED = torch.tensor([[[0.1, 0.2], [0.0, h(3)], [h(8), 0.0], [0.5, h(15)]]])


def rescaling(**training):
    """A learner of rescaled values whose target network is the online one's copy, Q(o) = o."""
    return spying(target_scale=1.0, value_rescaling=True, **training)


@pytest.mark.parametrize("double_q", [False, True])
def test_rescaled_one_step_targets_by_hand(double_q):
    """h(r + gamma h^-1(Q)): h(1 + 3 / 2), h(0 + 8 / 2), h(2 + 15 / 2)."""
    targets = returns_of(rescaling(double_q=double_q), window(observations=RESCALED))
    assert targets[0].tolist() == pytest.approx([h(2.5), h(4.0), h(9.5)], rel=1e-5)


def test_rescaled_n_step_targets_by_hand():
    targets = returns_of(rescaling(n_step=2), window(observations=RESCALED))
    assert targets[0].tolist() == pytest.approx([h(1 + 8 / 4), h(2 / 2 + 15 / 4), h(2 + 15 / 2)], rel=1e-5)


def test_rescaled_lambda_targets_by_hand():
    last = 2 + 0.5 * 15  # 9.5
    middle = 0 + 0.5 * (0.5 * 8 + 0.5 * last)  # 4.375
    first = 1 + 0.5 * (0.5 * 3 + 0.5 * middle)  # 2.84375
    targets = returns_of(rescaling(trace_decay=0.5), window(observations=RESCALED))
    assert targets[0].tolist() == pytest.approx([h(first), h(middle), h(last)], rel=1e-5)


def test_the_error_is_between_rescaled_values_and_a_death_is_worth_its_rescaled_reward():
    rewards, terminated = torch.tensor([[1.0, -8.0, 2.0]]), torch.tensor([[False, True, False]])
    learner = rescaling(huber_delta=None)
    batch = window(observations=RESCALED, rewards=rewards, terminated=terminated)
    error, q = learner.td_error(batch)
    assert q[0].tolist() == pytest.approx([0.1, h(3), h(8)])
    expected = [h(2.5) - 0.1, -2.008 - h(3), h(9.5) - h(8)]
    assert error[0].tolist() == pytest.approx(expected, rel=1e-4)
    assert float(learner.update(batch).metrics["train/loss"]) == pytest.approx(
        sum(0.5 * one**2 for one in expected) / 3, rel=1e-4
    )


# --- how the networks are called ----------------------------------------------------------------------------------


def test_each_network_is_unrolled_once_over_the_same_observations_from_the_same_stored_memory():
    hidden = (torch.full((1, 1, 1), 7.0),)
    learner = spying(decay=1.0)
    learner.td_error(window(hidden=hidden))
    for network in (learner.network, learner.target):
        ((features, start, reset),) = network.calls
        assert torch.equal(features, Q)  # T + 1 observations for T actions
        assert torch.equal(start[0], hidden[0]) and reset is None


def test_memory_is_never_handed_from_one_network_to_the_other():
    """With a burn-in each network warms its own memory: h + decay * sum(o), decay 1 online and 100 in the target."""
    learner = spying(decay=1.0)
    learner.target.decay.fill_(100.0)
    observations = torch.cat([torch.tensor([[[0.5, 1.5], [1.0, 2.0]]]), Q], dim=1)  # burn-in sums to 5
    batch = random_batch(batch=1, seq_len=3, burn_in=2)._replace(
        observations=observations, hidden=(torch.full((1, 1, 1), 7.0),)
    )
    learner.td_error(batch)
    for network, warmed in ((learner.network, 7.0 + 5.0), (learner.target, 7.0 + 500.0)):
        early, late = network.calls
        assert torch.equal(early[0], observations[:, :2]) and early[1][0].item() == 7.0
        assert torch.equal(late[0], Q) and late[1][0].item() == warmed


def test_the_flags_of_a_burn_in_and_of_its_window_are_cut_where_they_meet():
    learner = spying()
    reset = torch.tensor([[False, True, True, False, False, True]])
    batch = random_batch(batch=1, seq_len=3, burn_in=2)._replace(
        observations=torch.zeros(1, 6, 2), hidden=(torch.zeros(1, 1, 1),), reset=reset
    )
    learner.td_error(batch)
    for network in (learner.network, learner.target):
        assert [call[2].tolist() for call in network.calls] == [[[False, True]], [[True, False, False, True]]]


def test_q_has_a_gradient_and_the_target_none():
    learner = QLearner(recurrent(), make_training())
    error, q = learner.td_error(random_batch())
    returns = error + q
    assert q.requires_grad
    assert torch.autograd.grad(returns.sum(), list(learner.network.parameters()), allow_unused=True, retain_graph=True)
    for grad in torch.autograd.grad(returns.sum(), list(learner.network.parameters()), allow_unused=True):
        assert grad is None or float(grad.abs().max()) < 1e-6  # error and Q cancel
    assert not any(one.requires_grad for one in learner.target.parameters())


def test_the_online_networks_own_target_has_no_gradient_either():
    learner = QLearner(recurrent(), make_training(target_every=None, double_q=False, huber_delta=None))
    batch = random_batch()
    _, found = flat_gradient(learner, batch)
    fixed = returns_of(learner, batch)
    q, _ = learner.network(batch.observations, batch.hidden, batch.previous_actions)
    taken = q[:, :-1].gather(-1, batch.actions.unsqueeze(-1)).squeeze(-1)
    learner.network.zero_grad()
    (0.5 * (fixed - taken).square()).mean().backward()
    torch.testing.assert_close(found, torch.cat([one.grad.flatten() for one in learner.network.parameters()]))


@pytest.mark.parametrize(("initial_state", "expected"), [("stored", 7.0), ("zero", 0.0)])
def test_both_networks_begin_with_the_memory_that_the_level_names(initial_state, expected):
    learner = spying(decay=1.0, initial_state=initial_state)
    learner.td_error(window(hidden=(torch.full((1, 1, 1), 7.0),)))
    for network in (learner.network, learner.target):
        ((features, start, _),) = network.calls
        assert torch.equal(features, Q)
        assert start[0].tolist() == [[[expected]]]


@pytest.mark.parametrize(("initial_state", "expected"), [("stored", 7.0), ("zero", 0.0)])
def test_a_burn_in_too_begins_with_the_memory_that_the_level_names(initial_state, expected):
    learner = spying(decay=1.0, initial_state=initial_state)
    observations = torch.cat([torch.tensor([[[0.5, 1.5], [1.0, 2.0]]]), Q], dim=1)  # burn-in sums to 5
    hidden = (torch.full((1, 1, 1), 7.0),)
    learner.td_error(random_batch(batch=1, seq_len=3, burn_in=2)._replace(observations=observations, hidden=hidden))
    for network in (learner.network, learner.target):
        early, late = network.calls
        assert early[1][0].item() == expected and late[1][0].item() == expected + 5.0


@pytest.mark.parametrize("burn_in", [0, 3])
def test_from_zero_memory_q_values_do_not_depend_on_what_was_stored(burn_in):
    batch = random_batch(burn_in=burn_in)
    other = batch._replace(hidden=random_hidden(4, seed=77))
    for initial_state in ("zero", "stored"):
        learner = QLearner(recurrent(), make_training(initial_state=initial_state))
        q = [learner.td_error(one)[1] for one in (batch, other)]
        assert torch.equal(*q) == (initial_state == "zero")


# --- rows, padding, burn-in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [recurrent, feed_forward])
def test_a_batch_of_one_gives_what_the_same_row_gives_in_a_batch_of_two(network):
    learner = QLearner(network(), make_training(trace_decay=0.7))
    both = random_batch(batch=2, hidden=random_hidden(2) if network is recurrent else ())
    error, q = learner.td_error(both)
    for index in range(2):
        alone_error, alone_q = learner.td_error(both.rows(torch.tensor([index])))
        torch.testing.assert_close(alone_error, error[index : index + 1])
        torch.testing.assert_close(alone_q, q[index : index + 1])
    losses = [flat_gradient(learner, both.rows(torch.tensor([index]))) for index in range(2)]
    loss, gradient = flat_gradient(learner, both)
    torch.testing.assert_close(loss, (losses[0][0] + losses[1][0]) / 2)
    torch.testing.assert_close(gradient, (losses[0][1] + losses[1][1]) / 2)


@pytest.mark.parametrize("returns", [{}, {"trace_decay": 0.7}, {"n_step": 3}])
def test_what_padding_holds_changes_neither_loss_nor_gradient(returns):
    learner = QLearner(recurrent(), make_training(**returns))
    batch = random_batch(batch=3, seq_len=5)
    valid = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] + [False] * 4])
    batch = batch._replace(valid=valid)
    loss, gradient = flat_gradient(learner, batch)
    other = random_batch(batch=3, seq_len=5, seed=9)
    successor = torch.cat([torch.ones(3, 1, dtype=torch.bool), valid], dim=1)  # an observation that a valid step needs
    garbage = batch._replace(
        observations=torch.where(successor.unsqueeze(-1), batch.observations, 5 * other.observations),
        action_mask=batch.action_mask & (successor.unsqueeze(-1) | (torch.arange(NUM_ACTIONS) == 0)),
        actions=torch.where(valid, batch.actions, other.actions),
        rewards=torch.where(valid, batch.rewards, 100 * other.rewards),
        previous_actions=torch.where(successor, batch.previous_actions, other.previous_actions),
        terminated=~valid,
    )
    same_loss, same_gradient = flat_gradient(learner, garbage)
    torch.testing.assert_close(same_loss, loss)
    torch.testing.assert_close(same_gradient, gradient)


def test_the_loss_is_divided_by_the_number_of_valid_steps():
    learner = QLearner(recurrent(), make_training(huber_delta=None))
    batch = random_batch(batch=2, seq_len=4)
    valid = torch.tensor([[True, True, True, False], [True, False, False, False]])
    error, _ = learner.td_error(batch._replace(valid=valid))
    expected = 0.5 * (error[0, :3].square().sum() + error[1, :1].square().sum()) / 4
    metrics = learner.update(batch._replace(valid=valid)).metrics
    torch.testing.assert_close(metrics["train/loss"], expected.detach())
    torch.testing.assert_close(
        metrics["train/td_error"], ((error[0, :3].abs().sum() + error[1, :1].abs().sum()) / 4).detach()
    )


def test_a_batch_without_a_single_valid_step_changes_no_weight():
    learner = QLearner(recurrent(), make_training())
    before = weights_of(learner.network)
    metrics = learner.update(random_batch()._replace(valid=torch.zeros(4, 5, dtype=torch.bool))).metrics
    assert metrics["train/loss"] == 0.0 and differences(before, weights_of(learner.network)) == []


def test_weights_of_a_batch_scale_the_loss_of_their_rows():
    learner = QLearner(recurrent(), make_training(huber_delta=None))
    batch = random_batch(batch=2)
    one, other = (flat_gradient(learner, batch.rows(torch.tensor([index])))[1] for index in range(2))
    _, found = flat_gradient(learner, batch._replace(weights=torch.tensor([0.25, 2.0])))
    torch.testing.assert_close(found, (0.25 * one + 2.0 * other) / 2)


def test_an_update_weighs_its_loss_by_the_weights_of_the_batch():
    network, batch = recurrent(), random_batch(batch=2)

    def loss(windows):
        learner = QLearner(copy.deepcopy(network), make_training(huber_delta=None))
        return learner.update(windows).metrics["train/loss"]

    one, other = (loss(batch.rows(torch.tensor([index]))) for index in range(2))
    found = loss(batch._replace(weights=torch.tensor([0.25, 2.0])))
    torch.testing.assert_close(found, (0.25 * one + 2.0 * other) / 2)


@pytest.mark.parametrize("flagged", [False, True])
def test_burn_in_warms_the_memory_and_gives_no_gradient_and_no_loss(flagged):
    learner = QLearner(recurrent(), make_training(trace_decay=0.7))
    reset = torch.zeros(4, 9, dtype=torch.bool) if flagged else None
    batch = random_batch(seq_len=5, burn_in=3, reset=reset)
    changed = batch.observations.clone()
    changed[:, :3] += 1.0
    _, q = learner.td_error(batch)
    _, other = learner.td_error(batch._replace(observations=changed))
    assert q.shape == (4, 5)
    assert ((q - other).abs() > 1e-7).all()  # each step of each row remembers the burn-in
    features = batch.observations.clone().requires_grad_(True)
    flat_gradient(learner, batch._replace(observations=features))
    reached = features.grad.abs().sum(dim=2)
    assert not reached[:, :3].any()
    assert (reached[:, 3:-1] > 0).all()
    # rewards of the burn-in are in no loss
    rewards = batch.rewards.clone()
    rewards[:, :3] += 100.0
    assert flat_gradient(learner, batch._replace(rewards=rewards))[0] == flat_gradient(learner, batch)[0]


def test_a_burn_in_equals_an_unroll_by_hand_and_no_more_than_its_window_is_learned_from():
    learner = QLearner(recurrent(), make_training())
    batch = random_batch(seq_len=5, burn_in=3)
    with torch.no_grad():
        _, warm = learner.network(batch.observations[:, :3], batch.hidden, batch.previous_actions[:, :3])
        _, target_warm = learner.target(batch.observations[:, :3], batch.hidden, batch.previous_actions[:, :3])
    torch.testing.assert_close(warm, target_warm)  # still the same weights
    window = batch._replace(
        observations=batch.observations[:, 3:], action_mask=batch.action_mask[:, 3:], actions=batch.actions[:, 3:],
        rewards=batch.rewards[:, 3:], terminated=batch.terminated[:, 3:], valid=batch.valid[:, 3:],
        previous_actions=batch.previous_actions[:, 3:], hidden=warm, burn_in=0,
    )  # fmt: skip
    for with_burn_in, without in zip(flat_gradient(learner, batch), flat_gradient(learner, window), strict=True):
        torch.testing.assert_close(with_burn_in, without)


def test_a_burn_in_that_begins_at_the_window_forgets_what_was_stored_before_it():
    """A window at its episode's start: only padding comes before, and a flag at the window's first step."""
    learner = QLearner(recurrent(), make_training())
    reset = torch.zeros(4, 9, dtype=torch.bool)
    reset[:, 3] = True
    batch = random_batch(seq_len=5, burn_in=3, reset=reset)
    _, q = learner.td_error(batch)
    expected, _ = learner.network(
        batch.observations[:, 3:], learner.network.initial_hidden(4), batch.previous_actions[:, 3:]
    )
    taken = expected[:, :-1].gather(-1, batch.actions[:, 3:].unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(q, taken, rtol=1e-5, atol=1e-6)


def test_the_stored_memory_reaches_every_q_value_of_the_window():
    learner = QLearner(recurrent(), make_training())
    batch = random_batch()
    _, q = learner.td_error(batch)
    _, other = learner.td_error(batch._replace(hidden=random_hidden(4, seed=77)))
    assert ((q - other).abs() > 1e-7).all()


def test_the_error_of_the_last_step_reaches_the_first_observation_through_time():
    learner = QLearner(recurrent(), make_training())
    valid = torch.zeros(4, 5, dtype=torch.bool)
    valid[:, -1] = True
    features = random_batch().observations.clone().requires_grad_(True)
    flat_gradient(learner, random_batch(observations=features, valid=valid))
    assert (features.grad[:, :5].abs().sum(dim=2) > 0).all()
    assert not features.grad[:, 5].any()  # the successor is in the target alone


# --- what an update does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("burn_in", [0, 2])
def test_an_update_leaves_the_batch_as_it_was_bit_for_bit(burn_in):
    learner = QLearner(recurrent(), make_training())
    batch = random_batch(burn_in=burn_in, reset=torch.rand(4, 6 + burn_in) < 0.3)
    before = copy_of(batch)
    learner.update(batch)
    assert differences(batch, before) == []
    assert not any(part.requires_grad for part in batch.hidden)


def test_any_number_of_updates_on_the_same_batch_learns_it():
    learner = QLearner(recurrent(), make_training(learning_rate=0.01, gamma=0.0))
    batch = random_batch()
    losses = [learner.update(batch).metrics["train/loss"].item() for _ in range(150)]
    assert losses[-1] < 0.2 * losses[0]


def test_an_update_changes_every_parameter_the_recurrent_ones_included():
    learner = QLearner(recurrent(0, joint(previous_action=True, dueling=True, skip=True)), make_training())
    before = weights_of(learner.network)
    learner.update(random_batch(batch=16))
    assert set(differences(before, weights_of(learner.network))) == {f".{name}" for name in before}


def test_an_update_returns_metrics_without_a_graph():
    metrics = QLearner(recurrent(), make_training()).update(random_batch()).metrics
    assert set(metrics) == {"train/loss", "train/td_error", "train/q_mean", "train/grad_norm"}
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())


@pytest.mark.parametrize("burn_in", [0, 3])
def test_an_update_returns_the_error_of_each_step_to_learn_from_before_the_update_without_a_graph(burn_in):
    learner = QLearner(recurrent(), make_training())
    batch = random_batch(batch=4, seq_len=5, burn_in=burn_in)
    expected = learner.td_error(batch)[0].detach()
    found = learner.update(batch).td_error
    assert found.shape == (4, 5) and not found.requires_grad and found.grad_fn is None
    assert torch.equal(found, expected) and found.any(dim=0).all()


def test_the_step_is_adams_by_hand():
    """First step of Adam: lr * g / (|g| + eps) for each weight, here of a single one."""
    learner = spying(huber_delta=None, learning_rate=0.125, adam_epsilon=1e-5, max_grad_norm=1e9)
    learner.update(window())
    # Errors -19 - 1, -30 - 4, -38 - 6; gradient of the loss at the scale: -mean(error * o) > 0, so it falls by lr.
    assert learner.network.scale.item() == pytest.approx(1 - 0.125, abs=1e-6)


@pytest.mark.parametrize(("delta", "loss"), [(1.0, (19.5 + 33.5 + 43.5) / 3), (None, (200.0 + 578.0 + 968.0) / 3)])
def test_an_update_learns_by_the_loss_that_the_level_names(delta, loss):
    """Errors -20, -34 and -44, as above: the absolute value less a half, or half the square."""
    assert float(spying(huber_delta=delta).update(window()).metrics["train/loss"]) == pytest.approx(loss)


def test_the_target_network_is_copied_exactly_every_so_many_updates():
    learner = QLearner(recurrent(), make_training(target_every=3))
    first, batch = weights_of(learner.network), random_batch()
    for update in range(1, 10):
        learner.update(batch)
        if update % 3 == 0:
            assert differences(weights_of(learner.target), weights_of(learner.network)) == []
            first = weights_of(learner.network)
        else:
            assert differences(weights_of(learner.target), first) == []
            assert differences(weights_of(learner.target), weights_of(learner.network)) != []


def test_a_soft_target_goes_its_share_of_the_way_to_the_online_network_at_each_update_by_hand():
    learner = QLearner(Spy(), make_training(gamma=0.0, target_every=None, target_rate=0.25))
    online, expected = [], [1.0]
    for _ in range(2):
        learner.update(window())
        online.append(learner.network.scale.item())
        expected.append(0.75 * expected[-1] + 0.25 * online[-1])
        assert learner.target.scale.item() == pytest.approx(expected[-1], abs=1e-7)
    assert online[0] != 1.0 and online[1] != online[0]
    assert learner.target.scale.item() == pytest.approx(0.5625 + 0.1875 * online[0] + 0.25 * online[1], abs=1e-7)


def test_every_parameter_of_a_soft_target_moves_and_none_is_learned():
    learner = QLearner(recurrent(), make_training(target_every=None, target_rate=0.25))
    before = weights_of(learner.target)
    learner.update(random_batch(batch=16))
    for name, after in learner.target.state_dict().items():
        expected = 0.75 * before[name] + 0.25 * learner.network.state_dict()[name]
        torch.testing.assert_close(after, expected)
    assert not any(one.requires_grad for one in learner.target.parameters())


def test_a_hard_target_does_not_move_before_its_copy():
    learner = QLearner(Spy(), make_training(gamma=0.0, target_every=2))
    learner.update(window())
    assert learner.target.scale.item() == 1.0 != learner.network.scale.item()
    learner.update(window())
    assert learner.target.scale.item() == learner.network.scale.item()


def test_the_counter_to_the_next_copy_survives_a_state_dict():
    batch = random_batch()
    learner = QLearner(recurrent(), make_training(target_every=3))
    learner.update(batch)
    resumed = QLearner(recurrent(seed=5), make_training(target_every=3))
    resumed.network.load_state_dict(learner.network.state_dict())
    resumed.load_state_dict(learner.state_dict())
    resumed.update(batch)
    assert differences(weights_of(resumed.target), weights_of(resumed.network)) != []
    resumed.update(batch)  # the third
    assert differences(weights_of(resumed.target), weights_of(resumed.network)) == []


def test_the_gradient_norm_is_clipped_and_the_unclipped_norm_reported():
    """Adam divides scale out of its first step, so look at the gradient that it was given."""
    batch = random_batch(rewards=torch.full((4, 5), 1000.0))
    for limit in (0.5, 1e9):
        learner = QLearner(recurrent(), make_training(huber_delta=None, max_grad_norm=limit))
        norm = torch.linalg.vector_norm(flat_gradient(learner, batch)[1])
        metrics = learner.update(batch).metrics
        given = torch.cat([one.grad.flatten() for one in learner.network.parameters()])
        assert norm > 100
        torch.testing.assert_close(metrics["train/grad_norm"], norm)
        assert torch.linalg.vector_norm(given).item() == pytest.approx(min(limit, norm.item()), rel=1e-3)


def test_the_learning_rate_falls_linearly_and_stays_at_the_last():
    learner = QLearner(recurrent(), make_training(learning_rate=0.01, final_learning_rate=0.002, decay_steps=1000))
    for env_steps, rate in [(0, 0.01), (250, 0.008), (500, 0.006), (1000, 0.002), (5000, 0.002)]:
        assert learner.set_learning_rate(env_steps) == pytest.approx(rate)
        assert [group["lr"] for group in learner.optimizer.param_groups] == pytest.approx([rate])


# --- divergence ---------------------------------------------------------------------------------------------------


def test_a_reward_that_is_not_a_number_is_an_error_before_any_weight_changes():
    learner = QLearner(recurrent(), make_training())
    learner.update(random_batch())
    rewards = random_batch().rewards.clone()
    rewards[2, 3] = torch.nan
    state = copy_of([learner.network.state_dict(), learner.state_dict()])
    with pytest.raises(TrainingDivergedError, match=r"update 2: expected finite values, but loss is nan"):
        learner.update(random_batch(rewards=rewards))
    assert differences(state, [learner.network.state_dict(), learner.state_dict()]) == []


def test_a_weight_that_is_not_a_number_is_an_error_that_names_the_update():
    learner = QLearner(recurrent(), make_training())
    with torch.no_grad():
        learner.network.cell.weight_hh_l0[0, 0] = torch.nan
    kept = weights_of(learner.network)["head.0.weight"]
    with pytest.raises(TrainingDivergedError, match=r"update 1: .*loss is nan"):
        learner.update(random_batch())
    assert torch.equal(learner.network.state_dict()["head.0.weight"], kept)


def test_an_infinite_gradient_of_a_finite_loss_is_an_error_too():
    """Where Q is huge the gradient of a linear layer overflows before the loss does."""
    learner = QLearner(Spy(), make_training(huber_delta=None, target_every=None, double_q=False, gamma=0.0))
    batch = window(observations=torch.full((1, 4, 2), 1e19), rewards=torch.full((1, 3), -3e18))
    with pytest.raises(TrainingDivergedError, match=r"gradient norm is inf"):
        learner.update(batch)
    assert learner.network.scale.item() == 1.0 and learner.updates == 0


# --- state --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target_every", "target_rate"), [(3, None), (None, 0.25), (None, None)])
def test_a_resumed_learner_goes_on_bit_for_bit(target_every, target_rate, tmp_path):
    double_q = bool(target_every or target_rate)
    training = make_training(target_every=target_every, target_rate=target_rate, double_q=double_q)
    learner = QLearner(recurrent(), training)
    batches = [random_batch(seed=seed) for seed in range(8)]
    for batch in batches[:4]:
        learner.update(batch)
    torch.save({"learner": learner.state_dict(), "network": learner.network.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = QLearner(recurrent(seed=9), training)
    resumed.network.load_state_dict(state["network"])
    resumed.load_state_dict(state["learner"])
    for batch in batches[4:]:
        assert differences(learner.update(batch).metrics, resumed.update(batch).metrics) == []
    one, other = ([which.network.state_dict(), which.state_dict()] for which in (learner, resumed))
    assert differences(one, other) == []


def test_two_learners_from_one_state_do_not_share_their_optimisers_moments():
    learner = QLearner(recurrent(), make_training())
    learner.update(random_batch())
    state = learner.state_dict()
    resumed = QLearner(copy.deepcopy(learner.network), make_training())
    resumed.load_state_dict(state)
    before = copy_of(learner.state_dict())
    resumed.update(random_batch(seed=3))
    assert differences(before, learner.state_dict()) == []


def test_a_state_with_a_target_network_does_not_fit_a_learner_without_one_nor_the_reverse():
    with_target = QLearner(recurrent(), make_training())
    without = QLearner(recurrent(), make_training(target_every=None, double_q=False))
    with pytest.raises(ValueError, match=r"target network: expected one, got a state without"):
        with_target.load_state_dict(without.state_dict())
    with pytest.raises(ValueError, match=r"target network: expected none, got a state with one"):
        without.load_state_dict(with_target.state_dict())


# --- how far a window reaches -------------------------------------------------------------------------------------

LAG, WINDOW = 8, 4
CUE, ASKED = 0, 1  # features


def memory_episode(stream):
    """The cue is seen at step 0 alone. At step LAG an action pays +1 if it is that of the cue, else -1."""
    cue = int(torch.randint(0, 2, (1,), generator=stream))
    observations = torch.zeros(LAG + 2, OBS_DIM)
    observations[0, CUE] = 4.0 if cue else -4.0
    observations[LAG, ASKED] = 1.0
    actions = torch.randint(0, NUM_ACTIONS, (LAG + 1,), generator=stream)
    rewards = torch.zeros(LAG + 1)
    rewards[LAG] = 1.0 if int(actions[LAG]) == cue else -1.0
    return {
        "observations": observations, "actions": actions, "rewards_extrinsic": rewards, "terminated": True,
        "truncated": False,
    }  # fmt: skip


def with_memory_of(network, episode):
    """The episode with the memory before each step, as an agent that acts with this network has it."""
    hidden, states = network.initial_hidden(1), []
    with torch.no_grad():
        for observation in episode["observations"][:-1]:
            states.append(hidden)
            _, hidden = network(observation.view(1, 1, -1), hidden)
    return {**episode, "hidden": tuple(torch.cat(part, dim=1) for part in zip(*states, strict=True))}


def error_of_the_answer(network, episodes):
    """Mean squared error of Q at the question, unrolled over whole episodes. Without memory of the cue: 1 or more."""
    observations = torch.stack([episode["observations"] for episode in episodes])
    with torch.no_grad():
        q, _ = network(observations, network.initial_hidden(len(episodes)))
    taken = torch.stack([episode["actions"][LAG] for episode in episodes])
    paid = torch.stack([episode["rewards_extrinsic"][LAG] for episode in episodes])
    return (q[:, LAG].gather(1, taken.unsqueeze(1)).squeeze(1) - paid).square().mean().item()


def learn_to_remember(seed, seq_len, burn_in=0, stored=False, whole=False):
    """Learn the task from windows of `seq_len`, and return the error of the answer in other episodes.

    The gates stand open, so that an acting network holds the cue for LAG steps, and only the head learns: how to read
    that memory. `whole` learns everything, what to write and what to keep included.
    """
    stream = torch.Generator().manual_seed(seed + 1)
    config = joint(hidden=16, head=32, encoder=JointEncoder(kind="joint", width=16))
    network = recurrent(seed, config)
    with torch.no_grad():
        network.cell.bias_ih_l0[16:32] = 5.0
    network.encoder.requires_grad_(whole)
    network.cell.requires_grad_(whole)
    learner = QLearner(network, make_training(learning_rate=0.02, gamma=0.0, adam_epsilon=1e-5))
    buffer = SequentialReplayBuffer(64 * (LAG + 2), 1, OBS_DIM, NUM_ACTIONS, "cpu", network.initial_hidden(1), stream)
    for _ in range(64):
        episode = memory_episode(stream)
        buffer.store_episode(with_memory_of(network, episode) if stored else episode)
    for _ in range(250):
        learner.update(buffer.sample_sequences(32, seq_len, burn_in))
    return error_of_the_answer(network, [memory_episode(stream) for _ in range(64)])


SEEDS = pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
@SEEDS
def test_a_window_shorter_than_the_lag_cannot_learn_it_from_a_zero_state(seed, whole):
    """Nothing in such a window tells the two cues apart: the error stays at chance, the variance of the reward."""
    assert learn_to_remember(seed, WINDOW, whole=whole) > 0.8


@SEEDS
def test_a_window_shorter_than_the_lag_learns_it_from_the_stored_state(seed):
    assert learn_to_remember(seed, WINDOW, stored=True) < 0.2


@pytest.mark.slow
@SEEDS
def test_a_window_shorter_than_the_lag_learns_it_after_a_burn_in(seed):
    assert learn_to_remember(seed, WINDOW, burn_in=LAG) < 0.2


@SEEDS
def test_a_window_longer_than_the_lag_learns_what_to_write_to_keep_and_to_read_from_a_zero_state(seed):
    assert learn_to_remember(seed, 2 * LAG, whole=True) < 0.2
