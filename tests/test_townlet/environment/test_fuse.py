"""Compiling for one owner: what is compiled in, and what is asked for at each call."""

import gc
import sys

import pytest
import torch
from torch import Tensor
from torch._dynamo import config as dynamo_config
from torch._dynamo.utils import counters
from torch._inductor.codegen.cpp import CppKernelProxy
from torch._inductor.utils import fresh_inductor_cache

from townlet.environment import haste
from townlet.environment.fuse import fuse


def grow(table: dict[str, float], value: Tensor, extra: Tensor | None = None) -> Tensor:
    return value * table["rate"] if extra is None else value * table["rate"] + extra


@pytest.fixture(scope="module")
def doubling():
    return fuse(grow, varying="extra", trial=({"rate": 2.0}, torch.ones(4)))


def spread(table: dict[str, float], value: Tensor, extra: Tensor | None = None) -> tuple[Tensor, Tensor]:
    grown = value * table["rate"]
    return grown, (grown.unsqueeze(1) + torch.arange(25)).float()


def test_each_owner_has_constants_of_its_own(doubling) -> None:
    tripling = fuse(grow, varying="extra", trial=({"rate": 3.0}, torch.ones(4)))
    assert tripling({"rate": 3.0}, torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.full((4,), 5.0)).tolist() == [10.0] * 4


def test_an_argument_that_comes_later_is_not_left_out(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(4), torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.ones(4)).tolist() == [2.0] * 4


def test_tensors_of_another_size_are_not_taken_for_those_that_were_compiled_for(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(3)).tolist() == [2.0] * 3


def test_a_pytorch_without_what_shortens_compiling_compiles_without_it(monkeypatch) -> None:
    monkeypatch.setitem(haste.QUICKER, "no_such_option", 1)
    assert fuse(grow, varying="extra", trial=({"rate": 4.0}, torch.ones(4)))({"rate": 4.0}, torch.ones(4))[0] == 4.0
    monkeypatch.setitem(sys.modules, "townlet.environment.haste", None)  # its imports fail
    assert fuse(grow, varying="extra", trial=({"rate": 5.0}, torch.ones(4)))({"rate": 5.0}, torch.ones(4))[0] == 5.0


def test_what_is_compiled_in_haste_is_the_same() -> None:
    value = torch.tensor([1.0, -2.0, 0.5, 3.0])
    fused = fuse(spread, varying="extra", trial=({"rate": 2.0}, value))
    for left, right in zip(fused({"rate": 2.0}, value), spread({"rate": 2.0}, value), strict=True):
        assert torch.equal(left, right)


def test_no_kernel_is_generated_twice(monkeypatch) -> None:
    generated, generate = [], CppKernelProxy.codegen_nodes

    def noting(self, nodes):
        generated.append([node.get_name() for node in nodes])
        return generate(self, nodes)

    monkeypatch.setattr(CppKernelProxy, "codegen_nodes", noting)
    with fresh_inductor_cache():
        fuse(spread, varying="extra", trial=({"rate": 2.0}, torch.ones(64)))
    assert sorted(generated) == [["op0"], ["op1"]]


def test_what_was_compiled_before_comes_from_the_cache() -> None:
    hits = []
    with fresh_inductor_cache():
        for _ in range(2):
            counters.clear()
            fuse(grow, varying="extra", trial=({"rate": 7.0}, torch.ones(8)))
            hits.append(
                (counters["aot_autograd"]["autograd_cache_hit"], counters["aot_autograd"]["autograd_cache_miss"])
            )
    assert hits == [(0, 1), (1, 0)]


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_after_compiling_as_before(collecting: bool, monkeypatch) -> None:
    seen = []

    def compile(function, **_):
        seen.append((gc.isenabled(), dynamo_config.run_gc_after_compile))
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", compile)
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(RuntimeError, match="no C"):
            fuse(grow, varying="extra", trial=({"rate": 2.0}, torch.ones(4)))
        assert (seen, gc.isenabled()) == ([(False, False)], collecting)
    finally:
        (gc.enable if was else gc.disable)()
    assert dynamo_config.run_gc_after_compile


def test_the_function_itself_stays_as_it_was(doubling) -> None:
    assert grow({"rate": 5.0}, torch.ones(1)).item() == 5.0
