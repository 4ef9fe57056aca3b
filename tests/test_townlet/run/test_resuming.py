"""A run that is resumed is the run that it was: its task, its pace, its checkpoints and its metrics."""

import json
import math
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from support.rooms import Content, after_step, room, saved, stop, train_briefly, write_level
from townlet import evaluate, train
from townlet.config import load_task
from townlet.population.evaluation import Evaluator
from townlet.run import training_run
from townlet.run.metrics import MetricsStore
from townlet.run.saving import checkpoint

Capture = pytest.CaptureFixture[str]
QUIET = ("--plain", "--device", "cpu")


def resume(run: Path, *flags: str) -> int:
    return train.main(["--resume", str(run), *QUIET, *flags])


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


Recorded = tuple[dict[str, list[tuple[int, str]]], list[dict[str, Any]]]


def recorded(run: Path) -> Recorded:
    """All that is recorded of a run, but for times; as text, so that NaN equals NaN."""
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    names = [name for name in store.names() if not name.startswith("time/")]
    scalars = {name: [(step, repr(value)) for step, value in store.scalars(name)] for name in names}
    evaluations = [{key: value for key, value in one.items() if key != "elapsed"} for one in store.evaluations()]
    store.close()
    return scalars, evaluations


# --- the task ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 32 steps, not to be trained in."""
    return train_briefly(tmp_path_factory.mktemp("runs"), room(layout__training_maps=2))


@pytest.mark.parametrize("id", ["1e5", "null", "2026-01-01"])
def test_a_level_whose_id_yaml_reads_as_something_else_is_resumed_and_evaluated(tmp_path, capsys, id):
    run = train_briefly(tmp_path, room(id=id))
    assert resume(run, "--total-steps", "40") == 0
    capsys.readouterr()
    assert evaluate.main([str(run), "--json", "--episodes", "2", "--device", "cpu"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["level"], said["checkpoint"]) == (id, "step_000000040")


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("layout.training_maps=1", "layout.training_maps: expected 2, with which the run began, got 1"),
        ("layout.kind=fixed", "layout.kind: expected 'random', with which the run began, got 'fixed'"),
        ("grid.width=4", "grid.width: expected 3"),
        ("max_steps=8", "max_steps: expected 9"),
        ("meters.breath.passive=-0.1", "meters.breath.passive: expected -0.2"),
        ("placed_affordances=[Lamp]", "placed_affordances: expected ['Chair'], with which the run began, got ['Lamp']"),
        ("observation.age=true", "observation.age: expected false"),
        ("id=other", "id: expected 'room'"),
        ("network.hidden=8", "network.hidden: expected 4"),
        ("network.memory_span=9", "network.memory_span: expected null"),
        ("network.dueling=true", "network.dueling: expected false"),
        ("training.seed=3", "training.seed: expected 1, with which the run began, got 3"),
        ("training={seed: 3}", "training.seed: expected 1, with which the run began, got 3"),
        ("training.num_agents=8", "training.num_agents: expected 4"),
        ("training.seq_len=8", "training.seq_len: expected 4"),
        ("training.curiosity={weight: 1.0, hidden: [2], embedding: 2, learning_rate: 0.1}",
         "training.curiosity: expected null"),
        ("training.recall={weight: 1.0, ask: position, tell: meters, back: 3}", "training.recall: expected null"),
        ("training.prediction={weight: 1.0}", "training.prediction: expected null"),
        ("training.target_every=3", "training.target_every: expected null, with which the run began, got 3"),
        ("training.target_rate=0.1", "training.target_rate: expected null"),
    ],
)  # fmt: skip
def test_what_would_make_another_run_of_it_is_refused_by_name(run, capsys, setting, named):
    assert resume(run, "--set", setting) == 2
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith(f"--resume {run}: {named}")
    assert all(line.startswith(f"--resume {run}: layout.") for line in others)  # of a layout without maps


