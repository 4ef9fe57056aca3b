"""Our levels in Gymnasium: the lives of VectorizedEnv in each autoreset mode, and Gymnasium's rules."""

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from support.learning import differences
from support.worlds import ODD_TOWNS, put
from townlet.config import ConfigError, Level, load_level
from townlet.environment.gym import adaptors as gymnasium_adaptors
from townlet.environment.gym.adaptors import TownletEnv, TownletVectorEnv
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.level.file import shipped_levels

MODES = ["NextStep", "SameStep", "Disabled"]
IDS = [f"Townlet/Level{level[0].upper()}{level[1:]}-v0" for level in shipped_levels()]
AGENTS, TICKS = 6, 90
LIVED: dict[str, dict[str, Any]] = {
    "2": {"max_steps": 60, "meters.energy.initial": 0.25},
    "3": {"max_steps": 40},
    "2 in one column": ODD_TOWNS["one column"][1],
}


def vector(mode: str = "NextStep", num_envs: int = 3, max_steps: int = 500, **options: Any) -> TownletVectorEnv:
    """Level 0 after a reset with seed 0: energy alone, a bed in one cell."""
    env = TownletVectorEnv("0", num_envs, overrides={"max_steps": max_steps}, autoreset_mode=mode, **options)
    env.reset(seed=0)
    return env


def still(env: TownletVectorEnv) -> np.ndarray:
    """An action that stays where it is."""
    return np.full(env.num_envs, env.world.level.actions.index("INTERACT"))


def away_from_bed(env: TownletVectorEnv, agent: int, **where: Any) -> None:
    """Put an agent into Level 0's upper left corner; the bed is elsewhere."""
    put(env.world, agent, at=(0, 0), **where)


@cache
def planned(level: str) -> tuple[dict[str, Any], np.ndarray, list[list[tuple]]]:
    """A level with lives short enough to end by time, actions for it, and how they are lived in the world itself."""
    overrides = LIVED[level]
    actions = len(load_level(level.split()[0], overrides).actions)
    plan = np.random.default_rng(0).integers(actions, size=(AGENTS, TICKS))
    return overrides, plan, lives_in_world(level.split()[0], overrides, plan)


def lives_in_world(level: str, overrides: dict[str, Any], plan: np.ndarray) -> list[list[tuple]]:
    """What VectorizedEnv shows to each agent: each first observation, and all that a step returns."""
    world = VectorizedEnv(load_level(level, overrides), AGENTS, seed=5, compile=False)
    seen = world.reset()
    lives: list[list[tuple]] = [[row(seen.features[i], seen.action_mask[i])] for i in range(AGENTS)]
    for tick in range(TICKS):
        done = world.step(torch.from_numpy(plan[:, tick]))
        for i in range(AGENTS):
            after = row(done.final_features[i], done.final_action_mask[i])
            lives[i].append((*after, float(done.reward[i]), bool(done.terminated[i]), bool(done.truncated[i])))
            if done.ended[i]:
                lives[i].append(row(done.observation.features[i], done.observation.action_mask[i]))
    return lives


def lives_in_mode(
    mode: str, level: str, overrides: dict[str, Any], plan: np.ndarray, captured: bool
) -> list[list[tuple]]:
    """The same, read from the vector environment as its autoreset mode says."""
    env = TownletVectorEnv(level, AGENTS, overrides=overrides, autoreset_mode=mode)
    if captured:  # as on a CUDA device
        env.world.capture()
    features, infos = env.reset(seed=5)
    lives: list[list[tuple]] = [[row(features[i], infos["action_mask"][i])] for i in range(AGENTS)]
    lived, ended = np.zeros(AGENTS, dtype=int), np.zeros(AGENTS, dtype=bool)
    while lived.min() < TICKS:
        resetting = ended if mode == "NextStep" else np.zeros(AGENTS, dtype=bool)
        features, reward, terminated, truncated, infos = env.step(plan[np.arange(AGENTS), lived % TICKS])
        lived, ended, masks = lived + ~resetting, terminated | truncated, infos["action_mask"]
        assert env.observation_space.contains(features)
        for i in range(AGENTS):
            flags = (float(reward[i]), bool(terminated[i]), bool(truncated[i]))
            if resetting[i]:
                assert flags == (0.0, False, False)
                lives[i].append(row(features[i], masks[i]))
            elif mode == "SameStep" and ended[i]:
                lives[i].append((*row(infos["final_obs"][i], infos["final_info"]["action_mask"][i]), *flags))
                lives[i].append(row(features[i], masks[i]))
            else:
                lives[i].append((*row(features[i], masks[i]), *flags))
        if mode == "Disabled" and ended.any():
            features, infos = env.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended):
                lives[i].append(row(features[i], infos["action_mask"][i]))
    return lives


