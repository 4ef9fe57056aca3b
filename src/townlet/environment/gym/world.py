"""Other worlds: any vector environment of Gymnasium with discrete actions, as our Environment."""

import importlib
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from torch import Tensor

from townlet.config import ConfigError
from townlet.environment.types import Difficulty, Observation, ObservationLayout, StepResult, WorldError
from townlet.seeding import stream_seed

Array = np.ndarray[Any, Any]


class GymEnvironment:
    """A Gymnasium vector environment, an agent in each of its environments.

    Observations become one float32 vector, "features": a Box flat, discrete values one-hot, the parts of a Tuple or
    Dict in their order. `info["action_mask"]` says which actions are allowed where it is given, else all are. The k-th
    reset is seeded by a stream of `seed`. Raises ConfigError for spaces or an autoreset mode that are not known.
    """

    resumes = False  # nobody can save a stranger's environment
    compile_failure: str | None = None

    def __init__(self, env: VectorEnv, device: torch.device | str = "cpu", seed: int = 0) -> None:
        self.env, self.device, self.seed, self.resets = env, torch.device(device), seed, 0
        self.num_agents, self.causes = env.num_envs, dict[int, str]()
        actions, self.space = env.single_action_space, env.single_observation_space
        if not isinstance(actions, spaces.Discrete):
            raise ConfigError([f"gym: expected discrete actions (a Discrete space), got {actions}"])
        self.num_actions, self._first_action = int(actions.n), int(actions.start)
        self.obs_dim = features_of(self.space)
        self.observation_layout = ObservationLayout({"features": slice(0, self.obs_dim)})
        self.mode = env.metadata.get("autoreset_mode")
        if self.mode not in tuple(AutoresetMode):
            known = ", ".join(str(mode) for mode in AutoresetMode)
            raise ConfigError([f"gym: expected one of {known} as metadata['autoreset_mode'], got {self.mode!r}"])
        self._ended = np.zeros(self.num_agents, dtype=bool)  # by the newest tick

    @classmethod
    def from_id(
        cls,
        env_id: str,
        num_agents: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
        stream: str = "training",
        max_steps: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> "GymEnvironment":
        """Make the environment that Gymnasium knows by an id, or by module:id.

        It is the environment's own vector version where there is one, else one environment an agent, stepped by turns.
        `max_steps` takes the place of its own time limit; `options` are its keyword arguments. Raises ConfigError where
        it cannot be made.
        """
        arguments = dict(options or {}) | ({} if max_steps is None else {"max_episode_steps": max_steps})
        try:
            module, _, name = env_id.rpartition(":")
            if module:
                importlib.import_module(module)
            spec = gymnasium.spec(name)
            if spec.vector_entry_point is not None and not spec.additional_wrappers:
                env = gymnasium.make_vec(spec, num_agents, **arguments)
            else:
                by_turns = {"autoreset_mode": AutoresetMode.SAME_STEP}
                arguments |= {"disable_env_checker": True, "vectorization_mode": "sync", "vector_kwargs": by_turns}
                env = gymnasium.make_vec(spec, num_agents, **arguments)
        except Exception as error:  # a module or an environment of a stranger may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError([f"gym: expected an environment that can be made, got {env_id}: {reason}"]) from error
        try:
            return cls(env, device, stream_seed(seed, f"world/{stream}"))
        except ConfigError as error:
            env.close()
            raise ConfigError(f"{line} in {env_id}" for line in error.errors) from error

    def reset(self) -> Observation:
        """Begin an episode of every agent; each reset begins others."""
        observed, info = self.env.reset(seed=stream_seed(self.seed, str(self.resets)))
        self.resets += 1
        self._ended = np.zeros(self.num_agents, dtype=bool)
        mask = self._allowed(info)
        self._check_someone_can_act(mask, ~self._ended)
        return self._observation(self._features(observed), mask)

    def step(self, actions: Tensor, difficulty: Difficulty | None = None) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64; there is no difficulty to choose.

        Episodes that ended begin anew within the tick, or, where the environment resets in the tick after, in that:
        it is `skipped` then, and holds no step. Raises WorldError, naming the agent, where one has no allowed action.
        """
        if difficulty is not None:
            raise ValueError(f"difficulty: expected None in an environment of Gymnasium, got {difficulty}")
        chosen = (actions.cpu().numpy() + self._first_action).astype(self.env.action_space.dtype)
        observed, reward, terminated, truncated, info = self.env.step(chosen)
        resets_next = self.mode == AutoresetMode.NEXT_STEP
        skipped = self._ended if resets_next else np.zeros_like(self._ended)
        terminated, truncated = np.asarray(terminated, bool) & ~skipped, np.asarray(truncated, bool) & ~skipped
        self._ended = terminated | truncated
        features, mask = self._features(observed), self._allowed(info)
        final, final_mask = features, mask
        if self._ended.any() and self.mode == AutoresetMode.SAME_STEP:
            final, final_mask = self._final(features, mask, info)
        elif self._ended.any() and self.mode == AutoresetMode.DISABLED:
            features, mask = self._begin_anew(features, mask)
        self._check_someone_can_act(mask, ~self._ended if resets_next else np.ones_like(skipped))
        return StepResult(
            self._observation(features, mask),
            self._tensor(np.where(skipped, 0.0, np.asarray(reward)).astype(np.float32)),
            self._tensor(terminated),
            self._tensor(truncated),
            self._tensor(final),
            self._tensor(final_mask),
            self._tensor(skipped) if resets_next else None,
        )

    def _final(self, features: Array, mask: Array, info: Mapping[str, Any]) -> tuple[Array, Array]:
        """What was seen, and allowed, before the reset within the tick."""
        there = np.asarray(info.get("_final_obs", np.zeros_like(self._ended)), bool)
        if "final_obs" not in info or (self._ended & ~there).any():
            agent = int(np.flatnonzero(self._ended & ~there)[0]) if "final_obs" in info else "any"
            raise WorldError(f"final_obs: expected the last observation of an ended episode, got none, agent {agent}")
        rows, last = np.flatnonzero(self._ended), info["final_obs"]
        if isinstance(last, np.ndarray) and last.dtype == object:
            batch: Any = create_empty_array(self.space, len(rows))
            seen = encode(self.space, concatenate(self.space, list(last[rows]), batch))
        else:
            seen = self._features(last)[rows]
        features, mask = features.copy(), mask.copy()
        features[rows], mask[rows] = seen, self._allowed(info.get("final_info", {}))[rows]
        return features, mask

    def _begin_anew(self, features: Array, mask: Array) -> tuple[Array, Array]:
        """Reset those whose episode ended, in an environment that does not."""
        observed, info = self.env.reset(options={"reset_mask": self._ended.copy()})
        rows = self._ended[:, None]
        return np.where(rows, self._features(observed), features), np.where(rows, self._allowed(info), mask)

    def _features(self, observed: Any) -> Array:
        return encode(self.space, observed)

    def _allowed(self, info: Mapping[str, Any]) -> Array:
        """The action mask in an info, [num_agents, num_actions] bool, all allowed for whom there is none."""
        everything = np.ones((self.num_agents, self.num_actions), dtype=bool)
        if "action_mask" not in info:
            return everything
        given = info.get("_action_mask", np.ones(self.num_agents, dtype=bool))
        return np.where(np.asarray(given, bool)[:, None], np.asarray(info["action_mask"]).astype(bool), everything)

    def _check_someone_can_act(self, mask: Array, acts: Array) -> None:
        stuck = np.flatnonzero(acts & ~mask.any(axis=1))
        if stuck.size:
            raise WorldError(f"action_mask: expected an allowed action for every agent, got none for agent {stuck[0]}")

    def _observation(self, features: Array, mask: Array) -> Observation:
        return Observation(self._tensor(features), self._tensor(mask))

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        """Return 0 for all: nothing is known of causes."""
        return torch.zeros(len(final_features), dtype=torch.int64, device=self.device)

    def read_metrics(self) -> dict[str, float]:
        """Return nothing: there is nothing that all environments count."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return how often it was reset: the episodes themselves cannot be saved."""
        return {"resets": self.resets}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next reset begin other episodes than all those before `state_dict`."""
        self.resets = state["resets"]

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def features_of(space: spaces.Space) -> int:
    """Return the width of an observation as one vector. Raises ConfigError for a space that has none."""
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(np.sum(space.nvec))
    if isinstance(space, spaces.Tuple | spaces.Dict):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        return sum(features_of(part) for part in parts)
    expected = "Box, Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of them"
    raise ConfigError([f"gym: expected an observation space of {expected}, got {space}"])


def encode(space: spaces.Space, observed: Any) -> Array:
    """Encode a batch of observations, [batch, features_of(space)] float32."""
    if isinstance(space, spaces.Dict):
        return np.concatenate([encode(part, observed[name]) for name, part in space.spaces.items()], axis=1)
    if isinstance(space, spaces.Tuple):
        return np.concatenate([encode(part, seen) for part, seen in zip(space.spaces, observed, strict=True)], axis=1)
    values = np.asarray(observed)
    values = values.reshape(len(values), -1)  # [batch, values of one observation]
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        sizes = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec).ravel()
        values = values - np.atleast_1d(space.start).ravel()
        if (wrong := (values < 0) | (values >= sizes)).any():
            agent = int(wrong.any(axis=1).argmax())
            raise WorldError(f"observation: expected one within {space}, got another for agent {agent}")
        hot = [column[:, None] == np.arange(size) for column, size in zip(values.T, sizes, strict=True)]
        return np.concatenate(hot, axis=1).astype(np.float32)
    return values.astype(np.float32)
