"""What each flag of `townlet train` changes in a run, by what the run then holds."""

import json
import re
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.learning import differences
from support.rooms import room, train_briefly, write_level
from townlet import train
from townlet.config import load_level, load_task
from townlet.population.evaluation import Evaluator
from townlet.run import training_run
from townlet.run.metrics import MetricsStore
from townlet.run.saving import checkpoint

ROOM_STEPS = 32  # of a run in the room: 8 of each of its 4 agents
WITH_TARGET = {"training__target_every": 100, "training__double_q": True}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr(training_run, "draw_curves", lambda *_, **__: None)


def saved(run: Path, step: int) -> checkpoint.Checkpoint:
    return checkpoint.load(run / "checkpoints" / f"step_{step:09}")


def saved_steps(run: Path) -> list[int]:
    """The steps of all checkpoints that were made, kept or not."""
    return [int(step) for step in re.findall(r"saved step_(\d+)", (run / "train.log").read_text())]


def evaluated_steps(run: Path) -> list[int]:
    return sorted(json.loads(path.read_text())["step"] for path in (run / "evaluation").iterdir())


def resume(run: Path, *flags: str) -> None:
    assert train.main(["--resume", str(run), "--plain", "--device", "cpu", *flags]) == 0


def plan_of(capsys, *flags: str) -> str:
    capsys.readouterr()
    assert train.main(["--dry-run", "--device", "cpu", *flags]) == 0
    return capsys.readouterr().out


def results(*found: tuple[float, float]) -> list[dict]:
    """What evaluations return, by survival and reward."""
    rest = {"episodes": 4, "std_ep_length": 0.0, "std_reward": 0.0, "survival_rate": 0.0, "deaths": {}}
    return [{"mean_ep_length": length, "mean_reward": reward, **rest} for length, reward in found]


def evaluations(monkeypatch, *found: tuple[float, float]) -> None:
    """Let evaluations find these, survival and reward, one after the other."""
    waiting = results(*found)
    monkeypatch.setattr(Evaluator, "evaluate", lambda *_, **__: waiting.pop(0))


# --- the plan -----------------------------------------------------------------------------------------------------


def test_the_level_is_the_one_that_is_named_and_level_2_by_itself(capsys, tmp_path):
    assert "level     0.5 dual_resource" in plan_of(capsys, "--level", "0.5")
    assert f"level     {write_level(tmp_path, room()).stem} room" in plan_of(capsys, "--level", f"{tmp_path}/room.yaml")
    assert "level     2 partial_observability" in plan_of(capsys)


def test_seed_agents_and_steps_are_those_that_are_asked_for_whatever_is_set_beside(capsys):
    asked = ["--seed", "5", "--num-agents", "12", "--total-steps", "8000"]
    beside = ["training.seed=9", "training.num_agents=4", "training.total_steps=64"]
    for flags in (asked, [*asked, *(word for one in beside for word in ("--set", one))]):
        plan = plan_of(capsys, *flags)
        assert "agents    12 on cpu, seed 5\n" in plan and "steps     8,000 in all;" in plan
    assert "agents    4 on cpu, seed 9\n" in plan_of(capsys, *(word for one in beside for word in ("--set", one)))


def test_agents_that_minibatches_do_not_part_alike_are_told_of_in_the_first_line(capsys, tmp_path):
    line = "training.mode.minibatches: 1, the most up to 2 that part 5 agents alike"
    write_level(tmp_path, room())
    flags = ["--level", f"{tmp_path}/room.yaml", "--num-agents", "5"]
    assert plan_of(capsys, *flags).startswith(f"{line}\n")
    run = train_briefly(tmp_path, room(), "run", "--num-agents", "5")
    assert capsys.readouterr().out.startswith(f"{line}\n")
    assert load_level(run / "config.yaml").training.mode.minibatches == 1
    resume(run, "--total-steps", "64")
    assert line not in capsys.readouterr().out  # it is what the run says by now


# --- the run ------------------------------------------------------------------------------------------------------


def test_every_flag_of_a_run_is_found_in_it(tmp_path):
    flags = ["--seed", "7", "--num-agents", "2", "--total-steps", "24", "--set", "max_steps=6"]
    run = train_briefly(tmp_path, room(), "named", *flags, "--checkpoint-every", "8", "--evaluate-every", "12")
    assert run == tmp_path / "room_room" / "named"  # below --runs-dir, called as --run-name says
    level = load_level(run / "config.yaml")
    assert (level.training.seed, level.training.num_agents, level.training.total_steps) == (7, 2, 24)
    assert level.max_steps == 6
    assert sorted(set(saved_steps(run))) == [8, 12, 16, 24] and evaluated_steps(run) == [12, 24]
    meta = json.loads((run / "meta.json").read_text())
    assert (meta["seed"], meta["device"], meta["level"]) == (7, "cpu", "room")


