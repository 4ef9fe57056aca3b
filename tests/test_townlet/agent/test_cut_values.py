"""Targets of steps that a time limit cut off within the newest windows, worked out by hand."""

import math

import pytest
import torch

from support.learning import Spy, make_training
from townlet.agent.learner import QLearner
from townlet.replay.cuts import each_cut, every_step, last_of_each
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer

T, F = True, False
BOTH, FIRST, SECOND = (T, T), (T, F), (F, T)  # allowed actions

# A window of three steps: what is seen, what it pays, how it ends ("" for going on), and what it led to.
IN_THE_MIDDLE = [((1, 2), 1, "", (3, 4)), ((3, 4), 2, "cut", (30, 40)), ((1000, 1000), 4, "", (5, 6))]
AT_THE_END = [((1, 2), 1, "", (3, 4)), ((3, 4), 2, "", (5, 6)), ((5, 6), 4, "cut", (30, 40))]
TWO = [((1, 2), 1, "cut", (3, 4)), ((5, 6), 2, "", (7, 8)), ((7, 8), 4, "cut", (9, 10))]
BESIDE_DEATHS = [((1, 2), 1, "dead", (100, 100)), ((3, 4), 2, "cut", (5, 6)), ((7, 8), 4, "dead", (100, 100))]


def tape_of(steps, allowed=BOTH, final_allowed=BOTH):
    """A tape of one agent; action 0 is taken, and memory before the k-th step is 7 + k."""
    tape = SequentialReplayBuffer(2 * len(steps), 1, 2, 2, hidden=(torch.zeros(1, 1, 1),))
    for index, (seen, reward, end, final) in enumerate(steps):
        tape.append(
            torch.tensor([seen]).float(), torch.tensor([allowed]), torch.tensor([0]), torch.tensor([float(reward)]),
            torch.tensor([end == "dead"]), torch.tensor([end == "cut"]), torch.tensor([final]).float(),
            torch.tensor([final_allowed]), (torch.full((1, 1, 1), 7.0 + index),),
        )  # fmt: skip
    return tape


def spying(target_scale=None, decay=0.0, **training):
    """A learner whose online network says Q(o) = o, and whose target network, if any, says `target_scale` * o."""
    plain = {"gamma": 0.5, "double_q": target_scale is not None, "target_every": target_scale and 100}
    learner = QLearner(Spy(decay=decay), make_training(**{**plain, **training}))
    if learner.target is not None:
        learner.target.scale.fill_(target_scale)
    return learner


def prepared(learner, tape, seq_len=3, pick=each_cut):
    return learner.prepare(tape.newest_sequences(seq_len), tape.cut_steps(seq_len, pick))


def returns_of(learner, windows):
    error, q = learner.td_error(windows)
    return (error + q).detach()


@pytest.mark.parametrize(
    ("steps", "one_step", "longest"),
    [
        # 1 + 4 / 2, 2 + 40 / 2, 4 + 6 / 2; the first, seen through to the cut: 1 + 22 / 2.
        (IN_THE_MIDDLE, [3, 22, 7], [12, 22, 7]),
        # 1 + 4 / 2, 2 + 6 / 2, 4 + 40 / 2; through to the cut: 2 + 24 / 2, 1 + 14 / 2.
        (AT_THE_END, [3, 5, 24], [8, 14, 24]),
        # 1 + 4 / 2, 2 + 8 / 2, 4 + 10 / 2; the second: 2 + 9 / 2. Nothing reaches over the first cut.
        (TWO, [3, 6, 9], [3, 6.5, 9]),
        # Death is worth its reward; 2 + 6 / 2 between the two.
        (BESIDE_DEATHS, [1, 5, 4], [1, 5, 4]),
    ],
)
@pytest.mark.parametrize("pick", [each_cut, every_step])
def test_the_target_of_a_cut_step_ends_with_the_value_of_its_final_observation(steps, one_step, longest, pick):
    for training, expected in [({}, one_step), ({"trace_decay": 1.0}, longest), ({"n_step": 3}, longest)]:
        learner = spying(**training)
        windows = prepared(learner, tape_of(steps), pick=pick)
        assert windows.valid.tolist() == [[T, T, T]]
        assert returns_of(learner, windows).tolist() == [expected]


def test_lambda_targets_mix_what_leads_to_a_cut_by_hand():
    learner = spying(trace_decay=0.5)
    found = returns_of(learner, prepared(learner, tape_of(IN_THE_MIDDLE)))
    assert found.tolist() == [[1 + 0.5 * (0.5 * 4 + 0.5 * 22), 22, 7]]


