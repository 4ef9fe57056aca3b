"""Windows are drawn so that every stored transition is as likely to be learned from as any other."""

import copy
import math

import pytest
import torch

from support.lives import (
    MEMORY,
    NO_ACTION,
    NUM_ACTIONS,
    Lives,
    ReferenceRing,
    action_at,
    complete,
    forbidden,
    fragment_starts,
    make_episode,
    make_steps,
    same,
    seen,
    stack_memory,
)
from townlet.agent.learner import continuing
from townlet.config import Priority
from townlet.replay import sequential_replay_buffer
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer
from townlet.replay.sum_tree import SumTree

PRIORITY = Priority(exponent=0.6, importance=0.4, largest=0.9)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def make_buffer(capacity, num_agents=1, seed=0, hidden=MEMORY, kind=SequentialReplayBuffer, **options):
    return kind(
        capacity, num_agents, obs_dim=1, num_actions=NUM_ACTIONS, hidden=hidden, generator=stream(seed), **options
    )


def long_number(agent, episode, step):
    """Like `number`, for many and long episodes; small enough that float32 holds quarters and sixteenths of it."""
    return 200_000 * agent + 100 * episode + step


def lived(capacity, *lives, steps, **options):
    buffer = make_buffer(capacity, len(lives), **options)
    Lives(buffer, lives, long_number).live(steps)
    return buffer


def random_lives(num_agents, episodes, longest, generator):
    """Lives of episodes of 1 to `longest` steps, half of them of at most 3."""

    def word():
        short, end = torch.randint(0, 2, (2,), generator=generator).tolist()
        length = int(torch.randint(1, (3 if short else longest) + 1, (1,), generator=generator))
        return f"{length}{'dtb'[end + int(length % 5 == 0)]}"

    return [" ".join(word() for _ in range(episodes)) for _ in range(num_agents)]


# The same chance for every transition


def chi_square(buffer, expected, seq_len, burn_in=0, draws=40_000):
    """Pearson's statistic of how often each transition of `expected` is a valid step of a sampled window.

    Steps of one window are not independent of each other, so one position of each window is looked at, at random;
    positions that are not valid are left out. What remains is a transition a window, independent and uniform.
    """
    batch = buffer.sample_sequences(draws, seq_len, burn_in)
    position = burn_in + torch.randint(0, seq_len, (draws,), generator=stream(1))
    picked = torch.arange(draws)
    observations = batch.observations[picked, position, 0][batch.valid[picked, position]].int()
    counts = dict(zip(*(part.tolist() for part in observations.unique(return_counts=True)), strict=True))
    assert counts.keys() <= set(expected)
    mean = len(observations) / len(expected)
    assert mean > 100
    return sum((counts.get(observation, 0) - mean) ** 2 / mean for observation in expected)


def critical(degrees, quantile=3.09):
    """Value that chi-square exceeds once in 1000 times, by Wilson and Hilferty's cube."""
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + quantile * math.sqrt(spread)) ** 3


def test_critical_values_are_those_of_the_tables():
    assert critical(10) == pytest.approx(29.59, rel=0.006)
    assert critical(30) == pytest.approx(59.70, rel=0.006)
    assert critical(100) == pytest.approx(149.45, rel=0.006)


class UniformOverStarts(SequentialReplayBuffer):
    """Windows begin at any transition: an episode's first steps are in fewer of them."""

    def _draw(self, batch_size, seq_len):
        starts = self.valid.nonzero().flatten()
        return (
            starts[torch.randint(0, len(starts), (batch_size,), generator=self.generator)],
            seq_len,
            torch.ones(batch_size),
        )


class UniformOverFullWindows(SequentialReplayBuffer):
    """Windows begin where a whole one fits, or at the start of what is shorter: the ends are in fewer of them."""

    def _draw(self, batch_size, seq_len):
        fits = self.windows(self.valid.nonzero().flatten(), seq_len, seq_len).valid.all(dim=1)
        starts = self.valid.nonzero().flatten()
        starts = starts[fits | fragment_starts(self)[starts]]
        return (
            starts[torch.randint(0, len(starts), (batch_size,), generator=self.generator)],
            seq_len,
            torch.ones(batch_size),
        )


