"""Compiling for one owner: what is compiled in, and what is asked for at each call.

What looks into PyTorch's compiler imports that where it is looked into: not every version has all of it.
"""

import gc
import sys
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from townlet.environment.compiled.fuse import fuse


def grow(table: dict[str, float], value: Tensor, extra: Tensor | None = None) -> Tensor:
    return value * table["rate"] if extra is None else value * table["rate"] + extra


def part_of_pytorch(module: str, name: str) -> Any:
    """A part of a private module of PyTorch's; the test is skipped where this version has it not."""
    found = pytest.importorskip(module, reason=f"this PyTorch has no {module}", exc_type=ImportError)
    if not hasattr(found, name):
        pytest.skip(f"this PyTorch has no {module}.{name}")
    return getattr(found, name)


@pytest.fixture
def haste() -> ModuleType:
    """What shortens compiling."""
    reason = "compiling is shortened for PyTorch 2.13, this is another"
    module = pytest.importorskip("townlet.environment.compiled.haste", reason=reason, exc_type=ImportError)
    try:
        with module.hurried():
            return module
    except (AttributeError, KeyError) as error:  # an option that it has not
        pytest.skip(f"{reason}: {error}")


def empty_cache() -> AbstractContextManager[None]:
    """Nothing was compiled before."""
    utils = pytest.importorskip("torch._inductor.utils", reason="this PyTorch has no such cache", exc_type=ImportError)
    return (getattr(utils, "fresh_cache", None) or part_of_pytorch(utils.__name__, "fresh_inductor_cache"))()


@pytest.fixture(scope="module")
def doubling():
    return fuse(grow, varying=("extra",), trial=({"rate": 2.0}, torch.ones(4)))


def spread(table: dict[str, float], value: Tensor, extra: Tensor | None = None) -> tuple[Tensor, Tensor]:
    grown = value * table["rate"]
    return grown, (grown.unsqueeze(1) + torch.arange(25)).float()


def test_each_owner_has_constants_of_its_own(doubling) -> None:
    tripling = fuse(grow, varying=("extra",), trial=({"rate": 3.0}, torch.ones(4)))
    assert tripling({"rate": 3.0}, torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.full((4,), 5.0)).tolist() == [10.0] * 4


def test_an_argument_that_comes_later_is_not_left_out(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(4), torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.ones(4)).tolist() == [2.0] * 4


def test_tensors_of_another_size_are_not_taken_for_those_that_were_compiled_for(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(3)).tolist() == [2.0] * 3


def test_a_pytorch_without_an_option_that_shortens_compiling_compiles_without_all_of_them(monkeypatch, haste) -> None:
    monkeypatch.setitem(haste.QUICKER, "no_such_option", 1)
    assert fuse(grow, varying=("extra",), trial=({"rate": 4.0}, torch.ones(4)))({"rate": 4.0}, torch.ones(4))[0] == 4.0


def test_a_pytorch_without_what_shortens_compiling_compiles_without_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "townlet.environment.compiled.haste", None)  # its imports fail
    assert fuse(grow, varying=("extra",), trial=({"rate": 5.0}, torch.ones(4)))({"rate": 5.0}, torch.ones(4))[0] == 5.0


def test_what_is_compiled_in_haste_is_the_same() -> None:
    value = torch.tensor([1.0, -2.0, 0.5, 3.0])
    fused = fuse(spread, varying=("extra",), trial=({"rate": 2.0}, value))
    for left, right in zip(fused({"rate": 2.0}, value), spread({"rate": 2.0}, value), strict=True):
        assert torch.equal(left, right)


def test_no_kernel_is_generated_twice(monkeypatch, haste) -> None:
    proxy = part_of_pytorch("torch._inductor.codegen.cpp", "CppKernelProxy")
    generated, generate = [], proxy.codegen_nodes

    def noting(self, nodes):
        generated.append([node.get_name() for node in nodes])
        return generate(self, nodes)

    monkeypatch.setattr(proxy, "codegen_nodes", noting)
    with empty_cache():
        fuse(spread, varying=("extra",), trial=({"rate": 2.0}, torch.ones(64)))
    assert sorted(generated) == [["op0"], ["op1"]]


def test_what_was_compiled_before_comes_from_the_cache() -> None:
    counters, found = part_of_pytorch("torch._dynamo.utils", "counters"), []
    with empty_cache():
        for _ in range(2):
            counters.clear()
            fuse(grow, varying=("extra",), trial=({"rate": 7.0}, torch.ones(8)))
            traced = counters["aot_autograd"]
            found.append(tuple(traced[f"autograd_cache_{what}"] for what in ("hit", "miss", "bypass")))
    if not any(found[0]):
        pytest.skip("this PyTorch keeps nothing of what it traced")
    assert found == [(0, 1, 0), (1, 0, 0)]


def test_what_was_compiled_for_one_instruction_set_is_not_taken_by_a_process_that_has_another(monkeypatch) -> None:
    counters, found = part_of_pytorch("torch._dynamo.utils", "counters"), []
    options = part_of_pytorch("torch", "_TorchCompileInductorWrapper")(None, {"cpp.simdlen": 256}, False).config
    if "cpp.simdlen" not in options:
        pytest.skip("this PyTorch passes over options that may be None")
    with empty_cache():
        for instructions in ("AVX512", "AVX2", "AVX512"):
            monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda name=instructions: name)
            counters.clear()
            fuse(grow, varying=("extra",), trial=({"rate": 7.0}, torch.ones(8)))
            found.append(counters["inductor"]["fxgraph_cache_hit"])
    assert found == [0, 0, 1]


def failing_compiler(monkeypatch, notes) -> None:
    """PyTorch's compiler fails, after a call of `notes`."""

    def compile(function, **_):
        notes()
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", compile)


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_after_compiling_as_before(collecting: bool, monkeypatch) -> None:
    seen = []
    failing_compiler(monkeypatch, lambda: seen.append(gc.isenabled()))
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(RuntimeError, match="no C"):
            fuse(grow, varying=("extra",), trial=({"rate": 2.0}, torch.ones(4)))
        assert (seen, gc.isenabled()) == ([False], collecting)
    finally:
        (gc.enable if was else gc.disable)()


def test_pytorch_collects_no_garbage_of_its_own_at_the_end_of_compiling(monkeypatch, haste) -> None:
    config, seen = part_of_pytorch("torch._dynamo", "config"), []
    failing_compiler(monkeypatch, lambda: seen.append(config.run_gc_after_compile))
    with pytest.raises(RuntimeError, match="no C"):
        fuse(grow, varying=("extra",), trial=({"rate": 2.0}, torch.ones(4)))
    assert seen == [False] and config.run_gc_after_compile


def test_the_function_itself_stays_as_it_was(doubling) -> None:
    assert grow({"rate": 5.0}, torch.ones(1)).item() == 5.0
