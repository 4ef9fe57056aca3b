"""The map of novelty: each cell's own error, on the map that is asked for, drawn by a command."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from support.learning import FRESH, network_of
from townlet import train
from townlet.commands import cli, novelty
from townlet.commands.novelty import novelty_map
from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.exploration.curiosity import make_curiosity
from townlet.exploration.rnd import RandomNetworkDistillation

KEY = "{weight: 0.5, hidden: [8], embedding: 4, learning_rate: 0.01}"
CURIOUS = FRESH | {"training.curiosity": KEY, "grid": "{width: 5, height: 4}"}


@pytest.fixture
def runs(tmp_path):
    """A folder with two small runs: `curious`, and `plain`."""
    for name, settings in (("curious", CURIOUS), ("plain", FRESH)):
        flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        flags += ["--set", "evaluation.episodes=4", "--run-name", name, "--runs-dir", str(tmp_path)]
        assert train.main([*flags, "--total-steps", "128", "--plain", "--device", "cpu"]) == 0
    return tmp_path


def test_a_cell_has_the_error_of_what_is_seen_there():
    """By an error that is the normalised x plus 10 y plus, of the affordance underfoot, 100 for the bed."""
    level = load_level("2", CURIOUS)
    env = VectorizedEnv(level, 64, compile=False)
    curiosity, slices = make_curiosity(level, env), env.observation_layout.slices
    assert isinstance(curiosity, RandomNetworkDistillation)
    weights = torch.zeros(env.obs_dim)
    weights[slices["position"]], weights[slices["underfoot"].start] = torch.tensor([1.0, 10.0]), 100.0
    curiosity.novelty = lambda features: features @ weights  # type: ignore[method-assign]
    new = novelty_map(env, network_of(level), curiosity, 3)
    expected = torch.arange(5) / 4.0 + 10.0 * torch.arange(4).unsqueeze(1) / 3.0  # [height, width]
    bed = 3 * len(level.affordances) + list(level.affordances).index("Bed")
    expected[int(env.tables.place_y[bed]), int(env.tables.place_x[bed])] += 100.0
    torch.testing.assert_close(new, expected)


def test_the_command_draws_a_picture(runs, capsys, monkeypatch):
    monkeypatch.setattr(novelty, "STEPS", 4)
    out = runs / "map.png"
    assert cli.main(["novelty", "curious", "--runs-dir", str(runs), "--out", str(out), "--map", "2"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG") and "drawn into" in capsys.readouterr().out
    assert cli.main(["novelty", "curious", "--runs-dir", str(runs), "--out", str(runs / "map.odd")]) == 0
    assert (runs / "map.odd").read_bytes().startswith(b"\x89PNG")  # whatever its name
    capsys.readouterr()
    assert cli.main(["novelty", "curious", "--runs-dir", str(runs), "--out", str(runs / "no" / "map.png")]) == 1
    assert capsys.readouterr().err == (f"townlet novelty: cannot write {runs}/no/map.png: No such file or directory\n")
    assert cli.main(["novelty", "plain", "--runs-dir", str(runs), "--out", str(out)]) == 1
    assert "expected a curious run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["novelty", "curious", "--runs-dir", str(runs), "--map", "32"])
    assert "--map: expected 0 to 31, got 32" in capsys.readouterr().err


@pytest.mark.parametrize(("width", "height"), [(3, 1), (1, 3), (3, 3), (8, 8)])
def test_no_word_of_a_map_is_cut(width, height, monkeypatch):
    drawn = []
    monkeypatch.setattr(novelty, "save", lambda figure, path: drawn.append(figure))
    level = SimpleNamespace(affordances=["A" * 16, "elsewhere"])
    env = SimpleNamespace(level=level, tables=SimpleNamespace(place_x=[0, -1], place_y=[0, -1]))
    novelty.draw_novelty(torch.rand(height, width), env, 0, "Level 2, step_001000000: map 0", Path("map.png"))
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    town, bar = figure.axes
    for text in (town.title, town.xaxis.label, town.yaxis.label, *town.texts, bar.yaxis.label):
        seen = text.get_window_extent()
        assert figure.bbox.contains(seen.x0, seen.y0) and figure.bbox.contains(seen.x1, seen.y1), text.get_text()