class UniformOverEpisodes(SequentialReplayBuffer):
    """An episode first, and then a window in it: steps of short episodes are in more of them."""

    def _draw(self, batch_size, seq_len):
        episodes = fragment_starts(self).nonzero().flatten()
        first = episodes[torch.randint(0, len(episodes), (batch_size,), generator=self.generator)]
        length = self.windows(first, self.slots, self.slots).valid.sum(dim=1)
        before = seq_len - 1  # the start may lie before the episode, as in the buffer itself
        start = (torch.rand(batch_size, generator=self.generator) * (length + before)).long() - before
        ring = first // self.slots * self.slots
        return (
            ring + (first - ring + start.clamp(min=0)) % self.slots,
            seq_len + start.clamp(max=0),
            torch.ones(batch_size),
        )


# Lives, transitions a ring, and steps: what is stored is checked by the test.
MIXED = ("1d 2t 3d 9t 1t 1d 2d 3t", "3d 17d 2t 1d", "2d 1t 1d 5t"), 20, 22
OVERWRITTEN = ("9d 1t 2d 6t 3d 4d", "25t 1d 2t"), 14, 27
SHORT = ("1d " * 20, "2t 1d " * 10, "3t " * 10), 9, 20


def fill_rings(situation, **options):
    """A buffer in which agents have lived, and plain lists of the episodes that it should hold."""
    lives, capacity, steps = situation
    buffer = make_buffer(capacity * len(lives), len(lives), **options)
    population, rings = Lives(buffer, lives, long_number), [ReferenceRing(buffer.slots - 1) for _ in lives]
    for _ in range(steps):
        for ring, step in zip(rings, population.step(), strict=True):
            ring.append(step)
    return buffer, rings


def fill(situation, kind=SequentialReplayBuffer):
    """A buffer in which agents have lived, and the observations that a plain list of episodes says it holds."""
    buffer, rings = fill_rings(situation, kind=kind)
    fragments = [fragment for ring in rings for fragment in ring.fragments()]
    return buffer, fragments, [step.observation for fragment in fragments for step in fragment]


def test_the_mixtures_hold_short_and_long_episodes_running_ones_and_ones_without_their_head():
    _, mixed, _ = fill(MIXED)
    assert {1, 2, 3} < {len(fragment) for fragment in mixed} and max(map(len, mixed)) >= 9
    _, overwritten, _ = fill(OVERWRITTEN)
    assert sum(not fragment[0].first for fragment in overwritten) == 2
    assert {len(fragment) for fragment in fill(SHORT)[1]} == {1, 2, 3}
    for situation in (MIXED, OVERWRITTEN):
        _, fragments, _ = fill(situation)
        assert any(not (fragment[-1].terminated or fragment[-1].truncated) for fragment in fragments)


@pytest.mark.parametrize("situation", [MIXED, OVERWRITTEN, SHORT], ids=["mixed", "overwritten", "short"])
@pytest.mark.parametrize(("seq_len", "burn_in"), [(1, 0), (2, 0), (3, 0), (8, 0), (30, 0), (3, 4)])
def test_every_stored_transition_is_sampled_equally_often(situation, seq_len, burn_in):
    buffer, _, expected = fill(situation)
    assert chi_square(buffer, expected, seq_len, burn_in) < critical(len(expected) - 1)


@pytest.mark.parametrize("situation", [MIXED, OVERWRITTEN], ids=["mixed", "overwritten"])
@pytest.mark.parametrize("seq_len", [2, 3, 8])
@pytest.mark.parametrize("kind", [UniformOverStarts, UniformOverFullWindows, UniformOverEpisodes])
def test_the_chi_square_test_finds_samplers_that_starve_starts_ends_or_long_episodes(kind, seq_len, situation):
    buffer, _, expected = fill(situation, kind)
    assert chi_square(buffer, expected, seq_len) > 2 * critical(len(expected) - 1)


def test_each_transition_has_each_position_in_a_window_equally_often():
    # One episode of 4 steps, windows of 3: they begin at -2, -1, 0, 1, 2 or 3.
    buffer = lived(10, "4d", steps=4)
    batch = buffer.sample_sequences(12_000, 3)
    kinds = {}
    for row, valid in zip(seen(batch), batch.valid.sum(dim=1).tolist(), strict=True):
        kinds[tuple(row[: valid + 1])] = kinds.get(tuple(row[: valid + 1]), 0) + 1
    assert set(kinds) == {(0, 1), (0, 1, 2), (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4), (3, 4)}
    assert sum((count - 2000) ** 2 / 2000 for count in kinds.values()) < 20.52  # 5 degrees of freedom, 0.001


