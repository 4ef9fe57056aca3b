"""What a person sees while training: the dashboard's pictures, its pace, and the plain lines."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from townlet.screen.process import say
from townlet.screen.terminal import (
    Dashboard,
    PlainReporter,
    RunHeader,
    Snapshot,
    format_count,
    format_duration,
    make_reporter,
    picture,
    plain_line,
    seconds_left,
)

HEADER = RunHeader(
    level="2_partial_observability",
    device="cuda",
    num_agents=4096,
    seed=7,
    total_steps=12_000_000,
    max_episode_steps=500,
    parameters=312_456,
    run_path="runs/2_partial_observability/20260101-120000_s7",
    yardsticks={"random": 99, "planner": 500},
)
METRICS = {
    "rollout/ep_len_mean": 143.2,
    "rollout/survival_rate": 0.12,
    "train/loss": 0.0123,
    "train/q_mean": 3.21,
    "train/grad_norm": 1.5,
    "train/epsilon": 0.11,
    "eval/mean_ep_length": 171.0,
    "meters/energy_mean": 0.56,
    "meters/mood_mean": 0.2,
    "deaths/health": 12.0,
    "deaths/energy": 30.0,
    "affordance/Bed_uses": 1234.0,
    "affordance/Job_uses": 2_500_000.0,
}
# 10,800,000 steps are left, 43,200 a second: 250 seconds, 4:10.
SNAPSHOT = Snapshot(1_200_000, 65.0, 43_200.0, {"act": 0.2, "world": 0.05, "learn": 0.7}, METRICS)


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def draw(width, height, header=HEADER, snapshot=SNAPSHOT, history=(), messages=()):
    """Return the rows of one picture as text, and hold them to the size of the terminal."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(picture(header, snapshot, history, messages, width, height))
    rows = console.file.getvalue().splitlines()
    assert len(rows) <= height
    assert all(Text(row).cell_len <= width for row in rows)
    return rows


def open_dashboard(width=80, height=24):
    clock, stream = Clock(), io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system=None)
    return Dashboard(console, clock), clock, stream


def row_of(rows, start):
    return next(row for row in rows if row.startswith(start))


@pytest.mark.parametrize(("width", "height"), [(80, 23), (120, 39)])
def test_the_picture_shows_every_section(width, height):
    rows = draw(width, height, history=[(0, 99.0), (1_200_000, 143.2)], messages=[Text("checkpoint saved")])
    assert "2_partial_observability" in rows[0]
    assert rows[0].endswith("elapsed 1:05   left 4:10")
    assert rows[1].startswith("cuda · 4,096 agents · seed 7 · 312k parameters")
    assert rows[1].endswith("20260101-120000_s7")
    assert row_of(rows, "progress").endswith("10%  1,200,000 / 12,000,000")
    assert "43,200 steps/s" in row_of(rows, "speed")
    assert row_of(rows, "speed").endswith("act 20%  world 5%  learn 70%  other 5%")
    assert " ".join(row_of(rows, "learning").split()) == "learning loss 0.0123 q mean 3.21 grad norm 1.5 epsilon 0.11"
    assert "mean 143.2    survived 12%" in row_of(rows, "survival")
    assert "greedy 171" in "\n".join(rows)
    assert row_of(rows, "energy").split()[::2][:2] == ["energy", "0.56"]
    assert rows[-2].startswith("messages ─")
    assert rows[-1] == "checkpoint saved"


def test_causes_of_death_and_affordances_are_ranked():
    rows = draw(120, 39)
    first, second = (rows[i + 1 + next(i for i, row in enumerate(rows) if row.startswith("meters"))] for i in (0, 1))
    assert first.index("energy", 10) and "30" in first and "Job" in first and "2.5M" in first
    assert "health" in second and "12" in second and "Bed" in second and "1,234" in second


def test_the_greedy_bar_has_its_marks_where_the_numbers_say():
    # 10 cells of gutter leave 101: a limit of 500 puts random (100) on cell 20, greedy (250) on 50, planner on 100.
    header = replace(HEADER, yardsticks={"random": 100, "planner": 500})
    rows = draw(111, 39, header, Snapshot(metrics={"eval/mean_ep_length": 250.0}))
    bar = row_of(rows, "greedy")[10:]
    assert [(cell, bar.index(cell)) for cell in "┃◆"] == [("┃", 20), ("◆", 50)]
    assert bar.rindex("┃") == 100
    labels = rows[rows.index(row_of(rows, "greedy")) + 1][10:]
    assert labels.index("random 100") == 15
    assert labels.rstrip().endswith("planner 500")


