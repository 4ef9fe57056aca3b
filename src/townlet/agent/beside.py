"""What a recurrent network keeps and reads beside its cell."""

from torch import Tensor, nn

from townlet.sequences import Hidden


class Beside(nn.Module):
    """A memory that nothing is learned in: it is written by a rule, and the head reads it."""

    parts = 1  # tensors of memory
    size: int  # numbers in the memory of one agent
    width: int  # numbers read at each step

    def initial_hidden(self, batch: int, like: Tensor) -> Hidden:
        """Return the memory at an episode's start: zeros, [1, batch, size], of the kind and device of `like`."""
        return tuple(like.new_zeros(1, batch, self.size) for _ in range(self.parts))

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window.

        features [batch, time, obs_dim]; hidden: the memory before it; reset [batch, time] bool: memory is zero before
        that step, None where it never is. Returns what each step reads, its own sight included, [batch, time, width],
        and the memory after the last.
        """
        raise NotImplementedError
