"""The tape keeps what was lived: whole episodes, their last observations, and the memory before each step."""

import copy

import pytest
import torch

from support.lives import (
    HIDDEN_DIM,
    INTRINSIC,
    MEMORY,
    NO_ACTION,
    NUM_ACTIONS,
    NUM_LAYERS,
    Lives,
    ReferenceRing,
    append_arguments,
    complete,
    forbidden,
    fragment_starts,
    make_episode,
    make_steps,
    same,
    seen,
    stack_memory,
    step_at,
)
from townlet.agent.learner import continuing
from townlet.replay.replay_tape import ReplayTape, SequenceBatch

T, F = True, False


def make_tape(capacity, num_agents=1, hidden=MEMORY, device="cpu"):
    return ReplayTape(capacity, num_agents, obs_dim=1, num_actions=NUM_ACTIONS, device=device, hidden=hidden)


def lived(capacity, *lives, steps):
    """A tape on which agents have lived for so many steps: `lived(10, "3d 2t", steps=5)`."""
    tape = make_tape(capacity, len(lives))
    Lives(tape, lives).live(steps)
    return tape


def row_of(tape, observation):
    """The row of the one stored transition that begins with an observation."""
    rows = (tape.valid & (tape.features[:, 0] == observation)).nonzero().flatten()
    assert len(rows) == 1
    return rows


def window(tape, observation, seq_len, length=None, burn_in=0, **options) -> SequenceBatch:
    return tape.windows(row_of(tape, observation), seq_len if length is None else length, seq_len, burn_in, **options)


def stored(tape, agent=0):
    """Observations of all stored transitions of one agent, fragment by fragment, in any order."""
    pieces = []
    for first in fragment_starts(tape).nonzero().flatten():
        if int(first) // tape.slots == agent:
            batch = tape.windows(first.view(1), tape.slots, tape.slots)
            pieces.append(seen(batch)[0][: int(batch.valid.sum())])
    return sorted(pieces)


# Appending: T + 1 observations for T actions


def test_an_episode_of_three_steps_is_four_observations_three_actions_and_what_belongs_to_each():
    batch = window(lived(10, "3d", steps=3), 0, seq_len=3)
    assert seen(batch) == [[0, 1, 2, 3]]
    assert batch.actions.tolist() == [[0, 1, 2]]
    assert batch.rewards.tolist() == [[0.0, 1.0, 2.0]]
    assert batch.terminated.tolist() == [[F, F, T]]
    assert batch.valid.tolist() == [[T, T, T]]
    assert batch.previous_actions.tolist() == [[NO_ACTION, 0, 1, 2]]
    assert forbidden(batch.action_mask) == [[1, 2, 3, 4]]
    assert batch.weights.tolist() == [1.0]
    assert batch.where.tolist() == [0]
    assert batch.reset is None and batch.burn_in == 0


def test_shapes_are_batch_first_and_memory_is_layers_first():
    tape = lived(20, "9d", "4t", steps=6)
    batch = tape.windows(torch.cat([row_of(tape, 2), row_of(tape, 101), row_of(tape, 4)]), 3, seq_len=3, burn_in=1)
    assert batch.observations.shape == (3, 5, 1)
    assert batch.action_mask.shape == (3, 5, NUM_ACTIONS)
    assert batch.previous_actions.shape == (3, 5)
    assert batch.reset.shape == (3, 5)
    for part in (batch.actions, batch.rewards, batch.terminated, batch.valid):
        assert part.shape == (3, 4)
    assert [part.shape for part in batch.hidden] == [(NUM_LAYERS, 3, HIDDEN_DIM)] * 2
    assert batch.weights.shape == batch.where.shape == (3,)


def test_the_newest_step_has_its_successor_before_the_next_step_is_appended():
    batch = window(lived(10, "", steps=2), 0, seq_len=2)
    assert seen(batch) == [[0, 1, 2]]
    assert batch.valid.tolist() == [[T, T]]


@pytest.mark.parametrize(("end", "terminated"), [("d", T), ("t", F), ("b", T)])
@pytest.mark.parametrize("steps", [2, 3, 5])
def test_an_ended_episode_keeps_the_observation_and_mask_before_the_reset(end, terminated, steps):
    batch = window(lived(10, f"2{end} 4d", steps=steps), 0, seq_len=2)
    assert seen(batch) == [[0, 1, 2]]  # the reset observation is 10
    assert forbidden(batch.action_mask) == [[1, 2, 3]]  # that of the reset forbids 11 % 7 = 4
    assert batch.terminated.tolist() == [[F, terminated]]
    assert batch.valid.tolist() == [[T, T]]


def test_a_window_ends_with_its_episode_and_padding_repeats_the_last_observation():
    tape = lived(12, "2d 3t", steps=6)
    batch = tape.windows(torch.cat([row_of(tape, 0), row_of(tape, 11)]), 5, seq_len=5)
    assert seen(batch) == [[0, 1, 2, 2, 2, 2], [11, 12, 13, 13, 13, 13]]
    assert batch.valid.tolist() == [[T, T, F, F, F], [T, T, F, F, F]]
    assert forbidden(batch.action_mask) == [[1, 2, 3, 3, 3, 3], [5, 6, 0, 0, 0, 0]]
    assert batch.previous_actions.tolist() == [[NO_ACTION, 0, 1, 1, 1, 1], [3, 4, 5, 5, 5, 5]]


