"""Which kind of device a word means, and that PyTorch is asked only where it may know of one."""

import argparse
import ctypes
import sys
from types import SimpleNamespace

import pytest

from townlet.screen import device_kinds
from townlet.screen.device_kinds import has_driver, kind_named


@pytest.mark.parametrize("text", ["auto", "cpu"])
def test_without_a_driver_pytorch_is_not_imported_to_be_asked(text, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(device_kinds, "has_driver", lambda: False)
    assert kind_named(text) == "cpu" and "torch" not in sys.modules


@pytest.mark.parametrize(("there", "kind"), [(True, "cuda"), (False, "cpu")])
def test_where_it_is_imported_pytorch_says_what_there_is(there, kind, monkeypatch):
    asked = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: there))
    monkeypatch.setitem(sys.modules, "torch", asked)
    monkeypatch.setattr(device_kinds, "has_driver", lambda: False)
    assert kind_named("auto") == kind and kind_named("cpu") == "cpu"


@pytest.mark.parametrize(("text", "meant"), [("gpu", "cuda"), ("GPU", "cuda"), ("cuda:0", "cuda"), ("CPU", "cpu")])
def test_another_word_for_a_device_is_told_with_the_one_that_is_meant(text, meant):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        kind_named(text)
    assert str(refused.value) == f"expected auto, cpu or cuda, got {text!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("driver", ["libcuda.so.1", "nvcuda.dll", "/dev/kfd", None])
def test_a_driver_is_a_library_of_nvidias_or_a_device_of_amds(driver, monkeypatch):
    def load(name):
        if name != driver:
            raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(device_kinds.os.path, "exists", lambda path: path == driver)
    assert has_driver() is (driver is not None)