def row(features: Any, mask: Any) -> tuple[bytes, list[bool]]:
    return np.asarray(features).tobytes(), np.asarray(mask).astype(bool).tolist()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("level", "captured"), [("2", False), ("3", False), ("3", True), ("2 in one column", True)])
def test_each_mode_lives_the_lives_of_the_vectorized_world_bit_for_bit(mode: str, level: str, captured: bool) -> None:
    overrides, plan, expected = planned(level)
    lives = lives_in_mode(mode, level.split()[0], overrides, plan, captured)
    ends = [one[3:] for life in expected for one in life if len(one) == 5 and (one[3] or one[4])]
    assert (False, True) in ends and (level != "2" or (True, False) in ends)
    for life, same in zip(expected, lives, strict=True):
        assert same[: len(life)] == life


def test_single_one_lives_as_agent_0_of_the_vectorized_world() -> None:
    overrides, plan, (life, *_) = planned("2")
    env = TownletEnv("2", overrides=overrides)
    features, info = env.reset(seed=5)
    same: list[tuple] = [row(features, info["action_mask"])]
    for tick in range(TICKS):
        features, reward, terminated, truncated, info = env.step(plan[0, tick])
        same.append((*row(features, info["action_mask"]), reward, terminated, truncated))
        if terminated or truncated:
            features, info = env.reset()
            same.append(row(features, info["action_mask"]))
    assert same == life


@pytest.mark.slow
def test_a_compiled_one_lives_as_an_eager_one() -> None:
    overrides, plan, _ = planned("2")
    envs = [TownletVectorEnv("2", AGENTS, overrides=overrides, compile=compile) for compile in (True, False)]
    for one, other in zip(*(lived_by(env, plan) for env in envs), strict=True):
        assert all(np.allclose(left, right, rtol=0.0, atol=1e-6) for left, right in zip(one, other, strict=True))