def test_a_flag_for_agents_is_refused_as_the_key_is(run, capsys):
    assert resume(run, "--num-agents", "8") == 2
    assert "training.num_agents: expected 4, with which the run began, got 8\n" in capsys.readouterr().err
    assert resume(run, "--num-agents", "4", "--dry-run") == 0


@pytest.mark.parametrize(
    "setting",
    ["description=Three cells.", "reward.alive=2.0", "evaluation.episodes=3", "training.learning_rate=0.01",
     "training.gamma=0.5", "training.mode.minibatches=1", "training.total_steps=64", "layout.training_maps=2"],
)  # fmt: skip
def test_how_it_learns_and_what_is_told_of_it_may_change(run, setting):
    assert resume(run, "--set", setting, "--dry-run") == 0


def test_what_changes_is_written_into_config(tmp_path):
    run = train_briefly(tmp_path, room())
    assert resume(run, "--total-steps", "48", "--set", "training.gamma=0.5") == 0
    task = load_task(run / "config.yaml")
    assert (task.training.total_steps, task.training.gamma) == (48, 0.5)


def test_one_way_to_renew_a_target_network_may_take_the_place_of_the_other(tmp_path, capsys):
    run = train_briefly(tmp_path, room(training__target_every=3))
    other = ["--set", "training.target_every=null", "--set", "training.target_rate=0.1"]
    assert resume(run, "--total-steps", "48", *other) == 0
    assert resume(run, "--total-steps", "64", *other[:1], "training.target_rate=null") == 2
    assert "training.target_rate: expected 0.1, with which the run began, got null" in capsys.readouterr().err


def test_what_is_trained_no_further_stays_what_it_was(tmp_path, capsys):
    run = train_briefly(tmp_path, room())
    before = (run / "config.yaml").read_bytes()
    assert resume(run, "--set", "training.gamma=0.5") == 0
    assert "nothing is left to train" in capsys.readouterr().out
    assert (run / "config.yaml").read_bytes() == before


def test_a_flag_wins_over_the_same_key_wherever_it_stands(tmp_path):
    flags = ["--seed", "5", "--num-agents", "4", "--total-steps", "16", "--evaluate-every", "12"]
    keys = {"training.seed": 9, "training.num_agents": 2, "training.total_steps": 8, "evaluation.every": 2}
    whole = {"training": "{seed: 8, num_agents: 3, total_steps: 8}", "evaluation": "{every: 3}"}
    settings = [word for key, value in (keys | whole).items() for word in ("--set", f"{key}={value}")]
    for name, words in {"before": flags + settings, "after": settings + flags}.items():
        task = load_task(train_briefly(tmp_path, room(), name, *words) / "config.yaml")
        training = task.training
        assert (training.seed, training.num_agents, training.total_steps, task.evaluation.every) == (5, 4, 16, 12)


# --- before the first checkpoint ---------------------------------------------------------------------------------


def without_checkpoints(run: Path) -> None:
    """Leave a run as one that was killed before it saved anything, with more recorded than it will record again."""
    shutil.rmtree(run / "checkpoints")
    store = MetricsStore(run / "metrics.sqlite")
    store.write_scalars(1000, {"train/loss": 1.0, "time/fps": 1.0}, elapsed=1.0)
    store.close()


def test_a_run_killed_before_its_first_checkpoint_begins_anew_and_says_so(tmp_path, capsys):
    run = train_briefly(tmp_path, room())
    weights, rows = saved(run, 32).model, recorded(run)
    without_checkpoints(run)
    capsys.readouterr()
    assert resume(run) == 0
    assert f"no checkpoint was saved yet: begins anew from {run / 'config.yaml'}\n" in capsys.readouterr().out
    assert same(saved(run, 32).model, weights) and recorded(run) == rows


def test_which_run_the_latest_is_whose_weights_are_taken_is_said(tmp_path, capsys):
    taught = train_briefly(tmp_path, room(), "taught")
    capsys.readouterr()
    train_briefly(tmp_path, room(), "run", "--load", "latest", "--total-steps", "4")
    assert capsys.readouterr().err == f"latest is {taught}\n"


