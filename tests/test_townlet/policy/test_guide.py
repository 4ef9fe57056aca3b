"""The guide on taking an agent along is one program, from the first training to the last evaluation."""

import re
import shlex
from pathlib import Path

import pytest

from townlet.commands import cli

GUIDE = (Path(__file__).parents[3] / "docs" / "take_it_along.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
SMALL = ["--total-steps", "256", "--num-agents", "16", "--device", "cpu", "--plain", "--set", "max_steps=20"]


def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block.replace("1_000", "100").replace("=64", "=4"), "take_it_along", "exec"), names)
            continue
        for line in block.splitlines():
            match shlex.split(line, comments=True):
                case ["townlet", "train", *flags]:
                    assert cli.main(["train", *flags, *SMALL]) == 0, line
                case ["townlet", "export" | "evaluate" as word, *flags]:
                    assert cli.main([word, *flags, "--episodes", "4", "--device", "cpu"]) == 0, line
                case _:
                    pytest.fail(f"no rule for {line}")
    assert (tmp_path / "my_agent" / "README.md").is_file() and len([*tmp_path.glob("runs/*/*")]) == 2
