"""A run that may take so many minutes: what is measured, how many steps follow, and that the run is as any other."""

import json
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from safetensors.torch import load_file

from support.rooms import after_step, room, saved, stop, write_level
from support.strangers import Stranger
from townlet import train
from townlet.config import ConfigError, load_gym_task, load_level
from townlet.environment.make import make_training_env
from townlet.level.file import configs_directory
from townlet.population.shared import populate
from townlet.run.beginning import allowance
from townlet.run.beginning.allowance import Measured, measure
from townlet.run.plan import Plan, Wishes, make_plan
from townlet.screen.signals import StopRequest

CPU = torch.device("cpu")
PLAN = Plan(total_steps=100_000, checkpoint_every=5_000, evaluate_every=30_000)  # evaluated four times
# 57 of the 60 seconds are planned: 1.2 begin and evaluate, and half a step a second makes 27.9 steps of the rest.
SLOW = Measured(begin=0.2, steps_per_second=0.5, evaluation=1.0)
FAST = SLOW._replace(steps_per_second=10.0)


def test_a_run_takes_its_beginning_its_steps_and_an_evaluation_more_than_lie_between_them():
    measured = Measured(begin=10.0, steps_per_second=1_000.0, evaluation=2.0)
    assert measured.seconds(PLAN) == 10.0 + 100.0 + 4 * 2.0


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [(68.0, 50_000), (68.0499, 50_000), (68.05, 50_000), (68.15, 50_100), (18.0995, 99), (18.0, 0), (2.0, 0)],
)
def test_the_steps_that_fit_are_told_in_three_digits_and_never_too_many(seconds, steps):
    """18 seconds begin and evaluate."""
    assert Measured(10.0, 1_000.0, 2.0).fitting(PLAN, seconds) == steps


def begin(tmp_path: Path, name: str, *flags: str) -> Path:
    """Train in the room, or in the level that flags name, and return the run's folder."""
    level = ["--level", str(write_level(tmp_path, room()))] if "--level" not in flags else []
    where = ["--runs-dir", str(tmp_path), "--run-name", name, "--device", "cpu", "--plain"]
    assert train.main([*level, *where, *flags]) == 0
    return tmp_path / "room_room" / name


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / f"step_{step:09}" / "model.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def measured(monkeypatch):
    """What every measurement finds from now on."""

    def find(found: Measured) -> None:
        monkeypatch.setattr(allowance, "measure", lambda *given: found)

    return find


def test_a_run_without_the_time_is_that_of_the_steps_that_fit_weight_for_weight(tmp_path, measured, capsys):
    measured(SLOW)
    run = begin(tmp_path, "paced", "--minutes", "1")
    said = capsys.readouterr().out
    assert "0 steps/s: 32 steps would take 1:05; 27 fit into 1 minute\n" in said and "step 28/27  100%" in said
    level = load_level(run / "config.yaml")
    assert (level.training.total_steps, level.training.decay_steps, level.evaluation.every) == (27, 27, 27)
    noted = json.loads((run / "meta.json").read_text())["minutes"]
    assert noted == {"at_most": 1.0, "steps_asked": 32, **SLOW._asdict()}
    flags = ["--total-steps", "27", "--set", "training.decay_steps=27", "--evaluate-every", "27"]
    for name, again in (("flags", flags), ("config", ["--level", str(run / "config.yaml")])):
        assert equal(weights(begin(tmp_path, name, *again), 28), weights(run, 28))


def test_where_all_steps_fit_nothing_changes(tmp_path, measured, capsys):
    measured(FAST)
    run = begin(tmp_path, "paced", "--minutes", "1")
    assert "10 steps/s: 32 steps take 0:04, which fits into 1 minute\n" in capsys.readouterr().out
    assert equal(weights(run, 32), weights(begin(tmp_path, "plain"), 32))


def test_it_goes_on_with_the_steps_that_it_began_with(tmp_path, measured):
    measured(SLOW)
    with after_step(12, stop):
        run = begin(tmp_path, "parts", "--minutes", "1")
    assert saved(run, 12).step == 12
    assert train.main(["--resume", str(run), "--device", "cpu", "--plain"]) == 0
    assert equal(weights(run, 28), weights(begin(tmp_path, "whole", "--minutes", "1"), 28))


def test_what_is_asked_for_by_its_key_stays(tmp_path, measured):
    measured(SLOW)
    run = begin(tmp_path, "run", "--minutes", "1", "--evaluate-every", "32", "--set", "training.decay_steps=99")
    level = load_level(run / "config.yaml")
    assert (level.training.total_steps, level.training.decay_steps, level.evaluation.every) == (27, 99, 32)


