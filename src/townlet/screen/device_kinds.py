"""Which kind of device a word means on this machine. PyTorch, which takes long to import, is asked only where it knows.

Names alone: what a process does about its device is in `device`.
"""

import argparse
import ctypes
import os
import sys
from contextlib import suppress

from townlet.level.suggestion import suggestion

WORDS = ("auto", "cpu", "cuda")
DRIVERS = ("libcuda.so.1", "nvcuda.dll")
ROCM = "/dev/kfd"  # AMD's driver, whose devices PyTorch calls cuda too


def kind_named(text: str) -> str:
    """Read `auto`, `cpu` or `cuda`; returns which of the last two it is here."""
    if text not in WORDS:
        meant = suggestion("cuda" if text.lower() == "gpu" else text, WORDS)
        raise argparse.ArgumentTypeError(f"expected auto, cpu or cuda, got {text!r}{meant}")
    kind = "cuda" if text != "cpu" and has_cuda() else "cpu"
    if text == "cuda" != kind:
        raise argparse.ArgumentTypeError("expected a CUDA device, got a machine without one")
    return kind


def has_cuda() -> bool:
    """Whether PyTorch finds a CUDA device. Without a driver there is none: then it need not be imported to be asked."""
    if "torch" not in sys.modules and not has_driver():
        return False
    import torch

    return torch.cuda.is_available()


def has_driver() -> bool:
    """Whether there is a driver of devices that PyTorch calls cuda."""
    for name in DRIVERS:
        with suppress(OSError):
            ctypes.CDLL(name)
            return True
    return os.path.exists(ROCM)
