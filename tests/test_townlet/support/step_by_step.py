"""Memories that have an equation: that equation step by step, and windows to compare it with."""

import torch
from torch.nn import functional

from support.windows import a_window
from townlet.agent.memory.delta import Delta
from townlet.agent.memory.ground import Ground
from townlet.agent.memory.lru import LinearRecurrentUnit
from townlet.agent.memory.phases import DeltaPhases
from townlet.agent.memory.steered import SteeredSpectral
from townlet.environment.layout import ObservationLayout

COLUMNS, ROWS = 3, 2
GROUND = ObservationLayout({"window": slice(0, 9), "position": slice(9, 11)}, window_size=3, grid=(COLUMNS, ROWS))


def a_case_of_delta():
    """A memory, a window with resets, and what was held before it."""
    torch.manual_seed(0)
    memory = Delta(5, 3, 4, 0.9).double()
    torch.nn.init.normal_(memory.address.weight)
    return memory, *a_window(memory)


def delta_step_by_step(memory, features, hidden, reset):
    """The rule, step by step."""
    parts = (memory.keys, memory.width, memory.keys, 1)
    held, steps = hidden[0][0].view(-1, memory.keys, memory.width), []
    for step in range(features.shape[1]):
        key, value, query, strength = memory.address(features[:, step]).split(parts, dim=-1)
        key, query = functional.normalize(key, dim=-1), functional.normalize(query, dim=-1)
        held = held * (~reset[:, step]).to(held.dtype).view(-1, 1, 1) * memory.keep
        found = torch.einsum("bkv,bk->bv", held, key)
        held = held + torch.einsum("bk,bv->bkv", key, torch.sigmoid(strength) * (value - found))
        steps.append(torch.einsum("bkv,bk->bv", held, query))
    return torch.stack(steps, dim=1)


def a_case_of_phases():
    """A memory, a window with resets, and what was held before it."""
    torch.manual_seed(0)
    memory = DeltaPhases(5, 3, 2, 0.9).double()
    torch.nn.init.normal_(memory.address.weight)
    return memory, *a_window(memory)


def phases_step_by_step(memory, features, hidden, reset):
    """The rule, and the turn back, step by step."""
    held, steps = hidden[0][0].view(len(features), memory.keys, -1), []
    for step in range(features.shape[1]):
        key, phase, strength = memory.address(features[:, step]).split((memory.keys, memory.shown, 1), dim=-1)
        key, value = functional.normalize(key, dim=-1), torch.cat([phase.cos(), phase.sin()], dim=-1)
        held = held * (~reset[:, step]).to(held.dtype).view(-1, 1, 1) * memory.keep
        found = torch.einsum("bkv,bk->bv", held, key)
        held = held + torch.einsum("bk,bv->bkv", key, torch.sigmoid(strength) * (value - found))
        cosine, sine = held.chunk(2, dim=-1)
        length, angle = torch.hypot(cosine, sine), torch.atan2(sine, cosine) - phase.unsqueeze(1)
        along = length * angle.sin()
        steps.append(torch.cat([length * angle.cos(), along, torch.tanh(12.0 * along)], dim=-1).flatten(1))
    return torch.stack(steps, dim=1)


def a_case_of_ground():
    """A memory, a window of walks with resets, and what was held before it."""
    torch.manual_seed(0)
    memory = Ground(12, GROUND, 3).double()
    torch.nn.init.normal_(memory.address.weight)
    features, reset = torch.randn(4, 9, 12, dtype=torch.float64), torch.rand(4, 9) < 0.2
    features[..., 9] = torch.randint(COLUMNS, (4, 9)) / (COLUMNS - 1)
    features[..., 10] = torch.randint(ROWS, (4, 9)) / (ROWS - 1)
    return memory, features, (torch.randn(1, 4, memory.size, dtype=torch.float64),), reset


