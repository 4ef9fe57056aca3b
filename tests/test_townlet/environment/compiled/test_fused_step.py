"""How a step is run: without a look at what is in a tensor, and compiled as it is eagerly."""

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from support.worlds import flat, make_env, random_valid
from townlet.config import Level, load_level
from townlet.environment import rules
from townlet.environment.advance import Counts, advance
from townlet.environment.compiled import blocks
from townlet.environment.tables import Row, Tables
from townlet.environment.types import Difficulty, EnvState, StepResult
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.level.file import shipped_levels


@pytest.fixture(scope="module")
def level() -> Level:
    return load_level("2")


def on_device(device: str, value: Any) -> Any:
    """The same structure with tensors of the same shapes on a device, which need not be there for fake ones."""
    if isinstance(value, Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)
    if isinstance(value, Tables):
        fields = {field.name: on_device(device, getattr(value, field.name)) for field in dataclasses.fields(value)}
        return Tables(**fields)
    if isinstance(value, EnvState | Counts | Row | Difficulty):
        return type(value)(*(on_device(device, entry) for entry in value))
    if isinstance(value, tuple):
        return tuple(on_device(device, entry) for entry in value)
    return value


def step_without_content(
    level: Level, device: str = "cpu", watching: AbstractContextManager[Any] | None = None
) -> StepResult:
    """One step of tensors that have no content, so that any look at their content raises."""
    env = make_env(level, 16)
    parts = env.tables, env._trial()
    with FakeTensorMode(), WithoutDevice():
        tables, inputs = on_device(device, parts)
        with watching or nullcontext():
            return advance(level, tables, *inputs).result


class WithoutDevice(TorchFunctionMode):
    """Takes the operation itself where Python's own operator would ask for the device first."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.__invert__:
            return torch.bitwise_not(*args)
        if function is Tensor.__getitem__:
            rows, index = args
            return torch.select(rows, 0, index) if isinstance(index, int) else torch.ops.aten.index(rows, [index])
        return function(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    """Which operations a step is made of, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.add(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", shipped_levels())
def test_a_step_never_looks_at_what_is_in_a_tensor_and_stays_on_its_device(name: str, device: str) -> None:
    level = load_level(name)
    result = step_without_content(level, device)
    assert result.observation.features.shape == (16, make_env(level).obs_dim)
    assert {part.device.type for part in flat(result)} == {device}


@pytest.mark.parametrize("name", shipped_levels())
def test_a_step_reads_no_tensor_as_another_type_which_no_kernel_for_a_gpu_can(name: str) -> None:
    operations = Operations()
    step_without_content(load_level(name), "cuda", operations)
    assert "aten.stack.default" in operations.seen  # nothing is hidden from it
    assert "aten.view.dtype" not in operations.seen


def test_what_is_compiled_returns_no_bools_which_would_be_stored_one_by_one(level: Level) -> None:
    flags = [part.dtype for part in flat(step_without_content(level)) if not part.is_floating_point()]
    assert flags == [torch.uint8] * 4  # two masks, terminated, truncated
    result = make_env(level, 16).step(torch.zeros(16, dtype=torch.int64))
    assert [part.dtype for part in flat(result) if not part.is_floating_point()] == [torch.bool] * 4


def test_a_rule_that_looks_would_be_found(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    cause_of_death = rules.cause_of_death

    def looks(level: Level, meters: list[Tensor]) -> Tensor:
        cause = cause_of_death(level, meters)
        return cause if cause.any().item() else torch.zeros_like(cause)

    monkeypatch.setattr(rules, "cause_of_death", looks)
    with pytest.raises(DataDependentOutputException):
        step_without_content(level)


def test_a_rule_that_picks_rows_would_be_found(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    move = rules.move

    def picks(level: Level, state: EnvState, actions: Tensor) -> tuple[EnvState, Tensor]:
        assert len(actions[actions == 0]) <= len(actions)
        return move(level, state, actions)

    monkeypatch.setattr(rules, "move", picks)
    with pytest.raises(Exception, match=r"(?i)dynamic|data.dependent|nonzero"):
        step_without_content(level)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_agents", "of_a_block"),
    [("1", 64, 64), ("2", 64, 64), ("3", 64, 64), ("2", 99, 33)],  # blocks that no vector's width divides
)
def test_the_compiled_step_does_what_the_eager_one_does(monkeypatch, name, num_agents, of_a_block) -> None:
    monkeypatch.setattr(blocks, "agents_of_a_block", lambda *_: of_a_block)
    level = load_level(name)
    eager, compiled = make_env(level, num_agents), make_env(level, num_agents, compile=True)
    assert compiled.compiled and not eager.compiled
    assert isinstance(compiled._advance, blocks.Blocks) == (of_a_block < num_agents)
    draws, ended = torch.Generator().manual_seed(0), 0
    for _ in range(300):
        actions = random_valid(eager.observe().action_mask, draws)
        eager.state = EnvState(*(value.clone() for value in compiled.state))
        one, other = eager.step(actions), compiled.step(actions)
        ended += int(one.terminated.sum())
        for left, right in zip(flat(one), flat(other), strict=True):
            torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
        for left, right in zip(eager.state, compiled.state, strict=True):
            torch.testing.assert_close(left, right, atol=1e-6, rtol=0.0)
    assert ended > num_agents
    assert eager.read_metrics() == pytest.approx(compiled.read_metrics(), abs=1e-5)


def test_where_compiling_fails_the_step_is_eager_and_says_why(monkeypatch) -> None:
    def no_compiler(function, **_):
        def fails(*_):
            raise RuntimeError("no C++ compiler\nfound")

        return fails

    monkeypatch.setattr(torch, "compile", no_compiler)
    level = load_level("2", {"training.total_steps": 7_000 * 4})  # just long enough to repay compiling
    env = VectorizedEnv(level, 4)
    assert (env.compiled, env.compile_failure) == (False, "no C++ compiler found")
    env.step(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="no C"):
        VectorizedEnv(level, 4, compile=True)
    assert VectorizedEnv(level, 5).compile_failure is None  # too short a run: not tried
