"""What a run writes for TensorBoard, read back by TensorBoard itself, and what it does without."""

import sys
import time
from pathlib import Path

import pytest

from townlet.callbacks.callback import Moment
from townlet.config import load_level
from townlet.run import board
from townlet.run.board import Board


@pytest.fixture
def said():
    return []


@pytest.fixture
def moment(tmp_path, said):
    """Makes a moment of a run; what is told in it is said."""
    level = load_level("0")

    def at(steps: int, **known) -> Moment:
        return Moment(tmp_path, level, steps, 100, _tell=said.append, **known)

    return at


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path, moment, said):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = Board(tmp_path)
    first.on_start(moment(0))
    for step in (10, 20, 30):
        first.on_record(moment(step, metrics={"train/loss": step}))
    first.on_end(moment(30))
    time.sleep(1.1)  # files are read in the order of their names, which begin with the second
    again = Board(tmp_path)
    again.on_start(moment(20, resumed_at=20))
    again.on_record(moment(30, metrics={"train/loss": 300.0}))
    again.on_evaluation(moment(30, metrics={"eval/mean_ep_length": 5.0}))
    again.on_end(moment(30))
    shown = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in shown.Scalars("train/loss")] == [(10, 10.0), (20, 20.0), (30, 300.0)]
    assert [(event.step, event.value) for event in shown.Scalars("eval/mean_ep_length")] == [(30, 5.0)]
    assert said == []


def test_a_board_that_fails_is_told_of_once_and_tried_again_later(tmp_path, moment, said, monkeypatch):
    attempts: list[Path] = []

    def fail(folder, purge_step):
        attempts.append(folder)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board, "_open", fail)
    one = Board(tmp_path)
    one.on_start(moment(0))
    for step in (1, 2, 3):
        one.on_record(moment(step, metrics={"a": step}))
    told = f"cannot write TensorBoard events to {tmp_path}: No space left on device; training goes on"
    assert len(attempts) == 1 and said == [told]
    now = board.time.monotonic()
    monkeypatch.setattr(board.time, "monotonic", lambda: now + 100.0)
    one.on_record(moment(4, metrics={"a": 4.0}))
    assert len(attempts) == 2 and said == [told]
    one.on_end(moment(4))


def test_a_board_that_fails_at_the_very_end_says_nothing_of_going_on(tmp_path, moment, said, monkeypatch):
    def fail(folder, purge_step):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board, "_open", fail)
    Board(tmp_path).on_evaluation(moment(100, metrics={"a": 1.0}, goes_on=False))
    assert said == [f"cannot write TensorBoard events to {tmp_path}: No space left on device"]


def test_without_tensorboard_nothing_is_written_and_nothing_said(tmp_path, moment, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # an import of it raises ImportError
    one = Board(tmp_path)
    one.on_start(moment(0))
    one.on_record(moment(1, metrics={"a": 1.0}))
    one.on_end(moment(1))
    assert said == [] and not list(tmp_path.iterdir())
