"""Level after level: what each gets of the steps, when one is left, what goes up, and what a resumed ladder does."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from support.learning import network_of
from support.rooms import after_step, room, stop, write_level
from townlet import train
from townlet.agent.carrying import Interface, carry_weights
from townlet.config import ConfigError, load_level
from townlet.environment.layout import lay_out
from townlet.population.evaluation import Evaluator
from townlet.run import ladder as ladders
from townlet.run import training_run
from townlet.run.ladder import Ladder, Outcome, find_ladder, load_levels, share_out
from townlet.run.metrics import MetricsStore
from townlet.run.plan import with_budget
from townlet.run.run_directory import RunDirectory, RunError, resolve_run
from townlet.run.saving import checkpoint
from townlet.run.training_run import TrainingRun

SMALL = {
    "network": '{"kind": "recurrent", "encoder": {"kind": "joint", "width": 6}, "hidden": 5, "head": 5}',
    "training.num_agents": "8", "training.mode.minibatches": "2", "evaluation.episodes": "4", "max_steps": "30",
    "layout.training_maps": "32", "layout.evaluation_maps": "16",
}  # fmt: skip
SELDOM = ["--checkpoint-every", "100_000"]  # where a level is evaluated or left, and nowhere else
ALL = ["0", "0.5", "1", "2", "2.5", "3"]


def climb(runs: Path, *arguments: str, levels: str = "1,2,3", settings: dict[str, str] | None = None) -> Path:
    """Climb a small ladder in this process; returns its folder."""
    flags = [word for key, value in (SMALL | (settings or {})).items() for word in ("--set", f"{key}={value}")]
    common = ["--plain", "--device", "cpu", "--runs-dir", str(runs), "--run-name", "up", *SELDOM]
    assert train.main(["--curriculum", levels, *flags, *common, *arguments]) == 0
    return runs / "ladder" / "up"


def facts(folder: Path) -> dict:
    return json.loads((folder / "ladder.json").read_text())


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_latest(run / "checkpoints", pytest.fail).model


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """A ladder climbed to its top without a break, to be read."""
    return climb(tmp_path_factory.mktemp("climbed"), settings={"training.total_steps": "128"})


# --- before the first step ----------------------------------------------------------------------------------------


def test_all_levels_have_the_network_of_the_last_so_that_the_shipped_ones_make_a_ladder():
    levels = load_levels(ALL, {})
    assert [level.id for level in levels] == ALL
    assert {level.network for level in levels} == {load_level("3").network}


def test_what_is_learned_of_places_goes_up_from_where_a_position_is_a_number_for_each_cell():
    levels = load_levels(["0.5", "1", "2"], {})  # Level 1 observes its position so, the others as x and y
    assert {level.network for level in levels} == {load_level("2").network} and levels[0].network.memory


def test_what_reads_a_part_that_some_level_does_not_show_is_left_out():
    asked = {"network.frontier": True}
    assert [level.network.frontier for level in load_levels(["2", "2.5"], asked)] == [True, True]
    assert [level.network.directions for level in load_levels(["0.5", "1"], {})] == [True, True]
    assert [level.network.directions for level in load_levels(["0", "0.5"], {})] == [False, False]


@pytest.mark.parametrize(
    ("references", "overrides", "said"),
    [
        (["2"], {}, "two levels or more, each once, got 2"),
        (["2", "1", "2"], {}, "each once, got 2, 1, 2"),
        (["2", "station"], {}, "from level 2 to station: affordances: expected the same vocabulary, Bed, "),
        (["1", "2-reference"], {}, "level 1: network.encoder.kind: expected joint, since no window is observed"),
        (["0", "cartpole-without-velocities"], {}, "expected a level of the town"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused_before_it_begins(references, overrides, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_levels(references, overrides)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--curriculum", "0,1", "--level", "2"], "--curriculum begins with its first level"),
        (["--curriculum", "0,1", "--resume", "latest"], "--resume goes on as it is"),
        (["--curriculum", "0,1", "--mastery", "1.5"], "expected a number above 0 and up to 1, got '1.5'"),
        (["--mastery", "0.5"], "--mastery is of a ladder"),
    ],
)
def test_wrong_use_is_one_line(arguments, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main(arguments)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_a_ladder_refused_leaves_nothing(tmp_path, capsys):
    command = ["--curriculum", "2,station", "--runs-dir", str(tmp_path), "--device", "cpu", "--plain"]
    assert train.main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_dry_run_tells_the_plan_of_each_level_and_leaves_nothing(tmp_path, capsys):
    command = ["--curriculum", ",".join(ALL), "--runs-dir", str(tmp_path), "--device", "cpu", "--dry-run"]
    assert train.main([*command, "--total-steps", "8_840_000", "--mastery", "0.8"]) == 0
    said = capsys.readouterr().out
    # The shipped levels have 0.4, 3, 15, 10, 30 and 30 million steps: a tenth of each.
    assert re.findall(r"steps +([\d,]+) in all;", said) == [
        "40,000", "300,000", "1,500,000", "1,000,000", "3,000,000", "3,000,000",
    ]  # fmt: skip
    assert "8,840,000 steps in all; a level is left at 80% of its limit" in said
    assert not list(tmp_path.iterdir())


# --- budgets ------------------------------------------------------------------------------------------------------


def test_steps_are_shared_out_in_proportion_and_pace_what_depends_on_them():
    levels = load_levels(["0", "0.5"], {})  # 400,000 and 3,000,000
    assert share_out(levels, 34_000) == [4_000, 30_000]
    paced = with_budget(load_level("0", {"training.decay_steps": 200_000}), 40_000)
    assert paced.training.total_steps == 40_000 and paced.training.decay_steps == 20_000
    assert paced.evaluation.every == 10_000  # 100,000 of 400,000


def test_what_mastered_levels_leave_is_lived_on_the_last(tmp_path):
    levels = load_levels(["1", "2", "3"], SMALL | {"training.total_steps": 400})
    ladder = Ladder.create(tmp_path, "up", levels, 0.9, None)
    first = ladder.rung()
    assert first is not None and first.level.id == "1" and first.goal == 27.0 and not first.begun  # 0.9 of 30
    assert first.level.training.total_steps == 400
    ladder.leave(Outcome(104, 29.0, True))
    ladder.leave(Outcome(400, 12.0, False))
    last = Ladder.open(ladder.path).rung()
    assert last is not None and last.level.id == "3" and last.goal is None
    assert last.level.training.total_steps == 1200 - 104 - 400
    ladder.leave(Outcome(696, 29.0, False))
    assert ladder.rung() is None and ladder.newest().name == "3_temporal_mechanics"


# --- climbing -----------------------------------------------------------------------------------------------------


def evaluate_as(monkeypatch, survival):
    """Let every evaluation find this survival, and all else as the first does."""
    whole, found = Evaluator.compare, {}

    def compare(*arguments, **options):
        found.update(found or whole(*arguments, **options)[0])
        return found | {"mean_ep_length": survival}, found

    monkeypatch.setattr(Evaluator, "compare", compare)


def test_a_level_is_left_at_mastery_or_when_its_steps_are_used_up(tmp_path, monkeypatch, capsys):
    """A greedy survival of 15 of 30 on all: just enough for 0.5, not for 0.6."""
    evaluate_as(monkeypatch, 15.0)
    steps = {"training.total_steps": "128", "evaluation.every": "64"}
    left = facts(climb(tmp_path / "low", "--mastery", "0.5", settings=steps))["outcomes"]
    assert [(one["steps"], one["mastered"]) for one in left] == [(64, True), (64, True), (256, False)]
    assert [one["score"] for one in left] == [15.0] * 3
    left = facts(climb(tmp_path / "high", "--mastery", "0.6", settings=steps))["outcomes"]
    assert [(one["steps"], one["mastered"]) for one in left] == [(128, False)] * 3
    assert str(tmp_path / "high" / "ladder" / "up" / "3_temporal_mechanics") in capsys.readouterr().out


def test_each_level_begins_with_the_weights_of_the_one_below(tmp_path, monkeypatch):
    begun = []
    loop = TrainingRun._loop

    def watched(run: TrainingRun) -> None:
        begun.append((run.task, {name: value.clone() for name, value in run.population.network.state_dict().items()}))
        assert run.population.learner.target is not None
        target = run.population.learner.target.state_dict()
        assert all(torch.equal(value, target[name]) for name, value in begun[-1][1].items())
        loop(run)

    monkeypatch.setattr(TrainingRun, "_loop", watched)
    folder = climb(tmp_path, settings={"training.total_steps": "96", "training.target_every": "3"})
    assert [task.id for task, _ in begun] == ["1", "2", "3"]
    runs = [folder / name for name in facts(folder)["rungs"]]
    for (below, _), (above, weights), run in zip(begun, begun[1:], runs, strict=False):
        old, new = network_of(below), network_of(above)
        old.load_state_dict(last_weights(run))
        carry_weights(old, Interface.of(below, lay_out(below)), new, Interface.of(above, lay_out(above)))
        assert all(torch.equal(value, weights[name]) for name, value in new.state_dict().items())


def test_each_level_is_an_ordinary_run_and_the_newest_is_the_latest(climbed):
    runs = climbed.parents[1]
    assert resolve_run("latest", runs) == climbed / "3_temporal_mechanics"
    for name in facts(climbed)["rungs"]:
        for part in ("config.yaml", "meta.json", "metrics.sqlite", "checkpoints/latest.json"):
            assert (climbed / name / part).is_file(), part
    taken = ["--curriculum", "1,2", "--runs-dir", str(runs), "--run-name", "up", "--device", "cpu", "--plain"]
    assert train.main(taken) == 1


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_ladder_is_found_by_its_path_its_name_or_a_run_in_it(tmp_path):
    levels = load_levels(["1", "2"], SMALL)
    folder = Ladder.create(tmp_path, "up", levels, 0.9, None).path
    references = [str(folder), "up", "latest", "1_full_observability", str(folder / "2_partial_observability")]
    assert {find_ladder(reference, tmp_path) for reference in references} == {folder}
    RunDirectory.create(tmp_path, "2_partial_observability", 0, "alone").write_config("")
    assert find_ladder("alone", tmp_path) is None


def test_stopped_in_the_middle_and_resumed_equals_uninterrupted(climbed, tmp_path, monkeypatch, capsys):
    loop = TrainingRun._loop

    def stopped(run: TrainingRun) -> None:
        if run.task.id == "2":
            step = run.population.step

            def once_more() -> dict[str, torch.Tensor]:
                run.stop.wanted = run.population.env_steps >= 72
                return step()

            monkeypatch.setattr(run.population, "step", once_more)
        loop(run)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingRun, "_loop", stopped)
        parts = climb(tmp_path / "parts", settings={"training.total_steps": "128"})
    assert len(facts(parts)["outcomes"]) == 1
    again = ["--resume", "latest", "--runs-dir", str(tmp_path / "parts")]
    capsys.readouterr()
    assert train.main([*again, "--device", "cpu", "--plain"]) == 0
    assert capsys.readouterr().err == f"latest is {parts}\n"
    assert facts(parts)["outcomes"] == facts(climbed)["outcomes"]
    for name in facts(climbed)["rungs"]:
        one, other = last_weights(climbed / name), last_weights(parts / name)
        assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_level_mastered_but_not_yet_left_is_left_when_resumed(tmp_path, monkeypatch):
    """The process ends between the last checkpoint and the note in ladder.json."""
    flags = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    steps = ["--set", "training.total_steps=128", "--set", "evaluation.every=64"]
    common = ["--runs-dir", str(tmp_path), "--device", "cpu", "--plain"]
    with monkeypatch.context() as patched:
        patched.setattr(ladders.Ladder, "leave", lambda *_: (_ for _ in ()).throw(RunError("power cut")))
        patched.setattr(training_run, "REPORTS_IN_A_RUN", 1)
        evaluate_as(patched, 30.0)
        assert train.main(["--curriculum", "1,2", "--run-name", "up", *flags, *steps, *common, *SELDOM]) == 1
    assert train.main(["--resume", "up", *common, *SELDOM]) == 0
    outcomes = facts(tmp_path / "ladder" / "up")["outcomes"]
    assert outcomes[0] == {"steps": 64, "score": 30.0, "mastered": True}
    assert outcomes[1]["steps"] == 192


def test_a_level_killed_before_its_first_checkpoint_begins_anew_with_the_weights_of_the_one_below(tmp_path, capsys):
    folder = climb(tmp_path, settings={"training.total_steps": "64"}, levels="1,2")
    last = folder / "2_partial_observability"
    weights, told = last_weights(last), facts(folder)
    shutil.rmtree(last / "checkpoints")
    (folder / "ladder.json").write_text(json.dumps(told | {"outcomes": told["outcomes"][:1]}))
    capsys.readouterr()
    assert train.main(["--resume", str(folder), "--device", "cpu", "--plain"]) == 0
    assert "no checkpoint was saved yet: begins anew" in capsys.readouterr().out
    assert all(torch.equal(value, last_weights(last)[name]) for name, value in weights.items())


def test_a_ladder_keeps_its_pace_on_every_level(tmp_path, monkeypatch):
    evaluate_as(monkeypatch, 5.0)  # no level is mastered
    steps = {"training.total_steps": "160", "evaluation.every": "40"}
    every = ["--checkpoint-every", "48", "--evaluate-every", "64"]
    with after_step(88, stop):
        folder = climb(tmp_path, *every, settings=steps, levels="1,2")
    assert train.main(["--resume", str(folder), "--device", "cpu", "--plain"]) == 0
    for name in facts(folder)["rungs"]:
        store = MetricsStore(folder / name / "metrics.sqlite", read_only=True)
        assert [one["step"] for one in store.evaluations()] == [64, 128, 160], name
        store.close()
        assert load_level(folder / name / "config.yaml").evaluation.every == 64
        kept = sorted(path.name for path in (folder / name / "checkpoints").glob("step_*"))
        assert kept[-3:] == ["step_000000128", "step_000000144", "step_000000160"]
    assert facts(folder)["pace"] == {"checkpoint_every": 48, "evaluate_every": 64}


def test_levels_whose_evaluation_plays_on_maps_of_a_level_below_make_no_ladder(tmp_path):
    """The second has the maps of the first, but trains on fewer of them."""
    folder = tmp_path / "levels"
    folder.mkdir()
    paths = [str(write_level(folder, room(id=name, layout__training_maps=maps))) for name, maps in (("a", 2), ("b", 1))]
    with pytest.raises(ConfigError, match=r"after level a, level b: layout\.training_maps: expected at least 2"):
        load_levels(paths, {})
    assert [level.id for level in load_levels(paths[::-1], {})] == ["b", "a"]


def test_a_checkpoint_of_another_run_teaches_nobody(tmp_path, capsys):
    folder = climb(tmp_path, settings={"training.total_steps": "64"}, levels="1,2")
    first, told = folder / "1_full_observability", facts(folder)
    meta = json.loads((first / "meta.json").read_text())
    (first / "meta.json").write_text(json.dumps(meta | {"run": "another"}))
    (folder / "ladder.json").write_text(json.dumps(told | {"outcomes": told["outcomes"][:1]}))
    shutil.rmtree(folder / "2_partial_observability" / "checkpoints")
    capsys.readouterr()
    assert train.main(["--resume", str(folder), "--device", "cpu", "--plain"]) == 1
    err = capsys.readouterr().err
    assert "that are damaged or of another run" in err and err.count("\n") == 1


@pytest.mark.parametrize("outcomes", [[5], [{"steps": 1}], [{"steps": 1, "score": None, "mastered": True, "x": 1}]])
def test_a_ladder_file_that_was_made_up_is_one_line(tmp_path, capsys, outcomes):
    folder = Ladder.create(tmp_path, "up", load_levels(["1", "2"], SMALL), 0.9, None).path
    (folder / "ladder.json").write_text(json.dumps(facts(folder) | {"outcomes": outcomes}))
    assert train.main(["--resume", str(folder), "--device", "cpu", "--plain"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_dry_run_of_a_ladder_that_goes_on_tells_what_is_next_and_trains_nothing(tmp_path, capsys):
    ladder = Ladder.create(tmp_path, "up", load_levels(["1", "2"], SMALL), 0.9, None)
    dry_run = ["--resume", str(ladder.path), "--device", "cpu", "--dry-run", "--checkpoint-every", "7"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert train.main(dry_run) == 0
    said = capsys.readouterr().out
    assert f"goes on with {ladder.path / '1_full_observability'}\n" in said and "at a greedy survival of 27" in said
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    for _ in range(2):
        ladder.leave(Outcome(400, 12.0, False))
    assert train.main(dry_run) == 0
    assert capsys.readouterr().out == "nothing is left to train: every level of the ladder is done\n"


def test_a_ladder_goes_on_as_it_is(climbed, tmp_path, capsys):
    folder = Path(shutil.copytree(climbed, tmp_path / "ladder" / "up"))
    assert train.main(["--resume", str(folder), "--total-steps", "900", "--device", "cpu"]) == 2
    assert "a ladder goes on as it is" in capsys.readouterr().err
    assert train.main(["--resume", str(folder), "--device", "cpu"]) == 0
    assert "nothing is left to train: every level of the ladder is done" in capsys.readouterr().out
    (folder / "ladder.json").write_text('{"rungs": []}')
    assert train.main(["--resume", str(folder), "--device", "cpu"]) == 1
    assert "ladder.json: expected a ladder" in capsys.readouterr().err
