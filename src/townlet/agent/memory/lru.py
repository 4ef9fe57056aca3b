"""A linear recurrent unit: what is kept fades and turns at learned rates, and needs no loop."""

import math

import torch
from torch import Tensor, nn

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.spectral import turn_by
from townlet.sequences import Hidden


class LinearRecurrentUnit(Beside):
    """Complex units h that each fade and turn at a rate of their own (Orvieto et al., 2023).

    With x the observation and the previous action, B x a learned complex linear function of it, for each unit

        a = exp(-exp(nu) + i theta),  h <- a h + sqrt(1 - |a|^2) (B x)

    with nu and theta learned. What is read is h, real and imaginary parts apart. At first a unit keeps k / (k + 1) a
    step, k at random from 1 to `span`, and turns by up to half a turn.

    In a window h is a sum of what came in, each times a power of a: pairs of steps are added up, then pairs of pairs,
    in as many rounds as the window's length has bits (Blelloch, 1990).
    """

    def __init__(self, inputs: int, units: int, span: int) -> None:
        super().__init__()
        self.size = self.width = 2 * units
        self.drive = nn.Linear(inputs, 2 * units)
        steps = torch.empty(units).uniform_(1.0, span)
        self.nu = nn.Parameter(torch.log1p(1.0 / steps).log())  # [units]
        self.theta = nn.Parameter(torch.empty(units).uniform_(0.0, math.pi))  # [units], radians

    def input_layers(self) -> dict[str, slice]:
        """What drives the units reads all."""
        return {"drive.weight": slice(None)}

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        held, _ = self.unroll(features, as_complex(hidden[0][0]), reset)
        read = torch.view_as_real(held).flatten(2)
        return read, (read[:, -1].unsqueeze(0),)

    def unroll(self, features: Tensor, before: Tensor, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return h after each step, from `before` [batch, units], and what each multiplies the h before it by.

        Both are complex, [batch, time, units].
        """
        kept, taken = self._rates()
        driven = as_complex(self.drive(features)) * taken
        factor = torch.polar(kept, self.theta).expand_as(driven)
        if reset is not None:
            factor = factor * (~reset).to(kept.dtype).unsqueeze(-1)
        first = driven[:, :1] + factor[:, :1] * before.unsqueeze(1)
        return scan(factor, torch.cat([first, driven[:, 1:]], dim=1)), factor

    def take_step(self, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Fade, turn, add and read, see `Beside`."""
        driven, rate = self._parts(features)
        held = (turn_by(hidden[0][0].unflatten(-1, (-1, 2)), rate) + driven).flatten(1)
        return held.unsqueeze(1), (held.unsqueeze(0),)

    def _parts(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What one step adds, [batch, units, 2], and what it multiplies h by, [units, 2], real and imaginary parts."""
        kept, taken = self._rates()
        driven = self.drive(features[:, 0]).unflatten(-1, (-1, 2)) * taken.unsqueeze(-1)
        return driven, kept.unsqueeze(-1) * torch.stack([self.theta.cos(), self.theta.sin()], dim=-1)

    def _rates(self) -> tuple[Tensor, Tensor]:
        """|a| and sqrt(1 - |a|^2), each [units], with gradients even where |a| rounds to 1."""
        fades = torch.exp(self.nu)
        half = torch.tanh(fades)  # 1 - e^(-2 x) is 2 tanh(x) / (1 + tanh(x)), and nothing is lost for small x
        return torch.exp(-fades), (2.0 * half / (1.0 + half)).sqrt()


def scan(factor: Tensor, added: Tensor) -> Tensor:
    """Return h of every step of h_t = factor_t h_(t-1) + added_t, from zero; all [batch, time, units]."""
    reach = 1  # steps that `added` sums up by now
    while reach < added.shape[1]:
        added = torch.cat([added[:, :reach], added[:, reach:] + factor[:, reach:] * added[:, :-reach]], dim=1)
        factor = torch.cat([factor[:, :reach], factor[:, reach:] * factor[:, :-reach]], dim=1)
        reach *= 2
    return added


def as_complex(numbers: Tensor) -> Tensor:
    """Return numbers [..., 2 * units], real and imaginary parts in turn, as [..., units]."""
    return torch.view_as_complex(numbers.unflatten(-1, (-1, 2)).contiguous())
