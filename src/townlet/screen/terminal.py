"""What a person sees while training: a live dashboard on a terminal, plain lines anywhere else.

Reporters are told how the run stands and never ask: training does not know who is watching.
Names of meters and affordances come from YAML, so every text is drawn literally, never as markup.
"""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, Self, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
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
from townlet.screen.picture import literal_text, picture
from townlet.screen.process import lines_said

__all__ = [
    "Dashboard",
    "PlainReporter",
    "Reporter",
    "RunHeader",
    "Snapshot",
    "format_count",
    "format_duration",
    "make_reporter",
    "picture",
    "seconds_left",
]

REFRESH_SECONDS, RAREST_SECONDS = 1.0, 10.0  # between pictures; the latter also after a terminal that stood still
DRAWING_SHARE = 0.005  # of the time: nothing is learned while a picture is drawn, some 10 ms
HISTORY_POINTS = 1024
MESSAGES_KEPT = 10
# label, metric, format
PLAIN_FIELDS = (
    ("loss", "train/loss", ".3g"),
    ("q", "train/q_mean", ".3g"),
    ("eps", "train/epsilon", ".3g"),
)


class Reporter(Protocol):
    """Show a run to a person; as a context manager it stops on the way out."""

    def start(self, header: RunHeader) -> None:
        """Open the report; comes before the first update."""

    def update(self, snapshot: Snapshot) -> None:
        """Show how the run stands."""

    def message(self, text: str, style: str = "") -> None:
        """Show a sentence, in a rich style where there is colour."""

    def stop(self) -> None:
        """Show what is still unseen and release the terminal; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


SECONDS_BETWEEN_LINES = 5.0


def make_reporter(plain: bool, stream: TextIO | None = None) -> Reporter:
    """Return a dashboard where `stream` (stdout) is a terminal that can show one, else plain lines."""
    stream = stream or sys.stdout
    capable = os.environ.get("TERM") not in ("dumb", "unknown") and "utf" in (stream.encoding or "").lower()
    if plain or not capable or not stream.isatty():
        return PlainReporter(stream, interval=SECONDS_BETWEEN_LINES)
    return Dashboard(Console(file=stream))


class PlainReporter(Reporter):
    """Write a line for each message, and one for an update at most every `interval` seconds; the last is never lost."""

    def __init__(
        self, stream: TextIO | None = None, interval: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stdout
        self._interval, self._clock, self._written_at = interval, clock, -math.inf
        self._snapshot: Snapshot | None = None  # what no line has shown yet
        self._header: RunHeader | None = None
        self._evaluation: dict[str, float] = {}

    def start(self, header: RunHeader) -> None:
        self._header = header
        limit = "" if header.max_episode_steps is None else f"  limit {header.max_episode_steps:,}"
        yardsticks = "".join(f"  {name} {value:g}" for name, value in header.yardsticks.items())
        self._write(
            f"level {header.level}  device {header.device}  agents {header.num_agents:,}  seed {header.seed}"
            f"  parameters {header.parameters:,}{limit}{yardsticks}  run {header.run_path}"
        )

    def update(self, snapshot: Snapshot) -> None:
        assert self._header is not None, "start(header) comes before update(snapshot)"
        self._snapshot = keep_evaluation(snapshot, self._evaluation)
        if self._clock() - self._written_at >= self._interval:
            self._write_snapshot()

    def message(self, text: str, style: str = "") -> None:
        self._write(text)

    def stop(self) -> None:
        self._write_snapshot()

    def _write_snapshot(self) -> None:
        if self._snapshot is not None and self._header is not None:
            self._write(plain_line(self._header, self._snapshot))
            self._snapshot, self._written_at = None, self._clock()

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Dashboard(Reporter):
    """Draw the run as one picture, at most once a second and rarer on a slow machine, and leave the last on the screen.

    No thread runs: a picture is drawn inside `update`, `message` or `stop`. What comes too soon after the last picture
    is part of the next.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console()
        self._clock = clock
        self._live: Live | None = None
        self._size, self._said = self._console.size, lines_said()
        self._drawn_at, self._pause = -math.inf, REFRESH_SECONDS
        self._snapshot = Snapshot()
        self._rollout = ""  # the metric that the chart draws
        self._evaluation: dict[str, float] = {}
        self._history: list[tuple[int, float]] = []
        self._messages: deque[Text] = deque(maxlen=MESSAGES_KEPT)

    def start(self, header: RunHeader) -> None:
        self._rollout = header.score[1]

        def draw() -> RenderableType:
            width, height = self._console.size
            # One row stays free for the prompt that follows the last picture.
            return picture(header, self._snapshot, self._history, self._messages, width, height - 1)

        self._live = Live(
            console=self._console,
            get_renderable=draw,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),  # a print lands above the picture, a redirected stream is left alone
            redirect_stderr=sys.stderr.isatty(),
        )
        self._live.start()
        self._draw()

    def update(self, snapshot: Snapshot) -> None:
        self._snapshot = keep_evaluation(snapshot, self._evaluation)
        score = snapshot.metrics.get(self._rollout, math.nan)
        if math.isfinite(score):
            while self._history and self._history[-1][0] >= snapshot.step:
                self._history.pop()
            self._history.append((snapshot.step, score))
            if len(self._history) > HISTORY_POINTS:
                self._history = self._history[::2]
        self._draw_if_due()

    def message(self, text: str, style: str = "") -> None:
        if self._live is None:
            self._console.print(Text(text, style))
            return
        self._messages.extend(literal_text(line, style) for line in text.splitlines())
        self._draw_if_due()

    def stop(self) -> None:
        if self._live is not None:
            self._draw()
            self._live.stop()
            self._live = None

    def _draw_if_due(self) -> None:
        if self._clock() - self._drawn_at >= self._pause:
            self._draw()

    def _draw(self) -> None:
        if self._live is None:
            return
        begun = self._clock()
        with self._console:  # one write, so that nothing flickers
            if (self._console.size, lines_said()) != (self._size, self._said):
                self._size, self._said = self._console.size, lines_said()
                self._console.clear()  # the terminal has rewrapped the old picture, or a line stands below it
            self._live.refresh()
        self._drawn_at = self._clock()
        self._pause = min(max(REFRESH_SECONDS, (self._drawn_at - begun) / DRAWING_SHARE), RAREST_SECONDS)


def plain_line(header: RunHeader, snapshot: Snapshot) -> str:
    """Return one line that says how the run stands, its fields two spaces apart."""
    word, rollout, greedy = header.score
    evaluated = ("eval", greedy, ".1f")
    fields = (
        f"step {snapshot.step:,}/{header.total_steps:,}",
        f"{percent_done(header, snapshot)}%",
        f"{word} {format_metric(snapshot.metrics, rollout, '.1f')}{told_early(header, snapshot)}",
        *(f"{label} {format_metric(snapshot.metrics, name, spec)}" for label, name, spec in (evaluated, *PLAIN_FIELDS)),
        f"{snapshot.steps_per_second:,.0f} steps/s",
        f"left {format_duration(seconds_left(header, snapshot))}",
    )
    return "  ".join(fields)


def keep_evaluation(snapshot: Snapshot, kept: dict[str, float]) -> Snapshot:
    """Evaluations are rarer than updates: their newest results stay until the next."""
    kept.update({name: value for name, value in snapshot.metrics.items() if name.startswith(("eval/", "memory/"))})
    return replace(snapshot, metrics={**kept, **snapshot.metrics})
