"""Metrics are kept once, read while written, and never stop the training."""

import math
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import torch

from townlet.run import metrics
from townlet.run.metrics import MetricsStore, MetricsWriter

READER = """
import sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT step, value FROM scalars").fetchall()
print(rows)
"""


@pytest.fixture
def store(tmp_path):
    store = MetricsStore(tmp_path / "metrics.sqlite")
    yield store
    store.close()


@pytest.fixture
def reports():
    return []


@pytest.fixture
def writer(tmp_path, reports):
    path, outlook = tmp_path / "metrics.sqlite", lambda: "; training goes on"
    writer = MetricsWriter(path, report=reports.append, outlook=outlook)
    yield writer
    writer.close()


def read(path, name="a"):
    reader = MetricsStore(path, read_only=True)
    try:
        return reader.scalars(name)
    finally:
        reader.close()


def test_records_are_read_back_in_order_of_steps(store):
    store.write_scalars(20, {"b": 2.0, "a": 1.5}, elapsed=2.0)
    store.write_scalars(10, {"a": 1}, elapsed=1.0)
    store.write_evaluation(30, {"mean_ep_length": 9.5, "deaths": {"hunger": 3}, "checkpoint": None}, elapsed=3.0)
    store.write_event(30, "resume", "from step 20", elapsed=3.0)
    assert store.scalars("a") == [(10, 1.0), (20, 1.5)]
    assert store.scalars("absent") == []
    assert store.names() == ["a", "b", "eval/mean_ep_length"]
    assert store.evaluations() == [
        {"mean_ep_length": 9.5, "deaths": {"hunger": 3}, "checkpoint": None, "step": 30, "elapsed": 3.0}
    ]
    assert store.events() == [{"step": 30, "elapsed": 3.0, "kind": "resume", "text": "from step 20"}]


def test_what_is_not_finite_is_kept_as_null(store):
    store.write_scalars(1, {"a": math.nan, "b": -math.inf}, elapsed=0.0)
    store.write_evaluation(1, {"mean_reward": math.nan, "per_agent": [1.0, math.inf]}, elapsed=0.0)
    values = sqlite3.connect(store.path).execute("SELECT value FROM scalars").fetchall()
    assert values == [(None,), (None,), (None,)]
    assert math.isnan(store.scalars("a")[0][1])
    assert store.evaluations()[0]["mean_reward"] is None and store.evaluations()[0]["per_agent"] == [1.0, None]


def test_scores_are_read_with_their_steps_and_nan_where_there_was_no_number(store):
    for step, score in ((20, 3), (10, math.nan)):
        store.write_evaluation(step, {"mean_reward": score, "episodes": 4}, elapsed=step / 2)
    first, second = store.scores("mean_reward")
    assert (first.step, first.elapsed) == (10, 5.0) and math.isnan(first.score)
    assert second == (20, 10.0, 3)


def test_a_second_record_of_a_step_replaces_the_first(store):
    for value in (1.0, 2.0):
        store.write_scalars(5, {"a": value}, elapsed=0.0)
        store.write_evaluation(5, {"mean_reward": value}, elapsed=0.0)
    assert store.scalars("a") == [(5, 2.0)]
    assert [result["mean_reward"] for result in store.evaluations()] == [2.0]


def test_rewind_drops_what_is_newer_than_the_step(store):
    for step in (10, 20, 30):
        store.write_scalars(step, {"a": step}, elapsed=0.0)
        store.write_evaluation(step, {"mean_reward": step}, elapsed=0.0)
        store.write_event(step, "kind", "text", elapsed=0.0)
    store.rewind(20)
    assert [step for step, _ in store.scalars("a")] == [10, 20]
    assert [step for step, _ in store.scalars("eval/mean_reward")] == [10, 20]
    assert [result["step"] for result in store.evaluations()] == [10, 20]
    assert [event["step"] for event in store.events()] == [10, 20]


def test_a_batch_is_written_whole_or_not_at_all(store):
    with pytest.raises(ValueError):
        store.write_scalars(1, {"a": 1.0, "b": "rubbish"}, elapsed=0.0)
    assert store.names() == []


def test_another_process_reads_while_training_writes(store):
    store.write_scalars(1, {"a": 1.0}, elapsed=0.0)
    store._connection.execute("BEGIN IMMEDIATE")  # a write in progress
    store._connection.execute("INSERT INTO scalars VALUES ('a', 2, 2.0, 0.0)")
    result = subprocess.run([sys.executable, "-c", READER, store.path], capture_output=True, text=True, check=True)
    assert result.stdout == "[(1, 1.0)]\n"
    assert read(store.path) == [(1, 1.0)]
    store._connection.commit()
    assert read(store.path) == [(1, 1.0), (2, 2.0)]


def test_a_reader_creates_and_writes_nothing(tmp_path, store):
    with pytest.raises(sqlite3.OperationalError):
        MetricsStore(tmp_path / "absent.sqlite", read_only=True).names()
    assert not (tmp_path / "absent.sqlite").exists()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        MetricsStore(store.path, read_only=True).write_scalars(1, {"a": 1.0}, elapsed=0.0)


def fill(path, rows=2000):
    store = MetricsStore(path)
    for step in range(rows):
        store.write_scalars(step, {"a": step}, elapsed=0.0)
    store.close()
    return path.read_bytes()