def test_a_window_in_a_running_episode_ends_with_the_newest_step():
    batch = window(lived(10, "", steps=3), 1, seq_len=4)
    assert seen(batch) == [[1, 2, 3, 3, 3]]
    assert batch.valid.tolist() == [[T, T, F, F]]


def test_a_window_is_cut_at_its_length_and_padded_with_the_successor_of_its_last_step():
    tape = lived(10, "", steps=9)
    batch = tape.windows(torch.tensor([0, 3]), torch.tensor([2, 1]), seq_len=4)
    assert seen(batch) == [[0, 1, 2, 2, 2], [3, 4, 4, 4, 4]]
    assert batch.valid.tolist() == [[T, T, F, F], [T, F, F, F]]


def test_a_window_from_a_slot_without_a_transition_is_all_padding():
    batch = lived(10, "2d 3d", steps=4).windows(torch.tensor([2]), 3, seq_len=3)
    assert seen(batch) == [[2, 2, 2, 2]]
    assert batch.valid.tolist() == [[F, F, F]]


def test_agents_do_not_mix_and_each_begins_its_episodes_for_itself():
    tape = lived(20, "2d 2d", "3t", steps=4)
    assert stored(tape, agent=0) == [[0, 1], [10, 11]]
    assert stored(tape, agent=1) == [[100, 101, 102], [110]]
    batch = tape.windows(torch.cat([row_of(tape, 110), row_of(tape, 10)]), 2, seq_len=2)
    assert seen(batch) == [[110, 111, 111], [10, 11, 12]]
    assert batch.previous_actions.tolist() == [[NO_ACTION, 5, 5], [NO_ACTION, 3, 4]]  # 110 % 7 = 5, 10 % 7 = 3


def test_the_first_step_after_an_end_has_no_previous_action():
    tape = lived(20, "1d 1t 1b 3d", steps=5)
    firsts = torch.cat([row_of(tape, first) for first in (0, 10, 20, 30)])
    assert tape.windows(firsts, 1, seq_len=1).previous_actions[:, 0].tolist() == [NO_ACTION] * 4
    # What follows 30 is 31, after action 30 % 7 = 2.
    assert window(tape, 30, seq_len=2).previous_actions.tolist() == [[NO_ACTION, 2, 3]]


# Memory


def test_the_stored_memory_is_the_one_before_the_step():
    tape = lived(20, "3d 3d", "", steps=5)
    batch = tape.windows(torch.cat([row_of(tape, 102), row_of(tape, 11)]), 2, seq_len=2)
    assert same(batch.hidden, stack_memory([102, 11]))
    # h is its own, not c: layer 1, row 0, unit 2 of h is 102 + 1/4 + 2/16.
    assert batch.hidden[0][1, 0, 2] == 102.375 and batch.hidden[1][1, 0, 2] == -102.375


def test_without_memory_the_hidden_state_is_an_empty_tuple():
    tape = make_tape(10, hidden=())
    Lives(tape, ["3d"]).live(3)
    assert window(tape, 0, seq_len=2).hidden == ()
    assert tape.newest(2).hidden == ()


def test_memory_is_stored_as_plain_values_without_a_graph():
    tape = make_tape(10)
    weight = torch.ones(1, requires_grad=True)
    for step in make_steps(0, 0, 2, "d"):
        hidden = tuple(part * weight for part in stack_memory([step.observation]))
        intrinsic = INTRINSIC * weight
        tape.append(**append_arguments([step], hidden=hidden, rewards_intrinsic=intrinsic))
    for part in (*tape.hidden, tape.rewards_intrinsic, *tape.newest(2).hidden):
        assert not part.requires_grad
    assert same(tape.newest(2).hidden, stack_memory([0]))


def test_writing_into_a_batch_changes_nothing_on_the_tape():
    tape = lived(10, "", steps=4)
    before = copy.deepcopy(tape.state_dict())
    for batch in (window(tape, 0, seq_len=3), tape.newest(3), window(tape, 1, seq_len=2, burn_in=1)):
        for part in (batch.observations, batch.rewards, batch.actions, *batch.hidden):
            part.fill_(99)
    assert same(tape.state_dict(), before)


def test_the_tape_keeps_its_values_when_the_actors_tensors_are_written_over():
    tape = make_tape(10)
    arguments = append_arguments([step_at(0, 0, 0, 9, "d")])
    tape.append(**arguments)
    for part in (arguments["features"], arguments["final_features"], *arguments["hidden"]):
        part.fill_(99)
    batch = window(tape, 0, seq_len=1)
    assert seen(batch) == [[0, 1]]
    assert same(batch.hidden, stack_memory([0]))


def test_append_refuses_a_step_without_the_memory_that_the_tape_keeps():
    with pytest.raises(ValueError, match="shorter"):
        make_tape(10).append(**append_arguments([step_at(0, 0, 0, 9, "d")], hidden=()))


# The ring


@pytest.mark.parametrize("steps", range(1, 16))
def test_a_running_episode_longer_than_the_ring_keeps_its_newest_part_in_order(steps):
    tape = lived(4, "", steps=steps)
    oldest = max(0, steps - 4)
    assert stored(tape) == [list(range(oldest, steps))]
    batch = window(tape, oldest, seq_len=4)
    length = min(4, steps)
    assert seen(batch)[0][: length + 1] == list(range(oldest, steps + 1))
    assert batch.valid.tolist() == [[step < length for step in range(4)]]
    expected = [step % 7 for step in range(oldest, steps)]
    assert batch.actions[0, :length].tolist() == expected
    assert batch.previous_actions[0, 1 : length + 1].tolist() == expected
    assert batch.previous_actions[0, 0] == (NO_ACTION if oldest == 0 else (oldest - 1) % 7)
    assert forbidden(batch.action_mask)[0][: length + 1] == [(step + 1) % 7 for step in range(oldest, steps + 1)]
    assert same(batch.hidden, stack_memory([oldest]))


