"""`townlet.show`: the page of a replay, of its file or of a run, in a notebook."""

import html
import re
import subprocess
import sys

import pytest

import townlet
from support.rooms import room, train_briefly
from townlet.config import ConfigError
from townlet.page.html import to_html
from townlet.page.replay import ReplayError, read
from townlet.run.run_directory import RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in the room, in which breath lasts for five ticks."""
    return train_briefly(tmp_path_factory.mktemp("runs"), room(), "run")


def test_a_run_is_recorded_once_for_what_is_asked_and_then_shown_from_its_file(run, monkeypatch):
    shown = townlet.show("run", agents=2, steps=3, runs_dir=run.parents[1])
    (kept,) = (run / "replays").iterdir()
    assert kept.name == "step_000000032_2x3.replay" and [life.length for life in shown.replay.lives] == [3, 3]
    monkeypatch.setattr("townlet.commands.lives.replay.record_run", lambda *_: pytest.fail("recorded twice"))
    assert townlet.show(run, agents=2, steps=3).html() == shown.html()


def test_a_replay_is_shown_from_memory_and_from_its_file(run, tmp_path):
    townlet.show(run, agents=1)
    path = run / "replays" / "step_000000032_1x500.replay"
    one = read(path)
    pages = [townlet.show(what).html() for what in (one, path, str(path))]
    assert set(pages) == {to_html(path.read_bytes(), "Townlet: level room, run")}
    assert townlet.show(one).save(tmp_path / "one.html").read_text() == pages[0]


def test_a_notebook_shows_the_page_in_a_frame_that_stands_for_itself(run):
    shown = townlet.show(run, agents=1, height=500)
    told = shown._repr_html_()
    frame = re.fullmatch(
        r'<iframe title="[\w ]+" style="width: 100%; height: 500px; border: 0" srcdoc="([^"]*)"></iframe>', told
    )
    assert html.unescape(frame[1]) == shown.html()
    assert repr(shown) == "a page of 1 lives in level room"


def test_what_cannot_be_shown_is_told(run, tmp_path):
    with pytest.raises(RunError, match=r"^no run 'nobody' in"):
        townlet.show("nobody", runs_dir=run.parents[1])
    with pytest.raises(ReplayError, match=r"expected a file, got nothing there$"):
        townlet.show(tmp_path / "no.replay")
    with pytest.raises(ConfigError, match=r"^agents: expected at least 1, got 0$"):
        townlet.show(run, agents=0)
    with pytest.raises(RunError, match=r"^no run '-x'"):
        townlet.show("-x", runs_dir=run.parents[1])
    with pytest.raises(AttributeError, match=r"^module 'townlet' has no attribute 'shwo'$"):
        townlet.shwo  # noqa: B018


def test_importing_townlet_imports_no_pytorch_though_it_has_show():
    program = "import sys, townlet; assert 'torch' not in sys.modules; assert 'show' in dir(townlet)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
