"""Functions over static buffers: what is copied, what is overwritten, and that warming up leaves no trace.

Without a CUDA device the function runs over the same buffers in place of its graph.
"""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from townlet import capture
from townlet.capture import Captured, CapturedStep, leaves, mapped, reason_of, write

CPU = torch.device("cpu")


class Inputs(NamedTuple):
    first: Tensor
    rest: tuple[Tensor, ...]
    perhaps: Tensor | None
    times: int


def inputs(first: float, *rest: float, perhaps: float | None = None, times: int = 1) -> Inputs:
    maybe = None if perhaps is None else torch.tensor([perhaps])
    return Inputs(torch.tensor([first]), tuple(torch.tensor([one]) for one in rest), maybe, times)


def total(given: Inputs, factor: Tensor) -> dict[str, Tensor]:
    perhaps = 0.0 if given.perhaps is None else given.perhaps
    return {"total": (given.first + sum(given.rest) + perhaps) * given.times * factor}


def test_every_input_of_every_call_arrives_wherever_it_lies_in_the_inputs():
    run = Captured(total, CPU)
    assert run(inputs(1.0, 10.0, 100.0), torch.tensor(1.0))["total"].item() == 111.0
    assert run(inputs(2.0, 10.0, 100.0), torch.tensor(1.0))["total"].item() == 112.0
    assert run(inputs(2.0, 20.0, 100.0), torch.tensor(1.0))["total"].item() == 122.0
    assert run(inputs(2.0, 20.0, 200.0), torch.tensor(1.0))["total"].item() == 222.0
    assert run(inputs(2.0, 20.0, 200.0), torch.tensor(2.0))["total"].item() == 444.0


def test_none_another_number_and_another_shape_are_runs_of_their_own():
    run, one = Captured(total, CPU), torch.tensor(1.0)
    assert run(inputs(1.0, 2.0), one)["total"].item() == 3.0
    assert run(inputs(1.0, 2.0, perhaps=4.0), one)["total"].item() == 7.0
    assert run(inputs(1.0, 2.0, times=10), one)["total"].item() == 30.0
    assert run(inputs(1.0, 2.0), torch.ones(3))["total"].tolist() == [3.0, 3.0, 3.0]
    assert run(inputs(1.0, 2.0), torch.ones(3).double())["total"].dtype == torch.float64
    assert run(inputs(1.0, 3.0), one)["total"].item() == 4.0


def test_what_a_call_returned_is_overwritten_by_the_next_and_its_dict_is_the_callers_own():
    run, one = Captured(total, CPU), torch.tensor(1.0)
    first = run(inputs(1.0), one)
    first["mine"] = one
    second = run(inputs(5.0), one)
    assert first["total"] is second["total"] and first["total"].item() == 5.0
    assert list(second) == ["total"]


def test_the_callers_tensors_are_never_written():
    def doubles(value: Tensor) -> Tensor:
        return value.mul_(2.0)

    run, given = Captured(doubles, CPU), torch.tensor([3.0])
    assert run(given).item() == 6.0 and given.item() == 3.0


def test_warming_up_leaves_what_the_function_changes_as_it_was():
    count, weight = torch.zeros(()), torch.nn.Parameter(torch.tensor(1.0))

    def learn(value: Tensor) -> Tensor:
        (value * weight).backward()
        with torch.no_grad():
            weight.sub_(weight.grad)
        weight.grad = None
        count.add_(1.0)
        return count.clone()

    run = Captured(learn, CPU, lambda: [count, weight])
    assert run(torch.tensor(0.25)).item() == 1.0 and weight.item() == 0.75
    assert run(torch.tensor(0.5)).item() == 2.0 and weight.item() == 0.25


