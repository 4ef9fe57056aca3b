"""Whole numbers as people write them, in a level's file and by its keys."""

from pathlib import Path

import pytest

from townlet.config import ConfigError, load_level
from townlet.level.whole import multiplied

WRITTEN = [
    ("10000", 10_000), ("10_000", 10_000), ("1e6", 1_000_000), ("2.5E+3", 2_500), ("2M", 2_000_000), ("10k", 10_000),
    ("1.5m", 1_500_000), ("1_000k", 1_000_000), ("1G", 10**9), ("3b", 3 * 10**9), ("'2M'", 2_000_000), ("7.0", 7),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WRITTEN)
def test_a_whole_number_is_read_from_a_file_as_people_write_it(text: str, value: int, tmp_path: Path) -> None:
    file = tmp_path / "level.yaml"
    file.write_text(f"extends: 0\ntraining:\n  total_steps: {text}\n")
    assert load_level(file).training.total_steps == value


@pytest.mark.parametrize(("text", "value"), WRITTEN)
def test_a_key_takes_a_whole_number_as_people_write_it(text: str, value: int) -> None:
    keys = {"training.total_steps": text, "evaluation.every": text, "network.hidden": f"[{text}]"}
    level = load_level("0", keys)
    assert (level.training.total_steps, level.evaluation.every) == (value, value)
    assert level.network.hidden == (value,)


@pytest.mark.parametrize("text", ["1.5", "1.23456e3", "0.5e0", "M", "2MM", "2 M", "1e-3", "1e6.5", "e6", "1e999", "2T"])
def test_what_is_no_whole_number_when_all_is_multiplied_is_refused_by_its_key(text: str) -> None:
    assert multiplied(text) is None
    with pytest.raises(ConfigError, match=r"^--set training\.total_steps: expected an? (integer|finite value)"):
        load_level("0", {"training.total_steps": text})


def test_what_takes_a_text_takes_it_as_it_is() -> None:
    level = load_level("0", {"name": "2M", "id": "1k"})
    assert (level.name, level.id) == ("2M", "1k")


def test_a_number_out_of_its_limits_is_told_in_full() -> None:
    with pytest.raises(ConfigError) as caught:
        load_level("0", {"training.num_agents": "2M"})
    assert str(caught.value) == "--set training.num_agents: expected an integer, at least 1, at most 1048576, got '2M'"
