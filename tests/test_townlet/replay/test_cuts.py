"""Steps of the newest windows that a time limit cut off, read with what they led to."""

import pytest
import torch

from support.lives import MEMORY, NO_ACTION, NUM_ACTIONS, Lives, append_arguments, forbidden, same, seen, stack_memory
from support.lives import step_at as step
from townlet.replay.cuts import each_cut, every_step, last_of_each, pick_for
from townlet.replay.replay_tape import ReplayTape

T, F = True, False
PICKS = pytest.mark.parametrize("pick", [each_cut, last_of_each, every_step])


def lived(*lives, steps, seq_len=6, device="cpu"):
    """A tape as small as learning from windows of `seq_len` makes it, on which agents have lived so many steps."""
    tape = ReplayTape(2 * seq_len * len(lives), len(lives), 1, NUM_ACTIONS, device, MEMORY)
    Lives(tape, lives).live(steps)
    return tape


# --- which steps are looked up ------------------------------------------------------------------------------------


def test_which_steps_are_picked_by_hand():
    cut = torch.tensor([[F, T, F], [F, F, F], [T, F, T]])
    assert each_cut(cut).tolist() == [1, 6, 8]
    assert last_of_each(cut).tolist() == [1, 3, 8]  # the second agent has none: any of its steps will do
    assert every_step(cut).tolist() == list(range(9))
    assert each_cut(torch.zeros(3, 3, dtype=torch.bool)).tolist() == []


@pytest.mark.parametrize(
    ("device", "steps_between_cuts", "pick"),
    [
        ("cpu", 1, each_cut),
        ("cpu", 500, each_cut),
        ("cuda", 500, last_of_each),
        ("cuda", 8, last_of_each),  # cut off at the first of 8 steps, and next at the ninth
        ("cuda", 7, every_step),
        ("cuda", 1, every_step),
    ],
)
def test_off_the_cpu_one_step_of_each_agent_is_picked_where_no_window_can_hold_two_cuts(
    device, steps_between_cuts, pick
):
    assert pick_for(torch.device(device), 8, steps_between_cuts) is pick


# --- what is read of them -----------------------------------------------------------------------------------------


def test_a_cut_step_is_read_with_the_final_observation_its_mask_the_action_before_it_and_the_memory_before_the_step():
    # Steps: agent 0: 0 1d | 10 11 12t | 20; agent 1: 100 101 102 103 104d | 110.
    cut = lived("2d 3t", "5d", steps=6).cut_steps(6, each_cut)
    assert cut.place.tolist() == [4]
    assert cut.cut.tolist() == [[F, F, F, F, T, F], [F] * 6]
    assert seen(cut.alone) == [[12, 13]]  # and not 20, where the next episode begins
    assert forbidden(cut.alone.action_mask) == [[6, 0]]  # (12 + 1) % 7 and (13 + 1) % 7
    assert cut.alone.actions.tolist() == [[5]]  # 12 % 7
    assert cut.alone.previous_actions.tolist() == [[4, 5]]  # 11 % 7, then its own
    assert same(cut.alone.hidden, stack_memory([12]))
    assert cut.alone.reset is None and cut.alone.burn_in == 0


@pytest.mark.parametrize(
    ("life", "place", "observations"),
    [
        ("6t", [5], [[5, 6]]),  # the window ends with it
        ("1t 5d", [0], [[0, 1]]),  # and begins with it
        ("2t 3t", [1, 4], [[1, 2], [12, 13]]),
        ("1t 1t 1t 1t 1t 1t", [0, 1, 2, 3, 4, 5], [[10 * step, 10 * step + 1] for step in range(6)]),
        ("2d 2t 1d", [3], [[11, 12]]),  # between two deaths
        ("2b 2t", [3], [[11, 12]]),  # a death on the last tick is a death
    ],
)
def test_cut_steps_wherever_they_are_in_a_window(life, place, observations):
    tape = lived(life, steps=6)
    cut = tape.cut_steps(6, each_cut)
    assert cut.place.tolist() == place and seen(cut.alone) == observations
    assert cut.cut.flatten().nonzero().flatten().tolist() == place
    assert not (tape.newest(6).valid & cut.cut).any()  # nobody has said yet what they led to is worth


@pytest.mark.parametrize("life", ["", "2d 2d", "3b 1d"])
def test_where_nothing_was_cut_off_nothing_is_read(life):
    assert lived(life, steps=6).cut_steps(6, each_cut) is None


def test_a_step_that_was_cut_off_before_the_window_is_not_read():
    tape = lived("3t", steps=6)
    assert tape.cut_steps(3, each_cut) is None
    assert tape.cut_steps(4, each_cut).place.tolist() == [0]


@PICKS
def test_whoever_picks_the_cut_steps_are_the_same_and_read_alike(pick):
    tape = lived("2d 3t", "6t", "5d", "1t 4d", steps=6)
    cut = tape.cut_steps(6, pick)
    assert cut.cut.nonzero().tolist() == [[0, 4], [1, 5], [3, 0]]
    ends = {place: pair for place, pair in zip(cut.place.tolist(), seen(cut.alone), strict=True)}
    assert [ends[place] for place in (4, 11, 18)] == [[12, 13], [105, 106], [300, 301]]


