"""What signals ask of a run: the first to save and stop, the second to end at once."""

import os
import signal

import pytest

from townlet.screen import signals
from townlet.screen.process import DONE, FAILED, SIGNALS
from townlet.screen.signals import Interruption, StopRequest, stop_on_signals


class Ended(Exception):
    """Takes the place of the end of this process."""


@pytest.fixture(autouse=True)
def end(monkeypatch):
    def leave(line: str, code: int) -> None:
        raise Ended(line, code)

    monkeypatch.setattr(signals, "end", leave)


@pytest.fixture
def heard():
    """Nobody ignores a signal, as nohup does for all that it starts."""
    former = [signal.signal(one, signal.SIG_DFL) for one in SIGNALS]
    yield
    for one, before in zip(SIGNALS, former, strict=True):
        signal.signal(one, before)


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_asks_and_the_second_ends_the_process(signum, heard, capfd):
    with stop_on_signals() as stop:
        stop.unsaved = True
        os.kill(os.getpid(), signum)
        assert stop.wanted
        assert capfd.readouterr().err == "saving and stopping; once more stops at once\n"
        with pytest.raises(Ended) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.args == ("townlet train: stopped at once; the last checkpoint is as it was", FAILED)


def test_before_anything_is_trained_the_first_ends_the_process():
    stop = StopRequest()
    with pytest.raises(Ended) as ended:
        stop.on_signal()
    assert ended.value.args == ("townlet train: stopped before anything was trained", FAILED)
    assert not stop.wanted


@pytest.mark.parametrize("code", [DONE, FAILED])
def test_with_all_saved_the_first_ends_the_process(code):
    """However long an evaluation, a compiler or a picture would take: nothing is lost."""
    stop = StopRequest(unsaved=True)
    stop.all_is_saved("It was stopped and saved.", code)
    with pytest.raises(Ended) as ended:
        stop.on_signal()
    assert ended.value.args == ("It was stopped and saved.", code)
    stop.unsaved = True
    stop.on_signal()
    assert stop.wanted


def test_a_stop_that_was_asked_for_ends_the_process_soon_after_all_is_saved(monkeypatch):
    """However long an environment takes to be closed."""
    ends = []
    monkeypatch.setattr(signals, "end_within", lambda *arguments: ends.append(arguments))
    stop = StopRequest(unsaved=True)
    stop.all_is_saved("saved", DONE)
    assert ends == []
    stop.unsaved = True
    stop.on_signal()
    stop.all_is_saved("saved again", DONE)
    assert ends == [(1.5, "saved again", DONE)]


def test_in_another_program_the_first_is_only_noted_and_the_second_raises(capfd):
    """Whether all is saved or not: it goes on when the training has returned."""
    former = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(Interruption(), (signal.SIGINT,)) as stop:
        assert signal.getsignal(signal.SIGTERM) is former
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wanted and capfd.readouterr().err == "saving and stopping; once more stops at once\n"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
