"""A compiled step made again kernel by kernel: the lives that the eager one lives, in memory that is used again."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from support.learning import copy_of, differences
from support.worlds import flat, make_env, random_valid
from townlet.config import Level, load_level
from townlet.environment.compiled import blocks, kernels
from townlet.environment.compiled.blocks import Blocks
from townlet.environment.compiled.fuse import fuse
from townlet.environment.compiled.kernels import UnknownKernelsError, note
from townlet.environment.compiled.pieces import KEPT, ArrayPiece
from townlet.environment.compiled.repeat import Repeated
from townlet.environment.types import Difficulty, StepResult
from townlet.environment.vectorized_env import VectorizedEnv

AGENTS = 32
STILL = torch.zeros(AGENTS, dtype=torch.int64)
ARRAY = STILL.numpy()


@pytest.fixture(scope="module")
def level() -> Level:
    """A small one, with lives of 40 steps."""
    return load_level("0", {"max_steps": 40})


@pytest.fixture(scope="module", params=[AGENTS, AGENTS // 4], ids=["one block", "four blocks"])
def compiled(level, request) -> VectorizedEnv:
    """A world whose step is compiled, for all agents or block by block; tests begin it anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "agents_of_a_block", lambda *_: request.param)
        env = VectorizedEnv(level, AGENTS, compile=True)
    assert isinstance(env._advance, Blocks) == (request.param < AGENTS)
    if not isinstance(env._step, Repeated):
        pytest.skip("this PyTorch makes no kernels that can be noted")
    return env


@pytest.fixture
def fast(compiled, level) -> VectorizedEnv:
    """The same, at the start of its first episodes."""
    compiled.load_state_dict(make_env(level, AGENTS).state_dict())
    return compiled


def plain(env: VectorizedEnv):
    """The compiled step of a world as PyTorch calls it."""
    return env._step.step


def live_alike(fast: VectorizedEnv, steps: int, seed: int = 0, difficulty=None, skipped=None) -> int:
    """A world's steps are what its compiled function returns, bit for bit; returns how many episodes ended."""
    stream, ended = torch.Generator().manual_seed(seed), 0
    for _ in range(steps):
        before = fast._key, fast.state, copy_of(fast._counts)
        actions = random_valid(fast.observe().action_mask, stream)
        expected = plain(fast)(*before, actions, difficulty, skipped)
        result = fast.step(actions, difficulty, skipped)
        assert differences(flat(expected.result), flat(result)[: len(flat(expected.result))]) == []
        assert differences([*expected.state, *expected.counts], [*fast._state, *fast._counts]) == []
        ended += int(result.ended.sum())
    return ended


def test_steps_are_those_of_the_compiled_function_bit_for_bit(fast: VectorizedEnv) -> None:
    assert live_alike(fast, 50) > AGENTS // 2


@pytest.mark.parametrize("kernels_known", [True, False])
def test_a_step_of_arrays_is_one_of_tensors_bit_for_bit(fast: VectorizedEnv, monkeypatch, kernels_known) -> None:
    stream, skips = torch.Generator().manual_seed(1), False
    if not kernels_known:
        monkeypatch.setattr(fast._step, "_forms", {(True, skips, ArrayPiece): None for skips in (False, True)})
    for _ in range(50):
        before = fast._key, fast.state, copy_of(fast._counts)
        actions = random_valid(fast.observe().action_mask, stream)
        skipped = torch.rand(AGENTS, generator=stream) < 0.2 if skips else None
        expected = plain(fast)(*before, actions, None, skipped)
        result = fast.step_in_numpy(actions.numpy(), None if skipped is None else skipped.numpy())
        parts = [torch.from_numpy(part) for part in flat(result)]
        assert differences(flat(expected.result), parts) == []
        assert differences([*expected.state, *expected.counts], [*fast._state, *fast._counts]) == []
        skips = not skips


def test_difficulty_and_the_lack_of_it_alternate(fast: VectorizedEnv, level: Level) -> None:
    shares = torch.linspace(0.0, 1.0, AGENTS).expand(len(level.present_meters), AGENTS)
    for seed in range(3):
        for difficulty in (Difficulty(shares, shares[0] > 0.5), None, Difficulty(shares.flip(1), shares[0] > 0.9)):
            live_alike(fast, 3, seed, difficulty)


