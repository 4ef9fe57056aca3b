"""What buffers hand to learners: windows of consecutive steps, and the memory that they begin with."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tensordict import TensorDict

Hidden = tuple[Tensor, ...]  # (h, c), each [num_layers, batch, hidden_dim]; () without memory


class SequenceBatch(NamedTuple):
    """Windows of consecutive steps, `burn_in` steps for warming the memory first, then `seq_len` to learn from."""

    observations: Tensor  # [batch, burn_in + seq_len + 1, obs_dim]
    action_mask: Tensor  # [batch, burn_in + seq_len + 1, num_actions] bool
    actions: Tensor  # [batch, burn_in + seq_len] int64
    rewards: Tensor  # [batch, burn_in + seq_len]
    terminated: Tensor  # [batch, burn_in + seq_len] bool
    valid: Tensor  # [batch, burn_in + seq_len] bool: steps to learn from, never those of the burn-in
    previous_actions: Tensor  # [batch, burn_in + seq_len + 1] int64, num_actions for none
    hidden: Hidden  # memory before the first step, each [num_layers, batch, hidden_dim]
    weights: Tensor  # [batch]
    where: Tensor  # [batch] int64: row on the tape of the first step to learn from
    last: Tensor  # [batch] int64: row on the tape of the last step, where none of them is padding
    reset: Tensor | None  # [batch, burn_in + seq_len + 1] bool: memory is zero before that step; None where it never is
    burn_in: int
    beside: Tensor | None = (
        None  # [batch, burn_in + seq_len + 1, width]: see `QNetwork.read_beside`; None: not read yet
    )
    cut: Tensor | None = None  # [batch, burn_in + seq_len] bool: steps to learn from that did not lead to the next
    cut_values: Tensor | None = None  # [batch, burn_in + seq_len]: worth of what they led to; both None: there are none
    discounts: Tensor | None = None  # [batch, 2, seq_len]: see `losses.discounts`; None: not worked out yet
    successors: Tensor | None = None  # [batch, seq_len, obs_dim]: seen after each step, before a reset; None: not read
    earlier: Tensor | None = None  # [batch, obs_dim]: seen before, in the last observation's episode; None: not read
    has_earlier: Tensor | None = None  # [batch] bool: whether it was; None: not read

    def rows(self, index: Tensor) -> "SequenceBatch":
        """Return the windows at `index` [some] int64."""
        picked: dict[str, Any] = {name: part.index_select(0, index) for name, part in self._of_each_window().items()}
        return self._replace(hidden=tuple(part.index_select(1, index) for part in self.hidden), **picked)

    def chunk(self, chunks: int) -> "list[SequenceBatch]":
        """Return the windows in at most so many batches, one after another and alike in size: views, no copies."""
        parts: dict[str, Any] = {name: part.chunk(chunks) for name, part in self._of_each_window().items()}
        hidden = [part.chunk(chunks, dim=1) for part in self.hidden]
        return [
            self._replace(
                hidden=tuple(part[number] for part in hidden), **{name: part[number] for name, part in parts.items()}
            )
            for number in range(len(parts["actions"]))
        ]

    def _of_each_window(self) -> dict[str, Tensor]:
        """What has a row a window, by name: all tensors but the memory."""
        return {name: part for name, part in self._asdict().items() if isinstance(part, Tensor)}

    def to_tensordict(self) -> "TensorDict":
        """Return the windows as TorchRL keeps trajectories: [batch, time], the second dimension named "time".

        Keys: observation, action_mask, action, previous_action, is_init [batch, time, 1] (memory is zero before that
        step), mask (steps to learn from), recurrent_state_0, ... (memory before the window in its first step,
        [batch, time, num_layers, hidden_dim], zero after it, as TorchRL's recurrent modules read it), and under "next"
        observation, action_mask, reward, terminated, truncated and done, each [..., 1]. A window that ends before its
        episode, or by a time limit, is not done. Raises ImportError without the package tensordict.
        """
        from tensordict import TensorDict

        batch, time = self.actions.shape
        reset = torch.zeros_like(self.terminated) if self.reset is None else self.reset[:, :-1]
        first = torch.arange(time, device=self.actions.device).view(1, -1, 1, 1) == 0
        states = [part.transpose(0, 1).unsqueeze(1) * first for part in self.hidden]  # [batch, time, layers, hidden]
        ends = self.terminated.unsqueeze(-1)
        content = {
            "observation": self.observations[:, :-1],
            "action_mask": self.action_mask[:, :-1],
            "action": self.actions,
            "previous_action": self.previous_actions[:, :-1],
            "is_init": reset.unsqueeze(-1),
            "mask": self.valid,
            **{f"recurrent_state_{index}": state for index, state in enumerate(states)},
            "next": {
                "observation": self.observations[:, 1:],
                "action_mask": self.action_mask[:, 1:],
                "reward": self.rewards.unsqueeze(-1),
                "terminated": ends,
                "truncated": torch.zeros_like(ends),
                "done": ends,
            },
        }
        return TensorDict(content, batch_size=[batch, time], names=[None, "time"])


class CutSteps(NamedTuple):
    """Steps in the newest windows that a time limit cut off: what they led to is in none of these."""

    alone: SequenceBatch  # [some, 1]: each as a window of its own, with its successor; some may be other steps
    place: Tensor  # [some] int64: where they are in the newest windows, agent * seq_len + step
    cut: Tensor  # [num_agents, seq_len] bool: which of the newest windows' steps were cut off and are among them
