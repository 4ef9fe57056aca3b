"""What the commands share: the device that they choose."""

import argparse
import os
import subprocess
import sys

import pytest
import torch

from townlet import command_line
from townlet.command_line import device_named

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
    monkeypatch.setattr(command_line.torch.cuda, "is_available", lambda: there)
    assert device_named(text) == torch.device(expected)
    assert precision == (["high"] if expected == "cuda" else [])


def test_a_device_that_is_not_there_or_not_known_is_refused(monkeypatch, precision):
    monkeypatch.setattr(command_line.torch.cuda, "is_available", lambda: False)
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


def test_who_chose_what_onednn_may_use_keeps_exact_products(monkeypatch, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setenv(LIMIT, "AVX512_CORE_AMX")
    device_named("cpu")
    assert os.environ[LIMIT] == "AVX512_CORE_AMX"
    assert precision == []


def test_products_of_a_command_on_the_cpu_are_those_of_float32():
    code = """
import torch
from townlet.command_line import device_named
device_named("cpu")
left, right = torch.randn(64, 256), torch.randn(256, 64)
error = (left @ right - (left.double() @ right.double())).abs().max()
assert error < 1e-3, error  # with bfloat16 it is a hundred times that
"""
    subprocess.run([sys.executable, "-c", code], check=True)