def lived_by(env: TownletVectorEnv, plan: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """What each step of a plan returns, after a reset with seed 5, with the masks, copied."""
    env.reset(seed=5)
    steps = (env.step(plan[:, tick]) for tick in range(TICKS))
    return [tuple(np.array(part) for part in (*step[:4], step[4]["action_mask"])) for step in steps]


# --- autoreset ---------------------------------------------------------------------------------------------------


def test_next_step_shows_the_end_then_the_beginning_then_goes_on() -> None:
    env = vector("NextStep", max_steps=3)
    away_from_bed(env, 1, meters={"energy": 0.004})  # dies in the first step: 0.005 a tick
    first = [env.step(still(env)) for _ in range(5)]
    assert [one[2].tolist() for one in first] == [[False, True, False]] + [[False] * 3] * 4
    assert [one[3].tolist() for one in first] == [
        [False] * 3, [False] * 3, [True, False, True], [False] * 3, [False, True, False],
    ]  # fmt: skip
    rewards = np.stack([one[1] for one in first])
    assert rewards[:, 1].tolist() == np.float32([-1.0, 0.0, 0.1, 0.1, 0.1]).tolist()
    assert rewards[:, 0].tolist() == np.float32([0.1, 0.1, 0.1, 0.0, 0.1]).tolist()
    energy = env.world.observation_layout.slices["meters"]
    shown = np.concatenate([one[0][:, energy] for one in first], axis=1)
    assert shown[1, :3].tolist() == [0.0, 1.0, shown[1, 2]] and shown[1, 2] != 1.0
    assert shown[0, 3] == 1.0 and not any("final_obs" in one[4] for one in first)


def test_a_step_that_shows_a_beginning_ends_nothing_whatever_would_end_there() -> None:
    dying = vector("NextStep")
    deaths = []
    for _ in range(3):
        away_from_bed(dying, 1, meters={"energy": 0.004})
        deaths.append(dying.step(still(dying))[2].tolist())
    assert deaths == [[False, True, False], [False] * 3, [False, True, False]]
    short = vector("NextStep", max_steps=1)
    assert [short.step(still(short))[3].tolist() for _ in range(3)] == [[True] * 3, [False] * 3, [True] * 3]


def test_same_step_shows_the_beginning_and_hands_out_the_end() -> None:
    env = vector("SameStep", max_steps=3)
    away_from_bed(env, 1, meters={"energy": 0.004})
    features, reward, terminated, truncated, infos = env.step(still(env))
    energy = env.world.observation_layout.slices["meters"]
    assert terminated.tolist() == [False, True, False] and not truncated.any()
    assert reward.tolist() == np.float32([0.1, -1.0, 0.1]).tolist()
    assert features[1, energy].tolist() == [1.0] and infos["final_obs"][1][energy].tolist() == [0.0]
    assert [infos[name].tolist() for name in ("_final_obs", "_final_info")] == [[False, True, False]] * 2
    assert [one is None for one in infos["final_obs"]] == [True, False, True]
    corner = [env.world.level.actions[i] for i in np.flatnonzero(infos["final_info"]["action_mask"][1])]
    assert {"DOWN", "RIGHT"} <= set(corner) and not {"UP", "LEFT"} & set(corner)  # where it died
    assert infos["final_info"]["_action_mask"].tolist() == [False, True, False]
    assert not infos["final_info"]["action_mask"][[0, 2]].any()
    *_, infos = env.step(still(env))
    assert not {"final_obs", "_final_obs", "final_info", "_final_info"} & set(infos)
    *_, terminated, truncated, infos = env.step(still(env))
    assert truncated.tolist() == [True, False, True] == infos["_final_obs"].tolist() and not terminated.any()


def test_disabled_waits_for_the_mask_and_refuses_to_go_on_without_it() -> None:
    env = vector("Disabled")
    away_from_bed(env, 1, meters={"energy": 0.004})
    features, _, terminated, *_ = env.step(still(env))
    energy = env.world.observation_layout.slices["meters"]
    assert terminated.tolist() == [False, True, False] and features[1, energy].tolist() == [0.0]
    with pytest.raises(ResetNeeded, match=r"expected a reset before, of sub-environments \[1\]"):
        env.step(still(env))
    begun, _ = env.reset(options={"reset_mask": np.array([True, False, False])})  # of one that goes on
    assert begun[0, energy].tolist() == [1.0] and begun[1:].tolist() == features[1:].tolist()
    assert env.world.state.episode.tolist() == [1, 1, 0]
    begun, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert begun[1, energy].tolist() == [1.0] and begun[2].tolist() == features[2].tolist()
    assert env.world.state.episode.tolist() == [1, 1, 0]  # the episode that had begun, not the one after it
    _, _, terminated, truncated, _ = env.step(still(env))
    assert not terminated.any() and not truncated.any()


def test_a_reset_of_some_leaves_others_at_their_ends() -> None:
    env = vector("Disabled")
    energy = env.world.observation_layout.slices["meters"].start
    for agent in (0, 1):
        away_from_bed(env, agent, meters={"energy": 0.004})
    shown, *_ = env.step(still(env))
    assert shown[:2, energy].tolist() == [0.0, 0.0]
    for agent, expected in ((1, [0.0, 1.0]), (0, [1.0, 1.0])):
        shown, infos = env.reset(options={"reset_mask": np.arange(3) == agent})
        assert shown[:2, energy].tolist() == expected
        assert infos["action_mask"].tolist() == env.action_masks().tolist()


def test_mode_is_declared_as_gymnasium_wants_it() -> None:
    for mode in AutoresetMode:
        assert TownletVectorEnv("0", autoreset_mode=mode).metadata["autoreset_mode"] is mode
    assert TownletVectorEnv("0").metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    with pytest.raises(ValueError, match="'Never' is not a valid AutoresetMode"):
        TownletVectorEnv("0", autoreset_mode="Never")


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"reset_mask": [True, False, True]}, TypeError, r"expected \[3\] bool in numpy, got list"),
        ({"reset_mask": np.array([1, 0, 1])}, TypeError, r"expected \[3\] bool in numpy, got int64"),
        ({"reset_mask": np.array([True])}, ValueError, r"with at least one True, got \[1\] with 1"),
        ({"reset_mask": np.zeros(3, dtype=bool)}, ValueError, r"with at least one True, got \[3\] with 0"),
        ({"map": 3}, ValueError, "expected reset_mask alone, got map"),
    ],
)
def test_wrong_options_are_refused_and_change_nothing(options: dict, kind: type[Exception], said: str) -> None:
    env = vector()
    before = env.world.state_dict()
    with pytest.raises(kind, match=said):
        env.reset(seed=9, options=options)
    assert differences(before, env.world.state_dict()) == [] and env.np_random_seed == 0