def test_after_the_wrap_an_overwritten_head_leaves_the_tail_and_the_new_episode_apart():
    # 7 slots: 0 1 2 3 | end | 10 11, then 12 wraps onto slot 0 and its successor onto slot 1.
    tape = lived(6, "4d", steps=7)
    assert stored(tape) == [[2, 3], [10, 11, 12]]
    tape = lived(6, "4d", steps=9)
    assert stored(tape) == [[10, 11, 12, 13, 14]]
    batch = window(tape, 10, seq_len=6)
    assert seen(batch) == [[10, 11, 12, 13, 14, 15, 15]]


def test_a_window_over_the_seam_of_one_ring_does_not_run_into_the_next_ring():
    tape = lived(8, "", "", steps=7)  # two rings of 5 slots: steps 3 to 6, 5 and 6 in slots 0 and 1
    batch = tape.windows(torch.cat([row_of(tape, 3), row_of(tape, 103)]), 4, seq_len=4)
    assert seen(batch) == [[3, 4, 5, 6, 7], [103, 104, 105, 106, 107]]
    assert batch.where.tolist() == [3, 8]


def test_a_terminated_flag_does_not_outlive_its_step():
    # 4 slots. The one that held the death of episode 0 is used again in the middle of episode 1.
    tape = lived(3, "1d", steps=5)
    batch = window(tape, 11, seq_len=3)
    assert seen(batch) == [[11, 12, 13, 14]]
    assert batch.terminated.tolist() == [[F, F, F]]


@pytest.mark.parametrize("life", ["", "1d " * 40, "2t 1d " * 20, "3d 9t 1d 2b " * 5])
@pytest.mark.parametrize("capacity", [2, 3, 7, 10])
def test_the_capacity_is_in_transitions_and_never_exceeded(life, capacity):
    tape = make_tape(capacity)
    lives = Lives(tape, [life])
    largest = 0
    for _ in range(40):
        lives.step()
        largest = max(largest, tape.num_transitions)
        assert tape.num_transitions <= capacity
    if not life:
        assert largest == capacity


def test_capacity_is_shared_out_among_the_agents():
    tape = lived(11, "", "", "", steps=9)  # 3 each, and 2 that cannot be shared
    assert tape.num_transitions == 9
    assert [stored(tape, agent) for agent in range(3)] == [[[6, 7, 8]], [[106, 107, 108]], [[206, 207, 208]]]


@pytest.mark.parametrize(("capacity", "num_agents"), [(7, 4), (1, 1), (0, 1), (10, 0)])
def test_a_ring_of_less_than_two_transitions_is_refused_with_both_numbers(capacity, num_agents):
    with pytest.raises(ValueError, match=f"capacity: .* {num_agents} agents, got {capacity}"):
        make_tape(capacity, num_agents)


@pytest.mark.parametrize("hidden", [(), MEMORY])
def test_no_part_of_a_step_or_a_sample_waits_for_the_device(hidden):
    # Tensors on "meta" have no values: whatever reads one on the host raises.
    tape = make_tape(12, num_agents=2, hidden=hidden, device="meta")
    now = [step_at(0, 0, 0, 2, "d"), step_at(1, 0, 0, 1, "d")]
    arguments = append_arguments(now, with_memory=bool(hidden))
    moved = {name: value.to("meta") for name, value in arguments.items() if isinstance(value, torch.Tensor)}
    for _ in range(3):
        tape.append(**moved, hidden=tuple(part.to("meta") for part in arguments["hidden"]))
    assert tape.windows(tape.base, 3, seq_len=3, burn_in=2).observations.shape == (2, 6, 1)
    assert tape.newest(3).observations.shape == (2, 4, 1)


# Burn-in


def test_a_full_burn_in_is_the_steps_before_and_starts_from_their_stored_memory():
    batch = window(lived(20, "", steps=9), 4, seq_len=2, burn_in=3)
    assert seen(batch) == [[1, 2, 3, 4, 5, 6]]
    assert batch.valid.tolist() == [[F, F, F, T, T]]
    assert batch.actions.tolist() == [[1, 2, 3, 4, 5]]
    assert batch.rewards.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0]]
    assert batch.previous_actions.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert forbidden(batch.action_mask) == [[2, 3, 4, 5, 6, 0]]
    assert batch.reset.tolist() == [[F] * 6]
    assert same(batch.hidden, stack_memory([1]))
    assert batch.where.tolist() == [4]  # the burn-in is not learned from
    assert batch.burn_in == 3


def test_a_burn_in_of_exactly_the_steps_since_the_episodes_start_needs_no_reset():
    batch = window(lived(20, "", steps=9), 2, seq_len=2, burn_in=2)
    assert seen(batch) == [[0, 1, 2, 3, 4]]
    assert batch.reset.tolist() == [[F] * 5]
    assert same(batch.hidden, stack_memory([0]))


