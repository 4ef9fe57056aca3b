"""A memory of how often everything was seen: sums that nothing fades, read so that each count is told apart."""

import torch
from torch import Tensor

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.shares import shares_left
from townlet.sequences import Hidden


class Counter(Beside):
    """Sums over the episode of each number of the observation, each read as if one-hot.

    For each number u that is observed, and each j from 1 to `most`,

        h <- h + u,  c = min(h, most),  read_j = max(1 - |c - j|, 0)

    So of a count one number is 1 and the others are 0, all of them before it was ever seen; the last stays at 1 for
    more. A linear reading of that is any function of the count: what follows from it is looked up in a table, and not
    made of one number. With `most` 1 it tells what was seen at all. Nothing that is learned lies before the memory, so
    no window cuts a gradient.
    """

    levels: Tensor  # [most]: 1 to most

    def __init__(self, numbers: int, most: int) -> None:
        super().__init__()
        self.size, self.width = numbers, numbers * most
        self.register_buffer("levels", torch.arange(1.0, most + 1.0), persistent=False)

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        left = shares_left(features.new_zeros(features.shape[:2]), reset)  # [batch, time, 1 + time], 0 or 1
        sums = left @ torch.cat([hidden[0][0].unsqueeze(1), self.counted(features)], dim=1)  # [batch, time, size]
        counts = sums.unsqueeze(-1).clamp(max=len(self.levels))  # [batch, time, size, 1]
        known = (1.0 - (counts - self.levels).abs()).clamp(min=0.0)  # [batch, time, size, most]
        return self.read(known, features), (sums[:, -1].unsqueeze(0),)

    def counted(self, features: Tensor) -> Tensor:
        """Return what each step adds to the sums, [batch, time, size]: the observation."""
        return features[..., : self.size]

    def read(self, known: Tensor, features: Tensor) -> Tensor:
        """Return what is read at each step, [batch, time, width], of the counts [batch, time, size, most]."""
        return known.flatten(2)


class OutcomeCounter(Counter):
    """Sums of the observation for each action by itself, of what was observed right after it.

    So what came of an action is known for good, also where what is observed does not say of what it came. `actions`
    says where in the inputs the previous action stands, one-hot.
    """

    def __init__(self, obs_dim: int, actions: slice, most: int, reach: int) -> None:
        super().__init__((actions.stop - actions.start) * obs_dim, most)
        self.obs_dim, self.actions, self.reach = obs_dim, actions, reach
        self.of_action = obs_dim * most  # numbers read of each action, one action after the other

    def counted(self, features: Tensor) -> Tensor:
        """The observation in the row of the previous action, zeros in all others, see `Counter`."""
        rows = features[..., self.actions].unsqueeze(-1) * features[..., : self.obs_dim].unsqueeze(-2)
        return rows.flatten(2)  # [batch, time, num_actions * obs_dim]


class PartCounter(Counter):
    """Sums of an observation that has an equal part for each action: of an action are the counts of its part.

    Beside the counts of its part stands what the part shows now, and behind all actions what that of the previous one
    does. `actions` says where in the inputs that action stands, one-hot.
    """

    def __init__(self, obs_dim: int, actions: slice, most: int, reach: int) -> None:
        super().__init__(obs_dim, most)
        self.num_actions, self.actions, self.reach = actions.stop - actions.start, actions, reach
        part = obs_dim // self.num_actions
        assert part * self.num_actions == obs_dim
        self.of_action = part * (most + 1)  # numbers read of each action, one action after the other
        self.width = self.num_actions * self.of_action + part

    def read(self, known: Tensor, features: Tensor) -> Tensor:
        """Counts and present of each part, then the present of that of the previous action, see `Counter`."""
        parts = (self.num_actions, -1)
        shown = features[..., : self.size].unflatten(-1, parts)  # [batch, time, num_actions, part]
        of_each = torch.cat([known.flatten(2).unflatten(-1, parts), shown], dim=-1)
        last = features[..., self.actions].unsqueeze(-2) @ shown  # [batch, time, 1, part]
        return torch.cat([of_each.flatten(2), last.flatten(2)], dim=-1)