def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path):
    path = tmp_path / "metrics.sqlite"
    whole = fill(path)
    damages = [b"no database" * 500, whole[: len(whole) // 2], whole[:4096] + b"\xff" * 8192 + whole[12288:]]
    for number, content in enumerate(damages, start=1):
        path.write_bytes(content)
        store = MetricsStore(path)
        assert store.damaged == tmp_path / f"metrics.sqlite.damaged-{number}"
        assert store.damaged.read_bytes()[-100:] == content[-100:]
        assert store.names() == []
        store.write_scalars(1, {"a": 1.0}, elapsed=0.0)
        store.close()
        assert MetricsStore(path).damaged is None


def test_a_locked_file_is_not_taken_for_a_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "_BUSY_TIMEOUT", 0.05)
    path = tmp_path / "metrics.sqlite"
    fill(path, rows=1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        MetricsStore(path)
    assert path.exists() and not list(tmp_path.glob("*.damaged-*"))


# The writer that never stops the training


def test_the_writer_drops_what_is_newer_than_the_resumed_step(tmp_path, reports):
    path = tmp_path / "metrics.sqlite"
    fill(path, rows=5)
    writer = MetricsWriter(path, report=reports.append, resume_step=2)
    writer.write_scalars(3, {"a": 30.0}, elapsed=0.0)
    writer.close()
    assert read(path) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 30.0)]
    assert reports == []


def test_a_locked_file_is_reported_once_and_its_records_follow_later(tmp_path, writer, reports, monkeypatch):
    monkeypatch.setattr(metrics, "_BUSY_TIMEOUT", 0.02)
    writer.write_scalars(1, {"a": 1.0}, elapsed=0.0)
    writer._store._connection.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "metrics.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for step in (2, 3):
        writer.write_scalars(step, {"a": step}, elapsed=0.0)
    writer.write_event(3, "kind", "text", elapsed=0.0)
    assert len(reports) == 1 and "locked" in reports[0] and reports[0].endswith("; training goes on")
    other.execute("ROLLBACK")
    writer.write_evaluation(4, {"mean_reward": 1.0}, elapsed=0.0)
    assert read(tmp_path / "metrics.sqlite") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert read(tmp_path / "metrics.sqlite", "eval/mean_reward") == [(4, 1.0)]
    assert len(reports) == 1


def test_a_file_that_is_locked_when_it_is_closed_is_reported_without_a_word_of_going_on(
    tmp_path, writer, reports, monkeypatch
):
    monkeypatch.setattr(metrics, "_BUSY_TIMEOUT", 0.02)
    writer._pending.append(lambda store: store.write_scalars(1, {"a": 1.0}, 0.0))
    writer._store._connection.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "metrics.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer._outlook = str  # nothing goes on
    assert not writer.close()
    assert reports == [f"cannot write metrics to {tmp_path / 'metrics.sqlite'}: database is locked"]
    other.execute("ROLLBACK")


def test_a_full_disk_is_reported_once_and_its_records_follow_later(tmp_path, writer, reports):
    writer.write_scalars(1, {"a": 1.0}, elapsed=0.0)
    writer._store._connection.execute("PRAGMA max_page_count = 1")
    writer.write_event(2, "kind", "x" * 100_000, elapsed=0.0)
    assert len(reports) == 1 and "disk is full" in reports[0]
    writer.write_scalars(3, {"a": 3.0}, elapsed=0.0)
    assert read(tmp_path / "metrics.sqlite") == [(1, 1.0), (3, 3.0)]
    assert len(writer._store.events()) == 1


def test_a_folder_that_is_not_there_does_not_stop_the_training(tmp_path, reports):
    path = tmp_path / "absent" / "metrics.sqlite"
    writer = MetricsWriter(path, report=reports.append)
    writer.write_scalars(1, {"a": 1.0}, elapsed=0.0)
    assert len(reports) == 1 and str(path) in reports[0]
    path.parent.mkdir()
    writer.write_scalars(2, {"a": 2.0}, elapsed=0.0)
    writer.close()
    assert read(path) == [(1, 1.0), (2, 2.0)]


def test_a_damaged_file_is_named_by_the_writer(tmp_path, reports):
    path = tmp_path / "metrics.sqlite"
    path.write_bytes(b"rubbish" * 1000)
    MetricsWriter(path, report=reports.append, resume_step=10).close()
    assert len(reports) == 1 and "metrics.sqlite.damaged-1" in reports[0]


def test_a_record_that_cannot_be_kept_is_refused_at_once_and_does_not_block_the_next(writer, tmp_path):
    with pytest.raises((TypeError, ValueError)):
        writer.write_evaluation(1, {"mean_reward": object()}, elapsed=0.0)
    writer.write_scalars(np.int64(2), {"a": torch.tensor(2.0)}, elapsed=np.float32(0.0))
    assert read(tmp_path / "metrics.sqlite") == [(2, 2.0)]


def test_records_that_wait_are_limited(writer, monkeypatch):
    monkeypatch.setattr(metrics, "_open_database", lambda path: sqlite3.connect("/absent/folder/file"))
    writer._store.close()
    writer._store = None
    for _ in range(metrics._PENDING_LIMIT + 10):
        writer._pending.append(lambda store: None)
    writer.write_scalars(1, {"a": 1.0}, elapsed=0.0)
    assert len(writer._pending) == metrics._PENDING_LIMIT
