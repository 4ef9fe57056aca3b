"""A memory of the last sights themselves, kept as a spectrum: which number was seen how many steps ago can be read."""

import math

import torch
from torch import Tensor, nn

from townlet.agent.memory.beside import Written
from townlet.sequences import Hidden


class Spectral(Written):
    """A bank of accumulators that turn at fixed speeds, fed by each number of the observation.

    For each number u that is observed and each k from 0 to n / 2,

        h_k <- keep * exp(2 pi i k / n) * h_k + u

    which is a sliding Fourier transform (Jacobsen & Lyons, 2003) that forgets by `keep` and not at the end of a window.
    The value of any lag below n is a linear function of h, exactly so where keep is 1 and nothing is older. A head
    learns such a reading as a regression; nothing that is learned lies before the memory, so no window cuts a gradient.
    h_0 never turns: where keep is 1, it counts. What is read is h / sqrt(n), real and imaginary parts apart. `lags` is
    n, even. With `squash` each of these parts x is read as sign(x) log(1 + |x|), also before the division: where keep
    is 1, what is seen all the time grows and grows, and would drown what was seen once.

    An observation of more than `widest` numbers comes in as `widest` sums of them, weighted at random once and for all:
    few at a time still tell apart what was seen (Johnson & Lindenstrauss, 1984).
    """

    turn: Tensor  # [lags / 2 + 1, 2]: what an accumulator is multiplied by at each step, real and imaginary part
    mix: Tensor | None  # [width of an observation, widest], where it is wider

    def __init__(self, obs_dim: int, lags: int, keep: float, squash: bool = False, widest: int | None = None) -> None:
        super().__init__()
        assert lags % 2 == 0
        self.observed, self.obs_dim = obs_dim, min(obs_dim, widest or obs_dim)
        self.scale, self.squash = 1.0 / math.sqrt(lags), squash
        self.register_buffer("mix", random_sums(obs_dim, widest))
        speeds = torch.arange(lags // 2 + 1, dtype=torch.float64) * (2.0 * math.pi / lags)
        turn = torch.polar(torch.full_like(speeds, keep), speeds).to(torch.complex64)
        self.register_buffer("turn", torch.view_as_real(turn), persistent=False)
        self.size = self.width = 2 * self.obs_dim * len(speeds)

    def shown(self, features: Tensor) -> tuple[Tensor]:
        """Return what each step adds to every accumulator, [batch, time, obs_dim, 1]."""
        return (sights(features[..., : self.observed], self.mix).unsqueeze(-1),)

    def write(self, held: Tensor, *sight: Tensor) -> Tensor:
        """Turn what is held and add what is seen, see `Written`."""
        turned = torch.view_as_complex(held.view(len(held), self.obs_dim, -1, 2)) * torch.view_as_complex(self.turn)
        return torch.view_as_real(turned + sight[0]).flatten(1)

    def take_step(self, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Turn, add and read, see `Beside`."""
        turned = turn_by(hidden[0][0].unflatten(-1, (self.obs_dim, -1, 2)), self.turn)
        (sight,) = self.shown(features)
        held = (turned + nn.functional.pad(sight[:, 0].unsqueeze(-1), (0, 1))).flatten(1)
        return self.read(held.unsqueeze(1), features), (held.unsqueeze(0),)

    def read(self, held: Tensor, features: Tensor) -> Tensor:
        """Read all of it, see `Written`."""
        return (squashed(held) if self.squash else held) * self.scale


def random_sums(numbers: int, widest: int | None) -> Tensor | None:
    """Draw the weights of `widest` sums of so many numbers, [numbers, widest]; None where there are no more."""
    return None if widest is None or numbers <= widest else torch.randn(numbers, widest) / math.sqrt(widest)


def sights(observed: Tensor, mix: Tensor | None) -> Tensor:
    """Return what is written of an observation: all of it, or the sums that `random_sums` has weights of."""
    return observed if mix is None else observed @ mix


def turn_by(numbers: Tensor, factor: Tensor) -> Tensor:
    """Multiply complex numbers [..., 2], real and imaginary parts apart, by others."""
    (real, imaginary), (by_real, by_imaginary) = numbers.unbind(-1), factor.unbind(-1)
    parts = [real * by_real - imaginary * by_imaginary, real * by_imaginary + imaginary * by_real]
    return torch.stack(parts, dim=-1)


def squashed(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): as x near zero, and close together far from it."""
    return values.sign() * values.abs().log1p()