def test_labels_of_marks_that_meet_stay_apart():
    header = replace(HEADER, yardsticks={"random": 490, "planner": 500})
    assert "random 490  greedy 495  planner 500" in "\n".join(
        draw(80, 23, header, Snapshot(metrics={"eval/mean_ep_length": 495.0}))
    )


def test_the_chart_runs_from_zero_to_the_limit():
    # 23 rows and no lists: the chart is 8 rows of 8 eighths over 500, so 250 fills the lower four and 500 all.
    rows = draw(80, 23, snapshot=Snapshot(), history=[(0, 250.0), (100, 500.0)])
    top = rows.index(row_of(rows, "planner"))
    chart = [row[10:].ljust(70) for row in rows[top : top + 8]]
    assert [row[0] for row in chart] == ["┈", " ", " ", " ", "█", "█", "█", "█"]
    assert [row[-1] for row in chart] == ["█"] * 8
    assert rows[top + 6].startswith("random")  # 99 of 500 lies in the second row from below


def test_missing_metrics_are_dashes_and_nan_is_said():
    rows = draw(80, 23, snapshot=Snapshot(metrics={"train/loss": math.nan, "meters/mood_mean": math.nan}))
    assert " ".join(row_of(rows, "learning").split()) == "learning loss nan q mean - grad norm - epsilon -"
    assert rows[0].endswith("left -")
    assert "nan" in row_of(rows, "mood").split()


def test_names_are_never_read_as_markup():
    metrics = {"meters/[red]x[/red]_mean": 0.5, "affordance/[/]_uses": 3.0, "deaths/[bold": 1.0}
    header = replace(HEADER, level="[link=x]town[/link]", run_path="runs/[/]")
    text = "\n".join(draw(120, 39, header, Snapshot(metrics=metrics), messages=()))
    assert all(name in text for name in ("[red]x[/red]", "[/]", "[bold", "[link=x]town[/link]", "runs/[/]"))


@pytest.mark.parametrize("width", [1, 2, 7, 12, 20, 40, 53, 79, 80, 120, 300])
@pytest.mark.parametrize("height", [1, 5, 10, 14, 20, 23, 39, 100])
def test_no_row_is_wider_and_no_picture_higher_than_the_terminal(width, height):
    long = {f"meters/{'very_long_name_' * 9}{i}_mean": 0.1 * i for i in range(11)}
    odd = {"deaths/a\nb\x1b[31m": 3.0, "deaths/睡眠不足": math.inf, "affordance/町" * 20 + "_uses": -1.0}
    header = replace(HEADER, total_steps=10**18, num_agents=10**12, parameters=10**14, level="level " * 40)
    snapshot = replace(SNAPSHOT, step=10**17, steps_per_second=1e12, elapsed=1e9, metrics=METRICS | long | odd)
    history = [(step, survival) for step, survival in zip(range(0, 10**17, 10**15), range(100), strict=True)]
    draw(width, height, header, snapshot, history, [Text("long " * 99, no_wrap=True, overflow="ellipsis")] * 10)
    draw(width, height, replace(HEADER, total_steps=0, max_episode_steps=0, yardsticks={}), Snapshot())


def test_a_narrow_terminal_keeps_the_numbers_and_drops_the_rest():
    rows = draw(50, 20)
    assert row_of(rows, "speed").startswith("speed     43,200 steps/s  act 20%  world 5%")
    assert row_of(rows, "meters")
    assert "causes of death" not in "\n".join(rows)


@pytest.mark.parametrize("height", [13, 23, 39])
def test_a_single_meter_is_shown(height):
    assert "0.50" in row_of(draw(80, height, snapshot=Snapshot(metrics={"meters/energy_mean": 0.5})), "energy")


def test_a_list_that_does_not_fit_says_how_many_are_missing():
    metrics = {f"meters/m{i}_mean": 0.5 for i in range(20)}
    assert any(row.startswith("+13 more") for row in draw(80, 23, snapshot=Snapshot(metrics=metrics)))


