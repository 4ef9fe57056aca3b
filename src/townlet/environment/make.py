"""Which environment a task has: the one place that knows."""

import os
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from townlet.config import ConfigError, GymTask, Level, Replay, Task, Tell
from townlet.environment.types import Environment
from townlet.environment.vectorized_env import VectorizedEnv, repays_compiling
from townlet.shares.share import ALONE, Share

if TYPE_CHECKING:  # Gymnasium is imported by those who make an environment of it: the town begins without it
    from townlet.environment.gym.world import GymEnvironment

AGENTS_IN_A_TRIAL, STEPS_OF_A_TRIAL = 2, 10  # two: some environments can be made once alone
DARK = 0.1  # of what an image's space spans: images that hold less are told of
MUCH = 1_000_000_000  # bytes of a tape that people are told of


def make_env(
    task: Task,
    num_agents: int,
    device: torch.device | str = "cpu",
    seed: int | None = None,
    compile: bool | Literal["auto"] = "auto",
    maps: Literal["training", "evaluation"] = "training",
    share: Share = ALONE,
) -> Environment:
    """Make the environment of a task for `num_agents` agents at once, those of one `share` of a population.

    `seed` is the task's own where it is None; `maps` tells training's episodes from evaluation's, which never meet;
    `compile` fuses the town's step, as `VectorizedEnv` says. Raises ConfigError where Gymnasium has no such
    environment, or it is none that agents here can act in.
    """
    if isinstance(task, Level):
        return VectorizedEnv(task, num_agents, device, seed, compile, maps, share=share)
    assert isinstance(task, GymTask)
    return _make_gym_env(task, num_agents, device, task.training.seed if seed is None else seed, maps)


def _make_gym_env(
    task: GymTask, num_agents: int, device: torch.device | str, seed: int, maps: Literal["training", "evaluation"]
) -> "GymEnvironment":
    from townlet.environment.gym.world import GymEnvironment

    options, wrappers = task.gym_options, task.gym_wrappers
    return GymEnvironment.from_id(task.gym, num_agents, device, seed, maps, task.max_steps, options, wrappers)


def make_training_env(
    task: Task, device: torch.device, tell: Callable[[str, str], object], share: Share = ALONE
) -> Environment:
    """Make the environment that a share of a task's agents is trained in; errors are those of `make_env`.

    `tell` is told in a line, with its colour, what takes long and what is slow.
    """
    num_agents = task.training.num_agents
    if compiles_for(task, task.training.total_steps // num_agents):
        tell("compiling the world; that takes some seconds", "")
    env = make_env(task, num_agents // share.size, device, share=share)
    if env.compile_failure:
        tell(f"the world runs uncompiled, several times slower: {env.compile_failure}", "yellow")
    return env


def check_env(task: Task, tell: Tell | None = None, device: torch.device | str = "cpu") -> None:
    """Make a task's environment, live some steps in it, and close it; the town's needs no such trial.

    `tell` is told in lines what agents will not see of it, and what else may surprise. Raises ConfigError where it
    cannot be made, or the steps that replay keeps do not fit into the memory of `device`, and WorldError where it hands
    out what agents cannot live with.
    """
    if not isinstance(task, GymTask):
        return
    num_agents = min(task.training.num_agents, AGENTS_IN_A_TRIAL)
    env = _make_gym_env(task, num_agents, "cpu", task.training.seed, "training")
    if tell is not None:
        for note in env.notes:
            tell(f"{task.gym}: {note}")
    seen = try_out(env)
    if tell is not None and (dark := _note_of_images(task, env, seen)):
        tell(f"{task.gym}: {dark}")
    _check_memory(task, env, tell, torch.device(device))


def _note_of_images(task: GymTask, env: Environment, seen: Tensor) -> str | None:
    """What to say where images hold next to nothing of what their space spans, by the largest numbers seen so far."""
    image = task.network.image
    dark = [
        (most, one.high)
        for one in env.observation_layout.images
        if one.low == 0.0 < (most := float(seen[one.part].max())) < one.high * DARK
    ]
    if image is None or image.largest is not None or not dark:
        return None
    most, high = max(dark)
    return f"images hold no more than {most:g} of {high:g} so far; --set network.image.largest={most:g} reads that as 1"


def _check_memory(task: GymTask, env: Environment, tell: Tell | None, device: torch.device) -> None:
    """See that what replay keeps of observations fits into memory, and tell where it is much."""
    mode = task.training.mode
    if not isinstance(mode, Replay):
        return
    each = env.obs_dim * (1 if env.observation_layout.in_bytes else 4)  # bytes of a step
    have, needed = _memory_of(device), each * mode.capacity
    if have is not None and needed > have:
        expected = f"at most {have // each:,}, since a step of {task.gym} takes {each:,} bytes"
        raise ConfigError([f"training.mode.capacity: expected {expected}, got {mode.capacity:,}"])
    if tell is not None and needed >= MUCH:
        tell(f"{task.gym}: replay keeps {mode.capacity:,} steps of {each:,} bytes: {needed / 1e9:.1f} GB")


def _memory_of(device: torch.device) -> int | None:
    """Bytes of memory that a device has, None where nobody knows."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    known = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known else None


def try_out(env: Environment) -> Tensor:
    """Live some steps in an environment by random actions, and close it.

    Returns the largest that was seen of each number, [obs_dim]. Raises WorldError.
    """
    with closing(env):
        observation, stream = env.reset(), torch.Generator().manual_seed(0)
        seen = observation.features.amax(dim=0)
        for _ in range(STEPS_OF_A_TRIAL):
            mask = observation.action_mask.cpu()
            actions = torch.rand(mask.shape, generator=stream).masked_fill(~mask, -1.0).argmax(dim=1)
            observation = env.step(actions.to(env.device)).observation
            seen = torch.maximum(seen, observation.features.amax(dim=0))
        return seen


def limit_of(task: Task) -> int | None:
    """Return the steps after which an episode is cut off at the latest, None where nobody knows. Raises ConfigError."""
    if not isinstance(task, GymTask) or task.max_steps:
        return task.max_steps
    from townlet.environment.gym.finding import registered  # as above

    limits = [task.gym_options.get("max_episode_steps", registered(task.gym).max_episode_steps)]
    limits += [
        given.get("max_episode_steps")
        for wrapper in task.gym_wrappers
        if isinstance(wrapper, dict)
        for name, given in wrapper.items()
        if name == "TimeLimit"
    ]
    return min((limit for limit in limits if isinstance(limit, int) and limit > 0), default=None)


def compiles_for(task: Task, steps: int) -> bool:
    """Whether so many steps of one environment repay what compiling it takes; only the town's can be compiled."""
    return isinstance(task, Level) and repays_compiling(steps)
