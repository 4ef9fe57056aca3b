"""Tables, picture and JSON say what the scores say."""

import io
import json

from rich.console import Console

from townlet.bench.probe.linear import AGES, FRAMES, SIGHTS, ProbeResult, Score
from townlet.bench.probe.report import draw, tables, to_json
from townlet.bench.probe.sights import Sampling


def a_result():
    """Accuracies of 0.25, 0.75 and 1 for one source, 0.5 for another; no sample is older than 10 ticks."""
    scores = [
        Score(frame, sight, source, name, age, samples, accuracy, 0.01, 1.5)
        for frame in FRAMES
        for sight in SIGHTS
        for age, samples, right in (("0", 1234, 1.0), ("1-5", 20, 0.75), ("6-10", 10, 0.25))
        for source, accuracy in (("memory", right), ("observation", 0.5))
        for name in (None, "Somewhere")
    ]
    return ProbeResult("9", Sampling(agents=7), ("memory", "observation"), tuple(scores))


def test_tables_show_accuracy_by_age_and_fit_a_terminal():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*tables(a_result()))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[1] == list(AGES)
    assert lines[2] == ["memory", "100.0±1.0", "75.0±1.0", "25.0±1.0", "-", "-", "-", "-"]
    assert lines[3] == ["observation", *["50.0±1.0"] * 3, "-", "-", "-", "-"]
    assert lines[4] == ["samples", "1,234", "20", "10", "-", "-", "-", "-"]
    assert lines[-1] == ["Somewhere", "100.0", "75.0", "25.0", "-", "-", "-", "-"]
    assert sum(line[:1] == ["memory"] for line in lines) == 4  # frames and sights


def test_the_json_is_a_flat_list_of_scores():
    found = json.loads(json.dumps(to_json(a_result()), allow_nan=False))
    assert found["level"] == "9" and found["sampling"]["agents"] == 7
    assert len(found["scores"]) == 2 * 2 * 3 * 2 * 2
    assert found["scores"][0] == {
        "frame": "cell", "sight": "underfoot", "source": "memory", "affordance": None, "age": "0", "samples": 1234,
        "accuracy": 1.0, "error": 0.01, "distance": 1.5,
    }  # fmt: skip


def test_the_picture_is_a_png_also_without_scores(tmp_path):
    for name, result in (("full", a_result()), ("empty", a_result()._replace(scores=()))):
        draw(result, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "full.png").stat().st_size > (tmp_path / "empty.png").stat().st_size