@pytest.mark.parametrize(
    ("first", "observations", "reset"),
    [
        (10, [10, 10, 10, 10, 11, 12], [F, F, F, T, F, F]),
        (11, [10, 10, 10, 11, 12, 13], [F, F, T, F, F, F]),
        (12, [10, 10, 11, 12, 13, 14], [F, T, F, F, F, F]),
    ],
)
def test_a_burn_in_of_too_few_steps_is_padded_in_front_and_memory_begins_at_the_first(first, observations, reset):
    tape = lived(20, "4d", steps=4 + 6)  # episode 0 lies right before, and is not looked at
    batch = window(tape, first, seq_len=2, burn_in=3)
    assert seen(batch) == [observations]
    assert batch.reset.tolist() == [reset]
    assert batch.valid.tolist() == [[F, F, F, T, T]]
    assert batch.previous_actions[0, reset.index(True)] == NO_ACTION


def test_a_burn_in_does_not_read_over_an_overwritten_head():
    tape = lived(4, "", steps=9)  # steps 5 to 8 are left
    batch = window(tape, 6, seq_len=2, burn_in=3)
    assert seen(batch) == [[5, 5, 5, 6, 7, 8]]
    assert batch.reset.tolist() == [[F, F, T, F, F, F]]
    assert batch.previous_actions.tolist() == [[4, 4, 4, 5, 6, 0]]


def test_a_burn_in_longer_than_the_ring_does_not_go_round_it():
    batch = window(lived(4, "", steps=6), 5, seq_len=1, burn_in=9)  # steps 2 to 5 in a ring of 5 slots
    assert seen(batch) == [[2, 2, 2, 2, 2, 2, 2, 3, 4, 5, 6]]
    assert batch.reset.tolist() == [[step == 6 for step in range(11)]]


def test_a_burn_in_crosses_the_seam_of_the_ring():
    batch = window(lived(4, "", steps=7), 5, seq_len=2, burn_in=2)  # 3 and 4 in the last slots, 5 in slot 0
    assert seen(batch) == [[3, 4, 5, 6, 7]]
    assert same(batch.hidden, stack_memory([3]))


def test_padding_in_front_and_behind_do_not_meet():
    batch = window(lived(20, "2d 2t", steps=5), 11, seq_len=3, burn_in=2)
    assert seen(batch) == [[10, 10, 11, 12, 12, 12]]
    assert batch.valid.tolist() == [[F, F, T, F, F]]
    assert batch.reset.tolist() == [[F, T, F, F, F, F]]


# The newest windows


def test_the_newest_windows_hold_the_last_steps_of_every_agent_with_resets_at_new_episodes():
    tape = lived(20, "2d 3t", "5d", steps=6)
    batch = tape.newest(5)
    # Steps: agent 0: 0 1d | 10 11 12t | 20; agent 1: 100 101 102 103 104d | 110. The first of six is left out.
    assert seen(batch) == [[1, 10, 11, 12, 20, 21], [101, 102, 103, 104, 110, 111]]
    assert batch.reset.tolist() == [[F, T, F, F, T, F], [F, F, F, F, T, F]]
    assert batch.terminated.tolist() == [[T, F, F, F, F], [F, F, F, T, F]]
    assert batch.valid.tolist() == [[T, T, T, F, T], [T, T, T, T, T]]
    # action = observation % 7
    assert batch.actions.tolist() == [[1, 3, 4, 5, 6], [3, 4, 5, 6, 5]]
    assert batch.previous_actions.tolist() == [[0, NO_ACTION, 3, 4, NO_ACTION, 6], [2, 3, 4, 5, NO_ACTION, 5]]
    assert forbidden(batch.action_mask) == [[2, 4, 5, 6, 0, 1], [4, 5, 6, 0, 6, 0]]
    assert batch.rewards.tolist() == [[1.0, 10.0, 11.0, 12.0, 20.0], [101.0, 102.0, 103.0, 104.0, 110.0]]
    assert same(batch.hidden, stack_memory([1, 101]))
    assert batch.burn_in == 0 and batch.weights.tolist() == [1.0, 1.0]


def test_the_newest_window_of_a_running_episode_ends_with_its_successor():
    batch = lived(20, "", steps=6).newest(3)
    assert seen(batch) == [[3, 4, 5, 6]]
    assert batch.reset.tolist() == [[F] * 4]


@pytest.mark.parametrize(("end", "valid"), [("d", T), ("t", F), ("b", T)])
def test_a_window_that_ends_with_its_episode_holds_the_final_observation(end, valid):
    batch = lived(20, f"3{end}", steps=3).newest(2)
    assert seen(batch) == [[1, 2, 3]]  # and not 10, where the next episode begins
    assert forbidden(batch.action_mask) == [[2, 3, 4]]
    assert batch.valid.tolist() == [[T, valid]]
    assert batch.terminated.tolist() == [[F, end != "t"]]


def test_no_target_reaches_across_an_end_in_the_newest_windows():
    batch = lived(20, "2d 3t", "5d", steps=6).newest(5)
    # 1d | 10 11 12t | 20: 10 goes on to 11; 11 takes the value of 12, whose own target is unknown.
    # 101 102 103 104d | 110: death ends it, and so does the window.
    assert continuing(batch).tolist() == [[F, T, F, F, F], [T, T, T, F, F]]