def test_the_mask_of_the_final_observation_binds_its_value_and_not_that_of_the_next_episode():
    """Online prefers 40 where it may, and the target network gives -10 times what is chosen."""
    for final_allowed, chosen in [(BOTH, 40), (FIRST, 30), (SECOND, 40), ((F, F), 0)]:
        tape = tape_of(IN_THE_MIDDLE, SECOND, final_allowed)
        plain, double = spying(), spying(target_scale=-10.0)
        assert returns_of(plain, prepared(plain, tape))[0, 1] == 2 + 0.5 * chosen
        assert returns_of(double, prepared(double, tape))[0, 1] == 2 + 0.5 * -10 * chosen


def test_a_target_network_alone_says_what_the_final_observation_is_worth_without_double_q():
    learner = spying(target_scale=-10.0, double_q=False)
    assert returns_of(learner, prepared(learner, tape_of(IN_THE_MIDDLE)))[0, 1] == 2 + 0.5 * -300


def test_rewards_of_cut_steps_are_scaled_and_what_they_led_to_is_not():
    learner = spying(reward_scale=10.0)
    assert returns_of(learner, prepared(learner, tape_of(IN_THE_MIDDLE)))[0, 1] == 20 + 0.5 * 40


def h(x):
    """sqrt(x + 1) - 1 + 0.001 x, for x from 0 on."""
    return math.sqrt(x + 1) - 1 + 0.001 * x


@pytest.mark.parametrize("returns", [{"trace_decay": 1.0}, {"n_step": 3}])
def test_rescaled_values_of_final_observations_by_hand(returns):
    """The final observation is worth h(8): 2 + 8 / 2 = 6 at the cut, and 1 + 6 / 2 = 4 before it."""
    steps = [((0, 0), 1, "", (0, h(3))), ((0, h(3)), 2, "cut", (0, h(8))), ((9, 9), 4, "", (0, h(15)))]
    learner = spying(value_rescaling=True, **returns)
    found = returns_of(learner, prepared(learner, tape_of(steps)))
    assert found[0].tolist() == pytest.approx([h(4), h(6), h(4 + 15 / 2)], rel=1e-5)


def test_each_network_goes_once_from_the_stored_memory_before_the_step_over_it_and_its_final_observation():
    learner = spying(target_scale=1.0, decay=1.0)
    windows = prepared(learner, tape_of(IN_THE_MIDDLE))
    for network in (learner.network, learner.target):
        ((features, start, reset),) = network.calls
        assert features.tolist() == [[[3, 4], [30, 40]]]
        assert start[0].tolist() == [[[8.0]]] and reset is None
    assert windows.cut_values[0, 1] == 40 + 8


def test_what_a_cut_step_led_to_is_valued_once_without_a_gradient():
    learner = spying()
    windows = prepared(learner, tape_of(IN_THE_MIDDLE))
    assert not windows.cut_values.requires_grad
    with torch.no_grad():
        learner.network.scale.fill_(3.0)  # as an update from other windows might
    assert returns_of(learner, windows).tolist() == [[1 + 0.5 * 12, 22, 4 + 0.5 * 18]]
    assert learner.td_error(windows)[1].tolist() == [[3, 9, 3000]]  # a cut step's own Q is as any other's


def test_without_what_they_led_to_cut_steps_are_left_out():
    learner, tape = spying(), tape_of(TWO)
    windows = learner.prepare(tape.newest_sequences(3))
    assert windows.valid.tolist() == [[F, T, F]] and windows.cut is None is windows.cut_values
    only_the_last = prepared(learner, tape, pick=last_of_each)
    assert only_the_last.valid.tolist() == [[F, T, T]]
    assert returns_of(learner, only_the_last)[0, 1:].tolist() == [6, 9]


def test_rows_of_prepared_windows_take_their_cut_steps_with_them():
    learner, tape = spying(), SequentialReplayBuffer(12, 2, 2, 2, hidden=(torch.zeros(1, 1, 1),))
    allowed = torch.ones(2, 2, dtype=torch.bool)
    for index in range(3):
        tape.append(
            torch.full((2, 2), float(index)), allowed, torch.tensor([0, 0]), torch.zeros(2), torch.tensor([F, F]),
            torch.tensor([F, index == 1]), torch.tensor([[50.0, 60.0]] * 2), allowed, (torch.zeros(1, 2, 1),),
        )  # fmt: skip
    windows = prepared(learner, tape)
    assert windows.rows(torch.tensor([1, 0])).cut.tolist() == [[F, T, F], [F, F, F]]
    assert returns_of(learner, windows.rows(torch.tensor([1])))[0, 1] == 30.0
    assert returns_of(learner, windows.rows(torch.tensor([0])))[0, 1] == 0.5 * 2
