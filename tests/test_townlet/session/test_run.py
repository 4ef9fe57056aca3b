"""What a run that was trained hands out: its metrics, its agent, what it comes to, and how a notebook shows it."""

import json
from contextlib import closing

import numpy as np
import pytest

import townlet
from support.rooms import room, write_level
from townlet import evaluate
from townlet.config import ConfigError
from townlet.run.curves import draw_run
from townlet.run.metrics import MetricsStore


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    level = write_level(folder, room())
    return townlet.learn(level, run_name="run", runs_dir=folder, device="cpu", progress=False, evaluate_every=16)


def test_metrics_are_arrays_of_steps_and_values_as_they_were_recorded(run):
    steps, values = run.metrics("eval/mean_ep_length")
    assert steps.dtype == np.int64 and steps.tolist() == [16, 32] and values.tolist() == [5.0, 5.0]
    with closing(MetricsStore(run.path / "metrics.sqlite", read_only=True)) as store:
        recorded = store.scalars("train/epsilon")
    assert list(zip(*(part.tolist() for part in run.metrics("train/epsilon")), strict=True)) == recorded
    with pytest.raises(ValueError, match=r"^metrics: expected one of .* 'train/los'; did you mean 'train/loss'\?$"):
        run.metrics("train/los")


def test_it_is_evaluated_as_by_the_command(run, capsys):
    for flags, keywords in (
        (["--episodes", "4"], {"episodes": 4}),
        (["--episodes", "2", "--forget-every", "1", "--set", "max_steps=3", "--seed", "5"],
         {"episodes": 2, "forget_every": 1, "overrides": {"max_steps": "3"}, "seed": 5}),
    ):  # fmt: skip
        assert evaluate.main([str(run.path), *flags, "--device", "cpu", "--json"]) == 0
        assert run.evaluate(**keywords) == json.loads(capsys.readouterr().out)
    with pytest.raises(ConfigError, match=r"^episodes: expected at least 1, got 0$"):
        run.evaluate(0)


def test_its_agent_acts_and_the_run_stands_for_its_folder(run):
    for policy in (run.policy(), townlet.load_policy(run), run.policy(checkpoint="best")):
        assert policy.task == run.level
    shown = townlet.show(run, agents=2, steps=3)
    assert shown.replay.header.level.id == "room" and [life.length for life in shown.replay.lives] == [3, 3]


def test_a_notebook_shows_its_curves_and_says_where_the_rest_lies(run):
    assert "<img" not in run._repr_html_() and repr(run) == f"a run of 32 steps in level room: {run.path}"
    draw_run(run.level, run.path / "metrics.sqlite", run.path / "curves.png")
    page = run._repr_html_()
    assert 'src="data:image/png;base64,iVBOR' in page and "Level room, room: 32 steps<" in page
    assert str(run.path / "report.html") in page


def test_a_notebook_is_told_what_stopped_a_run_and_no_name_gets_out_of_its_place(run):
    stopped = townlet.Run(run.path / "<b>", run.level, 8, "goal", "greedy <survival> 5.0 reached the goal of 5")
    page = stopped._repr_html_()
    assert "8 steps; stopped: greedy &lt;survival&gt; 5.0 reached the goal of 5<" in page and "<b>/report" not in page
    assert "8 steps; stopped: by hand<" in townlet.Run(run.path, run.level, 8, "interrupt")._repr_html_()