def ground_step_by_step(memory, features, hidden, reset):
    """The rule, step by step, for a map held cell by cell."""
    steps, held = [], hidden[0][0].view(-1, ROWS, COLUMNS, memory.values).clone()
    for step in range(features.shape[1]):
        held = held * (~reset[:, step]).to(held.dtype).view(-1, 1, 1, 1)
        value, strength = memory.address(features[:, step]).split((memory.values, 1), dim=-1)
        rows = []
        for agent, (x, y) in enumerate((features[:, step, 9:11] * torch.tensor([COLUMNS - 1, ROWS - 1])).round().int()):
            here = torch.zeros(ROWS, COLUMNS, 1, dtype=held.dtype)
            here[y, x] = 1.0
            written = held[agent] + here * torch.sigmoid(strength[agent]) * (value[agent] - held[agent])
            inside = slice(2 - int(y), 2 - int(y) + ROWS), slice(2 - int(x), 2 - int(x) + COLUMNS)
            unknown = torch.cat([1.0 - written[..., :1], written[..., 1:]], dim=-1)
            around = torch.nn.functional.pad(
                unknown.movedim(-1, 0), (inside[1].start, 5 - inside[1].stop, inside[0].start, 5 - inside[0].stop)
            )
            rows.append((written, around.flatten()))
        held = torch.stack([written for written, _ in rows])
        steps.append(torch.stack([around for _, around in rows]))
    return torch.stack(steps, dim=1)


def a_case_of_steered():
    """A memory of two banks that turn and write by halves, a window with resets, and a memory before it."""
    torch.manual_seed(0)
    memory = SteeredSpectral(3, 5, 6, 0.9, 2).double()
    torch.nn.init.normal_(memory.steer.weight)
    return memory, *a_window(memory)


def steered_step_by_step(memory, features, hidden, reset):
    """The equation, step by step."""
    held, steps = hidden[0][0].view(len(features), memory.banks, memory.obs_dim, -1, 2), []
    for step in range(features.shape[1]):
        seen = features[:, step]
        held = held * (~reset[:, step]).to(held.dtype).view(-1, 1, 1, 1, 1)
        speed, gate = memory.steer(seen).chunk(2, dim=-1)
        angle = (torch.tanh(speed).unsqueeze(-1) * memory.speeds).unsqueeze(2)  # [batch, banks, 1, lags / 2 + 1]
        re, im = held.unbind(-1)
        cos, sin = angle.cos() * memory.keep, angle.sin() * memory.keep
        written = (torch.sigmoid(gate).unsqueeze(-1) * seen[:, None, : memory.obs_dim]).unsqueeze(-1)
        held = torch.stack([re * cos - im * sin + written, re * sin + im * cos], dim=-1)
        steps.append(held.flatten(1) * memory.scale)
    return torch.stack(steps, dim=1)


def a_case_of_lru():
    """Units, a window with resets, and what was held before it."""
    torch.manual_seed(0)
    unit = LinearRecurrentUnit(5, 3, 8).double()
    return unit, *a_window(unit)


def lru_step_by_step(unit, features, hidden, reset):
    """The equation, step by step."""
    kept = torch.exp(-torch.exp(unit.nu))
    real, imaginary = hidden[0][0].unflatten(-1, (-1, 2)).unbind(-1)
    steps = []
    for step in range(features.shape[1]):
        keeps = (~reset[:, step]).to(kept.dtype).unsqueeze(1) * kept
        cos, sin = keeps * unit.theta.cos(), keeps * unit.theta.sin()
        came = (unit.drive(features[:, step]).unflatten(-1, (-1, 2)) * (1.0 - kept**2).sqrt().unsqueeze(-1)).unbind(-1)
        real, imaginary = real * cos - imaginary * sin + came[0], real * sin + imaginary * cos + came[1]
        steps.append(torch.stack([real, imaginary], dim=-1).flatten(1))
    return torch.stack(steps, dim=1)
