"""Sweeps over learning: how the cost of an update grows with windows, and that of the tape with its capacity."""

import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from townlet.bench.scale.sweeps import Asked, time_calls
from townlet.bench.speed.learner import make_subject
from townlet.bench.speed.report import Row, short
from townlet.config import ConfigError, Fresh, Level, Replay
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer
from townlet.sequences import Hidden, SequenceBatch

UPDATE = "an update"
LIFE = 100  # steps of an episode on a filled tape: agents without skill live about as long
WORKING_BYTES = 80  # a transition, that sampling takes for a moment
SHARE_OF_MEMORY = 0.5  # of what is free, that a tape may take


def sweep_windows(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time an update from windows of each length, as many as are in a minibatch of the level."""
    level, rows = asked.load(), list[Row]()
    for size in sizes:
        rows += _update(asked, "windows", size, _of_length(level, size), _windows_of(level))
    return rows


def sweep_batch(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time an update from each number of windows of the level's length."""
    asked.load()  # what is wrong at every size is an error
    return [row for size in sizes for row in _update(asked, "batch", size, {}, size)]


def _windows_of(level: Level) -> int:
    mode = level.training.mode
    return level.training.num_agents // mode.minibatches if isinstance(mode, Fresh) else mode.batch_size


def _of_length(level: Level, seq_len: int) -> dict[str, Any]:
    """Windows of another length; what a level asks of windows that are longer is cut to them."""
    changes: dict[str, Any] = {"training.seq_len": seq_len}
    if level.training.n_step > seq_len:
        changes["training.n_step"] = seq_len
    if seq_len == 1:
        changes["training.trace_decay"] = 0.0
    return changes


def _update(asked: Asked, curve: str, size: int, changes: Mapping[str, Any], windows: int) -> list[Row]:
    asked.tell(f"{curve}, {size:,}: living the windows")
    try:
        subject = make_subject(asked.level, {**asked.settings, **changes}, windows, asked.device)
    except ConfigError as error:
        asked.leave_out(f"{curve} {size:,}", error)
        return []
    facts = {"units": subject.timesteps}
    return time_calls(asked, curve, size, {UPDATE: partial(subject.learner.update, subject.batch)}, facts)


def sweep_capacity(asked: Asked, sizes: Sequence[int]) -> list[Row]:
    """Time sampling and appending on tapes of each capacity, filled; what takes half of the free memory is left out.

    Raises ConfigError where the level whose tape it is does not replay.
    """
    level, rows = asked.load(reference=asked.replay), list[Row]()
    training, mode = level.training, level.training.mode
    if not isinstance(mode, Replay):
        raise ConfigError([f"--replay: expected a level that learns by replay, got {level.id}, of mode {mode.kind}"])
    least = (training.seq_len + mode.burn_in + 2) * training.num_agents
    small, _ = _make_tape(asked, least)
    each = bytes_of(small) / (small.num_agents * small.slots) + WORKING_BYTES
    for size in sizes:
        wanted, free = size * each, free_bytes(asked.device)
        if wanted > SHARE_OF_MEMORY * free:
            had = f"at most {SHARE_OF_MEMORY:.0%} of {short(free)}B of free memory"
            asked.leave_out(f"a tape of {size:,} transitions", f"expected {had}, got {short(wanted)}B")
            continue
        try:
            rows += _tape(asked, mode, training.seq_len, size)
        except ConfigError as error:
            asked.leave_out(f"a tape of {size:,} transitions", error)
    return rows


def _tape(asked: Asked, mode: Replay, seq_len: int, size: int) -> list[Row]:
    buffer, hidden = _make_tape(asked, size)
    writer = Writer(buffer, hidden)
    steps = math.ceil(size / buffer.num_agents)
    for step in range(steps):
        if step % 1000 == 0:
            asked.tell(f"capacity, {size:,}: filling the tape, {step / steps:.0%}")
        writer()

    def append_and_sample() -> SequenceBatch:
        writer()
        return buffer.sample_sequences(mode.batch_size, seq_len, mode.burn_in)

    total, sights = bytes_of(buffer), buffer.features.nbytes
    rows = buffer.num_agents * buffer.slots
    facts = {"bytes": total, "bytes_a_transition": total / rows, "bytes_of_an_observation": sights / rows}
    # Not in turn: the first draw after many steps looks at the whole tape again, which never happens in training.
    appended = time_calls(asked, "capacity", size, {"append": writer}, {"units": buffer.num_agents, **facts})
    batch = {"units": mode.batch_size * seq_len, **facts}
    return appended + time_calls(asked, "capacity", size, {"append and sample": append_and_sample}, batch)


def _make_tape(asked: Asked, capacity: int) -> tuple[SequentialReplayBuffer, Hidden]:
    """The tape that a population of the level learns from, and the memories of its agents."""
    level = asked.load({"training.mode.capacity": capacity}, asked.replay)
    env = VectorizedEnv(level, level.training.num_agents, asked.device, compile=False)
    population = VectorizedPopulation(level, env)
    return population.buffer, population.hidden


class Writer:
    """Appends one step of all agents at each call: made-up ones, in episodes of LIFE steps that end one by one."""

    def __init__(self, buffer: SequentialReplayBuffer, hidden: Hidden) -> None:
        self.buffer, self.hidden, self.steps = buffer, hidden, 0
        agents, device = buffer.num_agents, buffer.device
        self.features = torch.rand(LIFE, agents, buffer.obs_dim, device=device)
        self.mask = torch.ones(agents, buffer.num_actions, dtype=torch.bool, device=device)
        self.actions = torch.randint(buffer.num_actions, (LIFE, agents), device=device)
        self.rewards = torch.rand(LIFE, agents, device=device)
        lived = torch.arange(LIFE, device=device).view(-1, 1) + torch.arange(agents, device=device)
        self.terminated = lived % LIFE == LIFE - 1  # [LIFE, num_agents]
        self.truncated = torch.zeros_like(self.terminated[0])

    def __call__(self) -> None:
        """Append the next step."""
        now, after = self.steps % LIFE, (self.steps + 1) % LIFE
        self.buffer.append(
            self.features[now], self.mask, self.actions[now], self.rewards[now], self.terminated[now], self.truncated,
            self.features[after], self.mask, self.hidden,
        )  # fmt: skip
        self.steps += 1


def bytes_of(buffer: SequentialReplayBuffer) -> int:
    """Return what a tape holds, in bytes."""
    return sum(part.nbytes for part in _tensors(buffer.state_dict()))


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [tensor for one in inner for tensor in _tensors(one)]


def free_bytes(device: torch.device) -> int:
    """Return the memory that is free on a device; on a CPU all that there is where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo") as lines:
            told = dict(line.split(":", 1) for line in lines)
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
