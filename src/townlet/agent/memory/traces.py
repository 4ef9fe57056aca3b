"""A linear recurrent unit that learns from before its window: it carries what its memory owes to its parameters."""

import torch
from torch import Tensor
from torch.nn import functional

from townlet.agent.memory.lru import LinearRecurrentUnit, as_complex
from townlet.agent.memory.spectral import turn_by
from townlet.sequences import Hidden


class TracedUnits(LinearRecurrentUnit):
    """Linear recurrent units whose gradient reaches back to the episode's start, however short the window is.

    Beside h each agent keeps dh/dparameters, by forward differentiation (Williams & Zipser, 1989), which is exact and
    cheap for units that do not meet (Zucchet et al., 2023). For each unit, with x followed by a 1, and W what of that
    comes in, weights and bias of B times sqrt(1 - |a|^2),

        dh/dW <- a dh/dW + x,  dh/da <- a dh/da + h

    A window begins with the h that was stored and, in its gradient, with

        h + dh/dW (W - its value) + dh/da (a - its value)

    so that, with parameters held fixed, the gradients of an episode's windows add up to that of one window over all of
    it. An agent keeps 2 * units * (inputs + 3) numbers, where without traces it is 2 * units; a window adds to them by
    a product as large as that of B x. Where parameters have changed since, they are as stale as h is.
    """

    def __init__(self, inputs: int, units: int, span: int) -> None:
        super().__init__(inputs, units, span)
        self.units, self.size = units, 2 * units * (inputs + 3)

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`; memory is h, dh/da and dh/dW of each unit in turn."""
        before = as_complex(hidden[0][0]).unflatten(1, (self.units, -1))  # [batch, units, inputs + 3]
        h = before[..., 0] + self._owed(before[..., 1:]) if torch.is_grad_enabled() else before[..., 0]
        held, factor = self.unroll(features, h, reset)
        after = self._carry_on(features, before, held.detach(), factor.detach(), reset)
        return torch.view_as_real(held).flatten(2), (torch.view_as_real(after).flatten(1).unsqueeze(0),)

    def take_step(self, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Write and read, see `Beside`: all that is kept of a unit is multiplied by its rate, and added to."""
        before, (driven, rate) = hidden[0][0].unflatten(1, (self.units, -1, 2)), self._parts(features)
        shown = functional.pad(functional.pad(features, (0, 1), value=1.0).unsqueeze(-1), (0, 1))  # of real numbers
        shown = shown.expand(-1, self.units, -1, -1)
        added = torch.cat([driven.unsqueeze(2), before[:, :, :1], shown], dim=2)  # [batch, units, inputs + 3, 2]
        held = turn_by(before, rate.unsqueeze(1)) + added
        return held[:, :, 0].flatten(1).unsqueeze(1), (held.flatten(1).unsqueeze(0),)

    def _owed(self, traces: Tensor) -> Tensor:
        """Zeros [batch, units], whose gradient is that of the h which the traces [batch, units, inputs + 2] are of."""
        kept, taken = self._rates()
        rate = torch.polar(kept, self.theta)
        drive = torch.cat([self.drive.weight, self.drive.bias.unsqueeze(1)], dim=1)  # [2 * units, inputs + 1]
        drive = as_complex(drive.t()).t() * taken.unsqueeze(1)
        learned = torch.cat([rate.unsqueeze(1), drive], dim=1)  # [units, inputs + 2]
        return (traces.transpose(0, 1) @ (learned - learned.detach()).unsqueeze(2)).squeeze(2).t()

    @torch.no_grad()
    def _carry_on(self, features: Tensor, before: Tensor, held: Tensor, factor: Tensor, reset: Tensor | None) -> Tensor:
        """All that is kept after the last step, [batch, units, inputs + 3]."""
        left = factor.flip(1).cumprod(1).flip(1)  # [batch, time, units]: of what was held before each step
        since = torch.cat([left[:, 1:], torch.ones_like(left[:, :1])], dim=1)  # and of what it takes in
        past = torch.cat([before[:, None, :, 0], held[:, :-1]], dim=1)
        if reset is not None:
            past = past.masked_fill(reset.unsqueeze(-1), 0.0)
        shown, first = functional.pad(features, (0, 1), value=1.0).to(held.dtype), left[:, 0].unsqueeze(2)
        of_rate = first * before[..., 1:2] + (since * past).sum(dim=1).unsqueeze(2)
        of_drive = torch.addcmul(since.mT @ shown, first, before[..., 2:])
        return torch.cat([held[:, -1].unsqueeze(2), of_rate, of_drive], dim=2)
