"""A reporter that fails ends nothing: plain lines follow the dashboard, and silence follows them."""

import io

import pytest

from townlet.screen.facts import RunHeader, Snapshot
from townlet.screen.terminal import PlainReporter, Reporter
from townlet.screen.unfailing import Unfailing

HEADER = RunHeader("2 two", "cpu", 8, 0, 100, 10, 5, "runs/x", {})


class Drawing(Reporter):
    """A reporter that fails from a call on, and notes when it is stopped."""

    def __init__(self, fails_at: str) -> None:
        self.fails_at, self.calls = fails_at, list[str]()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise KeyError("no such bar")

    def start(self, header: RunHeader) -> None:
        self._call("start")

    def update(self, snapshot: Snapshot) -> None:
        self._call("update")

    def message(self, text: str, style: str = "") -> None:
        self._call("message")

    def stop(self) -> None:
        self._call("stop")


def test_one_that_works_is_asked_for_everything():
    drawing = Drawing("nothing")
    with Unfailing(drawing) as reporter:
        reporter.start(HEADER)
        reporter.update(Snapshot())
        reporter.message("hello")
    assert drawing.calls == ["start", "update", "message", "stop"]


@pytest.mark.parametrize("fails_at", ["start", "update", "message"])
def test_plain_lines_follow_a_dashboard_that_fails(fails_at, capsys):
    drawing = Drawing(fails_at)
    with Unfailing(drawing) as reporter:
        reporter.start(HEADER)
        reporter.update(Snapshot(step=40))
        reporter.message("hello")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("level 2 two  device cpu")
    assert "cannot draw: KeyError: 'no such bar'; plain lines from here on" in said
    assert "hello" in said and drawing.calls[-1] == "stop"
    assert any(line.startswith("step 40/100") for line in said) is (fails_at != "message")


def test_plain_lines_follow_where_they_are_asked_for(capsys):
    stream = io.StringIO()
    with Unfailing(Drawing("message"), stream) as reporter:
        reporter.start(HEADER)
        reporter.message("hello")
    assert "hello" in stream.getvalue().splitlines() and capsys.readouterr() == ("", "")


def test_silence_follows_plain_lines_that_fail(capsys):
    stream = io.StringIO()
    with Unfailing(PlainReporter(stream)) as reporter:
        reporter.start(HEADER)
        stream.close()
        reporter.message("unheard")
        reporter.message("unheard")
    assert capsys.readouterr() == ("", "")
