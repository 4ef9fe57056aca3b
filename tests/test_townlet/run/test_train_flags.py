"""What each flag of `townlet train` changes in a run, by what the run then holds."""

import json
import re
from pathlib import Path

import pytest

from support.rooms import room, saved, train_briefly, write_level
from townlet import train
from townlet.config import load_level
from townlet.run import training


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


# --- the plan -----------------------------------------------------------------------------------------------------


def test_the_level_is_the_one_that_is_named_and_level_2_by_itself(capsys, tmp_path):
    assert "level     0.5 dual_resource" in plan_of(capsys, "--level", "0.5")
    assert f"level     {write_level(tmp_path, room()).stem} room" in plan_of(capsys, "--level", f"{tmp_path}/room.yaml")
    assert "level     2 partial_observability" in plan_of(capsys)


def test_without_flags_a_run_is_evaluated_as_its_level_says_and_saved_a_twentieth_apart(capsys, tmp_path):
    path = write_level(tmp_path, room(evaluation__every=16, training__total_steps=160))
    assert "a checkpoint every 8, an evaluation of 4 episodes every 16\n" in plan_of(capsys, "--level", str(path))
    flags = ["--checkpoint-every", "12", "--evaluate-every", "20"]
    assert "a checkpoint every 12, an evaluation of 4 episodes every 20\n" in plan_of(
        capsys, "--level", str(path), *flags
    )


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
    flags = ["--level", str(write_level(tmp_path, room())), "--runs-dir", str(tmp_path), "--run-name", "named"]
    flags += ["--seed", "7", "--num-agents", "2", "--total-steps", "24", "--set", "max_steps=6"]
    flags += ["--checkpoint-every", "8", "--evaluate-every", "12", "--plain", "--device", "cpu"]
    assert train.main(flags) == 0
    run = tmp_path / "room_room" / "named"
    level = load_level(run / "config.yaml")
    assert (level.training.seed, level.training.num_agents, level.training.total_steps) == (7, 2, 24)
    assert level.max_steps == 6
    assert sorted(set(saved_steps(run))) == [8, 12, 16, 24] and evaluated_steps(run) == [12, 24]
    meta = json.loads((run / "meta.json").read_text())
    assert (meta["seed"], meta["device"], meta["level"]) == (7, "cpu", "room")


@pytest.mark.parametrize("plain", [True, False])
def test_plain_lines_take_the_place_of_the_dashboard_where_they_are_asked_for(plain, tmp_path, monkeypatch):
    made, make = [], training.make_reporter

    def noted(plain_asked):
        made.append(plain_asked)
        return make(True)

    monkeypatch.setattr(training, "make_reporter", noted)
    path = write_level(tmp_path, room())
    flags = ["--level", str(path), "--device", "cpu", "--runs-dir", str(tmp_path), *(["--plain"] if plain else [])]
    assert train.main(flags) == 0 and made == [plain]


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_run_goes_on_from_its_newest_checkpoint_by_its_path_its_name_or_as_the_latest(tmp_path):
    run = train_briefly(tmp_path, room())
    for steps, reference in ((36, str(run)), (40, "run"), (44, "latest")):
        flags = ["--resume", reference, "--runs-dir", str(tmp_path), "--total-steps", str(steps)]
        assert train.main([*flags, "--plain", "--device", "cpu"]) == 0
        assert saved(run, steps).step == steps
