"""Trials: when they stop, what they keep, and that side by side they give what they give alone."""

import os
from typing import Any, NamedTuple

import pytest
import torch

from support.benchmarks import make_trial
from townlet.bench.memory import trials
from townlet.bench.memory.trials import IN_A_ROW, run_side_by_side, run_trial


class Scripted:
    """A contestant that plays no part: its returns are written down."""

    parameters = 7

    def __init__(self):
        self.steps = 0

    def train_to(self, steps):
        self.steps = steps

    def policy(self, episodes):
        return None


@pytest.fixture
def returns(monkeypatch):
    """Set what the evaluations of a scripted contestant give."""

    def script(*scores):
        left, seeds = list(scores), []

        def play(task, policy, episodes, seed, device):
            seeds.append(seed)
            return {"mean_reward": left.pop(0), "std_reward": 0.5}

        monkeypatch.setattr(trials, "_contestant", lambda trial: Scripted())
        monkeypatch.setattr(trials, "play", play)
        return seeds

    return script


def test_a_trial_stops_when_the_bar_is_reached_twice_in_a_row_and_names_the_first(returns):
    returns(0.2, 0.95, 0.4, 0.97, 0.95, 1.0)
    record = run_trial(make_trial(bar=0.95, budget=1000), lambda standing: None)
    assert IN_A_ROW == 2
    assert [point["score"] for point in record["points"]] == [0.2, 0.95, 0.4, 0.97, 0.95]
    assert [point["steps"] for point in record["points"]] == [64, 128, 192, 256, 320]
    assert record["solved"] == record["points"][3]


def test_a_trial_that_never_gets_there_ends_with_its_budget(returns):
    returns(0.2, 0.3, 0.95)
    record = run_trial(make_trial(bar=0.95, budget=150), lambda standing: None)
    assert [point["steps"] for point in record["points"]] == [64, 128, 150]
    assert record["solved"] is None  # once is luck


def test_each_evaluation_plays_other_episodes(returns):
    seeds = returns(0.0, 0.0)
    run_trial(make_trial(budget=128), lambda standing: None)
    assert len(set(seeds)) == 2


def test_a_trial_tells_how_it_stands(returns):
    returns(0.25, 0.5)
    told = []
    run_trial(make_trial(budget=128, seed=3), told.append)
    assert told == [("balance/recurrent/3", 64, 0.25), ("balance/recurrent/3", 128, 0.5)]


# --- side by side, in processes of their own ----------------------------------------------------------------------

WANTED = [make_trial(seed=seed, agent=agent) for seed in (0, 1) for agent in ("recurrent", "control")]


class Together(NamedTuple):
    """What came of trials side by side, the first of which cannot run, by row, agent and seed; and `os.environ`."""

    outcomes: dict[str, Any]
    environment_before: dict[str, str]
    environment_after: dict[str, str]


@pytest.fixture(scope="module")
def together():
    broken = make_trial(row="broken")
    broken = broken._replace(task=broken.task.model_copy(update={"gym": "NoSuchWorld-v0"}))
    before = dict(os.environ)
    outcomes = {trial.key: outcome for trial, outcome in run_side_by_side([broken, *WANTED], 2, lambda news: None)}
    return Together(outcomes, before, dict(os.environ))


@pytest.mark.slow
def test_trials_side_by_side_give_what_each_gives_alone(together):
    with torch.random.fork_rng():
        alone = {trial.key: run_trial(trial, lambda standing: None) for trial in WANTED}
    assert together.outcomes.keys() == alone.keys() | {"broken/recurrent/0"}
    for key, record in alone.items():
        side_by_side = together.outcomes[key]
        assert [point["score"] for point in side_by_side["points"]] == [point["score"] for point in record["points"]]
        assert side_by_side["parameters"] == record["parameters"]


@pytest.mark.slow
def test_a_trial_that_fails_is_one_line_and_the_others_go_on(together):
    failed = together.outcomes["broken/recurrent/0"]
    assert failed.startswith("ConfigError: ") and "NoSuchWorld-v0" in failed and "\n" not in failed
    assert all(together.outcomes[trial.key]["points"] for trial in WANTED)


@pytest.mark.slow
def test_the_environment_of_this_process_stays_as_it_was(together):
    assert together.environment_after == together.environment_before
