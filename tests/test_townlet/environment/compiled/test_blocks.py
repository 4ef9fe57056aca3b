"""A step block by block: of which sizes, and that it is the step of all agents at once."""

import pytest
import torch

from support.learning import differences
from support.worlds import flat, make_env, random_valid
from townlet.config import load_level
from townlet.environment.advance import Advanced, Counts, advance
from townlet.environment.compiled.blocks import Blocks, _Together, agents_of_a_block
from townlet.environment.compiled.kernels import Call, Input, Noted, Place, UnknownKernelsError
from townlet.environment.observation import with_bools
from townlet.environment.types import Difficulty, EnvState, Observation, StepResult
from townlet.level.file import shipped_levels

AGENTS = 24


@pytest.mark.parametrize(
    ("num_agents", "row_bytes", "threads", "of_a_block"),
    [
        (256, 400, 1, 256),
        (2_048, 400, 1, 2_048),
        (4_096, 400, 1, 2_048),  # 2,100 rows of 400 bytes are 840,000
        (4_200, 400, 1, 2_100),
        (16_384, 400, 1, 2_048),
        (5_000, 400, 1, 1_250),  # a quarter, since a third is no whole number and a half is too many
        (5_003, 400, 1, 5_003),  # a prime number: all at once
        (2_122, 400, 1, 1_061),
        (2_022 + 2_022 + 2_022, 400, 1, 2_022),
        (4_096, 920, 1, 512),  # 913 rows fit, 457 to 913 are half of the cache or more
        (4_096, 400, 2, 4_096),  # each thread has half of a block
        (16_384, 400, 2, 4_096),
    ],
)
def test_a_block_has_the_most_agents_that_divide_all_and_fill_half_the_cache(
    num_agents, row_bytes, threads, of_a_block
) -> None:
    assert agents_of_a_block(num_agents, row_bytes, threads) == of_a_block


@pytest.mark.parametrize("name", shipped_levels())
def test_blocks_live_the_lives_of_all_agents_at_once_bit_for_bit(name: str) -> None:
    level = load_level(name, {"max_steps": 20})
    env, stream, ended = make_env(level, AGENTS), torch.Generator().manual_seed(0), 0
    blocks = Blocks(advance, AGENTS // 3)
    state, counts, mask = env._state, env._counts, env.observe().action_mask
    passive = torch.rand(len(level.present_meters), AGENTS, generator=stream)
    for tick in range(45):
        difficulty = Difficulty(passive, passive[0] > 0.5) if tick % 3 == 0 else None
        skipped = torch.rand(AGENTS, generator=stream) < 0.3 if tick % 2 == 0 else None
        inputs = env._key, state, counts, random_valid(mask, stream), difficulty, skipped
        expected, got = advance(level, env.tables, *inputs), blocks(level, env.tables, *inputs)
        assert differences(flat(expected.result), flat(got.result)) == []
        assert differences([*expected.state, *expected.counts], [*got.state, *got.counts]) == []
        state, counts, mask = got.state, got.counts, with_bools(got.result).observation.action_mask
        ended += int(got.result.terminated.sum() + got.result.truncated.sum())
    assert ended >= AGENTS and float(sum(part.sum() for part in counts)) > 0


# --- where outputs come to lie -------------------------------------------------------------------------------------


def place(allocation: int, *size: int, dtype: torch.dtype = torch.float32) -> Place:
    """A tensor that is all of an allocation, row after row."""
    return Place(allocation, dtype, torch.Size(size), torch.empty(size).stride(), 0)


def noted_of(features: list[Place], masks: list[tuple[Place, ...]], allocations: list[int]) -> Noted:
    """Two blocks of which only features and masks are told of, and a call that writes all of both."""
    outputs = []
    for seen, mask in zip(features, masks, strict=True):
        result = StepResult(Observation(seen, mask), *(None,) * 3, seen, mask)
        outputs.append(Advanced(EnvState(*(None,) * 7), result, Counts(None, None), ()))
    parts = [part for block in zip(features, masks, strict=True) for part in (block[0], *block[1])]
    given = Input(0, torch.Size([2]), (1,), 2)
    return Noted([Call(print, [*parts, given])], allocations, tuple(outputs))


def test_rows_of_blocks_lie_one_behind_the_other_and_columns_each_behind_its_own() -> None:
    # Blocks of 2 and 3 agents, rows of 4 numbers, and two actions: 4 * 4 * 5 bytes of rows, and 2 * 5 of the mask.
    features = [place(0, 2, 4), place(3, 3, 4)]
    masks = [tuple(place(at, size, dtype=torch.uint8) for at in ats) for ats, size in (((1, 2), 2), ((4, 5), 3))]
    noted = _Together(noted_of(features, masks, [32, 2, 2, 48, 3, 3])).noted()
    result = noted.outputs.result
    assert noted.allocations == [0] * 6 + [80, 10]
    assert result.observation.features == result.final_features == place(6, 5, 4)
    assert result.observation.action_mask == Place(7, torch.uint8, torch.Size([5, 2]), (1, 5), 0)
    starts = [(part.allocation, part.offset) for part in noted.calls[0].arguments[:-1]]
    assert starts == [(6, 0), (7, 0), (7, 5), (6, 8), (7, 2), (7, 7)]  # in numbers
    assert noted.calls[0].arguments[-1] == Input(0, torch.Size([2]), (1,), 2)


def test_what_is_handed_to_nobody_lies_where_the_first_block_has_it_but_for_counts() -> None:
    # Blocks of 2 agents: rows of 4 numbers, a mask of one action, 24 bytes of scratch, and counts of 1 number.
    features, masks = [place(0, 2, 4), place(4, 2, 4)], [(place(at, 2, dtype=torch.uint8),) for at in (1, 5)]
    outputs = noted_of(features, masks, []).outputs
    counted = [block._replace(counts=Counts(place(at, 1), None)) for block, at in zip(outputs, (3, 7), strict=True)]
    scratch = [Call(print, [place(at, 6), place(counts, 1)]) for at, counts in ((2, 3), (6, 7))]
    noted = _Together(Noted(scratch, [32, 2, 24, 4] * 2, tuple(counted))).noted()
    assert noted.allocations == [0, 0, 24, 4, 0, 0, 0, 4, 64, 4]
    assert [call.arguments for call in noted.calls] == [[place(2, 6), place(3, 1)], [place(2, 6), place(7, 1)]]
    assert noted.outputs.counts.uses == place(7, 1)


@pytest.mark.parametrize("wrong", ["larger", "shared"])
def test_outputs_that_share_memory_are_refused(wrong: str) -> None:
    features = [place(0, 2, 4), place(0 if wrong == "shared" else 1, 2, 4)]
    masks = [(place(2, 2, dtype=torch.uint8),), (place(3, 2, dtype=torch.uint8),)]
    allocations = [32, 32, 2, 3 if wrong == "larger" else 2]
    with pytest.raises(UnknownKernelsError, match="expected outputs in memory of their own, got Place"):
        _Together(noted_of(features, masks, allocations)).noted()


def test_a_part_of_an_input_is_the_same_part_of_another() -> None:
    meters = torch.arange(12.0).view(2, 6)  # of six agents: the last two are a block
    block = meters[:, 4:]
    part = Input(0, block.size(), block.stride(), int(block.storage_offset()))
    assert part.of(meters + 100.0).tolist() == [[104.0, 105.0], [110.0, 111.0]]
