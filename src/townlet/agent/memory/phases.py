"""An associative memory of places: where something was is held as an angle, and read as seen from here."""

import torch
from torch import Tensor

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
        cosine, sine = held.flatten(2).chunk(2, dim=-1)  # [batch, time, phases * keys] each
        right, up = (part.repeat_interleave(self.keys, dim=-1) for part in (shown.cos(), shown.sin()))
        across, along = cosine * right + sine * up, sine * right - cosine * up
        seen = torch.cat([across, along, torch.tanh(STEEP * along)], dim=-1)
        read = seen.unflatten(-1, (-1, self.keys)).mT.flatten(2)  # key by key
        return read, held[:, -1].mT