# Windows that begin where a memory is stored


def counted_windows(buffer, seq_len, draws=12_000):
    """How often each window was drawn, by the observations of its valid steps."""
    batch, kinds = buffer.sample_sequences(draws, seq_len), {}
    for row, steps in zip(seen(batch), batch.valid.sum(dim=1).tolist(), strict=True):
        kinds[tuple(row[:steps])] = kinds.get(tuple(row[:steps]), 0) + 1
    return kinds


def check_equally_often(kinds, windows, critical_value):
    mean = sum(kinds.values()) / len(windows)
    assert set(kinds) == set(windows)
    assert sum((count - mean) ** 2 / mean for count in kinds.values()) < critical_value


def test_windows_begin_in_every_kth_slot_or_before_the_episode_each_equally_often():
    # Slots 0 to 4 hold steps 0 to 4: windows of 4 begin at slots -2, 0, 2 and 4.
    buffer = lived(10, "5d", steps=5, stored_every=2)
    check_equally_often(counted_windows(buffer, 4), {(0, 1), (0, 1, 2, 3), (2, 3, 4), (4,)}, 16.27)  # 3 degrees, 0.001


def test_an_episode_that_begins_between_two_stored_memories_has_windows_from_its_first_step():
    # Steps 0 and 1 in slots 0 and 1, the next episode's 100, 101, 102 in slots 3, 4 and 5. Windows of 4 begin at slots
    # -2 and 0 for the first, at 0, 2 and 4 for the second: each step is in two of them.
    buffer = lived(10, "2d 3d", steps=5, stored_every=2)
    kinds = counted_windows(buffer, 4)
    assert set(kinds) == {(0, 1), (100,), (100, 101, 102), (101, 102)}
    kinds[0, 1] /= 2  # it is drawn in two ways
    assert kinds[0, 1] == pytest.approx(12_000 / 5, abs=150)
    for window in set(kinds) - {(0, 1)}:
        assert kinds[window] == pytest.approx(12_000 / 5, abs=220)


def test_what_is_left_of_an_overwritten_episode_is_drawn_from_its_first_stored_memory_on():
    # 12 steps in 8 slots: steps 5 to 11 are left, the memory before step 4 is not. Step 5 cannot be learned from;
    # windows of 4 begin with steps 4, 6, 8 and 10, and the first of them has lost steps 4 and 5.
    buffer = lived(7, "", steps=12, stored_every=2)
    assert buffer.num_transitions == 7
    check_equally_often(counted_windows(buffer, 4), {(6, 7), (6, 7, 8, 9), (8, 9, 10, 11), (10, 11)}, 16.27)


def without_lost_heads(rings, stride):
    """Observations that can be learned from, and those that cannot: before an overwritten episode's first memory."""
    known, lost = [], []
    for ring in rings:
        for fragment in ring.fragments():
            begun = fragment[0].first
            for step in fragment:
                begun |= ring.slot_of[step.observation] % stride == 0
                (known if begun else lost).append(step.observation)
    return known, lost


@pytest.mark.parametrize("situation", [MIXED, OVERWRITTEN, SHORT], ids=["mixed", "overwritten", "short"])
@pytest.mark.parametrize(
    ("stride", "seq_len", "burn_in"), [(2, 2, 0), (2, 4, 0), (2, 8, 2), (4, 4, 0), (4, 8, 0), (4, 8, 4)]
)
def test_every_transition_whose_memory_is_known_is_sampled_equally_often(situation, stride, seq_len, burn_in):
    buffer, rings = fill_rings(situation, stored_every=stride)
    known, _ = without_lost_heads(rings, stride)
    assert chi_square(buffer, known, seq_len, burn_in) < critical(len(known) - 1)


def test_an_overwritten_episode_loses_at_most_one_step_less_than_the_stride():
    for stride in (2, 4):
        for steps in range(20, 36):
            buffer, rings = fill_rings((OVERWRITTEN[0], 14, steps), stored_every=stride)
            known, lost = without_lost_heads(rings, stride)
            assert len(lost) <= len(rings) * (stride - 1)
            assert buffer.num_transitions == len(known) + len(lost)
            batch = buffer.sample_sequences(400, 8)
            drawn = set(batch.observations[:, :-1, 0][batch.valid].int().tolist())
            assert drawn == set(known)