def test_a_run_that_began_with_weights_begins_anew_with_them(tmp_path, capsys):
    taught = train_briefly(tmp_path, room(), "taught") / "checkpoints" / "step_000000032"
    run = train_briefly(tmp_path, room(), "run", "--load", str(taught), "--total-steps", "16")
    weights = saved(run, 16).model
    without_checkpoints(run)
    assert resume(run) == 0 and same(saved(run, 16).model, weights)
    without_checkpoints(run)
    shutil.rmtree(taught)
    capsys.readouterr()
    assert resume(run) == 2
    assert capsys.readouterr().err == (
        f"--load {taught}: expected a checkpoint, a run or an exported policy, got nothing there\n"
    )


# --- pace --------------------------------------------------------------------------------------------------------


def test_the_pace_of_the_first_command_is_kept(tmp_path, monkeypatch):
    save, steps = checkpoint.save, dict[int, None]()  # in the order in which they are saved

    def noted(directory: Path, step: int, *arguments: Any, **named: Any) -> Path:
        steps[step] = None
        return save(directory, step, *arguments, **named)

    monkeypatch.setattr(checkpoint, "save", noted)
    with after_step(16, stop):
        run = train_briefly(tmp_path, room(), "run", "--checkpoint-every", "12", "--evaluate-every", "20")
    assert resume(run, "--total-steps", "64") == 0
    assert [*steps] == [12, 16, 20, 24, 36, 40, 48, 60, 64]
    assert [one["step"] for one in recorded(run)[1]] == [20, 40, 60, 64]
    assert resume(run, "--total-steps", "100", "--checkpoint-every", "30") == 0  # asked for anew
    assert resume(run, "--total-steps", "160") == 0
    assert [*steps][9:] == [80, 92, 100, 120, 140, 152, 160]  # every 20 and 30, in steps of 4 agents


# --- weights of another run --------------------------------------------------------------------------------------


def test_weights_are_copied_to_the_target_network_too(tmp_path, run):
    path = run / "checkpoints" / "step_000000032"
    level = room(layout__training_maps=2, training__target_every=9)
    begun = train_briefly(tmp_path, level, "run", "--load", str(path), "--total-steps", "4")
    found = saved(begun, 4)  # one step: too few for an update
    assert same(found.model, checkpoint.load(path).model)
    assert same(found.state["population"]["learner"]["target"], found.model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layout__training_maps": 1}, "layout.training_maps: expected at least 2, since the first 2 maps "),
        ({"meters": {"calm": {}, "breath": {"passive": -0.2, "lethal": True}}, "present_meters": ["calm", "breath"]},
         "the network of level room does not fit: meters: expected breath as number 1, got calm"),
        ({"observation__age": True}, "the network of level room does not fit: age: expected none, got 1"),
    ],
)  # fmt: skip
def test_weights_that_mean_something_else_or_know_the_maps_are_refused(tmp_path, run, capsys, changes, said):
    level = write_level(tmp_path, room(**{"layout__training_maps": 2} | changes))
    path = run / "checkpoints" / "step_000000032"
    capsys.readouterr()
    arguments = ["--level", str(level), "--load", str(path), "--runs-dir", str(tmp_path / "runs"), *QUIET]
    assert train.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"--load {path}: {said}") and err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_weights_without_their_run_are_taken_and_it_is_told_what_is_not_known(tmp_path, run, capsys):
    shutil.copytree(run / "checkpoints" / "step_000000032", tmp_path / "kept")
    begun = train_briefly(tmp_path, room(), "run", "--load", str(tmp_path / "kept"), "--total-steps", "4")
    assert same(saved(begun, 4).model, saved(run, 32).model)
    assert "which maps it was trained on is not known" in capsys.readouterr().err


