"""The checker of vector environments: right ones pass in every autoreset mode, and each kind of mistake is told."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from townlet.environment.gym.adaptors import TownletVectorEnv
from townlet.environment.gym.checker import check_vector_env
from townlet.environment.gym.moment import VectorEnvError

MODES = list(AutoresetMode)
TAXI = max(name for name in gymnasium.registry if name.startswith("Taxi-v"))  # Gymnasium 1.2 has another
NEXT, SAME, DISABLED = MODES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", ["0", "3", "station"])
def test_ours_passes(level: str, mode: AutoresetMode) -> None:
    check_vector_env(TownletVectorEnv(level, 4, overrides={"max_steps": 20}, autoreset_mode=mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["CartPole-v1", "Blackjack-v1", TAXI])  # a box, a tuple, masks
def test_gymnasiums_own_pass(name: str, mode: AutoresetMode) -> None:
    limit = {"max_episode_steps": 30} if name == TAXI else {}
    check_vector_env(SyncVectorEnv([lambda: gymnasium.make(name, **limit)] * 3, autoreset_mode=mode))


@pytest.mark.parametrize("mode", MODES)
def test_masks_and_times_in_the_infos_of_some_pass(mode: AutoresetMode) -> None:
    limits = 7, 11, 30  # ends fall apart, so a reset has masks of some alone
    env = SyncVectorEnv(
        [lambda limit=limit: gymnasium.make(TAXI, max_episode_steps=limit) for limit in limits],
        autoreset_mode=mode,
    )
    check_vector_env(env if mode is DISABLED else gymnasium.wrappers.vector.RecordEpisodeStatistics(env))


def test_gymnasiums_fast_one_passes() -> None:
    check_vector_env(gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="vector_entry_point"))


class Count(VectorEnv):
    """Three sub-environments that count their steps: two die at 3 and 4 steps, the third is cut off at 5.

    Observed are [steps, a number drawn for the episode]. `broken` is the name of one mistake.
    """

    def __init__(self, mode: AutoresetMode, broken: str = "") -> None:
        self.num_envs, self.mode, self.broken = 3, mode, broken
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = gymnasium.spaces.Box(0.0, 100.0, (2,))
        self.single_action_space = gymnasium.spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, 3)
        self.action_space = batch_space(self.single_action_space, 3)
        self.count, self.number = np.zeros(3), np.zeros(3)
        self.over = np.zeros(3, dtype=bool)
        self.kept = np.zeros((3, 2), dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=None if self.broken == "no seed" else seed)
        mask = (options or {}).get("reset_mask", np.ones(3, dtype=bool))
        self.begin(np.ones(3, dtype=bool) if self.broken == "resets all" else mask)
        return self.observe(), self.infos()

    def begin(self, who: np.ndarray) -> None:
        self.count = np.where(who, 0, self.count)
        self.number = np.where(who, self.np_random.integers(100, size=3), self.number)
        self.over = self.over & ~who

    def observe(self) -> np.ndarray:
        seen = np.stack([self.count, self.number], axis=1).astype(np.float32)
        if self.broken == "aliased":
            self.kept[...] = seen
            return self.kept
        return seen.astype(np.float64) if self.broken == "float64" else seen

    def infos(self) -> dict[str, Any]:
        mask = np.ones((3, 2), dtype=np.int8)
        if self.broken == "nothing allowed":
            mask[1] = 0
        if self.broken == "narrow mask":
            mask = mask[:, :1]
        if self.broken == "third action":
            mask[:] = [[0, 1], [1, 2], [1, 1]]
        if self.broken == "mask of some":
            return {"action_mask": mask, "_action_mask": np.array([True, True, False])}
        have = {} if self.broken == "mask without mask" else {"_action_mask": np.ones(3, dtype=bool)}
        return {"action_mask": mask, **have}

    def step(self, actions: np.ndarray) -> Any:
        waiting = self.over if self.mode is NEXT and self.broken != "steps on" else np.zeros(3, dtype=bool)
        begins, self.over = waiting.copy(), np.zeros(3, dtype=bool)
        self.count = self.count + 1 + (0.25 * actions if self.broken == "acts in reset" else 0) * begins
        reward = np.where(begins & (self.broken != "rewards reset"), 0.0, 1.0)
        terminated = (self.count >= [3, 4, 99]) & ~begins
        truncated = (self.count >= 5) & ~begins & ~terminated
        if begins.any():
            steps = self.count
            self.begin(begins)
            if self.broken == "acts in reset":
                self.count = np.where(begins, steps % 1, self.count)
        self.over = terminated | truncated
        infos: dict[str, Any] = {}
        if self.over.any() and (self.mode is SAME or self.broken == "undeclared same step"):
            infos = self.end_at_once()
        returned = self.observe(), reward, terminated, truncated, infos | self.infos()
        return self.spoil(returned)

    def end_at_once(self) -> dict[str, Any]:
        ended, final = self.over, self.observe()
        if self.broken == "no reset":
            self.count = np.where(ended, -1, self.count)
        else:
            self.begin(ended)
        last = np.full(3, None, dtype=object)
        for index in np.flatnonzero(ended):
            last[index] = final[index] - (200 if self.broken == "strange final" else 0)
        marked = np.ones(3, dtype=bool) if self.broken == "all marked" else ended
        infos = {"final_obs": last, "_final_obs": marked, "final_info": {}, "_final_info": ended}
        return {name: value for name, value in infos.items() if name != "final_info" or self.broken != "no final_info"}

    def spoil(self, returned: tuple) -> tuple:
        seen, reward, terminated, truncated, infos = returned
        if self.broken == "merged":
            terminated = truncated = terminated | truncated
        if self.broken == "both":
            terminated, truncated = terminated | truncated, terminated | truncated
        if self.broken == "nan":
            reward = reward * np.nan
        if self.broken == "integer flags":
            truncated = truncated.astype(int)
        if self.broken == "list of rewards":
            reward = reward.tolist()
        if self.broken == "no reset" and self.mode is SAME:
            for index, last in enumerate(infos.get("final_obs", [])):
                seen[index] = seen[index] if last is None else last
        if self.broken == "four":
            return seen, reward, terminated, infos
        return seen, reward, terminated, truncated, infos


@pytest.mark.parametrize("mode", MODES)
def test_the_one_that_is_broken_below_is_right_otherwise(mode: AutoresetMode) -> None:
    check_vector_env(Count(mode))


@pytest.mark.parametrize(
    ("mode", "broken", "said"),
    [
        (NEXT, "float64", r"reset\(seed\): expected an observation of Box \[3, 2\] float32 of 0 to 100, got an array"),
        (NEXT, "list of rewards", r"step 1: expected rewards as an array \[3\] floating, got list"),
        (NEXT, "integer flags", r"step 1: expected truncated as an array \[3\] bool, got an array \[3\] int64"),
        (NEXT, "nan", r"step 1: expected finite rewards, got \[nan, nan, nan\]"),
        (NEXT, "four", "step 1: expected a tuple of 5, got 4 values"),
        (NEXT, "merged", "step 1: expected terminated and truncated apart, got one array for both"),
        (NEXT, "both", r"env: expected terminated or truncated, got both at each of \d+ ends"),
        (NEXT, "no seed", r"reset\(seed\): expected the same observation for the same seed and actions"),
        (NEXT, "aliased", "expected observation that later calls leave alone, got one that changed in step 1"),
        (NEXT, "rewards reset", "step 4: expected a reset of sub-environment 0, reward 0 and no end, got reward 1"),
        (NEXT, "steps on", "step 4: expected a reset of sub-environment 0, reward 0 and no end, got reward 1, an end"),
        (NEXT, "acts in reset", "expected the same observation for the same seed and actions"),
        (NEXT, "undeclared same step", "step 3: expected no final_obs in mode NextStep, got one"),
        (NEXT, "nothing allowed", r"with an allowed action in each row, got nothing allowed in \[1\]"),
        (NEXT, "narrow mask", r"infos\['action_mask'\] as an array \[3, 2\] bool or int8, got an array \[3, 1\]"),
        (NEXT, "mask without mask", "expected the action_mask of each sub-environment, got no _action_mask"),
        (NEXT, "third action", r"with an allowed action in each row, got \[0, 1, 2\]"),
        (NEXT, "mask of some", r"expected the action_mask of each sub-environment, got none of sub-environments \[2\]"),
        (SAME, "no final_info", r"step 3: expected final_info of the ended sub-environments \[0\], got none"),
        (SAME, "all marked", r"step 3: expected final_obs of the ended sub-environments \[0\], got \[0, 1, 2\]"),
        (SAME, "strange final", r"step 3: expected final_obs\[0\] of Box \[2\] float32 of 0 to 100, got an array"),
        (SAME, "no reset", "expected the first observation of a new episode after an end, got the final_obs again"),
        (DISABLED, "resets all", r"reset_mask after step 3: expected a reset of \[0\] alone, got sub-environment 1"),
        (DISABLED, "undeclared same step", "step 3: expected no final_obs in mode Disabled, got one"),
    ],
)
def test_each_mistake_is_told(mode: AutoresetMode, broken: str, said: str) -> None:
    with pytest.raises(VectorEnvError, match=said) as told:
        check_vector_env(Count(mode, broken))
    assert "\n" not in str(told.value)


def declared(change: Callable[[Count], None]) -> Count:
    env = Count(NEXT)
    change(env)
    return env


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda env: env.metadata.clear(), r"metadata\['autoreset_mode'\]: expected an AutoresetMode, got None"),
        (lambda env: env.metadata.update(autoreset_mode="NextStep"), "expected an AutoresetMode, got 'NextStep'"),
        (lambda env: setattr(env, "num_envs", 0), "num_envs: expected at least 1, got 0"),
        (lambda env: setattr(env, "num_envs", 4), r"expected 4 times single_observation_space, Box \[4, 2\]"),
        (
            lambda env: setattr(env, "action_space", env.single_action_space),
            r"action_space: expected 3 times single_action_space, MultiDiscrete\(\[2 2 2\]\), got Discrete\(2\)",
        ),
        (
            lambda env: setattr(env, "single_observation_space", None),
            "observation_space and single_observation_space: expected spaces, got Box and NoneType",
        ),
    ],
)
def test_wrong_declarations_are_told(change: Callable[[Count], None], said: str) -> None:
    with pytest.raises(VectorEnvError, match=said):
        check_vector_env(declared(change))


def test_no_vector_environment_at_all_is_told() -> None:
    with pytest.raises(VectorEnvError, match=r"env: expected a gymnasium.vector.VectorEnv, got TimeLimit"):
        check_vector_env(gymnasium.make("CartPole-v1"))  # type: ignore[arg-type]


def test_too_few_steps_to_see_an_end_are_told() -> None:
    with pytest.raises(VectorEnvError, match="expected an episode to end within 2 steps, got none: give more steps"):
        check_vector_env(Count(NEXT), steps=2)


def test_views_of_one_array_are_caught_in_gymnasiums_own() -> None:
    env = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3, copy=False)
    with pytest.raises(VectorEnvError, match="expected observation that later calls leave alone"):
        check_vector_env(env)
