"""An associative memory: what was seen is found again by what it was seen with."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.shares import equal_shares_left
from townlet.sequences import Hidden

OPEN = 3.0  # a strength that begins so writes nearly all: the sigmoid is 0.953
SHARP = 10.0  # a number of 1 turns a key so far towards it that others keep a share of exp(-10)


class Window(NamedTuple):
    """What the steps of a window write, and what each has left of it."""

    before: Tensor  # [batch, keys, values]: what was held before the window
    key: Tensor  # [batch, time, keys]
    value: Tensor  # [batch, time, values]
    strength: Tensor | None  # [batch, time, 1]: b is the sigmoid of it; None where b is 1
    left: Tensor  # [batch or 1, time, 1 + time]: what each step has left of `before`, and of what each step writes

    def written(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return u [batch, time, values], the system that it solves [batch, time, time], and b."""
        first, since = self.left[..., :1], self.left[..., 1:]
        met = torch.bmm(self.key, self.key.transpose(-2, -1)) * since
        wanted = torch.addcmul(self.value, first, torch.bmm(self.key, self.before), value=-1.0)
        strength = None if self.strength is None else torch.sigmoid(self.strength)
        if strength is not None:
            met, wanted = strength * met, strength * wanted
        # Of what is met only that of earlier steps is looked at.
        return torch.linalg.solve_triangular(met, wanted, upper=False, unitriangular=True), met, strength

    def found(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each step finds by a query of its own [batch, time, keys], and what is held after the last.

        These are [batch, time, values] and [batch, keys, values].
        """
        written, _, _ = self.written()
        first, since = self.left[..., :1], self.left[..., 1:]
        found = first * (query @ self.before) + (query @ self.key.transpose(-2, -1) * since) @ written
        last = self.left[:, -1].unsqueeze(-1)  # [batch or 1, 1 + time, 1]
        return found, last[:, :1] * self.before + (self.key * last[:, 1:]).transpose(-2, -1) @ written

    def held(self) -> Tensor:
        """Return all that is held after each step, [batch, time, values, keys].

        Keys lie innermost: there are many of them, so that what is done with each of few values is done in one sweep.
        """
        held: Tensor = _Held.apply(*self)
        return held


class _Held(torch.autograd.Function):
    """`Window.held`, with its gradient by hand: in a third of the operations."""

    @staticmethod
    def forward(ctx: Any, before: Tensor, key: Tensor, value: Tensor, strength: Tensor | None, left: Tensor) -> Tensor:
        written, met, opened = Window(before, key, value, strength, left).written()
        ctx.save_for_backward(before, key, left, written, met, opened)
        batch, time, keys = key.shape
        parts = key.new_empty(batch, 1 + time, written.shape[2], keys)  # what was held, and what each step adds to it
        parts[:, 0] = before.transpose(-2, -1)
        parts[:, 1:] = written.unsqueeze(-1) * key.unsqueeze(-2)
        return torch.bmm(left.expand(batch, -1, -1), parts.flatten(2)).view(batch, time, -1, keys)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_held: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of what goes in, by that of what is held.

        The transposed system gives that of b (v - S' k). From there b has the share u (1 - b) in that of its own
        logit, whatever else it multiplies.
        """
        before, key, left, written, met, opened = ctx.saved_tensors
        batch, time, keys = key.shape
        of_parts = torch.bmm(left.expand(batch, -1, -1).transpose(-2, -1), of_held.reshape(batch, time, -1))
        of_parts = of_parts.view(batch, 1 + time, -1, keys)
        of_added = of_parts[:, 1:]  # [batch, time, values, keys]
        of_key = (of_added * written.unsqueeze(-1)).sum(dim=2)
        of_written = (of_added * key.unsqueeze(-2)).sum(dim=3)
        of_wanted = torch.linalg.solve_triangular(met.transpose(-2, -1), of_written, upper=True, unitriangular=True)
        of_strength = None
        if opened is not None:
            of_strength = (of_wanted * written).sum(dim=-1, keepdim=True)
            of_strength = torch.addcmul(of_strength, of_strength, opened, value=-1.0)
            of_wanted = opened * of_wanted
        of_pairs = torch.bmm(of_wanted, written.transpose(-2, -1)).mul_(left[..., 1:]).tril_(-1)  # [batch, time, time]
        of_found = left[..., :1] * of_wanted
        of_key.baddbmm_(of_pairs + of_pairs.transpose(-2, -1), key, alpha=-1.0).baddbmm_(
            of_found, before.transpose(-2, -1), alpha=-1.0
        )
        of_before = (
            of_parts[:, 0].transpose(-2, -1) - key.transpose(-2, -1) @ of_found if ctx.needs_input_grad[0] else None
        )
        return of_before, of_key, of_wanted, of_strength, None


class Step(NamedTuple):
    """What a single step writes, as a `Window` of one."""

    before: Tensor  # [batch, keys, values]: what the step has left of what was held before it
    key: Tensor  # [batch, 1, keys]
    value: Tensor  # [batch, 1, values]
    written: Tensor  # [batch, 1, values]: what it adds at its key

    def found(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """See `Window`."""
        after = torch.addcmul(self.before, self.key.transpose(-2, -1), self.written)
        return query @ after, after

    def held(self) -> Tensor:
        """See `Window`."""
        return torch.addcmul(
            self.before.transpose(-2, -1).unsqueeze(1), self.written.unsqueeze(-1), self.key.unsqueeze(-2)
        )


class DeltaRule(Beside):
    """A matrix S [keys, values] that is written by the delta rule (Schlag, Irie & Schmidhuber, 2021).

    With x the observation and the previous action, k a learned linear function of x of length 1, v a learned function
    of x, and a strength b = sigmoid(w x + c), open at first:

        S <- keep * S,  u = b * (v - S' k),  S <- S + k u'

    So what is found at a key is written over, and keys at right angles to it lose nothing. With T steps in a window all
    u follow from one triangular system (Yang et al., 2024): with D_ts what `keep` has left at t of what was written at
    s,

        u_t + b_t sum_(s < t) D_ts (k_t . k_s) u_s = b_t (v_t - D_t0 S_0' k_t)

    Keys that share their directions write over each other a little at every step, so that nothing lasts. Where `at`
    names a part of what is observed, keys are shares that add up to 1, a softmax of a learned linear function of x,
    before they get the length 1; the first begin as one for each number of that part, and others hold none of it.
    Where `whole`, b is 1 and not learned: what is held at a key is as it came last, after one visit as after many.
    `keyed` says whether keys are learned; a kind that makes its own has a `key_of`.
    """

    def __init__(
        self,
        inputs: int,
        keys: int,
        values: int,
        shown: int,
        keep: float,
        at: slice | None = None,
        whole: bool = False,
        keyed: bool = True,
    ) -> None:
        super().__init__()
        self.keys, self.size, self.keep, self.shown = keys, keys * values, keep, shown
        self.shares, self.whole = at is not None, whole
        self.parts_of_address = (keys * keyed, shown, 1 - whole)  # key, what `value_of` and `read` take, strength
        self.address = nn.Linear(inputs, sum(self.parts_of_address))
        with torch.no_grad():
            if not whole:
                self.address.weight[-1] = 0.0
                self.address.bias[-1] = OPEN
            if at is not None:
                self.address.weight[:keys] = 0.0
                self.address.bias[:keys] = 0.0
                number = torch.arange(at.stop - at.start)
                self.address.weight[number, at.start + number] = SHARP

    def input_layers(self) -> dict[str, slice]:
        """The one layer reads all."""
        return {"address.weight": slice(None)}

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        batch, time, _ = features.shape
        key, shown, strength = self.address(features).split(self.parts_of_address, dim=-1)
        key, shown = self.key_of(features, key), self.shown_by(features, shown)
        before = hidden[0][0].view(batch, self.keys, -1)  # [batch, keys, values]
        write = self.write_step if time == 1 else self.write_window
        window = write(before, key, self.value_of(shown), None if self.whole else strength, reset)
        read, after = self.read(window, shown)
        return read, (after.flatten(1).unsqueeze(0),)

    def write_window(
        self, before: Tensor, key: Tensor, value: Tensor, strength: Tensor | None, reset: Tensor | None
    ) -> Window:
        """Write all steps of a window at once, see `Window`."""
        return Window(before, key, value, strength, equal_shares_left(self.keep, key, reset))

    def write_step(
        self, before: Tensor, key: Tensor, value: Tensor, strength: Tensor | None, reset: Tensor | None
    ) -> Step:
        """Write a single step, before which nothing was written in its window, see `write_window`."""
        if self.keep != 1.0:
            before = self.keep * before
        if reset is not None:
            before = before.masked_fill(reset.unsqueeze(-1), 0.0)
        wanted = value - key @ before
        return Step(before, key, value, wanted if strength is None else torch.sigmoid(strength) * wanted)

    def key_of(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return where each step writes, [batch, time, keys], of length 1, by a learned function of x."""
        if self.shares:
            return (0.5 * (2.0 * learned).log_softmax(dim=-1)).exp()  # the softmax, scaled to the length 1
        return functional.normalize(learned, dim=-1)

    def shown_by(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return what `value_of` and `read` take, of a learned function of x, [batch, time, shown]."""
        return learned

    def value_of(self, shown: Tensor) -> Tensor:
        """Return what each step writes at its key, [batch, time, values], of what it shows [batch, time, shown]."""
        raise NotImplementedError

    def read(self, window: Window | Step, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Read at each step, [batch, time, width], and return what is held after the last, [batch, keys, values]."""
        raise NotImplementedError


class Delta(DeltaRule):
    """Values that are learned linear functions of x, read by a query as the keys are made: S' q."""

    def __init__(
        self, inputs: int, keys: int, values: int, keep: float, at: slice | None = None, whole: bool = False
    ) -> None:
        super().__init__(inputs, keys, values, values + keys, keep, at, whole)
        self.width = values

    def value_of(self, shown: Tensor) -> Tensor:
        """The first of what is shown, see `DeltaRule`."""
        return shown[..., : self.width]

    def read(self, window: Window | Step, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Read what is found by the rest of it, see `DeltaRule`."""
        return window.found(functional.normalize(shown[..., self.width :], dim=-1))