def test_minutes_for_which_not_even_the_evaluations_fit_are_refused(tmp_path, measured, capsys):
    measured(SLOW._replace(begin=50.0, evaluation=10.0))
    flags = ["--level", str(write_level(tmp_path, room())), "--runs-dir", str(tmp_path / "runs"), "--minutes", "1"]
    assert train.main([*flags, "--device", "cpu"]) == 2
    expected = "--minutes: expected more than 1:00 for its beginning and its evaluations and the measurement before"
    assert f"{expected}, got 1" in capsys.readouterr().err and not (tmp_path / "runs").exists()


def test_nothing_is_measured_for_a_plan_that_is_only_told(tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(allowance, "measure")
    path = write_level(tmp_path, room())
    assert train.main(["--level", str(path), "--minutes", "2.5", "--dry-run", "--device", "cpu"]) == 0
    assert "minutes   2.5 at most: the steps that fit are counted when it begins\n" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--resume", "latest"], ["--curriculum", "0,1"]])
def test_minutes_are_of_one_new_run(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main([*flags, "--minutes", "1"])
    assert ended.value.code == 2 and "--minutes is of one new run" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "inf", "nan", "ten"])
def test_minutes_are_a_number_above_zero(minutes, capsys):
    with pytest.raises(SystemExit):
        train.main([f"--minutes={minutes}"])
    assert f"argument --minutes: expected a number above 0, got '{minutes}'" in capsys.readouterr().err


@pytest.fixture
def soon(monkeypatch):
    """A measurement of a moment."""
    monkeypatch.setattr(allowance, "SECONDS_OF_STEPS", 0.02)
    monkeypatch.setattr(allowance, "EVALUATION_STEPS", 2)


def test_a_measurement_lives_learns_and_evaluates_and_leaves_nothing(tmp_path, soon, monkeypatch):
    closed, populations = [], []
    made = allowance.populate

    def populate(*given):
        populations.append(made(*given))
        monkeypatch.setattr(populations[0], "close", lambda: closed.append(1))
        return populations[0]

    monkeypatch.setattr(allowance, "populate", populate)
    level = load_level(write_level(tmp_path, room()))
    found = measure(level, torch.device("cpu"), StopRequest(), lambda line: None)
    assert all(value > 0.0 for value in found) and closed == [1]
    assert populations[0].learner.updates > 2 and populations[0].steps % 4 == 1  # whole windows after the first step
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("length", "seconds"), [(4, 52.0), (9_999, 6_000.0)])
def test_an_evaluation_without_a_limit_costs_what_a_whole_one_takes_if_that_ends_in_time(length, seconds, monkeypatch):
    """A second passes between any two looks at the clock, a step apart.

    With memory and without, an evaluation takes 26 steps each where all has ended by then, since it asks no sooner, and
    is reckoned to take 3,000 each where it has not.
    """
    monkeypatch.setattr(allowance, "SECONDS_OF_EVALUATION", 60.0)
    looks = count()
    monkeypatch.setattr(allowance, "time", SimpleNamespace(monotonic=lambda: float(next(looks))))
    monkeypatch.setitem(
        gymnasium.registry, "Short-v0", EnvSpec("Short-v0", partial(Stranger, dies=lambda env: env.t == length))
    )
    task = load_gym_task("Short-v0", configs_directory() / "gym.yaml", {"training.num_agents": 2})
    with closing(populate(task, CPU, partial(make_training_env, task, CPU, lambda *line: None))) as population:
        assert allowance._evaluation(task, population, CPU, StopRequest()) == seconds


def test_who_asks_to_stop_is_not_kept_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(allowance, "SECONDS_OF_STEPS", 1e9)
    level, asked = load_level(write_level(tmp_path, room())), StopRequest()
    asked.wanted = True
    assert measure(level, torch.device("cpu"), asked, lambda line: None).steps_per_second == 0.0


def test_a_plan_is_of_the_minutes_that_are_wished_for():
    assert make_plan(load_level("0"), Wishes("cpu", minutes=3.0)) == make_plan(load_level("0"), Wishes("cpu"))


def test_minutes_of_a_training_from_python_are_refused_alike():
    from townlet import learn

    with pytest.raises(ConfigError, match=r"^minutes: expected a number above 0, got 0$"):
        learn("0", minutes=0)
    with pytest.raises(ConfigError, match=r"^minutes is of one new run: resume and curriculum do not go with it$"):
        learn(resume="latest", minutes=1)