def test_no_target_reaches_into_padding_or_starts_in_the_burn_in():
    batch = window(lived(20, "", steps=6), 3, seq_len=5, burn_in=2)  # 1 2 | 3 4 5 and two of padding
    assert continuing(batch).tolist() == [[T, T, F, F, F]]
    batch = window(lived(20, "5d", steps=6), 3, seq_len=2, burn_in=2)
    assert continuing(batch).tolist() == [[T, F]]


@pytest.mark.parametrize("seq_len", [1, 2, 3, 8])
def test_calls_after_every_seq_len_steps_hold_each_step_exactly_once_and_in_order(seq_len):
    lives = ["1d " * 60, "2t 1d 1t " * 20, "5d 3t " * 10, "", "17b " * 4]
    tape = make_tape(2 * seq_len * len(lives), len(lives))  # as small as learning from fresh windows makes it
    population = Lives(tape, lives, name=lambda agent, episode, step: 10_000 * agent + 100 * episode + step)
    for _ in range(48 // seq_len):
        now = population.live(seq_len)
        batch = tape.newest(seq_len)
        expected = [[tick[agent] for tick in now] for agent in range(len(lives))]
        assert [row[:-1] for row in seen(batch)] == [[step.observation for step in row] for row in expected]
        assert [row[-1] for row in seen(batch)] == [row[-1].successor for row in expected]
        # The first step of a window starts from the stored memory, which is zero if an episode begins there.
        begins = [[step.first and index > 0 for index, step in enumerate(row)] for row in expected]
        assert batch.reset[:, :-1].tolist() == begins
        ends = [[not step.truncated or step.terminated for step in row] for row in expected]
        assert batch.valid.tolist() == ends
        assert batch.terminated.tolist() == [[step.terminated for step in row] for row in expected]
        assert batch.previous_actions[:, :-1].tolist() == [[step.previous for step in row] for row in expected]
        assert same(batch.hidden, stack_memory([row[0].observation for row in expected]))


def test_episodes_of_one_and_two_steps_back_to_back_in_a_ring_that_just_holds_them():
    tape = make_tape(8)  # 9 slots; four episodes of one step take eight
    population = Lives(tape, ["1d 1t 2d 1d 2t 1b 1d"])
    population.live(4)
    batch = tape.newest(4)
    assert seen(batch) == [[0, 10, 20, 21, 22]]
    assert batch.reset.tolist() == [[F, T, T, F, T]]
    assert batch.valid.tolist() == [[T, F, T, T]]
    population.live(4)
    batch = tape.newest(4)
    assert seen(batch) == [[30, 40, 41, 50, 51]]
    assert batch.reset.tolist() == [[F, T, F, T, T]]
    assert batch.valid.tolist() == [[T, T, F, T]]


def test_newest_windows_that_overlap_agree():
    tape = lived(20, "2d 3t", steps=7)
    long, short = tape.newest(6), tape.newest(2)
    assert seen(long)[0][-3:] == seen(short)[0] == [20, 21, 22]


@pytest.mark.parametrize(("seq_len", "limit"), [(0, 3), (4, 3), (-1, 3)])
def test_newest_refuses_more_steps_than_were_appended_with_both_numbers(seq_len, limit):
    with pytest.raises(ValueError, match=f"seq_len: expected 1 to {limit}, .* got {seq_len}"):
        lived(20, "", steps=3).newest(seq_len)


def test_newest_refuses_more_steps_than_the_ring_is_sure_to_keep():
    tape = lived(9, "", steps=30)
    assert seen(tape.newest(5)) == [[25, 26, 27, 28, 29, 30]]
    with pytest.raises(ValueError, match=r"seq_len: expected 1 to 5, .* got 6"):
        tape.newest(6)


def test_rows_of_a_batch_are_all_of_their_windows_parts():
    tape = lived(40, "2d 3t", "5d", "4d", steps=6)
    for whole in (tape.newest(5), tape.windows(tape.base, 4, seq_len=4, burn_in=2), tape.windows(tape.base, 3, 3)):
        some = whole.rows(torch.tensor([2, 0]))
        assert seen(some) == [seen(whole)[2], seen(whole)[0]]
        assert some.valid.tolist() == [whole.valid.tolist()[2], whole.valid.tolist()[0]]
        assert some.where.tolist() == [whole.where.tolist()[2], whole.where.tolist()[0]]
        assert torch.equal(some.hidden[1], whole.hidden[1][:, [2, 0]])
        assert (some.reset is None) == (whole.reset is None) and some.burn_in == whole.burn_in
        if whole.reset is not None:
            assert some.reset.tolist() == [whole.reset.tolist()[2], whole.reset.tolist()[0]]


def test_batches_of_windows_are_all_of_their_parts_one_after_another_and_no_copies():
    tape = lived(40, "2d 3t", "5d", "4d", steps=6)
    whole = tape.newest(5)
    first, second = whole.chunk(2)
    assert seen(first) + seen(second) == seen(whole) and len(seen(first)) == 2
    assert (first.valid.tolist() + second.valid.tolist()) == whole.valid.tolist()
    assert torch.equal(first.hidden[0], whole.hidden[0][:, :2]) and torch.equal(
        second.hidden[1], whole.hidden[1][:, 2:]
    )
    assert second.reset.tolist() == whole.reset.tolist()[2:] and second.burn_in == 0
    assert second.observations.data_ptr() == whole.observations[2:].data_ptr()
    assert len(whole.chunk(3)) == 3 and len(whole.chunk(8)) == 3  # no batch is empty


def test_a_batch_of_one_is_the_same_row_of_a_batch_of_two():
    tape = lived(40, "2d 9t", "5d", steps=8)
    firsts = torch.cat([row_of(tape, 12), row_of(tape, 101)])
    for options in ({"burn_in": 0}, {"burn_in": 3}):
        both = tape.windows(firsts, torch.tensor([4, 2]), seq_len=4, **options)
        for index in (0, 1):
            alone = tape.windows(firsts[index : index + 1], torch.tensor([4, 2][index]), seq_len=4, **options)
            assert same(alone._asdict(), both.rows(torch.tensor([index]))._asdict())
            assert alone.observations.shape[0] == 1 and alone.hidden[0].shape == (NUM_LAYERS, 1, HIDDEN_DIM)


# Rewards


def test_intrinsic_and_extrinsic_rewards_are_kept_apart_and_mixed_once_by_weight():
    tape = lived(20, "3d", steps=3)
    assert tape.rewards_extrinsic[:3].tolist() == [0.0, 1.0, 2.0]
    assert tape.rewards_intrinsic[:3].tolist() == [INTRINSIC] * 3
    for read in (lambda **mix: window(tape, 0, seq_len=3, **mix), lambda **mix: tape.newest(3, **mix)):
        assert read().rewards.tolist() == [[0.0, 1.0, 2.0]]
        assert read(intrinsic_weight=0.5).rewards.tolist() == [[500.0, 501.0, 502.0]]
        assert read(intrinsic_weight=2.0).rewards.tolist() == [[2000.0, 2001.0, 2002.0]]
        assert read().rewards.tolist() == [[0.0, 1.0, 2.0]]  # reading mixes nothing into the tape


def test_a_step_without_intrinsic_reward_does_not_inherit_one_from_the_step_it_overwrites():
    tape = make_tape(2)  # 3 slots
    steps = make_steps(0, 0, 9, "d")
    for step in steps[:3]:
        tape.append(**append_arguments([step]))
    for step in steps[3:6]:
        tape.append(**append_arguments([step], rewards_intrinsic=None))
    assert window(tape, 4, seq_len=2, intrinsic_weight=1.0).rewards.tolist() == [[4.0, 5.0]]


# Counting


def test_the_length_is_the_number_of_complete_episodes_and_not_of_running_ones():
    tape = make_tape(40, num_agents=2)
    population = Lives(tape, ["2d 1t", "4b"])
    lengths, transitions = [], []
    for _ in range(5):
        population.step()
        lengths.append(len(tape))
        transitions.append(tape.num_transitions)
    assert lengths == [0, 1, 2, 3, 3]
    assert transitions == [2, 4, 6, 8, 10]


def test_an_empty_tape_holds_nothing():
    assert len(make_tape(10)) == 0
    assert make_tape(10).num_transitions == 0


def test_an_episode_that_fills_the_ring_counts_and_one_that_is_longer_does_not():
    assert len(lived(5, "5d", steps=5)) == 1
    assert len(lived(5, "6d", steps=6)) == 0
    assert len(lived(5, "11t", steps=11)) == 0
    assert len(lived(5, "12t", steps=12)) == 0  # as many as slots: the first step lies where it would be looked for


def test_an_episode_whose_head_was_overwritten_no_longer_counts():
    tape = make_tape(6)  # 7 slots
    population = Lives(tape, ["3d"])
    counts = []
    for _ in range(8):
        population.step()
        counts.append(len(tape))
    # Episode 0 and its end take slots 0 to 3, steps 10 to 12 slots 4 to 6; the successor of 12 takes slot 0.
    assert counts == [0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("length", [2, 3, 5])
def test_an_episode_does_not_count_again_when_a_new_one_begins_where_it_began(length):
    tape = make_tape(length)  # length + 1 slots: every episode begins in slot 0
    population = Lives(tape, [f"{length}d {length}t"])
    population.live(length)
    assert len(tape) == 1
    for step in range(1, length):
        population.step()
        assert stored(tape)[-1] == [10 + index for index in range(step)]
        assert len(tape) == 0
    population.step()
    assert len(tape) == 1


# Whole episodes from elsewhere


def test_a_stored_episode_reads_like_a_lived_one():
    tape = make_tape(20)
    tape.store_episode(make_episode(make_steps(0, 0, 3, "d")))
    tape.store_episode(make_episode(make_steps(0, 1, 2, "t")))
    expected = lived(20, "3d 2t", steps=5)
    for first in (0, 1, 10, 11):
        one, other = window(tape, first, seq_len=3, burn_in=1), window(expected, first, seq_len=3, burn_in=1)
        assert same(one._asdict(), other._asdict())
    assert (len(tape), tape.num_transitions) == (2, 5)
    assert seen(window(tape, 10, seq_len=3)) == [[10, 11, 12, 12]]


def test_what_an_episode_leaves_out_is_all_actions_no_memory_and_no_intrinsic_reward():
    tape = make_tape(3)
    tape.store_episode(make_episode(make_steps(0, 0, 3, "d")))  # whose values must not shine through
    bare = make_episode(make_steps(0, 1, 3, "d"), action_mask=None, hidden=None, rewards_intrinsic=None)
    tape.store_episode(bare)
    batch = window(tape, 10, seq_len=3, intrinsic_weight=1.0)
    assert seen(batch) == [[10, 11, 12, 13]]
    assert batch.action_mask.all()
    assert batch.rewards.tolist() == [[10.0, 11.0, 12.0]]
    assert [part.abs().sum().item() for part in batch.hidden] == [0.0, 0.0]
    assert batch.previous_actions.tolist() == [[NO_ACTION, 3, 4, 5]]


def test_the_memory_of_a_stored_episode_is_that_before_each_step():
    tape = make_tape(20)
    tape.store_episode(make_episode(make_steps(0, 0, 5, "d")))
    assert same(window(tape, 3, seq_len=2).hidden, stack_memory([3]))
    assert same(window(tape, 3, seq_len=2, burn_in=2).hidden, stack_memory([1]))


def test_flags_may_be_given_for_each_step():
    tape = make_tape(20)
    tape.store_episode(make_episode(make_steps(0, 0, 3, "t"), terminated=[F, F, T], truncated=torch.tensor([F, F, F])))
    assert window(tape, 0, seq_len=3).terminated.tolist() == [[F, F, T]]
    assert tape.truncated[:3].tolist() == [F, F, F]


def test_an_episode_that_just_stops_is_a_truncated_one():
    tape = make_tape(20)
    tape.store_episode(make_episode(make_steps(0, 0, 3, "d"), terminated=False, truncated=False))
    assert len(tape) == 1
    assert tape.truncated[:3].tolist() == [F, F, T]
    assert window(tape, 0, seq_len=3).terminated.tolist() == [[F, F, F]]


def test_stored_episodes_go_to_the_rings_by_turns_and_evict_the_oldest_of_their_ring():
    tape = make_tape(10, num_agents=2)  # 6 slots each
    for episode in range(4):
        tape.store_episode(make_episode(make_steps(0, episode, 3, "d")))
    # Episodes 0 and 2 share a ring, and 1 and 3: the second wraps and takes two of the first one's steps.
    assert [stored(tape, 0), stored(tape, 1)] == [[[2], [20, 21, 22]], [[12], [30, 31, 32]]]
    assert len(tape) == 2
    assert seen(window(tape, 20, seq_len=4)) == [[20, 21, 22, 23, 23]]


def test_an_episode_as_long_as_the_ring_is_kept_in_order_wherever_it_begins():
    tape = make_tape(5)
    tape.store_episode(make_episode(make_steps(0, 0, 2, "d")))
    tape.store_episode(make_episode(make_steps(0, 1, 5, "t")))
    assert seen(window(tape, 10, seq_len=5)) == [[10, 11, 12, 13, 14, 15]]
    assert (len(tape), tape.num_transitions) == (1, 5)


def refused_episodes():
    steps = make_steps(0, 0, 3, "d")
    short, whole = make_episode(steps[:2]), make_episode(steps)
    memory = whole["hidden"]
    return {
        "an observation too few": ({"observations": torch.zeros(3, 1)}, r"observations: .*T = 3.* got \[3, 1\]"),
        "another width": ({"observations": torch.zeros(4, 2)}, r"observations: expected \[T \+ 1, 1\] .*got \[4, 2\]"),
        "no step": ({"observations": torch.zeros(1, 1), "actions": torch.zeros(0)}, "observations: .* T = 0"),
        "an action a row": ({"actions": torch.zeros(3, 1)}, r"actions: expected \[3\], got \[3, 1\]"),
        "a reward too few": ({"rewards_extrinsic": [1.0, 2.0]}, r"rewards_extrinsic: expected \[3\], got \[2\]"),
        "one reward for all": ({"rewards_extrinsic": 1.0}, r"rewards_extrinsic: expected \[3\], got \[\]"),
        "too much novelty": ({"rewards_intrinsic": torch.zeros(4)}, r"rewards_intrinsic: expected \[3\], got \[4\]"),
        "masks without a last one": (
            {"action_mask": whole["action_mask"][:3]},
            r"action_mask: expected \[4, 7\], got \[3, 7\]",
        ),
        "one mask for all": (
            {"action_mask": torch.ones(7, dtype=torch.bool)},
            r"action_mask: expected \[4, 7\], got \[7\]",
        ),
        "one mask for all actions": (
            {"action_mask": torch.ones(4, 1, dtype=torch.bool)},
            r"action_mask: .*\[4, 7\], got \[4, 1\]",
        ),
        "memory of too few steps": (
            {"hidden": short["hidden"]},
            r"hidden: expected \[\[2, 3, 3\], \[2, 3, 3\]\], got \[\[2, 2, 3\], \[2, 2, 3\]\]",
        ),
        "memory of one step": (
            {"hidden": tuple(part[:, :1] for part in memory)},
            r"hidden: .*\[2, 3, 3\]\], got \[\[2, 1, 3\], \[2, 1, 3\]\]",
        ),
        "h without c": ({"hidden": memory[:1]}, r"hidden: .*\[2, 3, 3\]\], got \[\[2, 3, 3\]\]"),
        "a death in the middle": ({"terminated": [F, T, F]}, r"expected \[3\] with only the last set, got"),
        "flags of too few steps": ({"truncated": [F, F]}, r"expected \[3\] with only the last set, got"),
    }


@pytest.mark.parametrize("case", refused_episodes())
def test_an_episode_whose_shapes_do_not_fit_is_refused_by_name_and_leaves_the_tape_as_it_was(case):
    changes, message = refused_episodes()[case]
    tape = make_tape(5)
    tape.store_episode(make_episode(make_steps(0, 1, 5, "d")))  # which the refused one would overwrite
    before = copy.deepcopy(tape.state_dict())
    with pytest.raises(ValueError, match=message):
        tape.store_episode(make_episode(make_steps(0, 0, 3, "d"), **changes))
    assert same(tape.state_dict(), before)


def test_an_episode_longer_than_the_ring_is_refused_with_both_numbers():
    tape = make_tape(10, num_agents=2)
    with pytest.raises(ValueError, match=r"at most 5 steps, .* got 6"):
        tape.store_episode(make_episode(make_steps(0, 0, 6, "d")))
    assert tape.num_transitions == 0


def test_the_two_ways_of_filling_a_tape_are_not_mixed():
    tape = lived(10, "", steps=1)
    with pytest.raises(RuntimeError, match=r"store_episode: .* filled by append"):
        tape.store_episode(make_episode(make_steps(0, 0, 2, "d")))
    tape = make_tape(10)
    tape.store_episode(make_episode(make_steps(0, 0, 2, "d")))
    with pytest.raises(RuntimeError, match=r"append: .* holds stored episodes"):
        tape.append(**append_arguments([step_at(0, 1, 0, 2, "d")]))


# Saving and loading


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 13, 30])
def test_a_loaded_tape_goes_on_like_the_saved_one_in_the_middle_of_episodes_too(steps):
    lives = ["3d 4t 1d 1b 9d", "5t 2d 7t 3d"]
    population = Lives(make_tape(14, 2), lives)
    population.live(steps)
    other = copy.deepcopy(population)
    other.tape = make_tape(14, 2)
    other.tape.load_state_dict(copy.deepcopy(population.tape.state_dict()))
    for _ in range(12):
        assert same(other.tape.state_dict(), population.tape.state_dict())
        population.step()
        other.step()
        seq_len = min(other.tape.appended, 4)  # a ring of 8 slots is sure to keep 4
        assert same(other.tape.newest(seq_len)._asdict(), population.tape.newest(seq_len)._asdict())
        assert (len(other.tape), other.tape.num_transitions) == (len(population.tape), population.tape.num_transitions)