def test_state_that_is_written_in_place_goes_on_and_state_from_elsewhere_takes_its_place():
    copied: list[Any] = []

    def add(state: tuple[Tensor, Tensor], step: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        copied.append(state[0])
        state[0].add_(step)
        state[1].sub_(step)
        return state, state[0] * 10.0

    run, begun = Captured(add, CPU), (torch.zeros(1), torch.zeros(1))
    state, seen = run(begun, torch.ones(1))
    assert (state[0].item(), state[1].item(), seen.item()) == (1.0, -1.0, 10.0)
    assert begun[0].item() == 0.0
    assert state[0] is copied[-1]  # the buffer itself: what is handed back need not be copied
    state, seen = run(state, torch.full((1,), 5.0))
    assert (state[0].item(), state[1].item(), seen.item()) == (6.0, -6.0, 60.0)
    state, seen = run((torch.full((1,), 100.0), state[1]), torch.ones(1))
    assert (state[0].item(), state[1].item(), seen.item()) == (101.0, -7.0, 1010.0)


@pytest.fixture
def pretended_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device as far as `Captured` asks for one, but for the graph."""
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "side")
    monkeypatch.setattr(Captured, "_warm_up_on", lambda self, side, buffers: self._warm_up(buffers))


def test_where_capturing_fails_the_function_runs_over_its_buffers_and_says_why(monkeypatch, pretended_streams):
    def fails(*_: Any) -> None:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    monkeypatch.setattr(Captured, "_record_on", fails)
    count = torch.zeros(())

    def counted(value: Tensor) -> Tensor:
        return value + count.add_(1.0)

    run = Captured(counted, torch.device("cuda"), lambda: [count])
    assert run(torch.tensor(10.0)).item() == 11.0
    assert run(torch.tensor(20.0)).item() == 22.0
    assert run.failure == "operation not permitted when stream is capturing"


def test_an_error_of_the_function_itself_is_no_failure_of_capturing(pretended_streams):
    def wrong(value: Tensor) -> Tensor:
        raise ValueError("of the function")

    run = Captured(wrong, torch.device("cuda"))
    with pytest.raises(ValueError, match="of the function"):
        run(torch.tensor(1.0))
    assert run.failure is None


# --- a step without inputs ----------------------------------------------------------------------------------------


class Count:
    """Counts on the device and on the host."""

    def __init__(self) -> None:
        self.device, self.host = torch.zeros(()), 0

    def __call__(self) -> None:
        self.device += 1.0
        self.host += 1


def test_without_a_device_of_graphs_a_step_is_its_function():
    count = Count()
    step = CapturedStep(count, CPU)
    for _ in range(6):
        step()
    assert (count.device.item(), count.host, step.failure) == (6.0, 6, None)


@pytest.fixture
def pretended_graphs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A CUDA device whose graph counts on the device alone; returns what was asked of it."""
    asked = list[str]()

    def run_on(side: str, function: Any) -> Any:
        asked.append("warm up")
        return function()

    def record_on(side: str, function: Count) -> Any:
        asked.append("capture")
        return lambda: (asked.append("replay"), function.device.add_(1.0)), None

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "side")
    monkeypatch.setattr(capture, "run_on", run_on)
    monkeypatch.setattr(capture, "record_on", record_on)
    return asked


def test_a_step_warms_up_by_being_taken_is_captured_once_and_then_replayed(pretended_graphs):
    """Each call is a step, the one that captures too: capturing itself runs nothing."""
    count = Count()
    step = CapturedStep(count, torch.device("cuda"))
    for _ in range(6):
        step()
    assert pretended_graphs == ["warm up"] * 3 + ["capture"] + ["replay"] * 3
    assert (count.device.item(), count.host, step.failure) == (6.0, 3, None)


def test_a_step_that_cannot_be_captured_goes_on_as_its_function_and_says_why(pretended_graphs, monkeypatch):
    def fails(side: str, function: Any) -> None:
        pretended_graphs.append("capture")
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(capture, "record_on", fails)
    count = Count()
    step = CapturedStep(count, torch.device("cuda"))
    for _ in range(6):
        step()
    assert pretended_graphs == ["warm up"] * 3 + ["capture"]  # once, and not again at each step
    assert (count.device.item(), count.host, step.failure) == (6.0, 6, "out of memory")


def test_tensors_of_many_shapes_and_types_are_written_where_they_lie_and_what_is_no_tensor_is_left_out():
    buffers = [torch.zeros(2), torch.zeros(2, 2, dtype=torch.int64), None, torch.zeros(1, dtype=torch.bool)]
    kept, values = list(buffers), [torch.ones(2), torch.full((2, 2), 7), None, torch.tensor([True])]
    write(buffers, values)
    assert all(mine is other for mine, other in zip(buffers, kept, strict=True))
    assert buffers[0].tolist() == [1.0, 1.0] and buffers[1].tolist() == [[7, 7], [7, 7]] and buffers[3].item()
    write(buffers, buffers)
    write([], [])


def test_reasons_are_one_line_and_never_empty():
    assert reason_of(RuntimeError("one\n  two")) == "one two"
    assert reason_of(MemoryError()) == "MemoryError"
    assert len(reason_of(RuntimeError("x" * 999))) == 200


def test_leaves_and_mapped_go_through_tuples_records_and_dicts():
    tree = (inputs(1.0, 2.0, times=7), {"a": torch.tensor([3.0])})
    assert [part.item() if isinstance(part, Tensor) else part for part in leaves(tree)] == [1.0, 2.0, None, 7, 3.0]
    more = mapped(lambda part: part + 1.0, tree)
    assert isinstance(more[0], Inputs)
    assert [part.item() if isinstance(part, Tensor) else part for part in leaves(more)] == [2.0, 3.0, None, 7, 4.0]
