"""`townlet`: its words, in this process."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

import townlet
from townlet import evaluate
from townlet.commands import check_env, cli, compare
from townlet.config import load_level, load_task, resolved_config
from townlet.level.file import shipped_levels, shipped_tasks
from townlet.level.task import WORD
from townlet.run.metrics import MetricsStore

Capture = pytest.CaptureFixture[str]


def exit_code(*arguments: str) -> int:
    """What the command exits with, also where its parser stops it."""
    try:
        return cli.main(arguments)
    except SystemExit as stopped:
        return int(stopped.code or 0)


def words(capsys: Capture) -> list[str]:
    """The commands that the help lists."""
    assert exit_code("--help") == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.startswith("usage: townlet COMMAND")
    return [line.split()[0] for line in said.out.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands_and_asks_for_no_more(flag: str, capsys: Capture) -> None:
    assert exit_code(flag) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {word} " in out for word in ("train", "evaluate", "levels", "validate"))


def test_every_word_of_the_help_is_a_command_with_help_of_its_own(capsys: Capture) -> None:
    for word in words(capsys):
        assert exit_code(word, "--help") == 0, word
        said = capsys.readouterr()
        assert said.out.startswith(f"usage: townlet {word}") and said.err == "", word


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ((), "nothing"),
        (("trian",), "'trian'; did you mean 'train'?"),
        (("",), "''"),
        (("--versoin",), "'--versoin'; did you mean '--version'?"),
        (("--hepl", "train"), "'--hepl'; did you mean '--help'?"),
        (("help",), "'help'; did you mean '--help'?"),
    ],
)
def test_a_wrong_word_is_one_line_that_names_all_words_and_the_one_that_was_meant(
    arguments: tuple[str, ...], got: str, capsys: Capture
) -> None:
    known = words(capsys)
    assert exit_code(*arguments) == 2
    said = capsys.readouterr()
    assert said.err == f"townlet: expected one of {', '.join(known)}, got {got} (see townlet --help)\n"
    assert said.out == ""


def test_words_come_from_the_command_line_where_none_are_given(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["townlet", "validate", "0"])
    assert cli.main() == 0
    assert (
        capsys.readouterr().out
        == "0: level 0, minimal, is right: 3x3 fixed, 1 place, 1 meter, 5 actions, 43 numbers seen\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("levels", "--map", "1"),
        ("levels", "0", "--map", "1"),
        ("validate",),
        ("validate", "2", "--strict"),
        ("evaluate",),
        ("train", "--levle", "2"),
    ],
)
def test_wrong_use_of_a_command_is_one_line_and_exit_code_2(arguments: tuple[str, ...], capsys: Capture) -> None:
    assert exit_code(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"townlet {arguments[0]}: error: ")
    assert said.err.endswith(f"(see townlet {arguments[0]} --help)\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--levle", "2"), "unrecognized arguments: --levle; did you mean '--level'?"),
        (("evaluate", "latest", "--epsiodes=4"), "unrecognized arguments: --epsiodes=4; did you mean '--episodes'?"),
        (("validate", "0", "--map=1"), "unrecognized arguments: --map=1"),
        (("levels", "2", "3"), "unrecognized arguments: 3"),
        (("train", "2"), "unrecognized arguments: 2; did you mean '--level 2'?"),
        (("train", "--total-steps", "2", "M"), "unrecognized arguments: M; did you mean '2M'?"),
    ],
)
def test_a_wrong_flag_is_told_with_the_one_that_was_meant(
    arguments: tuple[str, ...], said: str, capsys: Capture
) -> None:
    assert exit_code(*arguments) == 2
    word = arguments[0]
    assert capsys.readouterr().err == f"townlet {word}: error: {said} (see townlet {word} --help)\n"


def test_the_version_is_told(capsys: Capture) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr() == (f"townlet {townlet.__version__}\n", "")


@pytest.mark.parametrize("place", ["townlet.evaluate.find_run", "townlet.commands.transfer.find_run"])
def test_ctrl_c_is_one_line(place: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    word = place.split(".")[-2]
    assert (evaluate.main(["latest"]) if word == "evaluate" else exit_code(word, "latest")) == 1
    assert capsys.readouterr().err == f"townlet {word}: stopped\n"


def test_levels_lists_the_ladder_and_all_that_is_shipped_where_that_is_asked_for(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert exit_code("levels") == 0
    *ladder, rest = capsys.readouterr().out.splitlines()
    first = [line.split()[0] for line in ladder if line[:1].strip()]
    assert first == ["id", "0", "0.5", "1", "2", "2.5", "3"]
    assert rest.startswith(f"townlet levels --all: {len(shipped_levels()) - 6} more, ")
    at = next(index for index, line in enumerate(ladder) if line.startswith("3 "))
    facts = [line.strip().split("  ")[-1].strip() for line in ladder[at : at + 5]]
    assert facts[0] == "8x8 random, 14 places" and facts[-2:] == ["recurrent, 256 agents", "30M steps"]
    assert exit_code("levels", "--all") == 0
    out = capsys.readouterr().out
    first = [line.split()[0] for line in out.splitlines() if line[:1].strip()]
    assert first == ["id", *shipped_levels_by_rung(), "task", *shipped_tasks()]
    assert max(map(len, out.splitlines())) <= 80
    told = [load_task(path) for path in [*shipped_levels().values(), *shipped_tasks().values()]]
    assert {word for task in told for word in task.description.split()} <= set(out.split())  # none is broken
    assert exit_code("levels", "2", "--all") == 2


def shipped_levels_by_rung() -> list[str]:
    """The ids of the ladder, then the others."""
    return sorted(shipped_levels(), key=lambda level: not level.replace(".", "").isdigit())


def test_levels_draws_the_level_that_is_named(capsys: Capture, tmp_path: Path) -> None:
    assert exit_code("levels", "2", "--map", "7", "--set", "grid.width=9") == 0
    out = capsys.readouterr().out
    assert "2 partial_observability" in out and "map 7 of 4,096" in out and "9x8 cells" in out
    assert exit_code("levels", "0", "--set", "max_steps=none") == 2
    assert capsys.readouterr().err == "--set max_steps: expected an integer, at least 1, below 2147483648, got 'none'\n"


@pytest.mark.parametrize("level", [None, *shipped_levels()])
def test_levels_is_whole_on_a_narrow_screen(
    level: str | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert exit_code("levels", *([level] if level else [])) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 and "…" not in out
    names = ["0", "0.5", "1", "2", "2.5", "3"] if level is None else [load_level(level).name]
    assert all(name in out for name in names)


def test_validate_looks_at_every_level_named_and_fails_if_one_is_wrong(capsys: Capture, tmp_path: Path) -> None:
    wrong, absent = tmp_path / "wrong.yaml", tmp_path / "absent.yaml"
    wrong.write_text(f"extends: {shipped_levels()['0']}\nmax_steps: 0\nactions: []\n")
    assert exit_code("validate", "0", str(wrong), "no-such-level", str(absent), "minimal") == 2
    said = capsys.readouterr()
    right = "level 0, minimal, is right: 3x3 fixed, 1 place, "
    assert [line.startswith((f"0: {right}", f"minimal: {right}")) for line in said.out.splitlines()] == [True, True]
    first, second, third, fourth = said.err.splitlines()
    assert first.startswith(f"{wrong}:2: max_steps: expected ") and second.startswith(f"{wrong}:3: actions: expected ")
    assert third.startswith("level: expected one of 0, 0.5, 0.5-workaholic, 1, 2, ") and third.endswith(
        "got 'no-such-level'"
    )
    assert fourth == f"{absent}: expected a readable file, got nothing there"


def test_validate_passes_where_all_are_right(capsys: Capture) -> None:
    assert exit_code("validate", *shipped_levels()) == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.count("is right: ") == len(shipped_levels())


def test_validate_tells_which_environment_a_gymnasium_task_is_of(capsys: Capture) -> None:
    assert exit_code("validate", "cartpole-without-velocities") == 0
    assert "is right: Gymnasium's " in capsys.readouterr().out


def test_validate_knows_what_was_meant(capsys: Capture, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"extends: {shipped_levels()['0']}\nid: my town\nextend: world.yaml\n")
    assert exit_code("validate", str(wrong)) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"{wrong}:2: id: expected {WORD}, got 'my town'"
    assert second.startswith(f"{wrong}:3: extend: expected one of extends, id, ")
    assert second.endswith("got 'extend'; did you mean 'extends'?")


def test_train_and_evaluate_are_the_commands_of_their_modules(capsys: Capture, tmp_path: Path) -> None:
    assert exit_code("train", "--level", "0", "--dry-run", "--device", "cpu") == 0
    assert "0 minimal" in capsys.readouterr().out
    assert exit_code("evaluate", "no-such-run", "--runs-dir", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("townlet evaluate: no run 'no-such-run'")


def test_compare_draws_several_runs_into_one_picture(capsys: Capture, tmp_path: Path) -> None:
    small = [
        "--level",
        "2",
        "--num-agents",
        "8",
        "--total-steps",
        "64",
        "--plain",
        "--device",
        "cpu",
        "--runs-dir",
        str(tmp_path),
    ]
    for seed in "12":
        settings = ["--set", "evaluation.episodes=4", "--set", "max_steps=20", "--seed", seed, "--run-name", f"s{seed}"]
        assert exit_code("train", *small, *settings) == 0
    picture, runs = tmp_path / "both.png", ["mine=s1", "mine=s2", "s1"]
    assert exit_code("compare", *runs, "--runs-dir", str(tmp_path), "--out", str(picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    rows = [re.split(r"  +", line.strip()) for line in out.splitlines()]
    (mine,), (alone,) = ([row for row in rows if row[:1] == [label]] for label in ("mine", "s1"))
    assert mine[1] == "2" and alone[1] == "1" and 0.0 < float(mine[2]) <= 20.0
    assert " to " in mine[3] and alone[3] == "-"  # one seed has no interval
    assert exit_code("compare", "s3", "--runs-dir", str(tmp_path), "--out", str(picture)) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert exit_code("compare", "s1", "--runs-dir", str(tmp_path), "--out", str(tmp_path / "no" / "where.png")) == 1
    said = capsys.readouterr().err
    assert said == f"townlet compare: cannot write {tmp_path}/no/where.png: No such file or directory\n"


def test_compare_draws_runs_whose_scores_were_no_numbers(capsys: Capture, tmp_path: Path) -> None:
    """As runs have them that were made before rewards were looked at."""
    nan, finite = {"mean_ep_length": math.nan}, {"mean_ep_length": 5.0}
    for name, results in {"broken": [nan, nan], "half": [nan, finite], "well": [finite, finite]}.items():
        run = tmp_path / "1_level" / name
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(resolved_config(load_level("1")))
        store = MetricsStore(run / "metrics.sqlite")
        for step, result in enumerate(results, start=1):
            store.write_evaluation(step, result, elapsed=1.0)
        store.close()
    runs = ["broken", "half", "well", "both=half", "both=broken"]
    assert exit_code("compare", *runs, "--runs-dir", str(tmp_path), "--out", str(tmp_path / "out.png")) == 0
    rows = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    shown = {row[0]: row[2] for row in rows if row[0] in ("broken", "half", "well", "both")}
    assert shown == {"broken": "nan", "half": "5", "well": "5", "both": "nan"}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_compare_refuses_survival_beside_return_and_draws_what_all_levels_share(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr(compare, "draw_comparison", lambda *_, **facts: drawn.append(facts))
    for level in ("1", "2.5", "station", "memory-length"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "config.yaml").write_text(resolved_config(load_task(level)))
        MetricsStore(tmp_path / level / "metrics.sqlite").close()
    for runs in (["1"], ["1", "2.5"], ["1", "station"]):
        assert exit_code("compare", *runs, "--runs-dir", str(tmp_path)) == 0
    assert [one["title"] for one in drawn] == ["Level 1, full observability", "Levels 1, 2.5", "Levels 1, station"]
    assert [one["yardsticks"] for one in drawn] == [{"random": 101.0, "planner": 500.0}, {"planner": 500.0}, {}]
    assert [one["score"].limit for one in drawn] == [500, 500, None]
    capsys.readouterr()
    assert exit_code("compare", "1", "memory-length", "--runs-dir", str(tmp_path)) == 1
    expected = "expected runs told by survival, as those of level 1, got one of level memory-length, told by return"
    assert capsys.readouterr().err == f"townlet compare: {expected}\n"


def test_check_env_makes_so_many_sub_environments_as_are_asked_for(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[tuple[int, int]] = []
    monkeypatch.setattr(check_env, "check_vector_env", lambda env, steps: checked.append((env.num_envs, steps)))
    for flags in ([], ["--num-envs", "2", "--steps", "7"]):
        assert exit_code("check-env", "Townlet/Level0-v0", *flags) == 0
    assert checked == [(4, 1000), (2, 7)]


def test_check_env_tells_right_from_wrong(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code("check-env", "Townlet/Level2-v0", "--num-envs", "8", "--steps", "130") == 0
    right, taken = capsys.readouterr().out.splitlines()
    assert right == "Townlet/Level2-v0: right, with autoreset mode NextStep"
    assert taken.startswith("keyword arguments, --set gym_options.NAME=VALUE: level, overrides=None, device='cpu', ")
    assert exit_code("check-env", "CartPole-v1", "--steps", "3") == 1
    said = capsys.readouterr()
    assert said.err == "CartPole-v1: env: expected an episode to end within 3 steps, got none: give more steps\n"
    assert said.out == ""


def test_check_env_knows_which_id_was_meant(capsys: Capture) -> None:
    assert exit_code("check-env", "CartPole") == 2
    assert (
        "got 'CartPole': Error: No registered env with id: CartPole; did you mean 'CartPole-v1'?"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["Townlet/Level99-v0", "no_such_module:Some-v0", "a b", "Townlet/Level-v0"])
def test_check_env_of_one_that_cannot_be_made_is_wrong_use(name: str, capsys: Capture) -> None:
    assert exit_code("check-env", name) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"townlet check-env: error: ENV_ID: expected a registered environment, got {name!r}")
    assert said.count("\n") == 1
