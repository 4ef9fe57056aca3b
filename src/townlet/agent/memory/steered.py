"""Spectral memories that what is observed steers: how fast each turns, which way, and what is written."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.spectral import random_sums, sights, squashed, turn_by
from townlet.sequences import Hidden

# What begins as a whole step, or an open gate: tanh is 0.9993, the sigmoid 0.982, and both still learn. With 3, tanh is
# 0.995, and weights wander so far that a hundred steps back end half a step from where as many forth began.
WHOLE = 4.0


class SteeredSpectral(Beside):
    """Banks of accumulators, as `Spectral`'s, whose speed s and write gate g are learned functions of what comes in.

    With x the observation and the previous action, for each number u that is observed and each k from 0 to n / 2,

        s = tanh(w_s x + b_s),  g = sigmoid(w_g x + b_g),  h_k <- keep * exp(2 pi i k s / n) * h_k + g * u

    A bank that goes forwards holds sights by their lag, one that stands still adds them up, and one that goes back over
    what it has written reads it in reverse order, as a stack does. The first bank begins as forwards whatever comes in.
    Each other one has an input drawn for it, of what is observed before what was done, and begins as forwards where
    that is 1, backwards where it is 0.

    `lags` is n, even. An observation of more than `widest` numbers is written as so many sums of them, see `Spectral`.
    """

    mix: Tensor | None  # [width of an observation, widest], where it is wider
    speeds: Tensor  # [lags / 2 + 1]: how far each accumulator turns in a whole step, in radians

    def __init__(
        self,
        obs_dim: int,
        inputs: int,
        lags: int,
        keep: float,
        banks: int,
        squash: bool = False,
        widest: int | None = None,
    ) -> None:
        super().__init__()
        assert lags % 2 == 0
        self.observed, self.obs_dim = obs_dim, min(obs_dim, widest or obs_dim)
        self.banks, self.squash = banks, squash
        self.register_buffer("mix", random_sums(obs_dim, widest))
        self.keep, self.scale = keep, 1.0 / math.sqrt(lags)
        speeds = torch.arange(lags // 2 + 1) * (2.0 * math.pi / lags)
        self.register_buffer("speeds", speeds, persistent=False)
        self.size = self.width = 2 * banks * self.obs_dim * len(speeds)
        self.steer = nn.Linear(inputs, 2 * banks)  # speeds, then gates
        with torch.no_grad():
            self.steer.weight.zero_()
            self.steer.bias.fill_(WHOLE)
            self.steer.bias[1:banks] = -WHOLE
            self.steer.weight[torch.arange(1, banks), _draw(obs_dim, inputs, banks - 1)] = 2.0 * WHOLE

    def input_layers(self) -> dict[str, slice]:
        """What steers reads all."""
        return {"steer.weight": slice(None)}

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        speed, gate = self.steer(features).chunk(2, dim=-1)  # [batch, time, banks] each
        angle = torch.tanh(speed).unsqueeze(-1) * self.speeds  # [batch, time, banks, lags / 2 + 1]
        written = torch.sigmoid(gate).unsqueeze(-1) * self.shown(features).unsqueeze(2)  # [.., banks, obs_dim]
        before = torch.view_as_complex(hidden[0][0].unflatten(-1, (self.banks, self.obs_dim, -1, 2)))
        held = _Held.apply(before, angle, written, reset, self.keep).transpose(0, 1).flatten(2)  # [batch, time, size]
        return (squashed(held) if self.squash else held) * self.scale, (held[:, -1].unsqueeze(0),)

    def shown(self, features: Tensor) -> Tensor:
        """Return what is written at each step, [batch, time, obs_dim]: the observation, or sums of it."""
        return sights(features[..., : self.observed], self.mix)

    def take_step(self, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Turn, add and read, see `Beside`."""
        speed, gate = self.steer(features[:, 0]).chunk(2, dim=-1)  # [batch, banks] each
        angle = (torch.tanh(speed).unsqueeze(-1) * self.speeds).unsqueeze(2)  # [batch, banks, 1, lags / 2 + 1]
        before = hidden[0][0].unflatten(-1, (self.banks, self.obs_dim, -1, 2)) * self.keep
        turned = turn_by(before, torch.stack([angle.cos(), angle.sin()], dim=-1))
        added = torch.sigmoid(gate).unsqueeze(-1) * self.shown(features)  # [batch, banks, obs_dim]
        held = (turned + functional.pad(added[..., None, None], (0, 1))).flatten(1)
        return (squashed(held) if self.squash else held).unsqueeze(1) * self.scale, (held.unsqueeze(0),)


class _Held(torch.autograd.Function):
    """What banks hold after each step of a window, [time, batch, banks, obs_dim, lags / 2 + 1, 2], and its gradient.

    before [batch, banks, obs_dim, lags / 2 + 1] complex: what was held before the window; angle [batch, time, banks,
    lags / 2 + 1]: how far each step turns it; written [batch, time, banks, obs_dim]. Step after step in place: what is
    held is large, and by automatic differentiation would be gone over a dozen times.
    """

    @staticmethod
    def forward(ctx: Any, before: Tensor, angle: Tensor, written: Tensor, reset: Tensor | None, keep: float) -> Tensor:
        left = torch.full_like(angle, keep)
        if reset is not None:
            left.masked_fill_(reset[..., None, None], 0.0)
        turn = torch.polar(left, angle).unsqueeze(3)  # what each step multiplies what is held by
        batch, time, *size = *written.shape, angle.shape[-1]
        held = torch.empty(time, batch, *size, dtype=before.dtype, device=before.device)
        last = before
        for step in range(time):
            last = torch.mul(last, turn[:, step], out=held[step])
            torch.view_as_real(last)[..., 0].add_(written[:, step].unsqueeze(-1))
        ctx.save_for_backward(turn, written, held)
        return torch.view_as_real(held)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_held: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of what goes in, by that of what is held.

        What is held at a step, but for what it wrote, turns about zero with its angle: its gradient along that turn is
        that of the angle.
        """
        turn, written, held = ctx.saved_tensors
        of_angle, of_written = torch.empty_like(turn.real), torch.empty_like(written)
        of_step = torch.view_as_complex(of_held.contiguous())
        later = torch.zeros_like(of_step[0])  # of what is held after a step, by all steps after it
        for step in reversed(range(len(held))):
            later += of_step[step]
            real, imaginary = torch.view_as_real(later).unbind(-1)
            of_written[:, step] = real.sum(dim=-1)
            turned = held[step] - written[:, step].unsqueeze(-1)
            of_angle[:, step] = (imaginary * turned.real - real * turned.imag).sum(dim=2, keepdim=True)
            later *= turn[:, step].conj()
        return later if ctx.needs_input_grad[0] else None, of_angle.squeeze(3), of_written, None, None


def _draw(obs_dim: int, inputs: int, count: int) -> Tensor:
    """Draw so many of the inputs: all that are observed, then all others, before any again."""
    rounds = [
        part
        for _ in range(0, count + 1, inputs)
        for part in (torch.randperm(obs_dim), torch.randperm(inputs - obs_dim) + obs_dim)
    ]
    return torch.cat(rounds)[:count]
