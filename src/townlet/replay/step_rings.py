"""Rings of steps, one for each agent, preallocated on the device: their tables, what they hold, and their state."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.sequences import Hidden


class StepRings:
    """A ring of `capacity // num_agents` transitions for each agent, in the order in which they were lived.

    `hidden` is a network's memory for any batch, () without memory: kept is the one before each step, or before the
    step in every `stored_every`-th slot. `in_bytes`: features are whole numbers from 0 to 255, and take a byte each.
    """

    def __init__(
        self,
        capacity: int,
        num_agents: int,
        obs_dim: int,
        num_actions: int,
        device: torch.device | str = "cpu",
        hidden: Hidden = (),
        stored_every: int = 1,
        in_bytes: bool = False,
    ) -> None:
        if num_agents < 1 or capacity // num_agents < 2:
            raise ValueError(
                f"capacity: expected at least 2 transitions for each of {num_agents} agents, got {capacity}"
            )
        self.capacity, self.num_agents, self.obs_dim, self.num_actions = capacity, num_agents, obs_dim, num_actions
        self.device = torch.device(device)
        slots = capacity // num_agents + 1  # one holds the observation after the newest step
        self.stored_every, self.slots = stored_every, -(-slots // stored_every) * stored_every
        rows = num_agents * self.slots

        def table(*shape: int, dtype: torch.dtype = torch.float32, rows: int = rows) -> Tensor:
            return torch.zeros(rows, *shape, dtype=dtype, device=self.device)

        self.features = table(obs_dim, dtype=torch.uint8 if in_bytes else torch.float32)
        self.action_mask = table(num_actions, dtype=torch.bool)
        self.actions = table(dtype=torch.int64)
        self.previous_actions = table(dtype=torch.int64)
        self.rewards_extrinsic = table()
        self.rewards_intrinsic = table()
        self.terminated = table(dtype=torch.bool)
        self.truncated = table(dtype=torch.bool)
        self.valid = table(dtype=torch.bool)  # a transition begins here
        self.episode_step = table(dtype=torch.int32)
        self.hidden = tuple(
            table(part.shape[0], part.shape[2], dtype=part.dtype, rows=rows // stored_every) for part in hidden
        )  # each [rows / stored_every, num_layers, hidden_dim]
        self.base = torch.arange(num_agents, device=self.device) * self.slots  # [num_agents], first row of each ring
        self.cursor = torch.zeros(num_agents, dtype=torch.int64, device=self.device)  # slot of the next transition
        self.lived = torch.zeros(num_agents, dtype=torch.int32, device=self.device)  # steps of the running episode
        # Slots of the newest steps of all agents, for `newest`: a ring of its own, since agents do not advance alike.
        # Half as long as theirs, so that even episodes of one step, which take two slots each, are still there.
        self.recent = torch.zeros(self.slots // 2, num_agents, dtype=torch.int64, device=self.device)
        self.ended = torch.zeros((), dtype=torch.int64, device=self.device)  # episodes that ended, still stored or not
        self.turn = torch.zeros(1, dtype=torch.int64, device=self.device)  # row of `recent` that is written next
        self.appended = 0  # steps of all agents
        self.stored_episodes = 0

    def _store_hidden(self, rows: Tensor, hidden: Hidden) -> None:
        """Keep memories, each [num_layers, some, hidden_dim], of those `rows` [some] where memory is stored."""
        place = rows // self.stored_every if self.stored_every > 1 else rows
        for stored, part in zip(self.hidden, hidden, strict=True):
            flat = stored.flatten(1)  # [rows / stored_every, num_layers * hidden_dim], of which rows are copied sooner
            new = part.transpose(0, 1).flatten(1)  # [some, num_layers * hidden_dim]
            if self.stored_every > 1:
                new = torch.where((rows % self.stored_every == 0).unsqueeze(1), new, flat[place])
            flat.index_copy_(0, place, new)

    def hidden_before(self, rows: Tensor) -> Hidden:
        """Memories before the steps in `rows` [batch], each [num_layers, batch, hidden_dim]; zero where none is."""
        kept = (rows % self.stored_every == 0).view(-1, 1, 1)
        found = (torch.where(kept, stored[rows // self.stored_every], 0.0) for stored in self.hidden)
        return tuple(part.transpose(0, 1).contiguous() for part in found)

    def __len__(self) -> int:
        """Return the number of complete episodes: those stored from their first step to their end."""
        return int((self.with_whole_past() & (self.terminated | self.truncated)).sum())

    def with_whole_past(self) -> Tensor:
        """Transitions whose episode is stored from its first on, [rows] bool."""
        valid = self.valid.view(self.num_agents, self.slots)
        position = torch.arange(2 * self.slots, device=self.device)  # twice round each ring, to look back over its seam
        gap = torch.where(torch.cat([valid, valid], dim=1), 0, position).cummax(dim=1).values
        unbroken = (position - gap)[:, self.slots :].flatten()  # [rows], steps up to here that are stored without a gap
        return self.valid & (unbroken > self.episode_step)

    @property
    def num_transitions(self) -> int:
        """Number of stored transitions, those of running episodes included."""
        return int(self.valid.sum())

    def state_dict(self) -> dict[str, Any]:
        """Return all that is stored, and where writing goes on."""
        return {
            "shape": [self.num_agents, self.slots, self.obs_dim, self.num_actions, self.stored_every],
            "appended": self.appended,
            "stored_episodes": self.stored_episodes,
            **{name: getattr(self, name) for name in _TENSORS},
            "hidden": list(self.hidden),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError, with both numbers, for another size or width."""
        names = ("num_agents", "slots", "obs_dim", "num_actions", "stored_every")
        for name, mine, theirs in zip(names, self.state_dict()["shape"], state["shape"], strict=True):
            if mine != theirs:
                raise ValueError(f"tape: expected {name} {mine}, got a state with {theirs}")
        widths, theirs = ([list(part.shape[1:]) for part in parts] for parts in (self.hidden, state["hidden"]))
        if widths != theirs:
            raise ValueError(f"tape: expected hidden of {widths}, num_layers and width, got a state with {theirs}")
        for name in _TENSORS:
            getattr(self, name).copy_(state[name])
        for mine_part, theirs_part in zip(self.hidden, state["hidden"], strict=True):
            mine_part.copy_(theirs_part)
        self.appended, self.stored_episodes = state["appended"], state["stored_episodes"]
        self.turn.fill_(self.appended % len(self.recent))


_TENSORS = (
    "features", "action_mask", "actions", "previous_actions", "rewards_extrinsic", "rewards_intrinsic", "terminated",
    "truncated", "valid", "episode_step", "cursor", "lived", "recent", "ended",
)  # fmt: skip
