"""An associative memory: what was seen is found again by what it was seen with."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.shares import shares_left
from townlet.sequences import Hidden

OPEN = 3.0  # a strength that begins so writes nearly all: the sigmoid is 0.953
SHARP = 10.0  # a number of 1 turns a key so far towards it that others keep a share of exp(-10)


class Window(NamedTuple):
    """What the steps of a window wrote, and what each has left of it."""

    before: Tensor  # [batch, keys, values]: what was held before the window
    key: Tensor  # [batch, time, keys]
    written: Tensor  # [batch, time, values]: what each step added at its key
    first: Tensor  # [batch, time, 1]: what each step has left of what was held before the window
    since: Tensor  # [batch, time, time]: and of what each step wrote

    def found(self, query: Tensor) -> Tensor:
        """Return what each step finds by a query of its own [batch, time, keys]: [batch, time, values]."""
        return self.first * (query @ self.before) + (query @ self.key.transpose(1, 2) * self.since) @ self.written

    def held(self) -> Tensor:
        """Return all that is held after each step, [batch, time, keys, values]."""
        added = self.since @ (self.key.unsqueeze(-1) * self.written.unsqueeze(-2)).flatten(2)
        return self.first.unsqueeze(-1) * self.before.unsqueeze(1) + added.unflatten(-1, self.before.shape[1:])

    def after(self) -> Tensor:
        """Return what is held after the last step, [batch, keys, values]."""
        left = self.key * self.since[:, -1].unsqueeze(-1)
        return self.first[:, -1:] * self.before + left.transpose(1, 2) @ self.written


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
        strength = torch.ones_like(key[..., :1]) if self.whole else torch.sigmoid(strength)
        before = hidden[0][0].view(batch, self.keys, -1)  # [batch, keys, values]
        left = shares_left(features.new_full((batch, time), self.keep).log(), reset)
        first, since = left[..., :1], left[..., 1:]
        met = strength * (key @ key.transpose(1, 2) * since).tril(-1)  # [batch, time, time]
        wanted = strength * (self.value_of(shown) - first * (key @ before))
        # In a window of one step nothing was written before.
        solve = torch.linalg.solve_triangular
        written = wanted if time == 1 else solve(met, wanted, upper=False, unitriangular=True)
        window = Window(before, key, written, first, since)
        return self.read(window, shown), (window.after().flatten(1).unsqueeze(0),)

    def key_of(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return where each step writes, [batch, time, keys], of length 1, by a learned function of x."""
        return functional.normalize(learned.softmax(dim=-1) if self.shares else learned, dim=-1)

    def shown_by(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return what `value_of` and `read` take, of a learned function of x, [batch, time, shown]."""
        return learned

    def value_of(self, shown: Tensor) -> Tensor:
        """Return what each step writes at its key, [batch, time, values], of what it shows [batch, time, shown]."""
        raise NotImplementedError

    def read(self, window: Window, shown: Tensor) -> Tensor:
        """Read at each step, [batch, time, width]."""
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

    def read(self, window: Window, shown: Tensor) -> Tensor:
        """Read what is found by the rest of it, see `DeltaRule`."""
        return window.found(functional.normalize(shown[..., self.width :], dim=-1))
