"""The page's world is Python's, bit for bit: recorded lives are lived once more in JavaScript, and compared."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from node import run_node
from support.learning import network_of
from support.replays import CPU, SEED, origin_of
from support.worlds import make_env, odd_town
from townlet.config import FeedForward, Level, load_level
from townlet.environment.observation import observe
from townlet.environment.rules import look_underfoot, tick
from townlet.environment.tables import make_tables
from townlet.environment.types import EnvState
from townlet.level.file import shipped_levels
from townlet.page import recorder
from townlet.page.numbers import Array
from townlet.page.recorder import Noted, Wanted, record
from townlet.page.replay import Replay, unpack
from townlet.page.world import describe_world

RELIVE = Path(__file__).parent / "site" / "relive.mjs"
AGENTS, LIMIT = 4, 50
ODD = ("a wide town in view", "one column", "one cell")
EVERYTHING = {  # what no shipped level has, or not at once
    "observation": {"window": 7, "position": "one_hot", "offsets": True, "clock": True, "progress": True, "age": True},
    "reward.milestones": [{"every": 3, "value": 0.3}, {"every": 7, "value": -0.7}],
    "reward.wellbeing": {"satiation": 0.13, "energy": 0.07, "mood": 0.011},
    "reward.interaction": {"money": 0.9, "health": -0.3, "energy": 0.21},
    "multi_tick": {"spread": 0.6},
    "day_ticks": 29,
    "meters.health.initial": 0.1,
}


class Lived(NamedTuple):
    """A replay of random lives, and what Python saw and paid in them, exactly."""

    replay: Replay
    seen: list[Array]  # for each life [frames, obs_dim] float32
    paid: Array  # [lives, terms, steps] float32
    planned: list[EnvState]  # for each life of the planner the world as its end left it, an entry a life


def worlds() -> dict[str, Level]:
    """Every world that is shipped, once, those of odd shapes, and one with all there is, by name.

    Lives are short, and begin with meters so low that they pull others.
    """
    levels = {f"level {name}": load_level(str(path)) for name, path in shipped_levels().items()}
    told = {}
    for name, level in levels.items():
        told.setdefault(describe_world(level, make_tables(level, "evaluation", CPU)).model_dump_json(), name)
    kept = {name: levels[name] for name in told.values()}
    kept |= {name: odd_town(name) for name in ODD}
    kept["everything"] = load_level("3", EVERYTHING)
    network = FeedForward(kind="feed_forward", hidden=(4,))
    return {
        name: level.model_copy(
            update={
                "network": network,
                "max_steps": min(level.max_steps, LIMIT),
                "meters": {
                    meter: one.model_copy(update={"initial": 0.4 * one.initial}) for meter, one in level.meters.items()
                },
            }
        )
        for name, level in kept.items()
    }


def live(level: Level, pack_to: Path) -> Lived:
    """Record lives of random actions, most of them allowed, many of them interactions; the file goes to `pack_to`."""
    env, dice = make_env(level, AGENTS, seed=SEED, maps="evaluation"), torch.Generator().manual_seed(0)
    noted, state, seen, living = Noted(), env.state, list[torch.Tensor](), torch.ones(AGENTS, dtype=torch.bool)
    while True:
        observation = observe(level, env.tables, state, look_underfoot(level, env.tables, state))
        seen.append(observation.features)
        if not living.any():
            break
        actions = torch.randint(0, env.num_actions, (AGENTS,), generator=dice)
        if "INTERACT" in level.actions:  # often, where it can be: to finish what takes several ticks
            uses = level.actions.index("INTERACT")
            likes = torch.rand(AGENTS, generator=dice) < 0.7
            actions = torch.where(likes & observation.action_mask[:, uses], uses, actions)
        done = tick(level, env.tables, state, actions)
        noted.actions.append(actions)
        noted.ended.append(done.terminated | done.truncated)
        living, state = living & ~noted.ended[-1], done.state
    values: dict[str, Array] = {}
    with pytest.MonkeyPatch.context() as patched:
        pack = recorder.pack
        patched.setattr(recorder, "pack", lambda header, all, *rest: values.update(all) or pack(header, all, *rest))
        packed = record(level, network_of(level), noted, Wanted(range(AGENTS), planner=True), origin_of(level))
    pack_to.mkdir()
    (pack_to / "one.replay").write_bytes(packed)
    replay = unpack(packed)
    features = torch.stack(seen, dim=1).numpy()  # [num_agents, frames, obs_dim]
    rows = [features[agent, : life.length + 1] for agent, life in enumerate(replay.lives)]
    return Lived(replay, rows, values["reward"], plan_again(level, replay))


def plan_again(level: Level, replay: Replay) -> list[EnvState]:
    """Each state of the planner's lives at their ends, by its actions in the world that it lived in."""
    env = make_env(level, AGENTS, seed=SEED, maps="evaluation")
    states = [env.state]
    for actions in torch.from_numpy(replay["planned"][:, 0]).t() if "planned" in replay else ():
        states.append(tick(level, env.tables, states[-1], actions).state)
    return [
        EnvState(*(part[..., index] for part in states[life.length]))
        for index, life in enumerate(replay.header.planner or ())
    ]


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Lived, dict, Path]]:
    """Of each world, by name: lives, what the page says of them, and the folder with what it saw and paid."""
    root = tmp_path_factory.mktemp("worlds")
    lives = {name: live(level, root / name) for name, level in worlds().items()}
    done = run_node(str(RELIVE), *(str(root / name) for name in lives))
    assert done.returncode == 0, done.stderr
    said = map(json.loads, done.stdout.splitlines())
    return {name: (lived, told, root / name) for (name, lived), told in zip(lives.items(), said, strict=True)}


