"""How PyTorch 2.13 compiles one small kernel in two thirds of its time, by its internals; another may lack them.

What is compiled computes the same without this. Imported where something is compiled, not before: these imports of
PyTorch's take half a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Thread
from typing import Any

from torch._dynamo import config as dynamo_config
from torch._inductor import compile_fx as compile_fx  # by hand, so that no import is left for when a thread runs
from torch._inductor import config, cpu_vec_isa
from torch._inductor.custom_graph_pass import CustomSchedulerPass


class PartOuterLoops(CustomSchedulerPass):
    """Take apart what would be one kernel if its loops were alike: PyTorch generates code for both to find out."""

    def __call__(self, nodes: list[Any]) -> list[Any]:
        """Return the kernels to be, each of which is generated once."""
        from torch._inductor.codegen.cpp import OuterLoopFusedSchedulerNode  # not needed where the cache has the step

        parted: list[Any] = []
        for node in nodes:
            parted += node.get_outer_nodes() if isinstance(node, OuterLoopFusedSchedulerNode) else [node]
        return parted

    def uuid(self) -> str:
        """Return what a cache knows this pass by."""
        return "townlet: outer loops parted"


QUICKER = {
    "cpp.vec_isa_ok": True,  # take PyTorch's word for what the processor can, instead of compiling to see
    "cpp_cache_precompile_headers": False,  # one kernel does not repay a header that is compiled beforehand
    "_post_fusion_custom_pass": PartOuterLoops(),
}


@contextmanager
def hurried() -> Iterator[dict[str, Any]]:
    """Give options for `torch.compile`, within which its first call is to be.

    No garbage is collected at its end, and what can be found out before the kernel is known is so beside its tracing.
    """
    with dynamo_config.patch(run_gc_after_compile=False), config.patch(QUICKER):
        beside = Thread(target=copy_context().run, args=(_find_out,))
        beside.start()
        try:
            yield QUICKER
        finally:
            beside.join()


def _find_out() -> None:
    with suppress(Exception):  # without a C++ compiler, say: compiling itself will tell
        cpu_vec_isa.pick_vec_isa()