def test_the_memory_of_a_window_is_the_one_stored_before_its_first_step_or_zero_at_an_episodes_start():
    # Slots 0 and 1, and 3 to 8. Were memory stored in slot 3, it would be that of observation 100, which is not zero.
    buffer = lived(20, "2d 6d", steps=8, stored_every=4)
    batch = buffer.windows(torch.tensor([0, 3, 4, 8]), 4, 4)
    assert [row[0] for row in seen(batch)] == [0, 100, 101, 105]
    expected = tuple(part.clone() for part in stack_memory([0, 100, 101, 105]))
    for part in expected:
        assert part[:, 1].all()
        part[:, 1] = 0.0
    assert same(batch.hidden, expected)


def test_a_burn_in_at_a_stride_begins_with_the_memory_that_was_stored_there():
    buffer = lived(20, "9d", steps=9, stored_every=4)
    batch = buffer.windows(torch.tensor([8, 4, 0]), 4, 4, burn_in=4)
    assert [row[:5] for row in seen(batch)] == [[4, 5, 6, 7, 8], [0, 1, 2, 3, 4], [0, 0, 0, 0, 0]]
    assert same(tuple(part[:, :2] for part in batch.hidden), stack_memory([4, 0]))
    assert batch.reset.any(dim=1).tolist() == [False, False, True]


def test_windows_as_long_as_the_stride_cut_an_episode_into_pieces_that_do_not_overlap():
    buffer = lived(20, "2d 6d", steps=8, stored_every=4)
    # The second episode begins in slot 3: its window there began with slot 0, and has lost all but that step.
    windows = {(0, 1), (100,), (101, 102, 103, 104), (105,)}
    check_equally_often(counted_windows(buffer, 4), windows, 16.27)


@pytest.mark.parametrize(("stride", "rows"), [(1, 2 * 21), (2, 2 * 11), (4, 2 * 6), (8, 2 * 3)])
def test_tables_of_memory_are_as_many_times_shorter_as_the_stride_is_long(stride, rows):
    """21 slots for each of two agents, rounded up to whole strides."""
    buffer = make_buffer(40, 2, stored_every=stride)
    assert [part.shape for part in buffer.hidden] == [(rows, 2, 3)] * 2
    assert len(buffer.features) == rows * stride


@pytest.mark.parametrize(("seq_len", "burn_in"), [(6, 0), (4, 2), (1, 0), (3, 8)])
def test_lengths_that_the_stride_does_not_divide_are_refused_with_all_three_numbers(seq_len, burn_in):
    buffer = lived(20, "9d", steps=9, stored_every=4)
    with pytest.raises(ValueError, match=rf"multiples of stored_every, 4, got {seq_len} and {burn_in}"):
        buffer.sample_sequences(4, seq_len, burn_in)


def test_an_episode_from_elsewhere_keeps_the_memories_at_the_stride_alone():
    buffer = make_buffer(20, stored_every=2)
    buffer.store_episode(make_episode(make_steps(0, 1, 4, "d")))  # slots 0 to 3
    buffer.store_episode(make_episode(make_steps(0, 2, 4, "d")))  # slots 5 to 8
    stored = tuple(part[:5].transpose(0, 1) for part in buffer.hidden)  # those of slots 0, 2, 4, 6 and 8
    expected = tuple(part.clone() for part in stack_memory([10, 12, 0, 21, 23]))
    for part in expected:
        part[:, 2] = 0.0  # the slot between them holds no step
    assert same(stored, expected)


def test_a_state_of_another_stride_is_refused_with_both_numbers_and_changes_nothing():
    buffer = lived(14, "3d 4t", "9d", steps=6, stored_every=4)
    before = copy.deepcopy(buffer.state_dict())
    with pytest.raises(ValueError, match=r"expected stored_every 4, got a state with 2"):
        buffer.load_state_dict(lived(14, "3d 4t", "9d", steps=6, stored_every=2).state_dict())
    assert same(buffer.state_dict(), before)


# What is in a batch


