"""An associative memory: what was seen is found again by what it was seen with."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.shares import shares_left
from townlet.sequences import Hidden

OPEN = 3.0  # a strength that begins so writes nearly all: the sigmoid is 0.953


class Delta(Beside):
    """A matrix S [keys, values] that is written by the delta rule (Schlag, Irie & Schmidhuber, 2021).

    With x the observation and the previous action, k and q learned linear functions of x of length 1, v another, and a
    strength b = sigmoid(w x + c), open at first:

        S <- keep * S,  u = b * (v - S' k),  S <- S + k u',  and what is read is S' q

    So what is found at a key is written over, and other keys lose nothing. With T steps in a window all u follow from
    one triangular system (Yang et al., 2024): with D_ts what `keep` has left at t of what was written at s,

        u_t + b_t sum_(s < t) D_ts (k_t . k_s) u_s = b_t (v_t - D_t0 S_0' k_t)
    """

    def __init__(self, inputs: int, keys: int, values: int, keep: float) -> None:
        super().__init__()
        self.size, self.width, self.parted = keys * values, values, (keys, keys, values, 1)
        self.keep = keep
        self.address = nn.Linear(inputs, sum(self.parted))  # key, query, value, strength
        with torch.no_grad():
            self.address.weight[-1] = 0.0
            self.address.bias[-1] = OPEN

    def input_layers(self) -> dict[str, slice]:
        """The one layer reads all."""
        return {"address.weight": slice(None)}

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        batch, time, _ = features.shape
        key, query, value, strength = self.address(features).split(self.parted, dim=-1)  # [batch, time, ...] each
        key, query = functional.normalize(key, dim=-1), functional.normalize(query, dim=-1)
        strength = torch.sigmoid(strength)
        before = hidden[0][0].view(batch, *self.parted[1:3])  # [batch, keys, values]
        left = shares_left(features.new_full((batch, time), self.keep).log(), reset)
        first, since = left[..., :1], left[..., 1:]  # of what was held before the window, and of what each step wrote
        met = strength * (key @ key.mT * since).tril(-1)  # [batch, time, time]
        wanted = strength * (value - first * (key @ before))
        written = torch.linalg.solve_triangular(met, wanted, upper=False, unitriangular=True)  # [batch, time, values]
        read = first * (query @ before) + (query @ key.mT * since) @ written
        after = first[:, -1:] * before + (key * since[:, -1].unsqueeze(-1)).mT @ written
        return read, (after.flatten(1).unsqueeze(0),)
