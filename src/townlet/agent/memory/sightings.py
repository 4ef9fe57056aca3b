"""What an agent knows of where each kind of place is: from a memory of sights, or from what it observes."""

import torch
from torch import Tensor, nn

from townlet.agent.memory.beside import Beside, Written
from townlet.environment.layout import ObservationLayout
from townlet.sequences import Hidden

# Parts of an observation: what is there, its last value for nothing; where that is; and how far all places are.
KIND, PLACE, OFFSETS = "underfoot", "position", "offsets"
DIRECTIONS = 3  # numbers for a place


class LastSightings(Written):
    """Where each kind of place was last underfoot; nothing to learn, and as clear after a hundred steps as after one.

    A memory that nothing but a new sight overwrites. It holds three numbers of each kind, ones first, then all x, then
    all y; zeros for kinds not seen yet. What is read is the ones, and which way and how far the places lie from here:
    see `directions`.
    """

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        self.kind, self.place = layout.slices[KIND], layout.slices[PLACE]
        self.kinds = layout.width(KIND) - 1
        self.size, self.width = 3 * self.kinds, (1 + DIRECTIONS) * self.kinds

    def shown(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return which kind is underfoot, [batch, time, 1, kinds], and what of it is kept, [batch, time, 3, 1]."""
        here = features[..., self.place].unsqueeze(-1)
        return (features[..., self.kind] > 0.5)[..., None, : self.kinds], nn.functional.pad(
            here, (0, 0, 1, 0), value=1.0
        )

    def write(self, held: Tensor, *sight: Tensor) -> Tensor:
        """Write over what was kept of the kind that is underfoot, see `Written`."""
        underfoot, kept = sight
        return torch.where(underfoot, kept, held.view(-1, 3, self.kinds)).flatten(1)

    def read(self, held: Tensor, features: Tensor) -> Tensor:
        """Read which kinds are known, and the ways to them, see `Written`."""
        known, x, y = held.split(self.kinds, dim=-1)  # [batch, time, kinds] each
        here_x, here_y = features[..., self.place].split(1, dim=-1)
        return torch.cat([known, *ways((x - here_x) * known, (y - here_y) * known)], dim=-1)


class PlacesInView(Beside):
    """The same reading where a level shows how far each place is: what stands on the map is known, and no memory kept.

    So what was learned where all is in view can be used where it has to be remembered.
    """

    parts = 0

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        self.kind, self.offsets = layout.slices[KIND], layout.slices[OFFSETS]
        self.kinds = layout.width(KIND) - 1
        self.width = (1 + DIRECTIONS) * self.kinds

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Read at each step of a window, see `Beside`; there is nothing to reset."""
        right, below = features[..., self.offsets].chunk(2, dim=-1)
        underfoot = features[..., self.kind][..., : self.kinds] > 0.5
        known = underfoot | (right != 0) | (below != 0)  # the offsets of what does not stand on the map are zero
        return torch.cat([known.to(features.dtype), *ways(right, below)], dim=-1), hidden


def make_sightings(layout: ObservationLayout) -> Beside:
    """Make what reads the places of a level: all where they are observed, else those that were underfoot."""
    return PlacesInView(layout) if OFFSETS in layout.slices else LastSightings(layout)


def directions(right: Tensor, below: Tensor) -> Tensor:
    """Map how far places lie to the right and below, [..., places] each, to [..., 3 * places].

    First the signs of the one, then of the other, then the sums of both distances. A policy needs the way to a place
    more than the distance, and a network is slow to learn a sign from a small number.
    """
    return torch.cat(ways(right, below), dim=-1)


def ways(right: Tensor, below: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the parts of `directions`, [..., places] each, for whoever puts more beside them."""
    return right.sign(), below.sign(), right.abs() + below.abs()