# --- seeds -------------------------------------------------------------------------------------------------------


def test_a_seed_repeats_and_without_one_new_episodes_follow() -> None:
    env = TownletVectorEnv("2", 64)
    first, _ = env.reset(seed=3)
    second, _ = env.reset()
    third, _ = env.reset()
    assert len({one.tobytes() for one in (first, second, third)}) == 3
    again, _ = env.reset(seed=3)
    other, _ = TownletVectorEnv("2", 64).reset(seed=3)
    assert np.array_equal(again, first) and np.array_equal(other, first)
    assert np.array_equal(env.reset()[0], second)
    assert not np.array_equal(env.reset(seed=4)[0], first)


def test_who_gets_no_seed_draws_one_and_can_tell_it() -> None:
    one, other = TownletEnv("2"), TownletEnv("2")
    lives = [np.stack([env.reset()[0] for _ in range(8)]) for env in (one, other)]
    assert not np.array_equal(*lives)
    assert np.array_equal(TownletEnv("2").reset(seed=one.np_random_seed)[0], lives[0][0])


def test_a_seed_with_a_mask_is_for_the_masked_alone() -> None:
    env = TownletVectorEnv("2", 4, autoreset_mode="Disabled")
    whole, _ = env.reset(seed=7)
    before, _ = env.reset(seed=1)
    mixed, _ = env.reset(seed=7, options={"reset_mask": np.array([True, False, True, False])})
    assert np.array_equal(mixed[[0, 2]], whole[[0, 2]]) and np.array_equal(mixed[[1, 3]], before[[1, 3]])


def test_a_level_of_ones_own_is_made_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"extends: {shipped_levels()['2']}\nid: own\nname: own\nlayout: {{training_maps: 96}}\n")
    made = gymnasium.make_vec("Townlet/Level-v0", num_envs=2, level=str(own), overrides={"max_steps": 9})
    assert isinstance(made, TownletVectorEnv)
    assert (made.world.level.id, made.world.level.max_steps, made.world.tables.num_maps) == ("own", 9, 96)
    with pytest.raises(ConfigError, match=r"max_steps: expected"):
        gymnasium.make("Townlet/Level-v0", level=own, overrides={"max_steps": 0})


def test_device_maps_and_compile_are_those_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def world(level: Level, *arguments: Any) -> VectorizedEnv:
        given.append((arguments[0], *arguments[1:2], *arguments[3:5]))
        return VectorizedEnv(level, arguments[0], compile=False)

    monkeypatch.setattr(gymnasium_adaptors, "VectorizedEnv", world)
    options: dict[str, Any] = {"device": "cuda:1", "compile": "auto", "maps": "evaluation"}
    TownletVectorEnv("0", 2, **options)
    gymnasium.make("Townlet/Level0-v0", **options)
    gymnasium.make("Townlet/Level0-v0")
    auto = "cuda:1", "auto", "evaluation"
    assert given == [(2, *auto), (1, *auto), (1, "cpu", False, "training")]


# --- what goes in and comes out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", list(shipped_levels()))
def test_bounds_are_exact_for_each_feature(level: str) -> None:
    env = TownletVectorEnv(level, 2)
    space, layout = env.single_observation_space, env.world.observation_layout
    assert isinstance(space, gymnasium.spaces.Box) and space.shape == (env.world.obs_dim,) and space.dtype == np.float32
    signed = {name for name, part in layout.slices.items() if (space.low[part] == -1).all()}
    assert signed == {"offsets", "clock"} & set(layout.slices)
    assert all((space.low[part] == 0).all() for name, part in layout.slices.items() if name not in signed)
    assert (space.high == 1).all() and env.single_action_space == gymnasium.spaces.Discrete(env.world.num_actions)
    assert env.observation_space == batch_space(space, 2)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([env.world.num_actions] * 2)


