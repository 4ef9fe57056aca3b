"""An associative memory: what was seen is found again by what it was seen with."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.shares import equal_shares_left
from townlet.sequences import Hidden

OPEN = 3.0  # a strength that begins so writes nearly all: the sigmoid is 0.953
SHARP = 10.0  # a number of 1 turns a key so far towards it that others keep a share of exp(-10)


class Window(NamedTuple):
    """What the steps of a window wrote, and what each has left of it."""

    before: Tensor  # [batch, keys, values]: what was held before the window
    key: Tensor  # [batch, time, keys]
    written: Tensor  # [batch, time, values]: what each step added at its key
    left: Tensor  # [batch or 1, time, 1 + time]: what each step has left of `before`, and of what each step wrote

    def found(self, query: Tensor) -> Tensor:
        """Return what each step finds by a query of its own [batch, time, keys]: [batch, time, values]."""
        first, since = self.left[..., :1], self.left[..., 1:]
        return first * (query @ self.before) + (query @ self.key.mT * since) @ self.written

    def held(self) -> Tensor:
        """Return all that is held after each step, [batch, time, values, keys].

        Keys lie innermost: there are many of them, so that what is done with each of few values is done in one sweep.
        """
        added = self.written.unsqueeze(-1) * self.key.unsqueeze(-2)  # [batch, time, values, keys]
        parts = torch.cat([self.before.mT.unsqueeze(1), added], dim=1)  # [batch, 1 + time, values, keys]
        return (self.left @ parts.flatten(2)).unflatten(-1, parts.shape[2:])

    def after(self) -> Tensor:
        """Return what is held after the last step, [batch, keys, values]."""
        last = self.left[:, -1].unsqueeze(-1)  # [batch or 1, 1 + time, 1]
        return last[:, :1] * self.before + (self.key * last[:, 1:]).mT @ self.written


class Step(NamedTuple):
    """What a single step wrote, as a `Window` of one."""

    before: Tensor  # [batch, keys, values]: what the step has left of what was held before it
    key: Tensor  # [batch, 1, keys]
    written: Tensor  # [batch, 1, values]

    def found(self, query: Tensor) -> Tensor:
        """See `Window`."""
        return query @ self.after()

    def held(self) -> Tensor:
        """See `Window`."""
        return torch.addcmul(self.before.mT.unsqueeze(1), self.written.unsqueeze(-1), self.key.unsqueeze(-2))

    def after(self) -> Tensor:
        """See `Window`."""
        return torch.addcmul(self.before, self.key.mT, self.written)


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
        strength = None if self.whole else torch.sigmoid(strength)
        before = hidden[0][0].view(batch, self.keys, -1)  # [batch, keys, values]
        write = self.write_step if time == 1 else self.write_window
        read, after = self.read(write(before, key, self.value_of(shown), strength, reset), shown)
        return read, (after.flatten(1).unsqueeze(0),)

    def write_window(
        self, before: Tensor, key: Tensor, value: Tensor, strength: Tensor | None, reset: Tensor | None
    ) -> Window:
        """Write all steps of a window at once; strength [batch, time, 1], None where it is 1."""
        left = equal_shares_left(self.keep, key, reset)
        first, since = left[..., :1], left[..., 1:]
        met, wanted = key @ key.mT * since, value - first * (key @ before)
        if strength is not None:
            met, wanted = strength * met, strength * wanted
        # Of what is met only that of earlier steps is looked at.
        written = torch.linalg.solve_triangular(met, wanted, upper=False, unitriangular=True)
        return Window(before, key, written, left)

    def write_step(
        self, before: Tensor, key: Tensor, value: Tensor, strength: Tensor | None, reset: Tensor | None
    ) -> Step:
        """Write a single step, before which nothing was written in its window, see `write_window`."""
        if self.keep != 1.0:
            before = self.keep * before
        if reset is not None:
            before = before.masked_fill(reset.unsqueeze(-1), 0.0)
        wanted = value - key @ before
        return Step(before, key, wanted if strength is None else strength * wanted)

    def key_of(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return where each step writes, [batch, time, keys], of length 1, by a learned function of x."""
        return functional.normalize(learned.softmax(dim=-1) if self.shares else learned, dim=-1)

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
        return window.found(functional.normalize(shown[..., self.width :], dim=-1)), window.after()
