"""What the commands share: the device that they choose."""

import argparse

import pytest
import torch

from townlet import command_line
from townlet.command_line import device_named


@pytest.fixture
def precision(monkeypatch):
    """What is set of the precision of products, in order."""
    asked = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
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