def test_a_sampled_batch_has_the_shape_that_was_asked_for():
    batch = lived(20, "9d", "", steps=8).sample_sequences(5, 3, burn_in=2)
    assert batch.observations.shape == (5, 6, 1)
    assert batch.actions.shape == batch.valid.shape == (5, 5)
    assert batch.hidden[0].shape == (2, 5, 3)
    assert batch.burn_in == 2


@pytest.mark.parametrize("seq_len", [1, 4, 50])
def test_a_buffer_of_short_episodes_only_still_samples(seq_len):
    batch = lived(40, "1d " * 30, "2t 1d " * 10, steps=9).sample_sequences(64, seq_len, burn_in=2)
    assert batch.valid[:, 2].all()  # every window has its first step to learn from
    assert not batch.valid[:, 2 + 2 :].any()


def test_one_transition_is_enough():
    buffer = lived(2, "1d", steps=1)
    batch = buffer.sample_sequences(2, 3)
    assert seen(batch) == [[0, 1, 1, 1]] * 2
    assert batch.valid.tolist() == [[True, False, False]] * 2


def test_a_running_episode_is_sampled_before_it_ends():
    buffer = lived(20, "", steps=6)
    assert len(buffer) == 0
    starts = {row[0] for row in seen(buffer.sample_sequences(400, 2))}
    assert starts == {0, 1, 2, 3, 4, 5}


def test_an_empty_buffer_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="sample_sequences: expected at least one stored transition, got an empty"):
        make_buffer(10).sample_sequences(4, 2)


def test_a_buffer_of_stored_episodes_samples_windows_of_each():
    buffer = make_buffer(20)
    for episode, (length, end) in enumerate([(3, "d"), (1, "t"), (5, "t")]):
        buffer.store_episode(make_episode(make_steps(0, episode, length, end)))
    assert len(buffer) == 3
    batch = buffer.sample_sequences(500, 3)
    picked = batch.observations[:, :-1, 0][batch.valid].int().unique().tolist()
    assert picked == [0, 1, 2, 10, 20, 21, 22, 23, 24]


def test_intrinsic_rewards_are_mixed_in_once_when_sampled():
    buffer = lived(20, "9d", "", steps=8)
    state = copy.deepcopy(buffer.state_dict())
    for weight in (0.0, 0.5, 1.0):
        batch = buffer.sample_sequences(50, 3, burn_in=1, intrinsic_weight=weight)
        expected = batch.observations[:, :-1, 0] + 1000.0 * weight  # extrinsic: the observation's number
        assert torch.equal(batch.rewards[batch.valid], expected[batch.valid])
    assert torch.equal(buffer.newest_sequences(3, 2.0).rewards, buffer.newest_sequences(3).rewards + 2000.0)
    assert same(buffer.state_dict(), state)


def test_newest_sequences_are_the_last_steps_of_every_agent():
    buffer = lived(40, "3d 4t", "", steps=5)
    batch = buffer.newest_sequences(4)
    assert seen(batch) == [[1, 2, 100, 101, 102], [200_001, 200_002, 200_003, 200_004, 200_005]]
    assert batch.reset.tolist() == [[False, False, True, False, False], [False] * 5]


def test_sampling_changes_nothing_that_is_stored():
    buffer = lived(40, "3d 4t", "", steps=9)
    before = copy.deepcopy(buffer.state_dict())
    buffer.sample_sequences(8, 4, burn_in=2)
    buffer.newest_sequences(4)
    assert same(buffer.state_dict(), before)


def test_later_steps_change_nothing_in_a_batch_that_was_sampled():
    buffer = make_buffer(6)
    population = Lives(buffer, ["3d 4t"])
    population.live(6)
    batch = buffer.sample_sequences(8, 4)
    before = copy.deepcopy(batch._asdict())
    population.live(6)
    assert same(batch._asdict(), before)


# Order and randomness


@pytest.mark.parametrize("burn_in", [0, 2])
def test_a_batch_of_one_is_the_first_row_of_a_batch_of_two(burn_in):
    one = lived(40, "3d 4t", "", steps=9, seed=5).sample_sequences(1, 4, burn_in)
    two = lived(40, "3d 4t", "", steps=9, seed=5).sample_sequences(2, 4, burn_in)
    assert one.observations.shape == (1, burn_in + 5, 1)
    assert same(one._asdict(), two.rows(torch.tensor([0]))._asdict())


