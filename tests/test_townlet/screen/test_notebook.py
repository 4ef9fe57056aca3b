"""A run that is shown in a notebook: a bar of HTML, drawn anew in its place, and who gets it."""

import sys
from types import SimpleNamespace

import pytest

from townlet.screen import notebook
from townlet.screen.facts import RunHeader, Snapshot
from townlet.screen.notebook import NotebookReporter, Silent, in_notebook, reporter_for
from townlet.screen.terminal import PlainReporter

HEADER = RunHeader("2 <town>", "cpu", 64, 3, 1_000, 500, 1234, "runs/x", {"random": 60.0})


@pytest.fixture
def cell(monkeypatch):
    """What IPython was asked to show, in order: each is the first thing in a place, or an update of it."""
    shown: list[tuple[str, object]] = []
    place = SimpleNamespace(update=lambda what: shown.append(("update", what)))

    def display(what, display_id):
        assert display_id is True
        shown.append(("display", what))
        return place

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return shown


def test_it_is_drawn_anew_in_its_place_once_a_second_and_at_the_end(cell):
    now = [0.0]
    reporter = NotebookReporter(clock=lambda: now[0])
    reporter.start(HEADER)
    reporter.update(Snapshot(100))
    now[0] = 0.9
    reporter.message("too soon")
    assert [how for how, _ in cell] == ["display"]
    now[0] = 1.0
    reporter.update(Snapshot(250, metrics={"eval/mean_ep_length": 300.0}))
    reporter.update(Snapshot(999))
    reporter.stop()
    assert [how for how, _ in cell] == ["display", "update", "update"]
    page = cell[1][1]._repr_html_()
    assert 'value="25"' in page and "too soon" in page and "step 250/1,000" in repr(cell[1][1])
    assert "eval 300.0" in repr(cell[2][1]) and 'value="99"' in cell[2][1]._repr_html_()


def test_no_name_gets_out_of_where_it_stands(cell):
    reporter = NotebookReporter()
    reporter.start(HEADER)
    reporter.message("a <script>")
    reporter.stop()
    page = cell[-1][1]._repr_html_()
    assert "2 &lt;town&gt;" in page and "a &lt;script&gt;" in page and "<script" not in page


@pytest.mark.parametrize(("shell", "expected"), [(SimpleNamespace(kernel=1), True), (object(), False), (None, False)])
def test_a_notebook_is_where_ipython_runs_with_a_kernel(shell, expected, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is expected


def test_without_ipython_there_is_no_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()


def test_who_asks_for_progress_gets_what_suits_the_place(monkeypatch):
    for there, kind in ((True, NotebookReporter), (False, PlainReporter)):
        monkeypatch.setattr(notebook, "in_notebook", lambda there=there: there)
        assert isinstance(reporter_for(True), kind)
    assert isinstance(reporter_for("plain"), PlainReporter) and isinstance(reporter_for(False), Silent)
