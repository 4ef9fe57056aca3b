"""A run that ends before its steps are used up: at its goal, or when its patience is at an end, and so when resumed."""

import re
from pathlib import Path

import pytest

from support.rooms import after_step, room, saved, stop, train_briefly, write_level
from townlet import train
from townlet.config import ConfigError, GymTask, load_gym_task, load_level
from townlet.population.evaluation import Evaluator
from townlet.run.metrics import MetricsStore
from townlet.run.plan import Marks, Plan
from townlet.run.saving import saved as saving

WHOLE = Evaluator.compare
SELDOM = ["--evaluate-every", "8", "--checkpoint-every", "100"]  # of 32 steps


def scoring(monkeypatch, *scores: float) -> None:
    """Let evaluations with memory find these survivals one after the other, and those without none."""
    left = list(scores)

    def compare(*arguments, **named):
        result, without = WHOLE(*arguments, **named)
        return result | {"mean_ep_length": left.pop(0)}, without

    monkeypatch.setattr(Evaluator, "compare", compare)


def steps_saved(run: Path) -> list[int]:
    return sorted(int(one.name.removeprefix("step_")) for one in (run / "checkpoints").glob("step_*"))


def events(run: Path) -> list[tuple[int, str, str]]:
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    told = [(one["step"], one["kind"], one["text"]) for one in store.events()]
    store.close()
    return told


def resume(run: Path, *flags: str) -> None:
    assert train.main(["--resume", str(run), "--plain", "--device", "cpu", *flags]) == 0


# --- a run --------------------------------------------------------------------------------------------------------


def test_a_run_ends_at_its_goal_and_says_so(tmp_path, monkeypatch, capsys):
    scoring(monkeypatch, 4.0, 6.0)
    run = train_briefly(tmp_path, room(training__stop={"goal": 6.0}), "run", *SELDOM)
    why = "greedy survival 6.0 reached the goal of 6"
    assert steps_saved(run) == [8, 16] and events(run) == [(16, "stopped", why)]
    assert capsys.readouterr().out.count(f"stopped: {why}\n") == 1
    assert (run / "train.log").read_text().count(f"stopped: {why}") == 1
    assert saved(run, 16).manifest["score"] == 6.0  # evaluated once


def test_a_run_ends_when_its_patience_does(tmp_path, monkeypatch):
    scoring(monkeypatch, 4.0, 4.0, 3.0)
    run = train_briefly(tmp_path, room(), "run", *SELDOM, "--set", "training.stop.patience=2")
    assert events(run) == [(24, "stopped", "2 evaluations without a greedy survival above 4.0")]
    assert steps_saved(run) == [8, 16, 24] and load_level(run / "config.yaml").training.stop.patience == 2


def test_the_last_evaluation_ends_nothing_any_more(tmp_path, monkeypatch):
    scoring(monkeypatch, 4.0, 4.0, 4.0, 9.0)
    run = train_briefly(tmp_path, room(training__stop={"goal": 9.0, "patience": 9}), "run", *SELDOM)
    assert steps_saved(run)[-1] == 32 and events(run) == []


@pytest.mark.parametrize("stopped_at", [12, 16, 20])
def test_a_resumed_run_ends_where_an_unbroken_one_does(stopped_at, tmp_path, monkeypatch):
    level, scores = room(training__stop={"patience": 2}), (5.0, 4.0, 4.5)
    scoring(monkeypatch, *scores)
    whole = train_briefly(tmp_path, level, "whole", *SELDOM)
    scoring(monkeypatch, *scores)
    with after_step(stopped_at, stop):
        parts = train_briefly(tmp_path, level, "parts", *SELDOM)
    assert steps_saved(parts)[-1] == stopped_at
    resume(parts)
    assert events(whole) == events(parts) == [(24, "stopped", "2 evaluations without a greedy survival above 5.0")]


def test_a_run_that_is_resumed_where_it_ended_trains_nothing_unless_its_end_is_another(tmp_path, monkeypatch, capsys):
    scoring(monkeypatch, 5.0, 5.0, 5.0, 5.0)
    run = train_briefly(tmp_path, room(training__stop={"goal": 5.0}), "run", *SELDOM)
    capsys.readouterr()
    resume(run)
    said = "nothing is left to train: greedy survival 5.0 reached the goal of 5; --set training.stop=null goes on"
    assert said in capsys.readouterr().out and steps_saved(run) == [8]
    resume(run, "--set", "training.stop.goal=5.5", "--set", "training.stop.patience=1")
    assert steps_saved(run) == [8, 16] and events(run)[-1][2] == "an evaluation without a greedy survival above 5.0"
    resume(run, "--set", "training.stop=null")
    assert steps_saved(run)[-1] == 32


def test_a_checkpoint_of_before_there_was_patience_begins_to_wait(tmp_path):
    """What it does not say is counted from there on."""
    found = saved(train_briefly(tmp_path, room(), "run"), 32)
    del found.state["best"], found.state["waited"]
    assert saving._standing(found).marks == Marks(5.0, 5.0, 0)


# --- the rule -----------------------------------------------------------------------------------------------------


def test_evaluations_since_the_best_one_are_counted():
    marks, counted = Marks(), []
    for score in (3.0, 2.0, 3.0, 4.0, float("nan"), 3.9):
        marks = marks.after(score)
        counted.append((marks.best, marks.waited))
    assert counted == [(3.0, 0), (3.0, 1), (3.0, 2), (4.0, 0), (4.0, 1), (4.0, 2)]


def test_the_goal_of_a_gymnasium_task_is_a_return_to_a_hundredth():
    task = load_gym_task("CartPole-v1", overrides={"training.stop": {"goal": 0.95}})
    assert isinstance(task, GymTask)
    plan = Plan(100, 10, 10, goal=0.95)
    assert plan.ending(task, Marks(0.949, 0.949)) is None
    assert plan.ending(task, Marks(0.96, 0.96)).why == "greedy return 0.96 reached the goal of 0.95"


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ("{}", "training.stop: expected a goal, a patience or both, got neither"),
        ("{patience: 0}", "training.stop.patience: expected an integer, at least 1"),
        ("{goal: 501}", "training.stop.goal: expected at most max_steps, 500, got 501"),
        ("{goal: .inf}", "training.stop.goal: expected a finite number"),
        ("{survival: 485}", "training.stop.survival: expected one of goal, patience, got 'survival'"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(stop, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_level("2", {"training.stop": stop})


def test_the_plan_says_what_may_end_a_run(tmp_path, capsys):
    level = write_level(tmp_path, room(training__stop={"goal": 6.5, "patience": 3}))
    assert train.main(["--level", str(level), "--dry-run", "--device", "cpu"]) == 0
    line = "stops     at a greedy survival of 6.5 or after 3 evaluations without a better one\n"
    assert line in capsys.readouterr().out
