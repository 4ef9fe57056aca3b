"""Compiling for one owner: what is compiled in, and what is asked for at each call."""

import pytest
import torch
from torch import Tensor

from townlet.environment.fuse import QUICKER, fuse


def grow(table: dict[str, float], value: Tensor, extra: Tensor | None = None) -> Tensor:
    return value * table["rate"] if extra is None else value * table["rate"] + extra


@pytest.fixture(scope="module")
def doubling():
    fused = fuse(grow, varying="extra")
    assert fused({"rate": 2.0}, torch.ones(4)).tolist() == [2.0] * 4
    return fused


def test_each_owner_has_constants_of_its_own(doubling) -> None:
    tripling = fuse(grow, varying="extra")
    assert tripling({"rate": 3.0}, torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.full((4,), 5.0)).tolist() == [10.0] * 4


def test_an_argument_that_comes_later_is_not_left_out(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(4), torch.ones(4)).tolist() == [3.0] * 4
    assert doubling({"rate": 2.0}, torch.ones(4)).tolist() == [2.0] * 4


def test_tensors_of_another_size_are_not_taken_for_those_that_were_compiled_for(doubling) -> None:
    assert doubling({"rate": 2.0}, torch.ones(3)).tolist() == [2.0] * 3


def test_a_pytorch_without_the_options_that_shorten_compiling_compiles_without_them(monkeypatch) -> None:
    def older(function, *, options, **_):
        if QUICKER.keys() & options.keys():
            raise RuntimeError("Unexpected optimization option")
        return function

    monkeypatch.setattr(torch, "compile", older)
    assert fuse(grow, varying="extra")({"rate": 2.0}, torch.ones(2)).tolist() == [2.0, 2.0]


def test_the_function_itself_stays_as_it_was(doubling) -> None:
    assert grow({"rate": 5.0}, torch.ones(1)).item() == 5.0