# --- whose checkpoint it is --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> dict[str, Path]:
    """Checkpoints of step 32 of other runs."""
    folder = tmp_path_factory.mktemp("others")
    runs = {
        "run": train_briefly(folder, room(), "again"),
        "seed": train_briefly(folder, room(), "seed", "--seed", "2"),
        "level": train_briefly(folder, room(id="hall", observation__age=True)),
    }
    return {what: run / "checkpoints" / "step_000000032" for what, run in runs.items()}


@pytest.mark.parametrize(
    ("what", "said"),
    [("run", "of run "), ("seed", "of seed 1, got one of 2"), ("level", "of level room, got one of 'hall'")],
)
def test_a_checkpoint_of_another_run_is_passed_over_and_alone_refused(tmp_path, capsys, others, what, said):
    run = train_briefly(tmp_path, room(), "run", "--total-steps", "16")
    own, foreign = run / "checkpoints" / "step_000000016", run / "checkpoints" / "step_000000032"
    shutil.copytree(others[what], foreign)
    with after_step(20, stop):
        assert resume(run, "--total-steps", "40") == 0
    out = capsys.readouterr().out
    assert f"checkpoint passed over: {foreign / 'manifest.json'}: expected a checkpoint {said}" in out
    assert f"goes on from {own.name}" in out
    for folder in (run / "checkpoints").glob("step_*"):
        if folder != foreign:
            shutil.rmtree(folder)
    assert resume(run) == 1
    err = capsys.readouterr().err
    assert "expected a whole checkpoint, got 1 that are damaged or of another run\n" in err and err.count("\n") == 1


@pytest.mark.parametrize("what", ["run", "seed", "level"])
def test_a_checkpoint_of_another_run_is_not_evaluated(tmp_path, capsys, others, what):
    run = train_briefly(tmp_path, room(), "run", "--total-steps", "16")
    shutil.rmtree(run / "checkpoints" / "step_000000016")
    shutil.copytree(others[what], run / "checkpoints" / "step_000000016")
    capsys.readouterr()
    for name in ("step_000000016", "best"):
        assert evaluate.main([str(run), "--checkpoint", name, "--device", "cpu"]) == 1
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert "step_000000016/manifest.json: expected step 16, as the folder is called, got 32" in said.err


def test_a_checkpoint_of_another_run_is_never_the_best_and_lends_no_score(tmp_path, others):
    with after_step(16, stop):
        run = train_briefly(tmp_path, room(), "run", "--evaluate-every", "8")
    foreign = run / "checkpoints" / "step_000000032"
    shutil.copytree(others["seed"], foreign)
    content = json.loads((foreign / "manifest.json").read_text())
    (foreign / "manifest.json").write_text(json.dumps(signed(content | {"score": 99.0})))
    with after_step(20, stop):
        assert resume(run) == 0
    assert json.loads((run / "checkpoints" / "best.json").read_text())["step"] == 8
    with after_step(32, lambda run: run._save(None)):
        assert resume(run, "--total-steps", "36", "--evaluate-every", "100") == 0
    assert saved(run, 32).manifest["score"] is None and saved(run, 32).manifest["facts"]["seed"] == 1