def test_the_generator_alone_decides_what_is_sampled():
    def sample(seed, global_seed):
        torch.manual_seed(global_seed)
        buffer = lived(40, "3d 4t", "", steps=9, seed=seed)
        return [buffer.sample_sequences(6, 4, burn_in=2)._asdict() for _ in range(2)]

    first, second = sample(3, 0)
    assert same([first, second], sample(3, 1))
    assert not same(first, second)
    assert not same(first, sample(4, 0)[0])


def test_a_generator_of_its_own_leaves_the_global_one_alone():
    buffer = lived(40, "3d 4t", "", steps=9)
    before = torch.get_rng_state()
    buffer.sample_sequences(6, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loaded_buffer_samples_what_the_saved_one_does():
    lives = ["3d 4t 1d", "5d 9t"]
    population = Lives(make_buffer(14, 2, seed=7), lives)
    population.live(6)
    other = copy.deepcopy(population)
    other.tape = make_buffer(14, 2, seed=7)
    other.tape.load_state_dict(copy.deepcopy(population.tape.state_dict()))
    for _ in range(8):
        batches = [one.tape.sample_sequences(6, 3, burn_in=2)._asdict() for one in (population, other)]
        assert same(*batches)
        population.step()
        other.step()


def test_sampling_does_not_wait_for_the_device():
    buffer = SequentialReplayBuffer(
        80, 2, obs_dim=1, num_actions=NUM_ACTIONS, device="meta", hidden=MEMORY, priority=PRIORITY
    )
    for steps in (3, 4):  # appended; the second draw adds only what is new to the chances of the first
        buffer.appended = steps  # tensors on "meta" have no values: whatever reads one on the host raises
        batch = buffer.sample_sequences(4, 3, burn_in=2)
        assert batch.observations.shape == (4, 6, 1)
        buffer.update_priorities(batch, batch.rewards[:, 2:])


# Chances that are kept from one draw to the next


def windows_beginning(buffer, seq_len):
    """How many windows begin in each row, looking back from it slot by slot, [rows]."""
    stride, valid, age = buffer.stored_every, buffer.valid.tolist(), buffer.episode_step.tolist()

    def known(ring, slot):
        slot %= buffer.slots
        while valid[ring + slot]:
            if slot % stride == 0 or age[ring + slot] == 0:
                return True
            slot -= 1
        return False

    def count(ring, slot):
        if not known(ring, slot):
            return 0
        return int(slot % stride == 0) if known(ring, slot - 1) else seq_len // stride

    return torch.tensor([float(count(ring, slot)) for ring in buffer.base.tolist() for slot in range(buffer.slots)])


class Ticks:
    """Ticks of random ends: short and long episodes, one that outlives its ring, and resets in ticks of their own."""

    def __init__(self, buffer, seed):
        self.buffer, self.generator, self.number = buffer, stream(seed), buffer.num_agents
        self.left = torch.zeros(self.number, dtype=torch.int64)  # steps of the running episodes
        self.over = torch.zeros(self.number, dtype=torch.bool)

    def random(self, below):
        return torch.randint(0, below, (self.number,), generator=self.generator)

    def __call__(self):
        skipped = self.over & (self.random(2) == 0)
        longest = torch.tensor([3, 3, 30, 2 * self.buffer.slots])[self.random(4)]
        fresh = 1 + (torch.rand(self.number, generator=self.generator) * longest).long()
        self.left = torch.where(skipped, self.left, torch.where(self.left == 0, fresh, self.left) - 1)
        self.over = (self.left == 0) & ~skipped
        died, sight = self.over & (self.random(2) == 0), torch.zeros(self.number, 1)
        allowed = torch.ones(self.number, NUM_ACTIONS, dtype=torch.bool)
        self.buffer.append(
            sight, allowed, self.random(NUM_ACTIONS), torch.zeros(self.number), died, self.over & ~died, sight, allowed,
            skipped=skipped,
        )  # fmt: skip

    def cut(self):
        self.buffer.cut()
        self.left.zero_()
        self.over.zero_()


def check_chances(buffer, seq_len):
    """All sums are, to the last bit, those of chances that are worked out from the whole tape."""
    rows = torch.arange(len(buffer.valid))
    anew = SumTree(windows_beginning(buffer, seq_len) * buffer.priorities.masses(rows))
    for level in ("numbers", "blocks", "tops"):
        assert torch.equal(getattr(buffer.chances, level), getattr(anew, level))


@pytest.mark.parametrize("priority", [None, PRIORITY], ids=["uniform", "ranked"])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("num_agents", "slots"), [(1, 40), (3, 60)])
def test_chances_that_are_kept_are_those_of_the_whole_tape(num_agents, slots, stride, priority):
    buffer = make_buffer((slots - 1) * num_agents, num_agents, hidden=(), stored_every=stride, priority=priority)
    tick, generator = Ticks(buffer, num_agents), stream(2)
    tick()
    buffer.sample_sequences(4, 8)
    kept = buffer.chances
    for time in range(4 * slots):
        tick()
        if time % 40 == 17:
            tick.cut()
        if time % 5 in (0, 1, 3):  # a step or two since the draw before
            batch = buffer.sample_sequences(4, 8)
            check_chances(buffer, 8)
            buffer.update_priorities(batch, 9.0 * torch.rand(4, 8, generator=generator))
            check_chances(buffer, 8)
    assert buffer.chances is kept  # never made anew as a whole