def test_the_dashboard_draws_once_a_second_and_never_loses_the_last():
    dashboard, clock, stream = open_dashboard()
    dashboard.start(HEADER)
    for now, step in [(0.8, 1_001), (1.0, 1_002), (1.2, 1_003), (1.96, 1_004), (2.0, 1_005), (2.4, 1_006)]:
        clock.now = now
        dashboard.update(replace(SNAPSHOT, step=step))
    seen = [step for step in range(1_001, 1_007) if f"{step:,} / " in stream.getvalue()]
    assert seen == [1_002, 1_005]
    dashboard.stop()
    assert "1,006 / " in stream.getvalue()


def test_a_picture_that_takes_long_is_drawn_rarely():
    dashboard, clock, stream = open_dashboard()
    write = stream.write

    def slow(text):
        clock.now += 0.02
        return write(text)

    stream.write = slow
    dashboard.start(HEADER)  # whatever it writes beside the picture, the picture is one write: 0.02 s, a 200th of 4 s
    drawn = clock.now
    for step, later in [(1_001, 3.9), (1_002, 4.1), (1_003, 7.9), (1_004, 8.3)]:
        clock.now = drawn + later
        dashboard.update(replace(SNAPSHOT, step=step))
    assert [step for step in range(1_001, 1_005) if f"{step:,} / " in stream.getvalue()] == [1_002, 1_004]
    dashboard.stop()


def test_a_terminal_that_stood_still_is_drawn_on_again():
    dashboard, clock, stream = open_dashboard()
    write = stream.write

    def stopped(text):
        clock.now = 3_600.0  # as after Ctrl-S and Ctrl-Q
        return write(text)

    stream.write = stopped
    dashboard.start(HEADER)
    stream.write = write
    clock.now += 10.5
    dashboard.update(SNAPSHOT)
    assert "1,200,000 / " in stream.getvalue()
    dashboard.stop()


def test_stopping_twice_draws_once_and_shows_the_cursor_again():
    dashboard, _, stream = open_dashboard()
    with dashboard:
        dashboard.start(HEADER)
        dashboard.stop()
        drawn = stream.getvalue()
    assert stream.getvalue() == drawn
    assert "\x1b[?25h" in drawn


def test_an_evaluation_stays_until_the_next():
    dashboard, clock, stream = open_dashboard()
    dashboard.start(HEADER)
    dashboard.update(SNAPSHOT)
    clock.now = 1.0
    start = len(stream.getvalue())
    dashboard.update(Snapshot(step=2_000_000))
    assert "greedy 171" in stream.getvalue()[start:]
    dashboard.stop()


def test_a_resized_terminal_is_cleared_and_filled_anew():
    dashboard, clock, stream = open_dashboard(120, 40)
    dashboard.start(HEADER)
    dashboard._console.size = (60, 20)
    clock.now, start = 1.0, len(stream.getvalue())
    dashboard.update(SNAPSHOT)
    drawn = stream.getvalue()[start:]
    assert drawn.count("\x1b[2J") == 1
    assert all(Text.from_ansi(row).cell_len <= 60 for row in drawn.splitlines())
    dashboard.stop()


def test_a_long_history_is_thinned_and_a_step_back_forgets_what_lay_ahead():
    dashboard, _, _ = open_dashboard()
    dashboard.start(HEADER)
    for step in range(5_000):
        dashboard.update(Snapshot(step=step, metrics={"rollout/ep_len_mean": float(step)}))
    steps = [step for step, _ in dashboard._history]
    assert len(steps) <= 1024
    assert (steps[0], steps[-1]) == (0, 4_999)
    dashboard.update(Snapshot(step=100, metrics={"rollout/ep_len_mean": 1.0}))
    assert dashboard._history[-1] == (100, 1.0)


def test_the_last_messages_are_shown_and_later_ones_printed():
    dashboard, _, stream = open_dashboard()
    dashboard.start(HEADER)
    dashboard.update(SNAPSHOT)
    for i in range(15):
        dashboard.message(f"message {i} [x]", "green")
    dashboard.stop()
    assert "message 14 [x]" in stream.getvalue()
    assert "message 4 [x]" not in stream.getvalue()
    dashboard.message("run lies in [runs]")
    assert stream.getvalue().endswith("run lies in [runs]\n")


