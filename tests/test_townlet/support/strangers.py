"""Environments as strangers write them: a right one, of which any part is replaced by what somebody might do."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from townlet.environment.gym.gate import Gate
from townlet.environment.gym.turns import Turns
from townlet.environment.gym.world import GymEnvironment

ACTIONS, LENGTH = 3, 5
SEEN = spaces.Box(-1.0, 1.0, (2,), np.float32)
SOME = np.array([1, 0, 1], np.int8)  # a mask that forbids action 1


class Stranger(gymnasium.Env):
    """Five steps an episode, terminated; observed are (steps / 10, episodes since a seed / 10), and action 1 pays 1.

    Each part by name is a function of the environment, whose answer takes the place of its own: `seen`, `paid`, `dies`,
    `cut`, `info`, `reset` and `step` (all that these return), `close` and `made`. `life` counts its steps, over resets.
    """

    action_space = spaces.Discrete(ACTIONS)

    def __init__(self, space: spaces.Space = SEEN, **parts: Callable[["Stranger"], Any]) -> None:
        self.observation_space, self.parts = space, parts
        self.t = self.episode = self.life = 0
        self.action: int | None = None
        self.part("made", None)

    def part(self, name: str, own: Any) -> Any:
        return self.parts[name](self) if name in self.parts else own

    def seen(self) -> Any:
        return self.part("seen", np.array([self.t / 10, self.episode / 10], np.float32))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.episode = 0, self.episode + 1 if seed is None else 1
        return self.part("reset", (self.seen(), self.part("info", {})))

    def step(self, action: Any) -> Any:
        self.t, self.life, self.action = self.t + 1, self.life + 1, int(action)
        paid, dies = self.part("paid", float(action == 1)), self.part("dies", self.t == LENGTH)
        own = self.seen(), paid, dies, self.part("cut", False), self.part("info", {})
        return self.part("step", own)

    def close(self) -> None:
        self.part("close", None)


class ByMethod(Stranger):
    """Tells its mask by a method alone; `masks` takes the place of its answer."""

    def action_masks(self) -> Any:
        return self.part("masks", SOME.astype(bool))


class Crowd(VectorEnv):
    """Two agents of three actions in arrays that it reuses, in any autoreset mode; agent 0 ends after 2 steps.

    Observed are (steps of the episode, episode); parts are functions of the crowd and what it would hand out. In mode
    SameStep the last observations are copies, as an environment must make them that resets before it returns.
    """

    def __init__(self, mode: AutoresetMode, **parts: Callable[["Crowd", Any], Any]) -> None:
        self.num_envs, self.metadata, self.parts = 2, {"autoreset_mode": mode}, parts
        self.single_action_space, self.single_observation_space = spaces.Discrete(ACTIONS), spaces.Box(0, 99, (2,))
        self.action_space = batch_space(self.single_action_space, 2)
        self.observation_space = batch_space(self.single_observation_space, 2)
        self.sight, self.mask = np.zeros((2, 2), np.float32), np.ones((2, ACTIONS), np.int8)
        self.reward, self.terminated, self.truncated = np.zeros(2), np.zeros(2, bool), np.zeros(2, bool)

    def part(self, name: str, own: Any) -> Any:
        return self.parts[name](self, own) if name in self.parts else own

    def begin(self, who: Any) -> None:
        self.sight[who, 0] = 0
        self.sight[who, 1] += 1
        self.show()

    def show(self) -> None:
        self.mask[:] = 1
        self.mask[np.arange(2), self.sight[:, 0].astype(int) % 2] = 0  # after an odd number of steps action 1

    def told(self) -> dict[str, Any]:
        return self.part("info", {"action_mask": self.part("mask", self.mask)})

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        who = np.ones(2, bool) if options is None else options["reset_mask"]
        self.begin(who)
        self.terminated[who] = False
        return self.part("seen", self.sight), self.told()

    def step(self, actions: Any) -> Any:
        mode = self.metadata["autoreset_mode"]
        over = self.terminated & (mode == AutoresetMode.NEXT_STEP)
        self.sight[~over, 0] += 1
        self.reward[:], self.terminated[:] = 1, False
        self.terminated[0] = not over[0] and self.sight[0, 0] == 2
        self.show()
        infos: dict[str, Any] = {}
        if mode == AutoresetMode.SAME_STEP and self.terminated.any():
            last, masks = self.sight.copy(), self.mask.copy()
            flags = self.terminated.copy()
            infos = {"final_obs": self.part("final", last), "_final_obs": flags}
            infos |= {"final_info": {"action_mask": masks}, "_final_info": flags}
            self.begin(self.terminated)
        if over.any():
            self.begin(over)
        flags = self.part("terminated", self.terminated), self.part("truncated", self.truncated)
        return self.part("seen", self.sight), self.part("reward", self.reward), *flags, infos | self.told()


def by_turns(*envs: gymnasium.Env) -> GymEnvironment:
    """Single environments, an agent each, as commands make them."""
    gate = Gate("Some-v0", len(envs))
    return GymEnvironment(Turns(envs, gate), gate=gate)


def at_once(env: VectorEnv) -> GymEnvironment:
    """A vector environment, as commands make those that have a version of their own."""
    return GymEnvironment(env, gate=Gate("Some-v0", env.num_envs))


def in_sync(*envs: gymnasium.Env, mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> GymEnvironment:
    """Single environments in a vector environment of Gymnasium's own."""
    return at_once(SyncVectorEnv([lambda env=env: env for env in envs], autoreset_mode=mode))