@pytest.mark.parametrize("stride", [1, 4])
def test_draws_are_those_of_a_plain_cumulative_sum_over_all_rows(stride, monkeypatch):
    monkeypatch.setattr(sequential_replay_buffer, "ROWS_AT_ONCE", 50)  # of 180: in pieces, the last one shorter
    buffer = make_buffer(3 * 59, 3, hidden=(), stored_every=stride)
    tick = Ticks(buffer, 5)
    for time in range(240):
        tick()
        seq_len = 4 if time % 20 == 7 else 8
        state = buffer.generator.get_state()
        first, length, weights = buffer._draw(16, seq_len)
        total = windows_beginning(buffer, seq_len).double().cumsum(0)
        uniform = torch.rand(16, dtype=torch.float64, generator=torch.Generator().set_state(state))
        drawn = uniform * torch.nextafter(total[-1], torch.zeros_like(total[-1]))
        expected = torch.searchsorted(total, drawn, right=True)
        assert torch.equal(first, expected)
        which = (drawn - torch.cat([total.new_zeros(1), total])[expected]).long()  # of the windows that begin there
        assert torch.equal(length, seq_len - expected % stride - stride * which)
        assert weights.tolist() == [1.0] * 16


def test_a_buffer_that_has_drawn_draws_from_what_it_loads():
    buffer, other = (lived(20, *lives, steps=6, seed=3) for lives in (["6d", "1d 1t 1d 1t"], ["1d 1t 1d 1t", "6d"]))
    buffer.sample_sequences(50, 4)
    buffer.load_state_dict(other.state_dict())
    other.generator.set_state(buffer.generator.get_state())
    assert same(*(one.sample_sequences(50, 4)._asdict() for one in (buffer, other)))


def test_a_buffer_that_never_draws_keeps_no_chances():
    buffer = lived(40, "3d 4t", "", steps=9, priority=PRIORITY)
    buffer.newest_sequences(4)
    assert buffer.chances is None
    buffer.update_priorities(buffer.windows(torch.tensor([0]), 2, 2), torch.ones(1, 2))
    assert buffer.chances is None


# Any life, against a plain list of episodes


def stored_steps(rings, stride):
    """By observation: fragment, index in it, slots since a stored memory, index of the first step to learn from."""
    found = {}
    for ring in rings:
        for piece in ring.fragments():
            places = [ring.slot_of[step.observation] % stride for step in piece]
            known = 0 if piece[0].first or 0 not in places else places.index(0)
            found |= {step.observation: (piece, index, places[index], known) for index, step in enumerate(piece)}
    return found