def test_what_is_returned_belongs_to_the_caller() -> None:
    for mode in MODES:
        plain, spoilt = vector(mode, max_steps=3), vector(mode, max_steps=3)
        for env in (plain, spoilt):
            away_from_bed(env, 1, meters={"energy": 0.004})  # ends apart from the others
        for _ in range(12):
            one, other = plain.step(still(plain)), spoilt.step(still(spoilt))
            kept = [value.copy() for value in (*one[:4], one[4]["action_mask"], plain.action_masks())]
            for value, same in zip((*other[:4], other[4]["action_mask"], spoilt.action_masks()), kept, strict=True):
                assert np.array_equal(value, same)
                value[...] = 0
            assert np.array_equal(spoilt.action_masks(), plain.action_masks())
            ended = kept[2] | kept[3]
            if mode == "Disabled" and ended.any():
                mask = {"reset_mask": ended}
                assert np.array_equal(plain.reset(options=mask)[0], spoilt.reset(options=mask)[0])


def test_mask_says_what_may_be_done_and_fits_the_samplers() -> None:
    env = TownletVectorEnv("2", 5)
    _, infos = env.reset(seed=0)
    env.action_space.seed(3)  # nobody dies of these
    for _ in range(20):
        expected = env.world.observe().action_mask.numpy()
        assert infos["action_mask"].dtype == np.int8 and infos["_action_mask"].tolist() == [True] * 5
        assert np.array_equal(infos["action_mask"], expected) and np.array_equal(env.action_masks(), expected)
        assert env.action_masks().dtype == np.bool_
        *_, infos = env.step(env.action_space.sample(mask=tuple(infos["action_mask"])))
    single = TownletEnv("2")
    _, info = single.reset(seed=0)
    assert single.action_space.sample(mask=info["action_mask"]) in np.flatnonzero(single.action_masks())


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (np.zeros(2, dtype=int), r"expected \[3\] integers, got \[2\] int64"),
        (np.zeros(3), r"expected \[3\] integers, got \[3\] float64"),
        (np.array([0, -1, 2]), "expected 0 to 4, got -1 to 2"),
        (np.array([0, 1, 5]), "expected 0 to 4, got 0 to 5"),
    ],
)
def test_wrong_actions_are_refused(actions: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        vector().step(actions)


@pytest.mark.parametrize("compile", [False, True])
def test_actions_may_lie_backwards_be_read_only_or_of_other_integers(compile: bool) -> None:
    env = TownletVectorEnv("0", 3, compile=compile, render_mode="ansi")
    actions = np.array([1, 4, 2])
    fixed = actions.copy()
    fixed.flags.writeable = False
    shown = []
    for given in (actions, actions[::-1].copy()[::-1], fixed, actions.astype(">i4"), actions.astype(np.uint64)):
        env.reset(seed=3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shown.append(env.step(given)[0].copy())
    assert all(np.array_equal(one, shown[0]) for one in shown)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_before_the_first_reset_is_refused(mode: str) -> None:
    env = TownletVectorEnv("0", 2, autoreset_mode=mode)
    with pytest.raises(ResetNeeded, match="of all of them"):
        env.step(still(env))
    with pytest.raises(ResetNeeded, match="got the first"):
        env.reset(options={"reset_mask": np.array([True, False])})


def test_single_one_refuses_a_step_after_the_end_until_its_reset() -> None:
    env = TownletEnv("0", overrides={"max_steps": 2})
    env.reset(seed=0)
    assert env.step(0)[2:4] == (False, False) and env.step(0)[2:4] == (False, True)
    with pytest.raises(ResetNeeded, match="expected a reset before"):
        env.step(0)
    env.reset()
    assert env.step(np.int64(0))[2:4] == (False, False)
    with pytest.raises(ValueError, match="expected none, got map"):
        env.reset(options={"map": 3})


# --- Gymnasium itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_own_checker_has_nothing_to_say(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name).unwrapped)


def test_gymnasiums_statistics_count_our_episodes() -> None:
    made = gymnasium.make_vec("Townlet/Level0-v0", num_envs=2, overrides={"max_steps": 7})
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(made)
    env.reset(seed=0)
    for _ in range(23):  # 7 steps and a reset, three times
        env.step(np.zeros(2, dtype=int))
    assert list(env.length_queue) == [7] * 6
