"""An environment that misbehaves as it is told, once, at a step of its own; importing this registers it."""

import sys
import time
from typing import Any

import gymnasium
import numpy as np

REWARDS: dict[str, Any] = {
    "reward nan": float("nan"), "reward inf": float("inf"), "reward none": None, "reward text": "one",
    "reward array": np.array([1.0]), "reward of three": np.ones(3),
}  # fmt: skip
SIGHTS: dict[str, Any] = {
    "sight nan": np.full(2, np.nan, np.float32), "sight inf": np.full(2, -np.inf, np.float32),
    "sight longer": np.zeros(3, np.float32), "sight of two rows": np.zeros((2, 2), np.float32),
    "sight none": None, "sight text": "seen", "sight object": np.array([None, 1], dtype=object),
}  # fmt: skip
MASKS: dict[str, Any] = {
    "mask longer": np.ones(4, np.int8), "mask shorter": np.ones(2, np.int8), "mask a column": np.ones((3, 1), np.int8),
    "mask of nothing": np.zeros(3, np.int8), "mask text": "110", "mask of halves": np.array([0.5, 1, 0]),
}  # fmt: skip
OTHERS = ("raise", "exit", "tuple of four", "tuple of six", "no tuple", "info none", "info list", "end text", "hang")
FAULTS = (*REWARDS, *SIGHTS, *MASKS, *OTHERS)
MASKED = "mask"


class Stranger(gymnasium.Env[Any, int]):
    """Right but for one moment."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    steps = 0  # of all of a process

    def __init__(self, fault: str = "", at: int = 1) -> None:
        self.fault, self.at, self.age = fault, at, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.age = 0
        return self._seen(self.at == 0), self._info(self.at == 0)

    def step(self, action: int) -> Any:
        self.age += 1
        Stranger.steps += 1
        now = Stranger.steps >= self.at > 0
        if now and self.fault == "raise":
            raise ConnectionError("the simulator went away")
        if now and self.fault == "exit":
            sys.exit(3)
        if now and self.fault == "hang":
            time.sleep(3600)
        reward = REWARDS[self.fault] if now and self.fault in REWARDS else float(action == 1)
        ended: Any = "yes" if now and self.fault == "end text" else self.age >= 5
        whole = (self._seen(now), reward, ended, False, self._info(now))
        if now and self.fault.startswith("tuple"):
            return whole[:4] if self.fault.endswith("four") else (*whole, {})
        return None if now and self.fault == "no tuple" else whole

    def _seen(self, now: bool) -> Any:
        return SIGHTS[self.fault] if now and self.fault in SIGHTS else np.zeros(2, np.float32)

    def _info(self, now: bool) -> Any:
        if now and self.fault.startswith("info"):
            return None if self.fault == "info none" else [1]
        mask = MASKS[self.fault] if now and self.fault in MASKS else np.array([1, 1, 0], np.int8)
        return {"action_mask": mask} if self.fault.startswith(MASKED) else {}


gymnasium.register("TortureStranger-v0", Stranger)
