"""The device that a command is to use, and what this process does about it: products and memory."""

import ctypes
import os

import torch

from townlet.screen.device_kinds import kind_named

ONEDNN_LIMIT, NO_BFLOAT16 = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE"

MALLOC_LIMITS = {  # of glibc's malloc: environment variable, number for mallopt, bytes
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 << 20),  # of a block that it does not keep when freed; no more is allowed
    "MALLOC_TRIM_THRESHOLD_": (-1, 256 << 20),  # of freed memory that it keeps
}


def device_named(text: str) -> torch.device:
    """Read `auto`, `cpu` or `cuda`; from then on `hasten_products` and `keep_memory` hold."""
    device = torch.device(kind_named(text))
    hasten_products(device)
    keep_memory()
    return device


def hasten_products(device: torch.device) -> None:
    """Multiply matrices of float32 the fastest way for this process: on CUDA with TF32, on the CPU by oneDNN.

    oneDNN's kernels for AVX-512 take half the time of MKL's on processors that are not Intel's. PyTorch asks for them
    only where bfloat16 may take the place of float32. It does not here: oneDNN is told to use no more than AVX-512, and
    that has none. Elsewhere, where somebody chose a limit, and where oneDNN was used before it was told, which it reads
    once, nothing changes.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        return
    has_kernels = torch.backends.cpu.get_cpu_capability() == "AVX512"
    if has_kernels and os.environ.setdefault(ONEDNN_LIMIT, NO_BFLOAT16) == NO_BFLOAT16:
        torch.set_float32_matmul_precision("medium")
        if not _products_are_float32():
            torch.set_float32_matmul_precision("highest")


def _products_are_float32() -> bool:
    """Whether a product keeps a digit that bfloat16 does not have."""
    factor = torch.full((64, 64), 1.0 + 2.0**-12)  # smaller products are not oneDNN's
    return bool((factor @ factor > 64.0).all())


def keep_memory() -> None:
    """Let this process keep what it frees, up to 256 MiB, for what it allocates next.

    glibc's malloc hands large blocks back, and the kernel clears each page of the next ones: four fifths of a step of
    4,096 agents that see the whole map. Other allocators, and limits that somebody chose, stay as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    if not MALLOC_LIMITS.keys() & os.environ.keys():
        for parameter, limit in MALLOC_LIMITS.values():
            mallopt(parameter, limit)
