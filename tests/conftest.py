"""One thread for each test process: tests are small, and run on all cores at once. Products are those of commands."""

import functools
import gc
import os
import shutil
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start; set before PyTorch is imported
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE"  # as commands set it, before any test uses oneDNN, which reads it once

import pytest
import torch

import townlet
from townlet.run import meta
from townlet.run.curves import draw_run
from townlet.run.report.run_page import write_report

torch.set_num_threads(1)

# Where Linux keeps files in memory: checkpoints and stores of metrics are written there in no time.
IN_MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3
if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


def pytest_collection_finish():
    """What was imported stays: the garbage collector need not look at it again in every test."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_power_cuts():
    """Flushes need not reach the disk: no test cuts the power. That they are asked for is tested."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_commit():
    """Git is asked once what the source is that all runs are made by, and each time about any other."""
    asked, ours = meta._git_state, functools.cache(meta._git_state)
    with pytest.MonkeyPatch.context() as patched:
        known = Path(townlet.__file__)
        patched.setattr(meta, "_git_state", lambda source: dict((ours if source == known else asked)(source)))
        yield


@pytest.fixture(autouse=True)
def plain_products():
    """Commands change for their process how matrices are multiplied; no test hands that on to the next."""
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.fixture(scope="session", autouse=True)
def no_pictures():
    """Runs draw no curves and write no page, which takes longer than learning for a moment does, but for `pictures`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("townlet.run.training_run.draw_run", lambda *_: None)
        patched.setattr("townlet.run.report.keeper.write_report", lambda *_: None)
        yield


@pytest.fixture
def pictures(monkeypatch):
    """Runs draw their curves and write their page, as they do for users."""
    monkeypatch.setattr("townlet.run.training_run.draw_run", draw_run)
    monkeypatch.setattr("townlet.run.report.keeper.write_report", write_report)
