"""What a benchmark of speed leaves."""

import json

import pytest
from rich.console import Console

from townlet.bench.speed.report import Lines, Report, Row, by_size, deliver, markdown, short


@pytest.fixture
def report():
    rows = [Row("ours", 64, [1e6, 3e6, 2e6]), Row("ours", 256, [17.34e6]), Row("theirs", 64, [940.0], {"share": 0.5})]
    return Report(
        "env", "A title", "agent-steps/s", "agents", {"seconds": 0.1}, rows, {"compile": 3.0}, ["one left out"]
    )


def test_numbers_are_short():
    assert [short(value) for value in (17.34e6, 940.4, 0.7148, 1e9, None)] == ["17.3M", "940", "0.715", "1G", "-"]


def test_medians_by_size(report):
    assert by_size(report) == Lines(
        ["agent-steps/s at agents", "64", "256"], [["ours", "2M", "17.3M"], ["theirs", "940", "-"]]
    )


def test_a_page_says_what_was_left_out_and_on_which_machine(report):
    page = markdown(report, by_size(report))
    assert "| agent-steps/s at agents | 64 | 256 |\n| --- | --- | --- |\n| ours | 2M | 17.3M |\n" in page
    assert "One left out.\n\nMachine: " in page and "PyTorch 2" in page


def test_everything_is_kept_drawn_and_shown(report, tmp_path, capsys):
    files = [tmp_path / "new" / name for name in ("result.json", "plot.png", "page.md")]
    deliver(report, by_size(report), Console(), *files)
    kept = json.loads(files[0].read_text())
    assert {"benchmark", "title", "options", "machine", "unit", "size", "rows", "facts", "notes"} == set(kept)
    assert kept["rows"][0] == {"name": "ours", "size": 64, "samples": [1e6, 3e6, 2e6], "median": 2e6, "facts": {}}
    assert kept["rows"][2]["facts"] == {"share": 0.5} and kept["facts"] == {"compile": 3.0}
    assert kept["machine"]["threads"] == 1 and kept["machine"]["cpu_count"]
    assert files[1].read_bytes().startswith(b"\x89PNG") and files[2].read_text().startswith("A title\n\n| ")
    said = capsys.readouterr().out
    assert "17.3M" in said and "one left out." in said


def test_nothing_is_written_unless_asked(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deliver(report, by_size(report), Console(quiet=True), None, None, None)
    assert list(tmp_path.iterdir()) == []
