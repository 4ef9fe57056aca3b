"""A level's world as Gymnasium knows worlds: a vector environment, and one of a single agent."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from townlet.config import Level, load_level
from townlet.environment.gym.picture import Picture, Scene, draw, write
from townlet.environment.layout import lay_out
from townlet.environment.observation import PARTS
from townlet.environment.rules import tick
from townlet.environment.types import EnvState, Observation
from townlet.environment.vectorized_env import VectorizedEnv, to_numpy

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.integer[Any]]
Rows = NDArray[np.intp]  # indices of some agents
Infos = dict[str, Any]
Rendered = Picture | str
RENDERING = {"render_modes": ["ansi", "human", "rgb_array"], "render_fps": 8}  # part of the metadata of both
KEYS = {"UP": "w", "LEFT": "a", "DOWN": "s", "RIGHT": "d", "INTERACT": "e", "WAIT": " "}  # by which a person plays


class View(NamedTuple):
    """An observation of all agents in numpy."""

    features: Floats  # [num_envs, obs_dim]
    mask: Bools  # [num_envs, num_actions]

    @classmethod
    def of(cls, observation: Observation) -> "View":
        """Read an observation, where it lies if that is this machine."""
        return cls(*to_numpy(observation))

    def rows(self, which: "Rows") -> "View":
        """Copy some rows."""
        return View(self.features.take(which, axis=0), self.mask[which])

    def put(self, rows: "Rows", other: "View") -> None:
        """Write another one over some rows."""
        self.features[rows], self.mask[rows] = other


class TownletVectorEnv(gymnasium.vector.VectorEnv[Floats, Ints, NDArray[Any]]):
    """A level's world for `num_envs` agents, numpy in and out.

    `level` is an id, a name or a path; `overrides`, `device`, `maps` and `compile` are as in `load_level` and
    VectorizedEnv. `autoreset_mode` is one of Gymnasium's three, which all live the same episodes:

    - "NextStep": the step after an end ignores the agent's action and returns its first observation, with reward 0.
    - "SameStep": an end returns the first observation of the next episode, and the last one as `infos["final_obs"]`.
    - "Disabled": who ended waits for `reset(options={"reset_mask": mask})`; a step before that raises ResetNeeded.

    `infos["action_mask"]` [num_envs, num_actions] int8 says what may be done where the observations are; what is
    forbidden does nothing. `render` returns for each agent a picture ("rgb_array") or text ("ansi"); with "human" the
    text is printed after each reset and step. With seed s, sub-environment i lives as agent i of a VectorizedEnv with
    that seed; until `reset` is given a seed, one is drawn. The level's pool of maps does not depend on it.

    What is returned is the caller's own. With `compile` it lies in memory that is used again as soon as nobody has any
    of it, so who lets go of one step's arrays before the next has those without new memory.
    """

    def __init__(
        self,
        level: str | Path,
        num_envs: int = 1,
        *,
        overrides: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        maps: Literal["training", "evaluation"] = "training",
        compile: bool | Literal["auto"] = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *RENDERING["render_modes"]):  # type: ignore[misc]
            expected = f"one of {', '.join(RENDERING['render_modes'])} or None"  # type: ignore[arg-type]
            raise ValueError(f"render_mode: expected {expected}, got {render_mode!r}")
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        town, skips = load_level(level, overrides), self.autoreset_mode is AutoresetMode.NEXT_STEP
        self.world = VectorizedEnv(town, num_envs, device, self.np_random_seed, compile, maps, skips)
        self.num_envs = num_envs
        self.metadata = {**RENDERING, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.single_observation_space, self.single_action_space = _spaces(self.world.level)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # The world begins a new episode in the step that ends one, and here it may be shown only later.
        self._everyone = np.ones(num_envs, dtype=np.bool_)
        self._unseen = self._everyone  # whose episode has begun without having been shown
        self._allowed = View.of(self.world.observe()).mask  # where the observations returned last are
        self._ends: tuple[Rows, View] | None = None  # whose episodes the last step ended, and their last observations
        self._was_reset = False
        self._pictured = self.world.state  # what `render` shows: where an episode ended, its last moment

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, Infos]:
        """Begin new episodes, with a seed the first that it gives; `options["reset_mask"]` [num_envs] bool says whose.

        Raises TypeError or ValueError for a mask of another type or shape and for other options, ResetNeeded for a mask
        in the first reset.
        """
        who = self._reset_mask(options)
        super().reset(seed=seed)
        begins = who & ~self._unseen if seed is None else who
        shown = View.of(self.world.begin(self._tensor(begins), seed))
        self._unseen = self._unseen & ~who
        if self._ends is not None:
            rows, last = self._ends
            still = self._unseen[rows].nonzero()[0]
            shown.put(rows[still], last.rows(still))
        self._was_reset, self._allowed = True, shown.mask
        self._picture(self.world.state)
        return shown.features, self._infos()

    def step(self, actions: Ints) -> tuple[Floats, Floats, Bools, Bools, Infos]:
        """Advance all agents by `actions` [num_envs] integers.

        Raises ValueError for actions of another shape, type or range, ResetNeeded before the first reset and, with
        "Disabled", where an episode ended and was not reset.
        """
        acts, unseen = self._actions(actions), self._unseen
        if not self._was_reset or (self.autoreset_mode is AutoresetMode.DISABLED and unseen.any()):
            whose = f"sub-environments {np.flatnonzero(unseen).tolist()}" if self._was_reset else "all of them"
            raise ResetNeeded(f"step: expected a reset before, of {whose}")
        drawn = None if self.render_mode is None else self.world.state
        # NextStep: who is shown a first observation by this step does not live it.
        result = self.world.step_in_numpy(acts, unseen if self.world.skips else None)
        shown, infos = View(result.final_features, result.final_action_mask), Infos()
        ended: Bools = result.terminated | result.truncated
        if drawn is not None:
            self._picture_step(drawn, acts, ended)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos, shown = self._final_infos(ended, shown), View(*result.observation)
        else:
            rows = ended.nonzero()[0]
            self._unseen, self._ends = ended, (rows, shown.rows(rows)) if len(rows) else None
        self._allowed = shown.mask
        return shown.features, result.reward, result.terminated, result.truncated, infos | self._infos()

    def action_masks(self) -> Bools:
        """What may be done where the observations returned last are, [num_envs, num_actions] bool."""
        return self._allowed.copy()

    def render(self) -> tuple[Rendered, ...] | None:
        """Show each agent's town as `render_mode` says; None without one. What is printed is not returned."""
        if self.render_mode is None:
            return None
        level, tables = self.world.level, self.world.tables
        scenes = [Scene.of(level, tables, self._pictured, agent) for agent in range(self.num_envs)]
        if self.render_mode == "rgb_array":
            return tuple(draw(level, scene) for scene in scenes)
        texts = tuple(write(level, scene) for scene in scenes)
        if self.render_mode == "ansi":
            return texts
        clear = "\x1b[H\x1b[J" if sys.stdout.isatty() else ""
        print(clear + "\n".join(texts), flush=True)
        return None

    def _picture(self, state: EnvState) -> None:
        self._pictured = state
        if self.render_mode == "human":
            self.render()

    def _picture_step(self, before: EnvState, acts: NDArray[np.int64], ended: Bools) -> None:
        """Show the moment after a step; where an episode ended, and its last moment is returned, that one."""
        state, last = self.world.state, self._tensor(ended)
        if ended.any() and self.autoreset_mode is not AutoresetMode.SAME_STEP:
            done = tick(self.world.level, self.world.tables, before, self._tensor(acts)).state
            state = EnvState(*(torch.where(last, final, new) for final, new in zip(done, state, strict=True)))
        self._picture(state)

    def _infos(self) -> Infos:
        mask = self._allowed.view(np.int8).copy("K")  # what `sample(mask)` of a space takes, 1 where allowed
        return {"action_mask": mask, "_action_mask": self._everyone.copy()}

    def _final_infos(self, ended: Bools, final: View) -> Infos:
        """What Gymnasium's own vector environments put into infos where episodes end; rows of others are empty."""
        if not ended.any():
            return {}
        last = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(ended):
            last[index] = final.features[index].copy()
        final_info = {"action_mask": (final.mask & ended[:, None]).astype(np.int8), "_action_mask": ended.copy()}
        return {"final_obs": last, "_final_obs": ended.copy(), "final_info": final_info, "_final_info": ended.copy()}

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor if self.world.device.type == "cpu" else tensor.to(self.world.device)

    def _actions(self, actions: Ints) -> NDArray[np.int64]:
        acts, count = np.asarray(actions), self.world.num_actions
        if acts.shape != (self.num_envs,) or acts.dtype.kind not in "iu":
            raise ValueError(f"actions: expected [{self.num_envs}] integers, got {list(acts.shape)} {acts.dtype}")
        indices = acts.astype(np.int64)  # a copy: the caller's may lie backwards, or be read-only
        if indices.view(np.uint64).max() >= count:  # which one below 0 is, too
            raise ValueError(f"actions: expected 0 to {count - 1}, got {acts.min()} to {acts.max()}")
        return indices

    def _reset_mask(self, options: dict[str, Any] | None) -> Bools:
        if unknown := sorted(set(options or {}) - {"reset_mask"}):
            raise ValueError(f"options: expected reset_mask alone, got {', '.join(unknown)}")
        if not options:
            return self._everyone
        mask, expected = options["reset_mask"], f"options['reset_mask']: expected [{self.num_envs}] bool in numpy"
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"{expected}, got {mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(f"{expected} with at least one True, got {list(mask.shape)} with {mask.sum()}")
        if not self._was_reset:
            raise ResetNeeded("options['reset_mask']: expected a reset of all before, got the first")
        return mask