def signed(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the hash that fits it."""
    return manifest | {"sha256": checkpoint.digest(manifest)}


def test_checkpoints_from_before_runs_had_ids_are_gone_on_from(tmp_path):
    with after_step(16, stop):
        run = train_briefly(tmp_path, room())
    path = run / "checkpoints" / "step_000000016"
    manifest, facts = (json.loads(one.read_text()) for one in (path / "manifest.json", run / "meta.json"))
    del manifest["facts"]["run"], facts["run"]
    (path / "manifest.json").write_text(json.dumps(signed(manifest | {"format": 1})))
    (run / "meta.json").write_text(json.dumps(facts))
    assert evaluate.main([str(run), "--episodes", "2", "--device", "cpu"]) == 0
    assert resume(run) == 0
    assert saved(run, 32).manifest["facts"]["run"] == json.loads((run / "meta.json").read_text())["run"]


def test_a_run_whose_meta_is_lost_takes_the_id_of_its_checkpoints(tmp_path):
    with after_step(16, stop):
        run = train_briefly(tmp_path, room())
    id = json.loads((run / "meta.json").read_text())["run"]
    (run / "meta.json").unlink()
    assert resume(run) == 0
    assert json.loads((run / "meta.json").read_text())["run"] == id == saved(run, 32).manifest["facts"]["run"]


# --- metrics -----------------------------------------------------------------------------------------------------

REPLAY = {"kind": "replay", "batch_size": 4, "train_every": 3, "min_episodes": 2, "capacity": 64, "stored_every": 2}
CURIOUS = {"weight": 0.5, "hidden": [3], "embedding": 2, "learning_rate": 0.01,
           "anneal": {"episodes": 1, "survival": 0.2, "spread": 0.4, "factor": 0.5}}  # fmt: skip
GRADED = {
    "kind": "adversarial", "stages": [{"meters": ["breath"], "passive": 0.5}, {"passive": 1.0}], "episodes": 2,
    "min_stay": 3, "advance_above": 0.3, "retreat_below": 0.1, "least_progress": -0.4, "entropy_below": 1.0,
    "temperature": 0.1,
}  # fmt: skip
RECIPES = {
    "fresh": {},
    "replay": {"training__mode": REPLAY},
    "curious": {"training__curiosity": CURIOUS},
    "graded": {"training__curriculum": GRADED},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Callable[[str], Recorded]:
    """What is recorded of a run by each recipe that nothing interrupts, each made once."""

    @cache
    def recorded_of(recipe: str) -> Recorded:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(training_run, "REPORTS_IN_A_RUN", 8)
            return recorded(train_briefly(tmp_path_factory.mktemp(recipe), examined_often(recipe)))

    return recorded_of


def examined_often(recipe: str) -> Content:
    return room(**RECIPES[recipe], training__total_steps=96, evaluation__every=24)


@pytest.mark.parametrize(
    ("recipe", "stop_at"),  # before the next update and a record; past both; where an evaluation is due; at the end
    [("fresh", 20), ("fresh", 72), ("fresh", 96), ("replay", 44), ("curious", 28), ("graded", 44)],
)
def test_metrics_after_a_resume_equal_those_without_an_interruption(whole, tmp_path, monkeypatch, recipe, stop_at):
    monkeypatch.setattr(training_run, "REPORTS_IN_A_RUN", 8)
    with after_step(stop_at, stop):
        run = train_briefly(tmp_path, examined_often(recipe))
    assert resume(run) == 0
    (scalars, evaluations), (expected, expected_evaluations) = recorded(run), whole(recipe)
    assert scalars == expected and evaluations == expected_evaluations
    assert len(expected["train/loss"]) == 7 and len(expected["memory/stored_state_drift"]) == 4


def test_elapsed_time_goes_on_from_the_checkpoint(tmp_path):
    with after_step(16, stop):
        run = train_briefly(tmp_path, room())
    found = saved(run, 16)
    facts = found.manifest["facts"]
    checkpoint.save(run / "checkpoints", 16, found.model, found.state | {"elapsed": 5000.0}, facts=facts)
    assert resume(run) == 0
    assert 5000.0 < saved(run, 32).state["elapsed"] < 5600.0
    store = MetricsStore(run / "metrics.sqlite", read_only=True)
    assert store.evaluations()[-1]["elapsed"] > 5000.0
    store.close()


def test_the_best_checkpoint_is_that_of_the_best_score(tmp_path, monkeypatch):
    """Survival 7, 8 and 6 in evaluations after 8, 16 and 24 steps, where reward and lengths without memory rise."""
    whole, lives = Evaluator.compare, iter([(7.0, 1.0), (1.0, 1.0), (8.0, 2.0), (2.0, 2.0), (6.0, 3.0), (3.0, 3.0)])

    def measured(*arguments, **named):
        return tuple(
            found | dict(zip(("mean_ep_length", "mean_reward"), next(lives), strict=True))
            for found in whole(*arguments, **named)
        )

    monkeypatch.setattr(Evaluator, "compare", measured)
    run = train_briefly(tmp_path, room(), "run", "--total-steps", "24", "--evaluate-every", "8")
    best = json.loads((run / "checkpoints" / "best.json").read_text())
    assert best == {"checkpoint": "step_000000016", "step": 16, "score": 8.0}
    scalars, evaluations = recorded(run)
    assert [one["memory_ablation_gap"] for one in evaluations] == [6.0, 6.0, 3.0]
    assert [one["memory_ablation_episodes"] for one in evaluations] == [4] * 3  # as many as with it, which are few
    assert scalars["memory/ablation_gap"] == [(8, "6.0"), (16, "6.0"), (24, "3.0")]


# --- content that was made up ------------------------------------------------------------------------------------


def change(state: dict[str, Any], key: str, value: object) -> None:
    """Replace what stands at a dotted key; None removes it."""
    *outer, last = key.split(".")
    for part in outer:
        state = state[int(part) if isinstance(state, list) else part]
    if value is None:
        del state[last]
    else:
        state[last] = value


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run of 16 of 32 steps, not to be trained in."""
    with after_step(16, stop):
        return train_briefly(tmp_path_factory.mktemp("runs"), room())


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("elapsed", None, "expected seconds of training as elapsed, got None"),
        ("elapsed", "12", "expected seconds of training as elapsed, got '12'"),
        ("elapsed", math.nan, "expected seconds of training as elapsed, got nan"),
        ("elapsed", torch.zeros(3), "expected seconds of training as elapsed, got tensor("),
        ("learned", {"train/loss": "x"}, "expected numbers as learned and score, got {'train/loss': 'x'}"),
        ("score", [1.0], "expected numbers as learned and score, got [1.0]"),
        ("population", None, "KeyError: 'population'"),
        ("population", 5, "population: expected a mapping, got a int"),
        ("population.steps", 5, "a state of step 20"),
        ("population.steps", "4", "population.steps: expected a int, got a str"),
        ("population.learner", None, "population.learner: expected a dict, got nothing"),
        ("population.learner.updates", 1.5, "population.learner.updates: expected a int, got a float"),
        ("population.episodes.returns", torch.zeros(1), "population.episodes.returns: expected [4] float32, got [1] "),
        ("population.episodes.sums", torch.zeros(4), "population.episodes.sums: expected [4] float64, got [4] float32"),
        ("population.buffer.features", torch.zeros(1), "population.buffer.features: expected ["),
        ("population.env.state.x", torch.zeros(4), "population.env.state.x: expected [4] int32, got [4] float32"),
        ("population.env.key", 5, "population.env.key: expected [4] int32, got a int"),
        ("population.hidden", [], "population.hidden: expected a list of 2, got 0"),
        ("population.random.replay", "x", ""),
        ("population.learner.optimizer", {}, ""),
        ("population.learner.optimizer.state", {0: 5}, ""),
        ("population.learner.optimizer.param_groups.0.lr", "x", "optimizer.lr: expected a number, got a str"),
        ("population.learning.past.features", torch.zeros(2), ""),
    ],
)  # fmt: skip
def test_a_state_that_was_made_up_is_one_line(tmp_path, capsys, stopped, key, value, said):
    run = shutil.copytree(stopped, tmp_path / "run")
    found = saved(run, 16)
    change(found.state, key, value)
    checkpoint.save(run / "checkpoints", 16, found.model, found.state, facts=found.manifest["facts"])
    capsys.readouterr()
    assert resume(run) == 1
    err = capsys.readouterr().err
    assert (
        err.startswith(f"townlet train: {run / 'checkpoints' / 'step_000000016'}: expected ") and err.count("\n") == 1
    )
    assert said in err
