"""The guide on training from Python is one program."""

import re
from pathlib import Path

import townlet
from townlet.callbacks.callback import Moment

GUIDE = (Path(__file__).parents[3] / "docs" / "in_python.md").read_text()
SMALL = {"training.num_agents": 16, "training.mode.minibatches": 1, "evaluation.episodes": 4, "max_steps": 40}


def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    learn = townlet.learn

    def quickly(level=None, overrides=None, **keywords):
        if "resume" not in keywords:  # a run that goes on is small already
            overrides = SMALL | {"training.seed": 0} | (overrides or {})
            if "training.stop" in overrides:
                overrides["training.stop"] = {"goal": 4, "patience": 3}
        for name in ("total_steps", "evaluate_every"):
            keywords |= {name: keywords[name] // 50} if name in keywords else {}
        return learn(level, overrides, device="cpu", **{"progress": False} | keywords)

    monkeypatch.setattr(townlet, "learn", quickly, raising=False)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, "in_python", "exec"), names)
    said = capsys.readouterr().out
    assert "callback at step 400 since two entries are enough" in said and "goal greedy survival" in said
    assert [*tmp_path.glob("boards/one/events*")]


def test_the_guide_names_every_method_of_a_callback_and_every_field_of_a_moment():
    hooks = {name for name in vars(townlet.Callback) if name.startswith("on_")}
    assert hooks == set(re.findall(r"^\| `(on_\w+)` \|", GUIDE, flags=re.MULTILINE))
    fields = {name for name in Moment.__dataclass_fields__ if not name.startswith("_")}
    assert fields <= set(re.findall(r"`(\w+)`", GUIDE))