def test_loading_takes_values_and_not_the_tensors_themselves():
    population = Lives(make_tape(8), ["3d 4t"])
    population.live(4)
    other = make_tape(8)
    other.load_state_dict(population.tape.state_dict())
    before = copy.deepcopy(other.state_dict())
    population.live(3)
    assert same(other.state_dict(), before)


def test_a_tape_of_stored_episodes_goes_on_with_the_next_ring():
    tape, other = make_tape(12, 3), make_tape(12, 3)
    for episode in range(4):
        tape.store_episode(make_episode(make_steps(0, episode, 2, "d")))
    other.load_state_dict(copy.deepcopy(tape.state_dict()))
    for one in (tape, other):
        one.store_episode(make_episode(make_steps(0, 4, 2, "d")))
    assert same(tape.state_dict(), other.state_dict())
    assert seen(window(other, 40, seq_len=2)) == [[40, 41, 42]] and int(row_of(other, 40)) // other.slots == 1


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (ReplayTape(30, 2, 1, NUM_ACTIONS, hidden=MEMORY), "expected slots 11, got a state with 16"),
        (ReplayTape(30, 3, 1, NUM_ACTIONS, hidden=MEMORY), "expected num_agents 2, got a state with 3"),
        (ReplayTape(20, 2, 4, NUM_ACTIONS, hidden=MEMORY), "expected obs_dim 1, got a state with 4"),
        (ReplayTape(20, 2, 1, 5, hidden=MEMORY), "expected num_actions 7, got a state with 5"),
        (
            ReplayTape(20, 2, 1, NUM_ACTIONS, hidden=tuple(torch.zeros(2, 1, 8) for _ in range(2))),
            r"expected hidden of \[\[2, 3\], \[2, 3\]\].*, got a state with \[\[2, 8\], \[2, 8\]\]",
        ),
        (ReplayTape(20, 2, 1, NUM_ACTIONS), r"expected hidden of \[\[2, 3\], \[2, 3\]\].*, got a state with \[\]"),
    ],
)
def test_a_load_into_another_size_or_width_is_refused_with_both_numbers_and_changes_nothing(saved, message):
    tape = lived(20, "3d", "", steps=5)
    before = copy.deepcopy(tape.state_dict())
    with pytest.raises(ValueError, match=message):
        tape.load_state_dict(saved.state_dict())
    assert same(tape.state_dict(), before)


# Any life


@pytest.mark.parametrize("capacity", [6, 9, 16, 25])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_stored_and_counted_is_what_a_plain_list_of_episodes_holds(capacity, seed):
    generator = torch.Generator().manual_seed(seed)

    def life():
        lengths = torch.randint(1, 14, (100,), generator=generator).tolist()
        ends = torch.randint(0, 3, (100,), generator=generator).tolist()
        return " ".join(f"{length}{'dtb'[end]}" for length, end in zip(lengths, ends, strict=True))

    tape = make_tape(capacity * 2, num_agents=2, hidden=())
    population = Lives(tape, [life(), life()], lambda agent, episode, step: 10_000 * agent + 100 * episode + step)
    rings = [ReferenceRing(capacity), ReferenceRing(capacity)]
    for _ in range(150):
        for ring, step in zip(rings, population.step(), strict=True):
            ring.append(step)
        pieces = [ring.fragments() for ring in rings]
        assert len(tape) == sum(complete(piece) for both in pieces for piece in both)
        for agent, expected in enumerate(pieces):
            assert stored(tape, agent) == [[step.observation for step in piece] for piece in expected]
