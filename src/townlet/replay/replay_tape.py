"""The one storage that both buffers share: a ring of steps for each agent, preallocated on the device.

An episode of T steps lies in T + 1 consecutive slots of its agent's ring: T transitions, and a last slot that holds the
observation after them. So the successor of a transition is always the next slot, no window can run into another
episode, and the ring's seam needs no care: the slot being written next is itself such a last slot.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.replay.cuts import Pick
from townlet.replay.episodes import read_episode
from townlet.replay.step_rings import StepRings
from townlet.sequences import CutSteps, Hidden, SequenceBatch


class ReplayTape(StepRings):
    """Rings that are written a step of all agents at a time, and read in windows of consecutive steps."""

    def append(self, *step: Any, **more: Any) -> None:
        """Store one step of all agents without host synchronisation; arguments as those of `write`."""
        self.write(*step, **more)
        self.count_step()

    def count_step(self) -> None:
        """Know, on the host, of a step that was written: whoever replays a graph of `write` says so after it."""
        self.appended += 1

    @torch.no_grad()
    def write(
        self,
        features: Tensor,
        action_mask: Tensor,
        actions: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        final_features: Tensor,
        final_action_mask: Tensor,
        hidden: Hidden = (),
        rewards_intrinsic: Tensor | None = None,
        skipped: Tensor | None = None,
    ) -> None:
        """Do what storing a step of all agents takes on the device, and all of it where it lies, as a graph may.

        features [num_agents, obs_dim] and action_mask: before the step; final_features, final_action_mask: after it,
        before any reset; hidden: memory before the step, each [num_layers, num_agents, hidden_dim]; skipped: whose
        tick was no step, and is not stored. Raises RuntimeError on a tape of stored episodes.
        """
        if self.stored_episodes:
            raise RuntimeError("append: expected a tape filled by append alone, got one that holds stored episodes")
        ended = terminated | truncated
        slot, begins, lives, forgets = self._place(ended, skipped)
        next_slot = (slot + 1) % self.slots
        row, after = self.base + slot, self.base + next_slot
        self.features.index_copy_(0, row, features.to(self.features.dtype))
        self.action_mask.index_copy_(0, row, action_mask)
        self.actions.index_copy_(0, row, actions)
        previous = self.previous_actions.index_select(0, row).masked_fill_(begins, self.num_actions)
        self.previous_actions.index_copy_(0, row, previous)
        self.previous_actions.index_copy_(0, after, actions)
        self.rewards_extrinsic.index_copy_(0, row, rewards)
        _put(self.rewards_intrinsic, row, 0.0 if rewards_intrinsic is None else rewards_intrinsic)
        self.terminated.index_copy_(0, row, terminated)
        self.truncated.index_copy_(0, row, truncated)
        _put(self.valid, row, lives)
        self.episode_step.index_copy_(0, row, self.lived)
        self._store_hidden(row, hidden)
        self.features.index_copy_(0, after, final_features.to(self.features.dtype))
        self.action_mask.index_copy_(0, after, final_action_mask)
        self.valid.index_fill_(0, after, False)
        self.recent.index_copy_(0, self.turn, slot.unsqueeze(0))
        self.turn.add_(1).remainder_(len(self.recent))
        torch.add(next_slot, ended, out=self.cursor).remainder_(self.slots)
        self.lived.add_(1).masked_fill_(forgets, 0)
        self.ended += ended.sum()
        self._written(row)

    def _place(self, ended: Tensor, skipped: Tensor | None) -> tuple[Tensor, Tensor, Tensor | bool, Tensor]:
        """Slots of a step, with whom it begins an episode, who lives it, who has none after it, each [num_agents].

        A tick that was a reset is read as what the last slot of the episode before holds already: no step.
        """
        if skipped is None:
            return self.cursor, self.lived == 0, True, ended
        return (self.cursor - skipped.long()) % self.slots, (self.lived == 0) & ~skipped, ~skipped, ended | skipped

    def _written(self, rows: Tensor) -> None:
        """Take note of rows [some] that hold a new transition."""

    @torch.no_grad()
    def cut(self) -> None:
        """End the running episodes where they are, as truncated: the next step of every agent begins one."""
        running, newest = self.lived > 0, self.base + (self.cursor - 1) % self.slots
        self.truncated[newest] |= running
        self.cursor.add_(running).remainder_(self.slots)
        self.ended += running.sum()
        self.lived.zero_()

    @torch.no_grad()
    def store_episode(self, episode: Mapping[str, Any]) -> None:
        """Store one whole episode of T steps from elsewhere, in the agents' rings by turns.

        `episode`: see `episodes.read_episode`. Raises ValueError for shapes that do not fit or an episode longer than
        the ring, RuntimeError on a tape filled by `append`.
        """
        if self.appended:
            raise RuntimeError("store_episode: expected a tape of stored episodes alone, got one filled by append")
        whole = read_episode(episode, self.obs_dim, self.num_actions, self.hidden, self.device)
        steps = len(whole.actions)
        if steps + 1 > self.slots:
            raise ValueError(f"episode: expected at most {self.slots - 1} steps, the capacity of one ring, got {steps}")
        ring = self.stored_episodes % self.num_agents
        rows = self.base[ring] + (self.cursor[ring] + torch.arange(steps + 1, device=self.device)) % self.slots
        begun = rows[:-1]
        self.features[rows], self.action_mask[rows] = whole.observations.to(self.features.dtype), whole.action_mask
        self.actions[begun] = whole.actions
        self.previous_actions[rows[0]], self.previous_actions[rows[1:]] = self.num_actions, whole.actions
        self.rewards_extrinsic[begun], self.rewards_intrinsic[begun] = whole.rewards_extrinsic, whole.rewards_intrinsic
        self.terminated[begun], self.truncated[begun] = whole.terminated, whole.truncated
        self.valid[begun], self.valid[rows[-1]] = True, False
        self.episode_step[begun] = torch.arange(steps, dtype=torch.int32, device=self.device)
        kept = begun % self.stored_every == 0
        self._store_hidden(begun[kept], tuple(part[:, kept] for part in whole.hidden))
        self.cursor[ring] = (self.cursor[ring] + steps + 1) % self.slots
        self.ended += 1
        self.stored_episodes += 1
        self._written(begun)

    def windows(
        self,
        first: Tensor,
        length: Tensor | int,
        seq_len: int,
        burn_in: int = 0,
        intrinsic_weight: float | Tensor | None = None,
    ) -> SequenceBatch:
        """Read windows of `seq_len` steps that begin in rows `first` [batch], each at most `length` [batch] steps long.

        A window ends with its episode: what follows is padding that repeats the last observation and is not valid.
        `burn_in` steps of the same episode come before; where fewer are stored, padding comes first and the memory
        begins at zero after it, as it does at an episode's start.
        """
        ring = first // self.slots * self.slots
        offset = torch.arange(seq_len + 1, device=self.device)
        slot = (first - ring).unsqueeze(1)  # [batch, 1]
        rows = ring.unsqueeze(1) + (slot + offset) % self.slots  # [batch, seq_len + 1]
        inside = self.valid[rows[:, :-1]] & (offset[:-1] < torch.as_tensor(length, device=self.device).view(-1, 1))
        valid = inside.long().cumprod(dim=1).bool()
        steps = valid.sum(dim=1, keepdim=True)  # [batch, 1]: the slot after the last valid step holds its successor
        rows = ring.unsqueeze(1) + (slot + torch.minimum(offset, steps)) % self.slots
        if not burn_in:
            return self._read(rows, valid, None, intrinsic_weight)
        before = torch.arange(-1, -burn_in - 1, -1, device=self.device)  # backwards
        past = self.valid[ring.unsqueeze(1) + (slot + before) % self.slots].long().cumprod(dim=1)  # [batch, burn_in]
        reach = past.sum(dim=1, keepdim=True)  # [batch, 1]: steps of the episode that are stored before the window
        back = torch.maximum(before.flip(0), -reach)
        rows = torch.cat([ring.unsqueeze(1) + (slot + back) % self.slots, rows], dim=1)
        valid = torch.cat([torch.zeros_like(past, dtype=torch.bool), valid], dim=1)
        time = torch.arange(burn_in + seq_len + 1, device=self.device)
        reset = (time == burn_in - reach) & (reach < burn_in)
        return self._read(rows, valid, reset, intrinsic_weight, burn_in)

    def newest(
        self, seq_len: int, intrinsic_weight: float | Tensor | None = None, with_successors: bool = False
    ) -> SequenceBatch:
        """Read the last `seq_len` steps of every agent, [num_agents, seq_len]; memory is reset where an episode begins.

        A reset is not valid, nor a truncated step: its successor is in no window, see `cut_steps`. Raises ValueError
        before that many.
        """
        stored = min(self.appended, len(self.recent))
        if not 1 <= seq_len <= stored:
            raise ValueError(f"seq_len: expected 1 to {stored}, the steps appended and kept, got {seq_len}")
        slots, base = self._newest_slots(seq_len), self.base.unsqueeze(1)
        steps, after = base + slots, base + (slots + 1) % self.slots
        terminated, truncated, lived = (part[steps] for part in (self.terminated, self.truncated, self.valid))
        reset = torch.cat([torch.zeros_like(lived[:, :1]), terminated | truncated | ~lived], dim=1)
        valid = (terminated | ~truncated) & lived
        rows = torch.cat([steps, after[:, -1:]], dim=1)  # [num_agents, seq_len + 1]
        batch = self._read(rows, valid, reset, intrinsic_weight)
        return batch._replace(successors=self.features[after].float()) if with_successors else batch

    def cut_steps(self, seq_len: int, pick: Pick, from_zero: bool = False) -> CutSteps | None:
        """Read those of every agent's newest `seq_len` steps that a time limit cut off; None where `pick` picks none.

        Each begins with the memory that was stored before it, or, `from_zero`, with what comes of the steps before it
        in its newest window: those are a burn-in, and memory is reset where that window begins.
        """
        rows = self.base.unsqueeze(1) + self._newest_slots(seq_len)  # [num_agents, seq_len]
        cut = self.truncated[rows] & ~self.terminated[rows] & self.valid[rows]
        place = pick(cut)  # [some]
        if not len(place):
            return None
        burn_in = seq_len - 1 if from_zero else 0
        # Lengths as a tensor: a number would be copied to the device, and waited for.
        alone = self.windows(rows.flatten()[place], torch.ones_like(place), 1, burn_in)
        if alone.reset is not None:
            time = torch.arange(burn_in + 2, device=self.device)
            alone = alone._replace(reset=alone.reset | (time == burn_in - (place % seq_len).unsqueeze(1)))
        picked = torch.zeros_like(cut).flatten().index_fill(0, place, True).view_as(cut)
        return CutSteps(alone, place, cut & picked)

    def _newest_slots(self, seq_len: int) -> Tensor:
        """Slots of the last `seq_len` steps of every agent, [num_agents, seq_len]; see `newest`."""
        newest = torch.arange(self.appended - seq_len, self.appended, device=self.device) % len(self.recent)
        return self.recent[newest].t()

    def _read(
        self,
        rows: Tensor,
        valid: Tensor,
        reset: Tensor | None,
        intrinsic_weight: float | Tensor | None,
        burn_in: int = 0,
    ) -> SequenceBatch:
        steps, first = rows[:, :-1], rows[:, 0]
        rewards = self.rewards_extrinsic[steps]
        if intrinsic_weight is not None:  # mixed here and nowhere else
            rewards = rewards + intrinsic_weight * self.rewards_intrinsic[steps]
        return SequenceBatch(
            observations=_at(self.features, rows).float(),
            action_mask=_at(self.action_mask, rows),
            actions=self.actions[steps],
            rewards=rewards,
            terminated=self.terminated[steps],
            valid=valid,
            previous_actions=self.previous_actions[rows],
            hidden=self.hidden_before(first),
            weights=torch.ones(len(first), device=self.device),
            where=rows[:, burn_in],
            last=rows[:, -2],
            reset=reset,
            burn_in=burn_in,
        )


def _at(table: Tensor, rows: Tensor) -> Tensor:
    """Read a table [all, width] in rows [batch, time]: [batch, time, width], a whole row at once, which is quicker."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, -1)


def _put(table: Tensor, rows: Tensor, values: Tensor | float) -> None:
    """Write values [some], or one for all, into rows [some] of a table: an operation either way."""
    if isinstance(values, Tensor):
        table.index_copy_(0, rows, values)
    else:
        table.index_fill_(0, rows, values)
