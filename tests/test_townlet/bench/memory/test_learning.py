"""Public tasks of memory are learned, by the shipped recipes; a window that is too short for a lag shows it."""

import pytest

from townlet.bench.memory.plan import load_plan, trials_of
from townlet.bench.memory.trials import run_trial

pytestmark = [pytest.mark.bench, pytest.mark.slow]
PACKAGES = {"repeat": "popgym", "memory": "bsuite"}  # by how a row's name begins


def outcome(row, agent="recurrent", budget=None, seed=0):
    """The record of one shipped row and seed."""
    if package := PACKAGES.get(row.partition("-")[0]):
        pytest.importorskip(package, reason="it is in the bench extra")
    trial = next(one for one in trials_of(load_plan(), [row], range(seed, seed + 1), peers=False) if one.agent == agent)
    return run_trial(trial._replace(budget=budget or trial.budget), lambda standing: None)


def test_repeat_previous_easy_is_solved_in_a_tenth_of_the_peers_steps_and_not_without_memory():
    assert outcome("repeat-previous-easy")["solved"]["steps"] <= 20_000
    assert -0.6 < outcome("repeat-previous-easy", "control", budget=10_000)["points"][-1]["score"] < -0.3


def test_a_lag_of_30_is_answered_right_in_100_of_100_episodes():
    record = outcome("memory-length-30")
    assert record["solved"] is not None and record["solved"]["score"] == pytest.approx(1.0)


def test_windows_of_8_from_zero_stay_at_chance_over_a_lag_of_12():
    record = outcome("memory-length-12-window-8-zero", budget=20_000)
    assert all(abs(point["score"]) < 0.4 for point in record["points"])  # four standard deviations of 100 coins


@pytest.mark.parametrize("start", ["stored", "burn-in"])
def test_windows_of_8_learn_a_lag_of_12_from_stored_memory_and_after_a_burn_in(start):
    """From stored memory a seed in five does not, so one of three is asked for; from zero none can."""
    assert any(outcome(f"memory-length-12-window-8-{start}", seed=seed)["solved"] for seed in (1, 2, 3))


def test_a_t_maze_of_20_is_solved_and_without_memory_the_turn_stays_at_chance():
    assert outcome("t-maze-20")["solved"] is not None
    points = outcome("t-maze-20", "control", budget=30_000)["points"]
    assert all(point["score"] < 0.7 for point in points)  # four standard deviations of 100 coins
