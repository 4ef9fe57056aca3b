"""The device that commands choose, and what this process does about products and memory."""

import argparse
import ctypes
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from townlet.screen import device
from townlet.screen.device import MALLOC_LIMITS, device_named

LIMIT = "ONEDNN_MAX_CPU_ISA"


@pytest.fixture
def precision(monkeypatch):
    """What is set of the precision of products, in order, on a processor without AVX-512."""
    asked = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setenv(LIMIT, "put back after the test")
    monkeypatch.delenv(LIMIT)
    return asked


@pytest.mark.parametrize(
    ("there", "text", "expected"),
    [
        (True, "auto", "cuda"),
        (True, "cuda", "cuda"),
        (True, "cpu", "cpu"),
        (False, "auto", "cpu"),
        (False, "cpu", "cpu"),
    ],
)
def test_the_device_is_the_one_named_and_on_cuda_products_take_tf32(monkeypatch, precision, there, text, expected):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: there)
    assert device_named(text) == torch.device(expected)
    assert precision == (["high"] if expected == "cuda" else [])


def test_a_device_that_is_not_there_or_not_known_is_refused(monkeypatch, precision):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    with pytest.raises(argparse.ArgumentTypeError, match="expected a CUDA device, got a machine without one"):
        device_named("cuda")
    with pytest.raises(argparse.ArgumentTypeError, match="expected auto, cpu or cuda, got 'tpu'"):
        device_named("tpu")
    assert precision == []


def test_with_avx512_onednn_multiplies_and_is_kept_in_float32(monkeypatch, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    device_named("cpu")
    assert os.environ[LIMIT] == "AVX512_CORE"
    assert precision == ["medium"]
    device_named("cpu")  # of a command within a command
    assert precision == ["medium", "medium"]


def test_where_onednn_was_used_before_it_was_told_products_stay_exact(monkeypatch, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(device, "_products_are_float32", lambda: False)
    device_named("cpu")
    assert precision == ["medium", "highest"]


def test_who_chose_what_onednn_may_use_keeps_exact_products(monkeypatch, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setenv(LIMIT, "AVX512_CORE_AMX")
    device_named("cpu")
    assert os.environ[LIMIT] == "AVX512_CORE_AMX"
    assert precision == []


PRODUCTS = """
import os, torch
from townlet.screen.device import device_named
for used_before in (False, True):
    if (child := os.fork()) == 0:
        if used_before:
            torch.conv2d(torch.ones(8, 16, 32, 32), torch.ones(16, 16, 3, 3))
        device_named("cpu")
        left, right = torch.randn(64, 256), torch.randn(256, 64)
        error = (left @ right - (left.double() @ right.double())).abs().max()
        os._exit(error >= 1e-3)  # with bfloat16 it is a hundred times that
    assert os.waitpid(child, 0)[1] == 0, f"{used_before=}"
"""


def test_products_of_a_command_on_the_cpu_are_those_of_float32(monkeypatch):
    """Also where oneDNN was at work before a command told it what it may use, as in a notebook."""
    monkeypatch.delenv(LIMIT, raising=False)
    subprocess.run([sys.executable, "-c", PRODUCTS], check=True)


FAULTS = """
import resource, torch
from townlet.screen.device import device_named
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [torch.zeros(2 << 20) for _ in range(4)]  # 8 MiB each, freed together
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = faults()
device_named("cpu")
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose malloc is told")
def test_a_command_keeps_the_memory_that_it_frees() -> None:
    known = {name: value for name, value in os.environ.items() if name not in MALLOC_LIMITS}
    done = subprocess.run([sys.executable, "-c", FAULTS], env=known, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < 0.1 * before  # how many there are without, a kernel decides: one a page, or one for many


@pytest.mark.parametrize("chosen", [None, "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"])
def test_malloc_is_told_both_limits_or_none(chosen, monkeypatch, precision) -> None:
    told = []
    for name in MALLOC_LIMITS:
        monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv(chosen, "131072")
    libc = SimpleNamespace(mallopt=lambda parameter, limit: told.append((parameter, limit)))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    device_named("cpu")
    assert told == ([] if chosen else [(-3, 32 * 2**20), (-1, 256 * 2**20)])  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


def test_without_glibc_memory_is_as_it_is(monkeypatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # as on macOS: no mallopt
    device.keep_memory()