def test_what_is_put_into_the_world_from_outside_is_lived_on(fast: VectorizedEnv) -> None:
    some = torch.arange(AGENTS) % 3 == 0
    live_alike(fast, 3)
    fast.read_metrics()  # which begins its counts anew
    live_alike(fast, 3)
    fast.begin(some)
    live_alike(fast, 3)
    fast.begin(some, seed=7)
    live_alike(fast, 3)
    fast.state = fast.state._replace(tick=torch.full_like(fast.state.tick, 39))
    assert live_alike(fast, 3) >= AGENTS
    fast._state = fast._state._replace(x=torch.zeros_like(fast._state.x))  # some of it, beside what lies in its buffers
    live_alike(fast, 3)
    fast.reset()
    live_alike(fast, 3)


def test_a_result_that_somebody_holds_stays_and_one_that_nobody_holds_gives_its_memory(fast: VectorizedEnv) -> None:
    held = [fast.step(STILL) for _ in range(KEPT + 3)]
    before = copy_of(held)
    places = {part.data_ptr() for result in held for part in flat(result)}
    assert len(places) == len(flat(tuple(held)))
    for _ in range(2 * KEPT):
        fast.step(STILL)
    assert differences(before, held) == []
    del held
    seen = set()
    for _ in range(10):
        result = fast.step(STILL)
        seen.add(result.observation.features.data_ptr())
    assert len(seen) == 2  # one is written while the one before is held


@pytest.mark.parametrize(
    ("part", "keep"),
    [
        (lambda result: result.observation.features, lambda part: part[3:5]),
        (lambda result: result.final_features, lambda part: part.numpy()),
        (lambda result: result.observation.action_mask, lambda part: part.view(torch.uint8)),
        (lambda result: result.reward, np.from_dlpack),
        (lambda result: result.terminated, lambda part: memoryview(part.numpy())),
    ],
    ids=["view", "array", "other type", "dlpack", "memory"],
)
def test_whatever_is_held_of_a_part_keeps_all_of_it(fast: VectorizedEnv, part, keep) -> None:
    result = fast.step(STILL)
    address, kept = part(result).data_ptr(), keep(part(result))
    before = bytes(np.asarray(kept))
    del result
    assert address not in {part(fast.step(STILL)).data_ptr() for _ in range(5)}
    assert bytes(np.asarray(kept)) == before
    del kept
    assert address in {part(fast.step(STILL)).data_ptr() for _ in range(5)}


@pytest.mark.parametrize(
    "keep",
    [
        lambda part: part,
        lambda part: part[3:5],
        lambda part: part.view(np.uint8),
        torch.from_numpy,
        torch.from_dlpack,
        memoryview,
    ],
    ids=["array", "view", "other type", "tensor", "dlpack", "memory"],
)
def test_whatever_is_held_of_an_array_keeps_all_of_it(fast: VectorizedEnv, keep) -> None:
    result = fast.step_in_numpy(ARRAY)
    address, kept = result.reward.ctypes.data, keep(result.reward)
    before = bytes(np.asarray(kept))
    del result
    assert address not in {fast.step_in_numpy(ARRAY).reward.ctypes.data for _ in range(5)}
    assert address not in {fast.step(STILL).reward.data_ptr() for _ in range(5)}
    assert bytes(np.asarray(kept)) == before
    del kept
    assert address in {fast.step_in_numpy(ARRAY).reward.ctypes.data for _ in range(5)}


def test_who_holds_a_mask_alone_holds_no_features(fast: VectorizedEnv) -> None:
    places, mask = set(), None
    for _ in range(4):
        result = fast.step(STILL)
        places.add((result.observation.features.data_ptr(), result.final_features.data_ptr()))
        mask = result.observation.action_mask
        del result
    assert mask is not None and len(places) == 1


def test_who_holds_the_storage_alone_holds_what_lies_in_it(fast: VectorizedEnv) -> None:
    result = fast.step(STILL)
    address, kept = result.reward.data_ptr(), result.reward.untyped_storage()
    del result
    assert address not in {fast.step(STILL).reward.data_ptr() for _ in range(5)}
    del kept
    assert address in {fast.step(STILL).reward.data_ptr() for _ in range(5)}


def test_who_writes_into_a_result_changes_nobodys_life(fast: VectorizedEnv) -> None:
    for _ in range(3):
        for part in flat(fast.step(STILL)):
            part.zero_()
        live_alike(fast, 2)


