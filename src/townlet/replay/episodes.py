"""Whole episodes from elsewhere, checked before anything of them is stored."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.sequences import Hidden


class Episode(NamedTuple):
    """One episode of T steps, on the device."""

    observations: Tensor  # [T + 1, obs_dim]
    action_mask: Tensor  # [T + 1, num_actions] bool
    actions: Tensor  # [T] int64
    rewards_extrinsic: Tensor  # [T]
    rewards_intrinsic: Tensor  # [T]
    terminated: Tensor  # [T] bool, only the last may be set
    truncated: Tensor  # [T] bool, only the last may be set
    hidden: Hidden  # memory before each step, each [num_layers, T, hidden_dim]


def read_episode(
    episode: Mapping[str, Any], obs_dim: int, num_actions: int, hidden: Hidden, device: torch.device
) -> Episode:
    """Check and convert an episode; `hidden` are the tape's memories, each [rows, num_layers, hidden_dim].

    `episode` holds observations [T + 1, obs_dim], actions [T], rewards_extrinsic [T], terminated and truncated (bools,
    or [T] bool); optional: rewards_intrinsic [T] (default: 0), action_mask [T + 1, num_actions] (default: all allowed),
    hidden, each [num_layers, T, hidden_dim] (default: zero). Raises ValueError for shapes that do not fit.
    """
    observations = torch.as_tensor(episode["observations"], dtype=torch.float32, device=device)
    steps = len(episode["actions"])
    if steps < 1 or observations.shape != (steps + 1, obs_dim):
        expected = f"[T + 1, {obs_dim}] for T = {steps} actions, T at least 1"
        raise ValueError(f"observations: expected {expected}, got {list(observations.shape)}")

    def part(
        name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32, missing: float | None = None
    ) -> Tensor:
        """One part; `missing` everywhere if it is left out, required where that is None."""
        if missing is not None and episode.get(name) is None:
            return torch.full(shape, missing, dtype=dtype, device=device)
        values = torch.as_tensor(episode[name], dtype=dtype, device=device)
        if values.shape != shape:
            raise ValueError(f"{name}: expected {list(shape)}, got {list(values.shape)}")
        return values

    terminated = _end_flag(episode["terminated"], steps, device)
    truncated = _end_flag(episode["truncated"], steps, device)
    truncated[-1] |= ~terminated[-1]  # an episode that just stops is a truncated one
    return Episode(
        observations=observations,
        action_mask=part("action_mask", (steps + 1, num_actions), torch.bool, missing=True),
        actions=part("actions", (steps,), torch.int64),
        rewards_extrinsic=part("rewards_extrinsic", (steps,)),
        rewards_intrinsic=part("rewards_intrinsic", (steps,), missing=0.0),
        terminated=terminated,
        truncated=truncated,
        hidden=_episode_hidden(episode, steps, hidden),
    )


def _episode_hidden(episode: Mapping[str, Any], steps: int, hidden: Hidden) -> Hidden:
    """Memory before each step, zero if it is left out."""
    shapes = [[part.shape[1], steps, part.shape[2]] for part in hidden]
    if not hidden or episode.get("hidden") is None:
        return tuple(part.new_zeros(shape) for part, shape in zip(hidden, shapes, strict=True))
    theirs = [list(part.shape) for part in episode["hidden"]]
    if theirs != shapes:
        raise ValueError(f"hidden: expected {shapes}, got {theirs}")
    return tuple(part.to(mine) for part, mine in zip(episode["hidden"], hidden, strict=True))


def _end_flag(flag: Any, steps: int, device: torch.device) -> Tensor:
    """Which steps ended the episode, [T] bool, from one bool for the last step or one for each."""
    flags = torch.as_tensor(flag, dtype=torch.bool, device=device)
    if flags.dim() == 0:
        flags = torch.cat([flags.new_zeros(steps - 1), flags.view(1)])
    if flags.shape != (steps,) or bool(flags[:-1].any()):
        raise ValueError(f"terminated, truncated: expected [{steps}] with only the last set, got {flags.tolist()}")
    return flags
