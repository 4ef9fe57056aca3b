"""What a benchmark says: the table's words and numbers, and one picture a row."""

import io

from rich.console import Console

from support.benchmarks import make_record, make_trial
from townlet.bench.memory.report import comparisons, draw, markdown, table
from townlet.bench.memory.results import Together, summarise
from townlet.bench.statistics import Interval


def summary(agent="recurrent", steps=100, seconds=2.0, solved=0, row="balance"):
    records = [make_record(make_trial(row, agent), [0.5, 0.5], steps, seconds, solved, parameters=13058)]
    return summarise(row, agent, records)


def test_the_table_has_a_line_for_each_agent_and_fits_eighty_columns():
    """With numbers as wide as they come."""
    widest = (
        Interval(-0.498, -0.499, -0.497),
        Interval(200_704.0, 190_464.0, 212_992.0),
        Interval(492.0, 487.9, 1_492.0),
    )
    score, steps, seconds = widest
    lines = [
        summary(row="a-row-of-a-long-name")._replace(score=score, steps=steps, seconds=seconds, parameters=162_373),
        summary("control", solved=None),
        summary("peer"),
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(lines))
    text = console.export_text()
    assert "recurrent" in text and "no memory" in text and "RecurrentPPO" in text
    assert "162,373" in text and "1 of 1" in text and "0 of 1" in text and "-0.497]" in text
    assert "a-row-of-a-long-name, bar 1000" in text
    assert "213]" in text and "1,492]" in text
    assert "…" not in text


def test_the_page_by_hand():
    lines = markdown([summary(), summary("control", solved=None)]).splitlines()
    assert lines[2] == ("| balance | 1000 | recurrent | 13,058 | 1 of 1 | 0.5 | 0.1 | 2 |")
    assert lines[3] == "| balance | 1000 | no memory | 13,058 | 0 of 1 | 0.5 | - | - |"


def test_a_mean_over_tasks_comes_last_in_table_and_page():
    means = [Together("recurrent", 12, 5, Interval(0.5, 0.4, 0.6)), Together("control", 12, 1, Interval(-1, -1, -1))]
    lines = markdown([summary()], means).splitlines()
    assert lines[3] == "| mean of 12 tasks | - | recurrent | - | 5 seeds | 0.5 [0.4, 0.6] | - | - |"
    assert lines[4] == "| mean of 12 tasks | - | no memory | - | 1 seed | -1 | - | - |"
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table([summary()], means))
    after = console.export_text().partition("mean of 12 tasks")[2].splitlines()
    assert after[1].split() == ["recurrent", "-", "5", "seeds", "0.5", "[0.4,", "0.6]", "-", "-"]


def test_the_peer_is_compared_where_both_reach_the_bar():
    ours, theirs = summary(), summary("peer", steps=3000, seconds=50.0)
    assert comparisons([ours, theirs]) == [
        "balance: RecurrentPPO needs 30.0 times the steps and 25.0 times the seconds"
    ]
    assert comparisons([ours, summary("peer", solved=None)]) == []
    assert comparisons([ours, summary("peer", row="another")]) == []


def test_a_picture_of_seeds_that_stop_at_different_times(tmp_path):
    records = [make_record(make_trial(seed=0), [0.1, 0.2, 1.0]), make_record(make_trial(seed=1), [0.3])]
    draw("balance", {"recurrent": records, "control": records[:1]}, tmp_path / "balance.png")
    assert (tmp_path / "balance.png").read_bytes().startswith(b"\x89PNG")