def test_a_state_that_was_taken_is_what_it_was_after_later_steps(fast: VectorizedEnv) -> None:
    fast.step(STILL)
    taken = fast.state, fast.state_dict()
    before = copy_of(taken)
    then = [copy_of(fast.step(STILL)) for _ in range(5)]
    assert differences(before, taken) == []
    fast.load_state_dict(taken[1])
    assert differences(then, [copy_of(fast.step(STILL)) for _ in range(5)]) == []
    assert differences(before, taken) == []


def test_what_is_moved_into_shared_memory_is_not_written_again(fast: VectorizedEnv) -> None:
    result = fast.step(STILL)
    moved = result.reward.share_memory_().data_ptr()
    del result  # another process may have it still
    for _ in range(2 * KEPT):
        assert moved != fast.step(STILL).reward.data_ptr()
        before = fast._key, fast.state, copy_of(fast._counts)
        expected = plain(fast)(*before, STILL, None, None).result
        assert np.array_equal(fast.step_in_numpy(ARRAY).reward, expected.reward.numpy())


def test_a_deep_copy_lives_on_in_memory_of_its_own(fast: VectorizedEnv) -> None:
    fast.step_in_numpy(ARRAY)
    copy = deepcopy(fast)
    assert isinstance(copy._step, Repeated)
    for actions in (ARRAY, ARRAY + 1):
        kept, other = fast.step_in_numpy(actions), copy.step_in_numpy(actions)
        before = copy_of([torch.from_numpy(part) for part in flat(kept)])
        assert differences(before, [torch.from_numpy(part) for part in flat(other)]) == []
        copy.step(STILL)
        fast.step(STILL)
        assert differences(before, [torch.from_numpy(part) for part in flat(kept)]) == []


def test_actions_of_another_shape_or_type_are_refused_as_tensors_and_as_arrays(fast: VectorizedEnv) -> None:
    for wrong, got in ((ARRAY[:1], r"\[1\] (torch\.)?int64"), (ARRAY.astype(np.int8), r"\[32\] (torch\.)?int8")):
        for step, actions in ((fast.step_in_numpy, wrong), (fast.step, torch.from_numpy(wrong))):
            with pytest.raises(ValueError, match=rf"^actions: expected \[32\] (torch\.)?int64, got {got}$"):
                step(actions)


def test_actions_may_lie_in_memory_with_gaps(fast: VectorizedEnv) -> None:
    actions = torch.stack([STILL, STILL + 1]).t()
    state = fast.state_dict()
    first = copy_of(fast.step(actions[:, 1]))
    fast.load_state_dict(state)
    assert differences(first, fast.step(STILL + 1)) == []


# --- what cannot be noted ------------------------------------------------------------------------------------------


def test_what_is_more_than_kernels_is_not_taken_for_them(fast: VectorizedEnv) -> None:
    noting, inputs = fast._step.noting, fast._trial()
    constants = fast._step.constants
    noting(constants, inputs)
    with pytest.raises(UnknownKernelsError, match="got another tensor"):
        noting(constants[1:], inputs)
    with pytest.raises(UnknownKernelsError, match="expected calls of kernels, got none"):
        note(lambda value: value + 1.0, [], (torch.ones(2),))


def test_what_returns_an_input_is_not_taken_for_kernels() -> None:
    doubled = fuse(double, (), (torch.ones(2),))
    note(doubled, [], (torch.ones(2),))
    with pytest.raises(UnknownKernelsError, match="expected outputs in new memory"):
        note(lambda value: (doubled(value), value), [], (torch.ones(2),))


def double(value: torch.Tensor) -> torch.Tensor:
    return value * 2.0


def test_a_world_whose_kernels_cannot_be_noted_steps_as_pytorch_does(fast: VectorizedEnv, monkeypatch) -> None:
    def nothing():
        raise UnknownKernelsError("another PyTorch")

    monkeypatch.setattr(kernels, "_generated_modules", nothing)
    for name in ("_advance", "_plain_step"):
        monkeypatch.setattr(fast, name, getattr(fast, name))  # to be put back
    monkeypatch.setattr(fast, "_step", plain(fast))
    fast._repeat()
    assert not isinstance(fast._step, Repeated) and fast.compiled
    assert not isinstance(fast._advance, Blocks)  # of which each result would be copied
    assert isinstance(fast.step(STILL), StepResult)