def test_of_two_cuts_in_a_window_the_last_alone_is_known_where_one_of_each_agent_is_read():
    cut = lived("2t 3t", steps=6).cut_steps(6, last_of_each)
    assert cut.cut.tolist() == [[F, F, F, F, T, F]]
    assert seen(cut.alone) == [[12, 13]]


def test_an_episode_that_was_ended_by_hand_leads_to_what_was_seen_last():
    tape = lived("", "2d", steps=3)  # 0 1 2 and 100 101d | 110
    tape.cut()
    Lives(tape, ["1d", "1d"], name=lambda agent, episode, step: 50 + step).step()
    cut = tape.cut_steps(4, each_cut)
    assert cut.place.tolist() == [2, 6] and seen(cut.alone) == [[2, 3], [110, 111]]


def test_a_tick_that_was_a_reset_leaves_the_final_observation_and_the_action_before_it():
    """Cut off after step 1 in slot 1; its final observation, 2, stays in slot 2, where the reset is noted."""
    tape = ReplayTape(12, 1, 1, NUM_ACTIONS, hidden=MEMORY)
    for index in range(2):
        tape.append(**append_arguments([step(0, 0, index, 2, "t")], skipped=torch.tensor([False])))
    reset = append_arguments([step(0, 0, 2, 9, "d")], skipped=torch.tensor([True]))
    tape.append(**{**reset, "final_features": torch.tensor([[10.0]]), "rewards": torch.zeros(1)})
    tape.append(**append_arguments([step(0, 1, 0, 9, "d")], skipped=torch.tensor([False])))
    cut = tape.cut_steps(4, each_cut)
    assert cut.place.tolist() == [1] and seen(cut.alone) == [[1, 2]]
    assert cut.alone.previous_actions.tolist() == [[0, 1]]
    assert forbidden(cut.alone.action_mask) == [[2, 3]]
    assert tape.newest(4).valid.tolist() == [[T, F, F, T]]


# --- memory from zero at the window's start -----------------------------------------------------------------------


def test_from_zero_the_steps_since_the_windows_start_come_before_it_and_memory_is_reset_there():
    # The newest four of agent 0: 2 3 4t | 10, of agent 1: 102 103t | 110 111t.
    tape = lived("5t", "4t 2t", steps=6)
    cut = tape.cut_steps(4, each_cut, from_zero=True)
    assert cut.place.tolist() == [2, 5, 7] and cut.alone.burn_in == 3
    assert seen(cut.alone) == [[1, 2, 3, 4, 5], [100, 101, 102, 103, 104], [110, 110, 110, 111, 112]]
    # What lies before the window is read and forgotten, and so is the padding before an episode.
    assert cut.alone.reset.tolist() == [[F, T, F, F, F], [F, F, T, F, F], [T, F, T, F, F]]
    assert cut.alone.previous_actions.tolist()[2][2:] == [NO_ACTION, 5, 6]
    assert cut.alone.valid.tolist() == [[F, F, F, T]] * 3


def test_from_zero_a_window_of_one_step_has_nothing_before_it():
    cut = lived("6t", steps=6).cut_steps(1, each_cut, from_zero=True)
    assert seen(cut.alone) == [[5, 6]] and cut.alone.reset is None


# --- what each step led to ----------------------------------------------------------------------------------------


def test_successors_are_what_was_seen_after_each_step_before_any_reset():
    tape = lived("2d 3t", "5d", steps=6)
    assert tape.newest(5).successors is None
    found = tape.newest(5, with_successors=True)
    # Steps: 1d | 10 11 12t | 20 and 101 102 103 104d | 110.
    assert found.successors.squeeze(-1).tolist() == [[2, 11, 12, 13, 21], [102, 103, 104, 105, 111]]
    assert seen(found) == seen(tape.newest(5))
    assert found.rows(torch.tensor([1])).successors.squeeze(-1).tolist() == [[102, 103, 104, 105, 111]]


# --- no part of it waits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pick", [last_of_each, every_step])
@pytest.mark.parametrize("from_zero", [False, True])
def test_reading_a_number_of_steps_that_is_known_beforehand_does_not_wait_for_the_device(pick, from_zero):
    # Tensors on "meta" have no values: whatever reads one on the host raises.
    tape = ReplayTape(12, 2, 1, NUM_ACTIONS, "meta", MEMORY)
    arguments = append_arguments([step(0, 0, 0, 1, "t"), step(1, 0, 0, 1, "t")])
    moved = {name: value.to("meta") for name, value in arguments.items() if isinstance(value, torch.Tensor)}
    for _ in range(3):
        tape.append(**moved, hidden=tuple(part.to("meta") for part in arguments["hidden"]))
    cut = tape.cut_steps(3, pick, from_zero)
    assert cut.alone.observations.shape == (2 if pick is last_of_each else 6, 4 if from_zero else 2, 1)
    assert cut.cut.shape == (2, 3)
    assert tape.newest(3, with_successors=True).successors.shape == (2, 3, 1)
