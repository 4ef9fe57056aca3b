"""Priorities of windows: which ones are drawn more often, and how that is made up for."""

from collections.abc import Mapping

import torch
from torch import Tensor

from townlet.config import Priority

LEAST = 1e-6  # a window that was learned perfectly keeps a small chance


class NoPriorities:
    """Every window has the same chance."""

    def add(self, rows: Tensor) -> None:
        """New rows are as all others."""

    def masses(self, rows: Tensor) -> Tensor:
        """1 for each row, [some] to [some] float64."""
        return torch.ones_like(rows, dtype=torch.float64)

    def weights(self, chance: Tensor) -> Tensor:
        """1 for each window, [batch]."""
        return torch.ones_like(chance, dtype=torch.float32)

    def update(self, rows: Tensor, td_error: Tensor, valid: Tensor) -> bool:
        """No error changes a chance."""
        return False

    def state_dict(self) -> None:
        """Return None."""

    def check(self, state: Mapping[str, Tensor] | None) -> None:
        """Raise ValueError for a state of some priorities."""
        if state is not None:
            raise ValueError("priorities: expected none, got a state with some")

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """There is nothing to go on from."""


class Priorities:
    """One priority for the window that begins in each row of a tape; new rows get the largest one so far."""

    def __init__(self, rows: int, config: Priority, device: torch.device) -> None:
        self.config = config
        self.values = torch.zeros(rows, dtype=torch.float64, device=device)
        self.greatest = torch.ones((), dtype=torch.float64, device=device)

    def add(self, rows: Tensor) -> None:
        """Give new rows [some] int64 the largest priority, so that each is learned from soon."""
        self.values.index_copy_(0, rows, self.greatest.expand(len(rows)))

    def masses(self, rows: Tensor) -> Tensor:
        """priority ** exponent of some rows, [some] to [some] float64: in proportion to a window's chance there.

        To the last bit a row's does not depend on the rows beside it, which is why this is no power: of those,
        PyTorch rounds the last few in a tensor otherwise.
        """
        return (self.config.exponent * self.values[rows].clamp(min=LEAST).log()).exp()

    def weights(self, chance: Tensor) -> Tensor:
        """Importance weights [batch] of windows drawn with `chance` [batch], the largest of them 1."""
        weights = chance**-self.config.importance  # the number of windows would cancel
        return (weights / weights.max()).float()

    def update(self, rows: Tensor, td_error: Tensor, valid: Tensor) -> bool:
        """Set the priorities of rows [batch] by what was learned there: td_error and valid, [batch, seq_len].

        A row that was drawn more than once gets the largest of its priorities, in whatever order they come. Returns
        whether that changes a chance: True.
        """
        priority = mixed_error(td_error.double(), valid, self.config.largest)
        self.values.scatter_reduce_(0, rows, priority, "amax", include_self=False)
        torch.maximum(self.greatest, priority.max(), out=self.greatest)
        return True

    def state_dict(self) -> dict[str, Tensor]:
        """Return all priorities."""
        return {"values": self.values, "greatest": self.greatest}

    def check(self, state: Mapping[str, Tensor] | None) -> None:
        """Raise ValueError for a state without priorities."""
        if state is None:
            raise ValueError("priorities: expected some, got a state without")

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self.values.copy_(state["values"])
        self.greatest.copy_(state["greatest"])


def mixed_error(td_error: Tensor, valid: Tensor, largest: float) -> Tensor:
    """largest * max + (1 - largest) * mean of |TD error| over valid steps, [batch, seq_len] to [batch]; 0 without any.

    Kapturowski et al. (2019) with largest = 0.9.
    """
    error = torch.where(valid, td_error.abs(), 0.0)
    mean = error.sum(dim=1) / valid.sum(dim=1).clamp(min=1)
    return largest * error.amax(dim=1) + (1.0 - largest) * mean
