"""Random streams: named, apart from each other, and the same on every machine."""

import hashlib
import itertools
import math
from collections import Counter

import pytest
import torch

from support.hashing import slow_mix
from townlet.seeding import draw_below, draw_uniform, generator, go_on, mix, stream_seed

NAMES = ["initialisation", "exploration", "replay", "maps", "world/training", "world/evaluation", "evaluation"]


def signed(value):
    return value - 2**32 if value >= 2**31 else value


def test_streams_of_one_root_differ_by_name_and_of_one_name_by_root():
    seeds = [stream_seed(root, name) for root in range(20) for name in NAMES]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_stream_seeds_are_the_first_31_bits_of_a_sha256():
    for root, name in [(0, "world/training"), (7, "replay")]:
        first = int(hashlib.sha256(f"{root}/{name}".encode()).hexdigest()[:8], 16)
        assert stream_seed(root, name) == first // 2


@pytest.mark.parametrize(
    ("root", "name", "seed"),
    [
        (0, "initialisation", 454712406),
        (0, "exploration", 172973813),
        (0, "replay", 1091865032),
        (0, "world/training", 971978285),
        (42, "maps", 758287469),
    ],
)
def test_stream_seeds_stay_what_they_are(root, name, seed):
    """Runs and checkpoints of earlier versions stay reproducible only if these numbers never change."""
    assert stream_seed(root, name) == seed


def test_generators_of_one_name_agree_and_of_two_names_do_not():
    draws = {name: tuple(torch.rand(4, generator=generator(3, name)).tolist()) for name in NAMES}
    assert len(set(draws.values())) == len(NAMES)
    assert torch.rand(4, generator=generator(3, "replay")).tolist() == list(draws["replay"])


def test_making_a_generator_leaves_pytorchs_own_stream_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(1, "replay"))
    assert torch.equal(torch.get_rng_state(), before)


def test_mix_is_lowbias32():
    values = [0, 1, 2, 3, 65535, 65536, 123456789, 2**31 - 1, 2**31, 2**32 - 1]
    mixed = mix(torch.tensor([signed(value) for value in values], dtype=torch.int32))
    assert mixed.dtype == torch.int32
    assert mixed.tolist() == [signed(slow_mix(value)) for value in values]


def test_mix_gives_each_counter_the_same_at_every_batch_size_and_place():
    counters = torch.arange(-500, 500, dtype=torch.int32)
    whole = mix(counters)
    assert torch.equal(torch.cat([mix(part) for part in counters.split(7)]), whole)
    assert torch.equal(mix(counters.flip(0)).flip(0), whole)
    assert torch.equal(mix(counters.view(20, 50)).flatten(), whole)


def test_mix_maps_no_two_counters_to_one():
    assert len(mix(torch.arange(100_000, dtype=torch.int32)).unique()) == 100_000


@pytest.mark.parametrize("limit", [2, 3, 8, 13, 64])
def test_draws_are_uniform(limit):
    """Chi-square over limit cells: its mean is limit - 1, its variance twice that; five sigma and a little."""
    count = 100_000
    drawn = draw_below(mix(torch.arange(count, dtype=torch.int32)), limit)
    counts = Counter(drawn.tolist())
    chi_square = sum((counts[value] - count / limit) ** 2 / (count / limit) for value in range(limit))
    assert set(counts) == set(range(limit))
    assert chi_square < (limit - 1) + 5 * math.sqrt(2 * (limit - 1)) + 5


def test_draws_of_neighbouring_counters_are_independent():
    count = 90_000
    drawn = draw_below(mix(torch.arange(count, dtype=torch.int32)), 3).tolist()
    pairs = Counter(itertools.pairwise(drawn))
    chi_square = sum((pairs[a, b] - count / 9) ** 2 / (count / 9) for a in range(3) for b in range(3))
    assert chi_square < 8 + 5 * math.sqrt(2 * 8) + 5


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100, 4096, 4097, 5000, 65535, 65536])
def test_draws_stay_below_the_limit_at_both_ends_of_the_hash(limit):
    """-1 is the hash of all ones: the greatest share, which float32 must not round up to 1."""
    ends = draw_below(torch.tensor([0, -1, 2**31 - 1, -(2**31)], dtype=torch.int32), limit)
    assert ends.dtype == torch.int32
    assert ends.tolist() == [0, limit - 1, (limit - 1) // 2, limit // 2]


def test_uniform_draws_are_the_middles_of_2_to_the_23_parts_and_never_0_or_1():
    """The hash's first 23 bits k make (k + 1/2) / 2**23, which float32 holds exactly; the other nine do not matter."""
    hashed = torch.tensor([0, 511, 512, 2**31 - 1, -(2**31), -1], dtype=torch.int32)
    expected = [0.5 / 2**23, 0.5 / 2**23, 1.5 / 2**23, 0.5 - 0.5 / 2**23, 0.5 + 0.5 / 2**23, 1.0 - 0.5 / 2**23]
    assert draw_uniform(hashed).tolist() == expected
    drawn = draw_uniform(mix(torch.arange(1 << 20, dtype=torch.int32)))
    assert drawn.dtype == torch.float32 and drawn.min() > 0.0 and drawn.max() < 1.0
    counts = torch.histc(drawn, bins=64, min=0.0, max=1.0)
    assert float(((counts - 2**14) ** 2 / 2**14).sum()) < 63 + 5 * math.sqrt(2 * 63) + 5


def test_draws_do_not_depend_on_the_batch():
    hashed = mix(torch.arange(1000, dtype=torch.int32))
    one_by_one = torch.cat([draw_below(value.view(1), 4096) for value in hashed])
    assert torch.equal(one_by_one, draw_below(hashed, 4096))


def test_a_stream_goes_on_where_its_state_was_saved_and_begins_anew_from_a_state_that_does_not_fit():
    stream, other = generator(3, "replay"), generator(4, "replay")
    saved, drawn = stream.get_state(), torch.rand(5, generator=stream)
    go_on(other, saved, otherwise=1)
    assert torch.equal(torch.rand(5, generator=other), drawn)
    go_on(other, saved[:16], otherwise=1)
    assert torch.equal(torch.rand(5, generator=other), torch.rand(5, generator=torch.Generator().manual_seed(1)))