def test_plain_lines_are_exact():
    stream = io.StringIO()
    with PlainReporter(stream) as reporter:
        reporter.start(HEADER)
        reporter.update(SNAPSHOT)
        reporter.update(Snapshot(step=12_000_000, metrics={"train/loss": math.nan}))
        reporter.message("saved [latest]", "green")
    assert stream.getvalue().splitlines() == [
        "level 2_partial_observability  device cuda  agents 4,096  seed 7  parameters 312,456  limit 500"
        "  random 99  planner 500  run runs/2_partial_observability/20260101-120000_s7",
        "step 1,200,000/12,000,000  10%  survival 143.2 (early ends)  eval 171.0  loss 0.0123  q 3.21  eps 0.11"
        "  43,200 steps/s  left 4:10",
        "step 12,000,000/12,000,000  100%  survival -  eval 171.0  loss nan  q -  eps -  0 steps/s  left -",
        "saved [latest]",
    ]


def test_the_dashboard_needs_a_terminal_that_can_draw(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_reporter(False, Terminal()), Dashboard)
    assert isinstance(make_reporter(True, Terminal()), PlainReporter)
    assert isinstance(make_reporter(False, io.StringIO()), PlainReporter)
    ascii_only = Terminal()
    ascii_only.encoding = "ascii"
    assert isinstance(make_reporter(False, ascii_only), PlainReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(False, Terminal()), PlainReporter)


@pytest.mark.parametrize(
    ("step", "rate", "seconds"),
    [(1_200_000, 43_200.0, 250.0), (12_000_000, 5.0, 0.0), (13_000_000, 5.0, 0.0), (0, 0.0, math.inf)],
)
def test_time_left_is_the_steps_left_over_the_rate(step, rate, seconds):
    assert seconds_left(HEADER, Snapshot(step=step, steps_per_second=rate)) == seconds


def test_durations_and_counts_read_well():
    durations = {0: "0:00", 59.9: "0:59", 3_599: "59:59", 3_600: "1:00:00", 90_061: "1d 1:01:01", 86_400: "1d 0:00:00"}
    assert {seconds: format_duration(seconds) for seconds in durations} == durations
    assert format_duration(math.inf) == format_duration(math.nan) == "-"
    counts = {0: "0", 99_999: "99,999", 100_000: "100k", 999_499: "999k", 999_600: "1M", 2.5e9: "2.5B", 1e14: "100T"}
    assert {count: format_count(count) for count in counts} == counts
    assert format_count(math.nan) == "nan"


def test_a_line_said_below_the_picture_leaves_no_half_of_it(capfd):
    """As Ctrl-C brings: the next picture would begin too low, and leave the head of the old one above it."""
    dashboard, _, stream = open_dashboard()
    dashboard.start(HEADER)
    drawn = stream.tell()
    say("saving and stopping")
    dashboard.stop()
    after = stream.getvalue()[drawn:]
    assert after.count("\x1b[2J") == 1 and after.index("\x1b[2J") < after.index("townlet  2_partial")


def test_survival_is_said_to_be_of_early_ends_until_an_episode_can_have_reached_its_limit():
    limit = 4096 * 500
    for step, early in ((limit - 4096, True), (limit, False)):
        snapshot = replace(SNAPSHOT, step=step)
        assert ("survival 143.2 (early ends)" in plain_line(HEADER, snapshot)) is early
        assert ("survival (early ends)" in "\n".join(draw(80, 24, snapshot=snapshot))) is early
    unlimited = replace(HEADER, max_episode_steps=None)
    assert "early" not in plain_line(unlimited, SNAPSHOT)


def test_plain_lines_come_at_most_every_interval_and_the_last_update_is_never_lost():
    now, stream = [0.0], io.StringIO()
    reporter = PlainReporter(stream, interval=5.0, clock=lambda: now[0])
    reporter.start(HEADER)
    for second in range(8):  # lines at 0 and 5; 7 is shown by stop
        now[0] = float(second)
        reporter.update(Snapshot(step=1000 + second, elapsed=second))
    reporter.stop()
    reporter.stop()
    steps = [line.split("/")[0] for line in stream.getvalue().splitlines()[1:]]
    assert steps == ["step 1,000", "step 1,005", "step 1,007"]