def check_batch(batch, rings, seq_len, burn_in, stride=1):
    """Every window is a contiguous piece of one stored fragment, with all that belongs to its steps."""
    where = stored_steps(rings, stride)
    rows, valid = seen(batch), batch.valid.tolist()
    actions, rewards, terminated = batch.actions.tolist(), batch.rewards.tolist(), batch.terminated.tolist()
    previous, masks = batch.previous_actions.tolist(), forbidden(batch.action_mask)
    resets = [[False] * (seq_len + 1)] * len(rows) if batch.reset is None else batch.reset.tolist()
    goes_on, starts = continuing(batch).tolist(), []
    for row, observations in enumerate(rows):
        piece, index, place, known = where[observations[burn_in]]  # still stored
        steps = sum(valid[row])
        # Cut short only where it began before what can be learned from.
        lost = range(place, seq_len, stride) if index == known else [0]
        assert steps in {min(seq_len - without, len(piece) - index) for without in lost}
        assert place == 0 or piece[index].first
        assert valid[row] == [False] * burn_in + [True] * steps + [False] * (seq_len - steps)
        reach = min(burn_in, index)
        assert resets[row] == [reach < burn_in and time == burn_in - reach for time in range(burn_in + seq_len + 1)]
        real = piece[index - reach : index + steps]
        padding = [real[0].observation] * (burn_in - reach)
        after = [real[-1].successor] * (seq_len - steps + 1)
        assert observations == padding + [step.observation for step in real] + after
        assert masks[row] == [(observation + 1) % NUM_ACTIONS for observation in observations]
        lived_through = slice(burn_in - reach, burn_in + steps)
        assert actions[row][lived_through] == [step.action for step in real]
        assert rewards[row][lived_through] == [float(step.observation) for step in real]
        assert terminated[row][lived_through] == [step.terminated for step in real]
        assert previous[row][lived_through] == [step.previous for step in real]
        assert (previous[row][burn_in - reach] == NO_ACTION) == real[0].first
        assert previous[row][burn_in + steps] == action_at(real[-1].observation)
        assert goes_on[row] == [time < steps - 1 for time in range(seq_len)]
        starts.append(real[0].observation)
    is_stored = torch.tensor([where[start][2] == 0 for start in starts]).view(1, -1, 1)
    assert same(batch.hidden, tuple(part * is_stored for part in stack_memory(starts)))  # zero where none is stored


@pytest.mark.parametrize(("stride", "burn_in"), [(1, 0), (1, 3), (2, 0), (2, 4), (4, 0), (4, 8)])
@pytest.mark.parametrize(("num_agents", "capacity", "longest"), [(3, 17, 25), (2, 40, 12), (4, 5, 8)])
def test_every_window_of_random_lives_is_a_stored_piece_of_one_episode(num_agents, capacity, longest, stride, burn_in):
    generator = stream(num_agents)
    buffer = make_buffer(capacity * num_agents, num_agents, stored_every=stride)
    population = Lives(buffer, random_lives(num_agents, 600, longest, generator), long_number)
    rings = [ReferenceRing(buffer.slots - 1) for _ in range(num_agents)]
    for tick in range(400 if stride == 1 else 240):
        for ring, step in zip(rings, population.step(), strict=True):
            ring.append(step)
        if tick % 12 in (0, 5):
            fragments = [fragment for ring in rings for fragment in ring.fragments()]
            assert buffer.num_transitions == sum(map(len, fragments)) <= (buffer.slots - 1) * num_agents
            assert len(buffer) == sum(map(complete, fragments))
            seq_len = stride * (1 + tick // 12 % 9)
            check_batch(buffer.sample_sequences(24, seq_len, burn_in), rings, seq_len, burn_in, stride)


@pytest.mark.parametrize("stride", [1, 2])
def test_every_window_of_random_stored_episodes_is_a_piece_of_one_of_them(stride):
    generator, num_agents, capacity = stream(9), 3, 14
    buffer = make_buffer(capacity * num_agents, num_agents, stored_every=stride)
    rings = [ReferenceRing(buffer.slots - 1) for _ in range(num_agents)]
    for episode in range(150):
        length, end = int(torch.randint(1, capacity + 1, (1,), generator=generator)), "dtb"[episode % 3]
        steps = make_steps(0, episode, length, end, long_number)
        buffer.store_episode(make_episode(steps))
        for step in steps:
            rings[episode % num_agents].append(step)
        fragments = [fragment for ring in rings for fragment in ring.fragments()]
        assert buffer.num_transitions == sum(map(len, fragments))
        assert len(buffer) == sum(map(complete, fragments))
        check_batch(buffer.sample_sequences(16, 4, burn_in=2), rings, 4, 2, stride)
