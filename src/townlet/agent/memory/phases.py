"""An associative memory of places: where something was is held as an angle, and read as seen from here."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from townlet.agent.memory.delta import DeltaRule, Step, Window

SLOWEST = 1.5  # radians from one end of the map to the other: the first phase of a coordinate
STEEP = 12.0  # a cell of a map of twelve is 0.14 radians of the first phase: nine tenths of a whole way


class DeltaPhases(DeltaRule):
    """Values that are cosine and sine of angles phi, and read relative to today's phi.

    All of S is read, each pair turned back by phi. Where phi is a place, that tells at each key how far off lies what
    is held there, by cosine and sine, and which way, by tanh(12 sine): a policy needs the way to a place more than the
    distance, and a network is slow to learn a sign from a small number.

    Where a position is observed, the phases are 1.5, 3, 6 and so on times each coordinate in turn, and nothing else has
    a part in them, so that what lies in the same column is neither left nor right. Elsewhere they are learned linear
    functions of x. `place` is the position's part of x; `coordinates` [width of the place, 2] are those that each of
    its numbers adds, where these are not the coordinates themselves.
    """

    octaves: Tensor  # [width of the place, phases] float32: radians of a phase for each of its numbers

    def __init__(
        self,
        inputs: int,
        keys: int,
        phases: int,
        keep: float,
        at: slice | None = None,
        place: slice | None = None,
        coordinates: Tensor | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__(inputs, keys, 2 * phases, 0 if place else phases, keep, at, whole)
        self.width, self.place = 3 * keys * phases, place
        if place is not None:
            known = torch.eye(place.stop - place.start) if coordinates is None else coordinates
            phase, count = torch.arange(phases), known.shape[1]
            octaves = torch.zeros(count, phases)
            octaves[phase % count, phase] = SLOWEST * 2.0 ** (phase // count)
            self.register_buffer("octaves", known @ octaves, persistent=False)

    def shown_by(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return today's angles, see `DeltaRule`."""
        return learned if self.place is None else features[..., self.place] @ self.octaves

    def value_of(self, shown: Tensor) -> Tensor:
        """Cosines, then sines, see `DeltaRule`."""
        return torch.cat([shown.cos(), shown.sin()], dim=-1)

    def read(self, window: Window | Step, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Read cosine and sine of the difference to today's angles, each as long as what is held, and the way.

        See `DeltaRule`.
        """
        held = window.held()  # [batch, time, 2 * phases, keys]
        today = window.value.unsqueeze(-1).expand(-1, -1, -1, self.keys).flatten(2)  # cosine and sine at each key
        with_gradient = torch.is_grad_enabled() and held.requires_grad
        read: Tensor = _Turned.apply(held, today) if with_gradient else turned_back(held, today)[0]
        return read, held[:, -1].transpose(-2, -1)


def turned_back(held: Tensor, today: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is held, [batch, time, 2 * phases, keys], turned back, and the way there, both key by key.

    today [batch, time, 2 * phases * keys]: cosine and sine of today's angles, each for all keys. Returned are all that
    is read, [batch, time, 3 * phases * keys], and the way alone, phase by phase, [batch, time, phases * keys].
    """
    (cosine, sine), (right, up) = held.flatten(2).chunk(2, dim=-1), today.chunk(2, dim=-1)
    across, along = torch.addcmul(cosine * right, sine, up), torch.addcmul(sine * right, cosine, up, value=-1.0)
    way = torch.tanh(STEEP * along)
    seen = torch.cat([across, along, way], dim=-1)
    return seen.unflatten(-1, (-1, held.shape[-1])).transpose(-2, -1).flatten(2), way


class _Turned(torch.autograd.Function):
    """All that `turned_back` reads, with its gradient by hand: in half of the operations."""

    @staticmethod
    def forward(ctx: Any, held: Tensor, today: Tensor) -> Tensor:
        seen, way = turned_back(held, today)
        ctx.save_for_backward(held, today, way)
        return seen

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_seen: Tensor) -> tuple[Tensor, Tensor | None]:
        held, today, way = ctx.saved_tensors
        (cosine, sine), (right, up) = held.flatten(2).chunk(2, dim=-1), today.chunk(2, dim=-1)
        by_phase = of_seen.unflatten(-1, (held.shape[-1], -1)).transpose(-2, -1).flatten(2)
        of_across, of_along, of_way = by_phase.chunk(3, dim=-1)
        of_along = torch.add(of_along, torch.ops.aten.tanh_backward(of_way, way), alpha=STEEP)
        of_cosine = torch.addcmul(of_across * right, of_along, up, value=-1.0)
        of_sine = torch.addcmul(of_across * up, of_along, right)
        of_held = torch.cat([of_cosine, of_sine], dim=-1).view_as(held)
        if not ctx.needs_input_grad[1]:
            return of_held, None
        of_right = torch.addcmul(of_across * cosine, of_along, sine)
        of_up = torch.addcmul(of_across * sine, of_along, cosine, value=-1.0)
        return of_held, torch.cat([of_right, of_up], dim=-1)
