"""The dashboard at one moment: a pure function from how the run stands to the rows of a terminal."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import fmean

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from townlet.screen.facts import (
    RunHeader,
    Snapshot,
    format_count,
    format_duration,
    format_metric,
    percent_done,
    seconds_left,
    told_early,
)

GUTTER = 10  # cells for the label of a row
BLOCKS = " ▁▂▃▄▅▆▇█"
SPLIT_STYLES = ("cyan", "magenta", "yellow", "blue", "green")
# label, metric, format
LEARNING_FIELDS = (
    ("loss", "train/loss", ".3g"),
    ("q mean", "train/q_mean", ".3g"),
    ("grad norm", "train/grad_norm", ".3g"),
    ("epsilon", "train/epsilon", ".3g"),
)
Bar = tuple[str, float, str, str]  # name, share of the length, value as text, style


def picture(
    header: RunHeader,
    snapshot: Snapshot,
    history: Sequence[tuple[int, float]],  # (step, mean score), oldest first
    messages: Sequence[Text],
    width: int,
    height: int,
) -> RenderableType:
    """Return the dashboard at one moment, at most `width` cells wide and `height` rows high."""
    metrics, inner = snapshot.metrics, max(width - GUTTER, 1)
    greedy = metrics.get(header.score[2], math.nan)
    ends = _ends(header, history, greedy)
    lists = [
        ("meters", _levels(_named(metrics, "meters/", "_mean"))),
        ("causes of death", _ranked(_named(metrics, "deaths/"), "red")),
        ("affordance uses", _ranked(_named(metrics, "affordance/", "_uses"), "cyan")),
    ][: max(1, min(3, width // 26))]
    chart_rows, list_rows, message_rows = _share_rows(height, max(len(bars) for _, bars in lists))
    rows: list[RenderableType] = [
        *_head(header, snapshot, width),
        _row(1, _label("learning"), _values(metrics, LEARNING_FIELDS)),
        _title(header.score[0] + told_early(header, snapshot), _values(metrics, header.score_fields())),
        *_chart(history, header.yardsticks, ends, chart_rows, inner),
        *_scale(header.yardsticks, greedy, ends, inner),
    ]
    if list_rows:
        columns = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        for _ in lists:
            columns.add_column(ratio=1)
        columns.add_row(*(_bars(title, bars, list_rows, width // len(lists) // 2 - 2) for title, bars in lists))
        rows.append(columns)
    if messages and message_rows:
        rows += [_title("messages"), *list(messages)[-message_rows:]]
    return Group(*rows[: max(height, 1)])


def _share_rows(height: int, longest: int) -> tuple[int, int, int]:
    """Return the rows of the chart, the lists and the messages.

    The chart gets a quarter of what is free, the lists what they need, then the chart up to 8, the messages the rest.
    """
    spare = height - 10  # every other row, titles included
    room = spare - (3 if spare >= 9 else 1)
    lists = min(longest, room - max(1, room // 4))
    lists = lists if lists >= min(longest, 2) else 0  # of many, one row could only say that there are more
    chart = max(1, min(8, room - lists))
    return chart, lists, max(0, spare - lists - chart)


def _head(header: RunHeader, snapshot: Snapshot, width: int) -> list[RenderableType]:
    left = format_duration(seconds_left(header, snapshot))
    times = Text.assemble(("elapsed ", "dim"), format_duration(snapshot.elapsed), ("   left ", "dim"), left)
    run = f"{header.device} · {header.num_agents:,} agents · seed {header.seed}"
    run += f" · {format_count(header.parameters)} parameters"
    done = f"{percent_done(header, snapshot)}%  {snapshot.step:,} / {header.total_steps:,}"
    return [
        _row(0, Text.assemble(("townlet  ", "bold cyan"), literal_text(header.level, "bold")), times),
        _row(1, literal_text(run, "dim"), _Fitted(lambda cells: _path_end(header.run_path, cells))),
        _row(1, _label("progress"), _bar(snapshot.step / max(header.total_steps, 1), "cyan"), literal_text(done)),
        _speed(snapshot, with_bar=width >= 72),
    ]


def _speed(snapshot: Snapshot, with_bar: bool) -> RenderableType:
    shares = {name: share for name, share in snapshot.time_split.items() if share > 0}
    if shares and (rest := 1 - sum(shares.values())) >= 0.005:
        shares["other"] = shares.get("other", 0.0) + rest
    legend = Text("  ", no_wrap=True, overflow="ellipsis").join(
        literal_text(f"{name} {share:.0%}", style) for (name, share), style in zip(shares.items(), cycle(SPLIT_STYLES))
    )
    bar = [_Fitted(lambda cells: _stacked(list(shares.values()), cells))] if with_bar else []
    return _row(2, _label("speed"), literal_text(f"{snapshot.steps_per_second:,.0f} steps/s"), *bar, legend)


def _path_end(path: str, width: int) -> Text:
    """Cut a path at its start: its end tells runs apart. A handful of letters tells nothing."""
    end = path if cell_len(path) <= width else "…" + path[len(path) - width + 1 :]
    text = literal_text(end if width >= 12 else "", "dim")
    text.justify = "right"
    return text


def _stacked(shares: Sequence[float], width: int) -> Text:
    bar, total, past = Text(no_wrap=True), max(sum(shares), 1.0), 0.0
    for share, style in zip(shares, cycle(SPLIT_STYLES)):
        bar.append("━" * (round((past + share) / total * width) - round(past / total * width)), style)
        past += share
    return bar


def _values(metrics: Mapping[str, float], fields: Iterable[tuple[str, str, str]]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for label, name, spec in fields:
        line.append(f"{label} ", "dim").append(f"{format_metric(metrics, name, spec):<6}   ")
    line.rstrip()
    return line


def _ends(header: RunHeader, history: Sequence[tuple[int, float]], greedy: float) -> tuple[float, float]:
    """Return the scores where the chart begins and ends: 0 and the limit, or whatever there was."""
    if header.max_episode_steps is not None:
        return 0.0, max(header.max_episode_steps, 1)
    known = [0.0, greedy, *header.yardsticks.values(), *(value for _, value in history)]
    low, high = (end(value for value in known if math.isfinite(value)) for end in (min, max))
    return low, high if high > low else low + 1.0


def _chart(
    history: Sequence[tuple[int, float]],
    yardsticks: Mapping[str, float],
    ends: tuple[float, float],
    rows: int,
    width: int,
) -> Iterator[RenderableType]:
    """Draw the score over the steps so far as columns of blocks, dotted at the yardsticks."""
    values = [_part(value, ends) for value in _resample(history, width)]
    labels = {min(int(rows * _share(_part(value, ends))), rows - 1): name for name, value in yardsticks.items()}
    for row in reversed(range(rows)):
        fills = [round(8 * _share(rows * value - row)) for value in values]
        line = Text("".join(BLOCKS[fill] if fill or row not in labels else "┈" for fill in fills), "cyan")
        line.highlight_regex("┈+", "bright_black")
        yield _row(1, _label(labels.get(row, "")), line)


def _resample(history: Sequence[tuple[int, float]], width: int) -> list[float]:
    """Return the mean score of each of `width` columns; a column without a point holds the one before."""
    columns: list[list[float]] = [[] for _ in range(width)]
    for step, value in history:
        columns[(step - history[0][0]) * (width - 1) // max(history[-1][0] - history[0][0], 1)].append(value)
    held, means = 0.0, []
    for column in columns:
        held = fmean(column) if column else held
        means.append(held)
    return means


def _scale(
    yardsticks: Mapping[str, float], greedy: float, ends: tuple[float, float], width: int
) -> list[RenderableType]:
    """Draw the greedy evaluation as a bar, with a labelled mark for it and for each yardstick."""
    marks = [(value, name, "┃", "yellow") for name, value in yardsticks.items()] + [(greedy, "greedy", "◆", "green")]
    marks = sorted(mark for mark in marks if math.isfinite(mark[0]))
    places = [round(_share(_part(value, ends)) * (width - 1)) for value, *_ in marks]
    filled = round(_share(_part(greedy, ends)) * width)
    cells = [("━", "green")] * filled + [("─", "bright_black")] * (width - filled)
    for place, (_, _, glyph, style) in zip(places, marks, strict=True):
        cells[place] = (glyph, style)
    texts = [f"{name} {f'{value:.1f}'.removesuffix('.0')}" for value, name, *_ in marks]
    labels = Text(no_wrap=True, overflow="ellipsis")
    starts = _spread(places, [cell_len(text) for text in texts], width)
    for start, text, (*_, style) in zip(starts, texts, marks, strict=True):
        labels.append(" " * max(start - labels.cell_len, 1 if labels else 0)).append(literal_text(text, style))
    bar = Text.assemble(*cells, no_wrap=True)
    return [_row(1, _label("greedy"), bar), _row(1, _label(""), labels)]


def _spread(centres: Sequence[int], lengths: Sequence[int], width: int) -> list[int]:
    """Return where labels start: under their centres, pushed apart, within `width` if they fit."""
    starts: list[int] = []
    free = 0
    for centre, length in zip(centres, lengths, strict=True):
        starts.append(max(centre - length // 2, free))
        free = starts[-1] + length + 2
    bound = width
    for i in reversed(range(len(starts))):
        starts[i] = min(starts[i], bound - lengths[i])
        bound = starts[i] - 2
    return starts


def _named(metrics: Mapping[str, float], prefix: str, suffix: str = "") -> list[tuple[str, float]]:
    found = [(name, value) for name, value in metrics.items() if name.startswith(prefix) and name.endswith(suffix)]
    return [(name.removeprefix(prefix).removesuffix(suffix), value) for name, value in found]


def _levels(named: Iterable[tuple[str, float]]) -> list[Bar]:
    styles = ("red", "yellow", "green", "green")
    return [(name, _share(value), f"{value:.2f}", styles[int(3 * _share(value))]) for name, value in named]


def _ranked(named: Sequence[tuple[str, float]], style: str) -> list[Bar]:
    most = max((value for _, value in named if math.isfinite(value)), default=0.0) or 1.0
    bars = [(name, _share(value / most), format_count(value), style) for name, value in named]
    return sorted(bars, key=lambda bar: -bar[1])


def _bars(title: str, bars: Sequence[Bar], height: int, name_width: int) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0), pad_edge=False)
    longest = max((cell_len(name) for name, *_ in bars), default=1)
    table.add_column(width=max(1, min(longest, name_width)))
    table.add_column(ratio=1)
    table.add_column(justify="right", min_width=5)
    shown = bars if len(bars) <= height else bars[: height - 1]
    for name, share, value, style in shown:
        table.add_row(literal_text(name), _bar(share, style), literal_text(value))
    rest = [literal_text(f"+{len(bars) - len(shown)} more", "dim")] if len(shown) < len(bars) else []
    return Group(_title(title), table if bars else literal_text("-"), *rest)


def _part(value: float, ends: tuple[float, float]) -> float:
    return (value - ends[0]) / (ends[1] - ends[0])


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def _bar(share: float, style: str) -> ProgressBar:
    return ProgressBar(total=1.0, completed=_share(share), complete_style=style, finished_style=style)


def _title(name: str, values: Text | None = None) -> Rule:
    text = Text.assemble((name, "bold"), "   " if values else "", values or "")
    return Rule(text, align="left", style="bright_black")


def _label(name: str) -> Text:
    return literal_text(set_cell_size(name, GUTTER - 2), "dim")


def _row(stretched: int, *cells: RenderableType) -> Table:
    row = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
    for i in range(len(cells)):
        row.add_column(no_wrap=True, ratio=1 if i == stretched else None)
    row.add_row(*cells)
    return row


def literal_text(text: str, style: str = "") -> Text:
    """Return one row of text, never read as markup, cut with an ellipsis where it does not fit."""
    literal = "".join(character if character.isprintable() else " " for character in text)
    return Text(literal, style, no_wrap=True, overflow="ellipsis")


@dataclass(frozen=True)
class _Fitted:
    """A text that is drawn for the width it gets."""

    draw: Callable[[int], Text]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.draw(options.max_width)