class TownletEnv(gymnasium.Env[Floats, np.integer[Any]]):
    """A level's world for one agent: a TownletVectorEnv of one, which nothing resets but `reset`.

    Arguments are those of TownletVectorEnv. `info["action_mask"]` [num_actions] int8 says what may be done.
    """

    metadata: dict[str, Any] = RENDERING

    def __init__(
        self,
        level: str | Path,
        *,
        overrides: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        maps: Literal["training", "evaluation"] = "training",
        compile: bool | Literal["auto"] = False,
        render_mode: str | None = None,
    ) -> None:
        options = {"overrides": overrides, "device": device, "maps": maps, "compile": compile}
        options["render_mode"] = self.render_mode = render_mode
        self._one = TownletVectorEnv(level, **options, autoreset_mode=AutoresetMode.DISABLED)  # type: ignore[arg-type]
        self._np_random, self._np_random_seed = self._one.np_random, self._one.np_random_seed
        self.observation_space, self.action_space = self._one.single_observation_space, self._one.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, Infos]:
        """Begin a new episode, with a seed the first that it gives. Raises ValueError for options, there are none."""
        if options:
            raise ValueError(f"options: expected none, got {', '.join(sorted(options))}")
        super().reset(seed=seed)
        features, _ = self._one.reset(seed=seed)
        return features[0], self._info()

    def step(self, action: np.integer[Any] | int) -> tuple[Floats, float, bool, bool, Infos]:
        """Advance the agent. Raises ValueError for no action of the level, ResetNeeded after the end of an episode."""
        features, reward, terminated, truncated, _ = self._one.step(np.asarray(action)[None])
        return features[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), self._info()

    def action_masks(self) -> Bools:
        """What may be done now, [num_actions] bool."""
        return self._one.action_masks()[0]

    def render(self) -> Any:
        """Show the town as `render_mode` says: return a picture [height, width, 3] uint8 or text, or print that."""
        shown = self._one.render()
        return None if shown is None else shown[0]

    def get_keys_to_action(self) -> dict[str, int]:
        """Return which key stands for which action, for `gymnasium.utils.play`."""
        return {KEYS[name]: index for index, name in enumerate(self._one.world.level.actions)}

    def _info(self) -> Infos:
        return {"action_mask": self.action_masks().astype(np.int8)}


def _spaces(level: Level) -> tuple[spaces.Box, spaces.Discrete]:
    """What one agent sees and does: each feature within its own bounds, and the index of an action."""
    layout = lay_out(level)
    low = np.zeros(layout.obs_dim, dtype=np.float32)
    for name, where in layout.slices.items():
        low[where] = -1.0 if PARTS[name].signed else 0.0
    return spaces.Box(low, np.ones_like(low)), spaces.Discrete(len(level.actions))
