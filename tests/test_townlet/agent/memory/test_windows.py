"""Windows of memories that have an equation: what they read, and what they hold after it."""

import copy

import pytest
import torch

from support import step_by_step
from support.windows import check_equation, check_single_steps
from townlet.agent.memory.delta import Window
from townlet.agent.memory.phases import DeltaPhases
from townlet.agent.memory.shares import equal_shares_left

CASES = {
    "delta": (step_by_step.a_case_of_delta, step_by_step.delta_step_by_step),
    "phases": (step_by_step.a_case_of_phases, step_by_step.phases_step_by_step),
    "ground": (step_by_step.a_case_of_ground, step_by_step.ground_step_by_step),
    "steered": (step_by_step.a_case_of_steered, step_by_step.steered_step_by_step),
    "lru": (step_by_step.a_case_of_lru, step_by_step.lru_step_by_step),
}
WRITTEN_BY_DELTA = ["delta", "phases", "ground"]
IN_PART = {"phases", "ground"}  # whose weights do not all matter to each number that is read


@pytest.mark.parametrize("name", CASES)
def test_a_window_equals_its_equation_step_by_step_with_its_gradient(name):
    a_case, step_by_step = CASES[name]
    memory, features, hidden, reset = a_case()
    read, _ = memory(features, hidden, reset)
    gradient = check_equation(memory, read, step_by_step(memory, features, hidden, reset))
    assert name in IN_PART or all(part.abs().min() > 0.0 for part in gradient)


@pytest.mark.parametrize("name", CASES)
def test_a_window_equals_single_steps_and_rows_stay_apart(name):
    check_single_steps(*CASES[name][0]())


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("name", WRITTEN_BY_DELTA)
def test_a_step_that_is_written_by_itself_equals_a_window_of_one_with_its_gradient(name, flagged):
    memory, features, hidden, _ = CASES[name][0]()
    features, flags = features[:, :1], torch.tensor([[True], [False], [False], [True]]) if flagged else None
    whole = copy.deepcopy(memory)
    whole.write_step = whole.write_window
    before, found = hidden[0].requires_grad_(), []
    for one in (memory, whole):
        read, (after,) = one(features, (before,), flags)
        total = (read * read.detach().cos()).sum() + (after * after.detach().sin()).sum()
        found.append((read, after, torch.autograd.grad(total, [before, *one.parameters()])))
    torch.testing.assert_close(found[0], found[1])


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_the_gradient_by_hand_of_what_is_held_is_that_of_small_differences(whole, flagged):
    torch.manual_seed(0)
    before, key, value, strength = numbers(2, 3, 2), numbers(2, 4, 3), numbers(2, 4, 2), numbers(2, 4, 1)
    reset = torch.tensor([[False, False, True, False], [False] * 4]) if flagged else None
    left = equal_shares_left(0.9, key, reset)

    def held(before, key, value, *strength):
        return Window(before, key, value, *(strength or (None,)), left).held()

    assert torch.autograd.gradcheck(held, (before, key, value) if whole else (before, key, value, strength))


def test_the_gradient_by_hand_of_places_as_seen_from_here_is_that_of_small_differences():
    torch.manual_seed(0)
    memory, before, key, angles = (
        DeltaPhases(3, 3, 2, 0.9).double(),
        numbers(2, 3, 4),
        numbers(2, 4, 3),
        numbers(2, 4, 2),
    )

    def read(before, key, angles):
        window = memory.write_window(before, key, memory.value_of(angles), None, None)
        return memory.read(window, angles)

    assert torch.autograd.gradcheck(read, (before, key, angles))
