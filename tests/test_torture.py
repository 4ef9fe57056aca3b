"""The campaign itself: what holds and what does not is told apart, with the seed that shows it again."""

import json
import random
import re
from pathlib import Path

import pytest
import torture.__main__ as campaign
from torture import damage, stranger, texts
from torture.child import Broken
from torture.runs import KINDS, Outcome, Reference, compare, end


def odd_seeds_break(rng: random.Random, folder: Path, reference: Reference) -> str:
    if folder.name.endswith(("1", "3", "5", "7", "9")):
        raise Broken("expected an even seed, got an odd one")
    return "even"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "TRIALS", {"odd": (odd_seeds_break, 1, "odd seeds break")})


def test_a_promise_that_does_not_hold_is_named_with_its_seed_and_fails_the_campaign(trials, capsys) -> None:
    assert campaign.main(["--only", "odd", "--seed", "7"]) == 1
    shown = capsys.readouterr().out
    assert "broken    --only odd --seed 7" in shown and "expected an even seed, got an odd one" in shown
    assert campaign.main(["--only", "odd", "--seed", "8"]) == 0
    assert re.search(r"^odd +1 +1 ", capsys.readouterr().out, re.MULTILINE)


def test_the_same_first_seed_gives_the_same_trials(trials, capsys) -> None:
    assert campaign.main(["--first-seed", "8", "--minutes", "0.0005", "--jobs", "1"]) in (0, 1)
    assert "--only odd --seed 8 " in capsys.readouterr().out


def test_a_trial_that_cannot_be_tried_is_no_promise_held(monkeypatch, capsys) -> None:
    def fails(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(campaign, "TRIALS", {"fails": (fails, 1, "fails")})
    assert campaign.main(["--only", "fails", "--seed", "0"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_a_seed_goes_with_one_kind(capsys) -> None:
    for wrong in (["--seed", "7"], ["--seed", "7", "--only", "kill", "--only", "swap"], ["--only", "earthquake"]):
        with pytest.raises(SystemExit) as stopped:
            campaign.main(wrong)
        assert stopped.value.code == 2


def test_the_page_is_written_between_its_marks_where_all_held(trials, tmp_path, monkeypatch) -> None:
    page = tmp_path / "docs" / "reliability.md"
    page.parent.mkdir()
    page.write_text(f"before\n{campaign.BEGIN}old\n{campaign.END}after\n")
    monkeypatch.setattr(campaign, "PAGE", page)
    monkeypatch.setattr(campaign, "ROOT", tmp_path)
    assert campaign.main(["--only", "odd", "--seed", "8", "--write"]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| `odd` | odd seeds break | 1 | 1 |" in text
    assert campaign.main(["--only", "odd", "--seed", "7", "--write"]) == 1
    assert page.read_text() == text


def test_the_shipped_page_has_the_marks() -> None:
    text = (Path(campaign.__file__).parents[2] / "docs" / "reliability.md").read_text()
    assert text.count(campaign.BEGIN) == text.count(campaign.END) == 1


def test_other_weights_and_other_metrics_are_told() -> None:
    one = Outcome(8, "abc", ((8, "train/loss", 0.5),))
    compare(one, one, "same")
    with pytest.raises(Broken, match=r"what: expected step and weights \(8, 'abc'\), got \(8, 'abd'\)"):
        compare(one, one._replace(weights="abd"), "what")
    with pytest.raises(Broken, match="what: expected the same metrics, got others, as"):
        compare(one, one._replace(scalars=()), "what")


def test_a_ladder_has_come_to_what_its_newest_level_has(tmp_path) -> None:
    for level, step in (("0_minimal", 192), ("0.5_dual_resource", 160), ("0.5_dual_resource", 96)):
        checkpoint = tmp_path / "ladder" / "run" / level / "checkpoints" / f"step_{step:09}"
        checkpoint.mkdir(parents=True)
        files = {"model.safetensors": {"sha256": f"of {level}"}}
        (checkpoint / "manifest.json").write_text(json.dumps({"step": step, "files": files}))
    assert end(tmp_path) == (160, "of 0.5_dual_resource")  # its metrics are not needed


def test_what_is_drawn_follows_from_the_seed_alone() -> None:
    text = "a: 1\nb: {c: 2, d: [3, 4]}\n"
    changed = [[texts._changed(text, random.Random(seed)) for seed in range(50)] for _ in range(2)]
    assert changed[0] == changed[1] and len(set(changed[0])) > 30


@pytest.mark.parametrize("how", [damage._cut, damage._flip])
def test_a_damaged_file_is_another_file(how, tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    how(path, random.Random(3))
    assert path.read_bytes() != bytes(range(100))


def test_a_stranger_is_right_until_its_moment() -> None:
    stranger.Stranger.steps = 0
    env = stranger.Stranger("reward nan", at=2)
    env.reset(seed=0)
    assert env.step(1)[1] == 1.0 and env.step(1)[1] != env.step(1)[1]
    stranger.Stranger.steps = 0


def test_each_kind_of_run_is_there() -> None:
    assert set(KINDS) == {"feed-forward", "recurrent", "replay", "stages", "ladder", "gymnasium"}
