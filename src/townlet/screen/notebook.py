"""A run that is shown in a cell of a notebook, and which way of showing it suits where Python runs."""

import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from townlet.screen.facts import RunHeader, Snapshot, percent_done
from townlet.screen.terminal import (
    MESSAGES_KEPT,
    REFRESH_SECONDS,
    SECONDS_BETWEEN_LINES,
    PlainReporter,
    Reporter,
    keep_evaluation,
    make_reporter,
    plain_line,
)


def reporter_for(progress: bool | str) -> Reporter:
    """Return what shows a run as is asked for: True as suits the place, "plain" by lines, False not at all.

    It is shown beside the standard output. Raises ValueError for anything else.
    """
    if progress is True:
        return NotebookReporter() if in_notebook() else make_reporter(False, sys.stderr)
    if progress is False:
        return Silent()
    if progress == "plain":
        return PlainReporter(sys.stderr, interval=SECONDS_BETWEEN_LINES)
    raise ValueError(f"progress: expected True, False or 'plain', got {progress!r}")


def in_notebook() -> bool:
    """Return whether this Python answers to a notebook: IPython runs in it, with a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Silent(Reporter):
    """Shows nothing."""

    def start(self, header: RunHeader) -> None:
        """Do nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Do nothing."""

    def message(self, text: str, style: str = "") -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Shown:
    """What stands in a cell, for those who show HTML and for those who show text."""

    page: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.page


class NotebookReporter(Reporter):
    """Show a run as a bar, a line of numbers and what was said last, drawn anew in the same place once a second.

    It is a piece of HTML, which stays in the notebook when that is saved. The bars of rich and of tqdm are widgets:
    they need one more package here and in whatever shows the notebook, and are gone when it is opened again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._drawn_at = clock, -float("inf")
        self._header: RunHeader | None = None
        self._snapshot = Snapshot()
        self._evaluation: dict[str, float] = {}
        self._messages: deque[str] = deque(maxlen=MESSAGES_KEPT)
        self._place: Any = None  # what IPython hands out for a place in the cell

    def start(self, header: RunHeader) -> None:
        """Open the place."""
        self._header = header
        self._draw()

    def update(self, snapshot: Snapshot) -> None:
        """Show how the run stands."""
        self._snapshot = keep_evaluation(snapshot, self._evaluation)
        self._draw_if_due()

    def message(self, text: str, style: str = "") -> None:
        """Show a sentence."""
        self._messages.extend(text.splitlines())
        self._draw_if_due()

    def stop(self) -> None:
        """Show what is still unseen."""
        if self._place is not None:
            self._draw()

    def _draw_if_due(self) -> None:
        if self._header is not None and self._clock() - self._drawn_at >= REFRESH_SECONDS:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        assert self._header is not None
        shown = Shown(page(self._header, self._snapshot, self._messages), plain_line(self._header, self._snapshot))
        if self._place is None:
            self._place = display(shown, display_id=True)
        else:
            self._place.update(shown)
        self._drawn_at = self._clock()


def page(header: RunHeader, snapshot: Snapshot, messages: deque[str]) -> str:
    """Return the HTML of a run: what it is, how far it is and how well it does, and what was said."""
    percent = percent_done(header, snapshot)
    about = f"Level {header.level}: {header.num_agents:,} agents on {header.device}, seed {header.seed}"
    told = "".join(f'<div style="opacity: 0.7">{escape(line)}</div>' for line in messages)
    return (
        '<div style="font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; max-width: 64em">'
        f"<div><b>{escape(about)}</b></div>"
        f'<progress aria-label="{percent}% of the steps" style="width: 100%" max="100" value="{percent}"></progress>'
        f"<div>{escape(plain_line(header, snapshot))}</div>{told}</div>"
    )