def test_another_seed_is_another_run(tmp_path):
    one, two, other = (
        train_briefly(tmp_path, room(), f"run{index}", "--seed", seed) for index, seed in enumerate("556")
    )
    models = [saved(run, ROOM_STEPS).model for run in (one, two, other)]
    assert differences(models[0], models[1]) == [] and differences(models[0], models[2]) != []


def test_without_flags_a_run_is_evaluated_as_its_level_says_and_saved_a_twentieth_apart(tmp_path):
    run = train_briefly(tmp_path, room(evaluation__every=16, training__total_steps=160))
    assert evaluated_steps(run) == list(range(16, 161, 16))
    assert sorted(set(saved_steps(run))) == list(range(8, 161, 8))


@pytest.mark.parametrize("plain", [True, False])
def test_plain_lines_take_the_place_of_the_dashboard_where_they_are_asked_for(plain, tmp_path, monkeypatch):
    made, make = [], training_run.make_reporter

    def noted(plain_asked):
        made.append(plain_asked)
        return make(True)

    monkeypatch.setattr(training_run, "make_reporter", noted)
    path = write_level(tmp_path, room())
    flags = ["--level", str(path), "--device", "cpu", "--runs-dir", str(tmp_path), *(["--plain"] if plain else [])]
    assert train.main(flags) == 0 and made == [plain]


def test_load_begins_with_the_weights_in_both_networks_and_nothing_else(tmp_path):
    content = room(**WITH_TARGET)
    taught = saved(train_briefly(tmp_path, content, "taught"), ROOM_STEPS)
    flags = ["--load", str(taught.path), "--total-steps", "4", "--seed", "2"]  # one step: too few for an update
    begun = saved(train_briefly(tmp_path, content, "begun", *flags), 4)
    assert differences(taught.model, begun.model) == []
    assert differences(taught.model, begun.state["population"]["learner"]["target"]) == []
    assert begun.state["population"]["learner"]["updates"] == 0


# --- what is kept of evaluations ----------------------------------------------------------------------------------


def test_the_best_checkpoint_is_that_of_the_longest_survival_whatever_it_earned(tmp_path, monkeypatch):
    evaluations(
        monkeypatch, (3.0, 1.0), (3.0, 1.0), (6.0, -5.0), (6.0, -5.0), (4.0, 9.0), (4.0, 9.0), (6.0, 9.0), (6.0, 9.0)
    )
    run = train_briefly(tmp_path, room(), "run", "--evaluate-every", "8", "--checkpoint-every", "32")
    best = json.loads((run / "checkpoints" / "best.json").read_text())
    assert best == {"checkpoint": "step_000000016", "step": 16, "score": 6.0}  # of equals the first
    assert saved(run, 32).manifest["score"] == 6.0 and saved(run, 24).manifest["score"] == 4.0


def test_the_memory_gap_is_what_memory_adds(tmp_path, monkeypatch):
    evaluations(monkeypatch, (7.0, 1.0), (4.5, 3.0))  # with memory, and without
    run = train_briefly(tmp_path, room())
    kept = json.loads((run / "evaluation" / "step_000000032.json").read_text())
    assert kept["memory_ablation_gap"] == 2.5 and kept["mean_ep_length"] == 7.0
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    assert store.scalars("memory/ablation_gap") == store.scalars("eval/memory_ablation_gap") == [(32, 2.5)]
    assert store.scalars("eval/mean_reward") == [(32, 1.0)]
    store.close()


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_run_that_goes_on_for_longer_says_so_in_its_config(tmp_path):
    run = train_briefly(tmp_path, room())
    resume(run, "--total-steps", "64")
    assert load_task(run / "config.yaml").training.total_steps == 64
    assert saved_steps(run)[-1] == 64
    before = (run / "config.yaml").read_text()
    resume(run)
    assert (run / "config.yaml").read_text() == before and saved_steps(run)[-1] == 64


def test_the_seconds_of_a_run_that_goes_on_are_added_to_those_before(tmp_path, monkeypatch):
    ticks = count(0, 10)  # each look at the clock is ten seconds later
    monkeypatch.setattr(training_run, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    run = train_briefly(tmp_path, room())
    before = saved(run, 32).state["elapsed"]
    assert before >= 10.0
    resume(run, "--total-steps", "36")
    after = saved(run, 36).state["elapsed"]
    assert before < after
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    elapsed = [one["elapsed"] for one in store.evaluations()]
    store.close()
    assert len(elapsed) == 2 and elapsed[0] < before < elapsed[1]


def test_a_run_goes_on_from_its_newest_checkpoint_by_its_path_its_name_or_as_the_latest(tmp_path):
    run = train_briefly(tmp_path, room())
    for steps, reference in ((36, str(run)), (40, "run"), (44, "latest")):
        flags = ["--resume", reference, "--runs-dir", str(tmp_path), "--total-steps", str(steps)]
        assert train.main([*flags, "--plain", "--device", "cpu"]) == 0
        assert saved(run, steps).step == steps