def test_every_recorded_number_is_met_in_every_world(everywhere) -> None:
    for name, (lived, told, _) in everywhere.items():
        assert told["known"] is None, name
        for life, check in zip(lived.replay.lives, told["checks"], strict=True):
            assert check == {"equal": True, "steps": life.length, "firstDifference": None}, name


def test_what_is_seen_is_equal_to_the_last_bit(everywhere) -> None:
    for name, (lived, _, folder) in everywhere.items():
        here, seen = np.fromfile(folder / "seen", np.float32), np.concatenate(lived.seen)
        assert np.array_equal(here.reshape(seen.shape), seen), name


def test_what_is_paid_is_equal_to_the_last_bit(everywhere) -> None:
    for name, (lived, _, folder) in everywhere.items():
        lengths = [life.length for life in lived.replay.lives]
        paid = np.concatenate([row[:, :length].T for row, length in zip(lived.paid, lengths, strict=True)])
        assert np.array_equal(np.fromfile(folder / "paid", np.float32).reshape(paid.shape), paid), name


def test_the_planner_lives_here_as_it_did_in_python_in_every_world_in_which_it_can_plan(everywhere) -> None:
    planners = {name: lived.replay.header.planner for name, (lived, _, _) in everywhere.items()}
    assert [name for name, lives in planners.items() if lives is None] == []
    for name, (lived, told, _) in everywhere.items():
        for life, state, here in zip(planners[name], lived.planned, told["planned"], strict=True):
            assert here["end"] == life.model_dump(), name
            assert here["position"] == [int(state.x), int(state.y)], name
            assert here["meters"] == state.meters.tolist(), name


def test_the_lives_hold_all_that_can_go_apart(everywhere) -> None:
    """Else equal lives would say little: deaths and limits, closed doors, forfeited progress, forbidden actions."""
    lives = [life for lived, _, _ in everywhere.values() for life in lived.replay.lives]
    assert {life.ended for life in lives} == {"death", "limit"} and len({life.cause for life in lives}) > 2
    one = everywhere["level 3"][0].replay
    forbidden = (one["allowed"][:, 0, :-1] >> one["action"][:, 0]) & 1 == 0
    lived = np.arange(one.header.steps) < np.array([life.length for life in one.lives])[:, None]
    done, used = one["progress"][:, 0], one["completed"][:, 0] < len(one.header.world.affordances)
    assert (forbidden & lived).sum() > 20 and (used & lived).sum() > 5
    assert ((done[:, 1:] < done[:, :-1]) & ~used & lived).any(), "no progress was forfeited"
    low = one["meters"] < one.header.world.threshold
    assert (low[..., :-1] & lived[:, None]).any(axis=(0, 2)).sum() >= 4, "too few meters pulled others"
