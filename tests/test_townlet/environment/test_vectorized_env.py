"""The environment as a whole: resets, seeds, independence of rows, metrics, state, and what a step may do."""

import copy

import pytest
import torch
from torch import Tensor

from support.worlds import ODD_TOWNS, fixed_town, flat, make_env, odd_town, places_of, put, random_valid
from townlet.config import Level, load_level
from townlet.environment.types import Observation, StepResult
from townlet.environment.vectorized_env import VectorizedEnv


@pytest.fixture(scope="module")
def level() -> Level:
    return load_level("2")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_equal(one: tuple, other: tuple) -> None:
    """Every tensor of two records is the same, bit for bit."""
    for left, right in zip(flat(one), flat(other), strict=True):
        assert torch.equal(left, right)


# --- resets ------------------------------------------------------------------------------------------------------


def test_an_episode_begins_with_the_initial_meters_and_at_tick_nothing() -> None:
    level = load_level("2", {"meters": {"mood": {"initial": 0.75}}})
    state = make_env(level, 5).state
    assert state.meters.t().tolist() == [[1.0, 1.0, 1.0, 0.5, 0.75, 1.0, 1.0, 1.0]] * 5
    assert [field.tolist() for field in (state.progress, state.tick, state.episode)] == [[0] * 5] * 3


def test_episodes_begin_in_every_cell_and_on_every_map_about_equally_often(level: Level) -> None:
    state = make_env(level, 16_384).state
    cells = torch.bincount(state.y * 8 + state.x, minlength=64)  # 256 expected, standard deviation 16
    assert cells.shape == (64,) and int(cells.min()) > 176 and int(cells.max()) < 336
    maps = torch.bincount(state.map_index // 64, minlength=64)
    assert maps.shape == (64,) and int(maps.min()) > 176 and int(maps.max()) < 336
    quarters = torch.bincount(state.map_index // 1024 * 4 + state.x // 2, minlength=16)  # 1024, deviation 31
    assert quarters.shape == (16,) and int(quarters.min()) > 869 and int(quarters.max()) < 1179


def test_two_resets_are_equal_and_another_seed_differs(level: Level) -> None:
    env, again, other = make_env(level, 64, seed=3), make_env(level, 64, seed=3), make_env(level, 64, seed=4)
    first = env.reset()
    env.step(random_valid(first.action_mask, generator()))
    assert_equal(env.reset(), first)
    assert_equal(again.reset(), first)
    assert_equal(again.state, env.state)
    assert not torch.equal(other.state.map_index, env.state.map_index)
    assert not torch.equal(other.state.x, env.state.x)


def test_without_a_seed_the_levels_own_is_taken() -> None:
    level = load_level("2", {"training.seed": 9})
    assert_equal(make_env(level, 16).state, make_env(level, 16, seed=9).state)


def test_training_and_evaluation_differ_in_maps_and_in_where_episodes_begin(level: Level) -> None:
    training, evaluation = make_env(level, 64, maps="training"), make_env(level, 64, maps="evaluation")
    met = {frozenset(places_of(training, agent).items()) for agent in range(64)}
    assert not met & {frozenset(places_of(evaluation, agent).items()) for agent in range(64)}
    assert not torch.equal(training.state.x, evaluation.state.x)


@pytest.mark.parametrize("name", ODD_TOWNS)
def test_episodes_begin_in_every_cell_of_the_map_and_nowhere_else(name: str) -> None:
    level = odd_town(name)
    env = make_env(level, 2_000)
    cells = set(zip(env.state.x.tolist(), env.state.y.tolist(), strict=True))
    assert cells == {(x, y) for x in range(level.grid.width) for y in range(level.grid.height)}


def test_begin_gives_some_agents_their_next_episode_and_leaves_the_others(level: Level) -> None:
    env, other = make_env(level, 6, seed=3), make_env(level, 6, seed=3)
    actions = random_valid(env.observe().action_mask, generator())
    env.step(actions), other.step(actions)
    who = torch.tensor([True, False, True, False, False, True])
    begun = env.begin(who)
    assert env.state.episode.tolist() == [1, 0, 1, 0, 0, 1] and env.state.tick.tolist() == [0, 1, 0, 1, 1, 0]
    assert_equal(begun, env.observe())
    other.begin(torch.ones(6, dtype=torch.bool))
    for column, all_begun in zip(env.state, other.state, strict=True):
        assert torch.equal(column[..., who], all_begun[..., who])


def test_begin_with_a_seed_gives_the_lives_of_that_seed_to_those_agents_alone() -> None:
    level = load_level("2", {"max_steps": 100})
    env, kept, seeded = make_env(level, 6, seed=3), make_env(level, 6, seed=3), make_env(level, 6, seed=8)
    who = torch.arange(6) % 2 == 0
    env.step(random_valid(env.observe().action_mask, generator()))
    env.reset(), env.begin(who, seed=8)
    stream = generator(1)
    for _ in range(150):  # into the second episode
        actions = random_valid(env.observe().action_mask, stream)
        mixed, one, other = env.step(actions), kept.step(actions), seeded.step(actions)
        expected = torch.where(who.unsqueeze(1), other.final_features, one.final_features)
        assert torch.equal(mixed.final_features, expected)
    assert int(env.state.episode.min()) > 0


@pytest.mark.parametrize("ending", ["death", "limit"])
def test_who_ends_begins_anew_and_shows_the_end_as_final(ending: str) -> None:
    level = load_level("3")
    env, other = make_env(level, 6), make_env(level, 6)
    begins = env.state._replace(episode=torch.ones(6, dtype=torch.int32))
    put(env, 2, at="Bed", progress=1, tick=100 if ending == "death" else 499, meters={"energy": 0.001, "mood": 0.5})
    put(other, 2, at="Bed", progress=1, tick=100, meters={"energy": 0.6, "mood": 0.5})
    if ending == "limit":
        put(env, 2, meters={"energy": 0.6})
    actions = random_valid(env.observe().action_mask, generator())
    actions[2] = level.actions.index("WAIT")
    result, beside = env.step(actions), other.step(actions)

    assert (bool(result.terminated[2]), bool(result.truncated[2])) == (ending == "death", ending == "limit")
    meters = env.observation_layout.slices["meters"]
    energy = 0.0 if ending == "death" else 0.595
    assert result.final_features[2, meters].tolist()[:5] == pytest.approx([energy, 0.997, 0.996, 0.5, 0.499], abs=1e-6)
    assert result.final_features[2, -1] == pytest.approx(101 / 500 if ending == "death" else 1.0)
    assert result.final_features[2, -2] == pytest.approx(0.2)  # progress at the Bed, of 5 ticks
    # the new episode: full meters, no progress, tick 0, another map, one episode more
    assert result.observation.features[2, meters].tolist() == [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert result.observation.features[2, -2:].tolist() == [0.0, 0.0]
    assert (int(env.state.tick[2]), int(env.state.progress[2]), int(env.state.episode[2])) == (0, 0, 1)
    assert int(env.state.map_index[2]) != int(begins.map_index[2])
    assert_equal(env.observe(), result.observation)
    # all other agents go on as beside an agent that does not end
    others = [0, 1, 3, 4, 5]
    for mine, theirs in zip(flat(result), flat(beside), strict=True):
        assert torch.equal(mine[others], theirs[others])
    for mine, theirs in zip(env.state, other.state, strict=True):
        assert torch.equal(mine[..., others], theirs[..., others])


def test_final_features_and_mask_of_who_goes_on_are_its_observation(level: Level) -> None:
    env = make_env(level, 32)
    result = env.step(random_valid(env.observe().action_mask, generator()))
    assert torch.equal(result.final_features, result.observation.features)
    assert torch.equal(result.final_action_mask, result.observation.action_mask)


def test_every_episode_of_an_agent_draws_its_own_map(level: Level) -> None:
    env, maps = make_env(level, 200), []
    for _ in range(20):
        maps.append(env.state.map_index)
        env.state = env.state._replace(tick=torch.full_like(env.state.tick, 499))
        env.step(torch.zeros(200, dtype=torch.int64))
    assert env.state.episode.tolist() == [20] * 200
    drawn = torch.stack(maps).flatten()  # 4,000 of 4,096 maps: about 62% of the maps are met
    assert 2_300 < len(drawn.unique()) < 2_800


# --- rows are independent ----------------------------------------------------------------------------------------


def test_an_agent_lives_the_same_life_beside_any_number_of_others(level: Level) -> None:
    few, many = make_env(level, 8, seed=5), make_env(level, 2_000, seed=5)
    draws, ended = generator(), 0
    for _ in range(130):
        everyone = random_valid(many.observe().action_mask, draws)
        ours, theirs = few.step(everyone[:8]), many.step(everyone)
        ended += int(ours.terminated.sum())
        for one, other in zip(flat(ours), flat(theirs), strict=True):
            assert torch.equal(one, other[:8])
    assert ended >= 4


@pytest.mark.parametrize("name", ["2", "3"])
def test_what_one_agent_does_changes_its_own_row_alone(name: str) -> None:
    env = make_env(load_level(name), 32)
    draws = generator()
    for step in range(40):
        other = copy.copy(env)
        actions = random_valid(env.observe().action_mask, draws)
        changed = actions.clone()
        changed[step % 32] = (changed[step % 32] + 1) % env.num_actions
        ours, theirs = env.step(actions), other.step(changed)
        rest = torch.arange(32) != step % 32
        for one, two in zip(flat(ours), flat(theirs), strict=True):
            assert torch.equal(one[rest], two[rest])
        for one, two in zip(env.state, other.state, strict=True):
            assert torch.equal(one[..., rest], two[..., rest])


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("name", ODD_TOWNS)
def test_one_agent_alone_lives_as_it_does_beside_others(name: str, captured: bool) -> None:
    level, draws = odd_town(name), generator()
    alone, among = make_env(level, 1, seed=5), make_env(level, 3, seed=5)
    if captured:  # as on a CUDA device
        alone.capture()
    for _ in range(50):
        everyone = random_valid(among.observe().action_mask, draws)
        mine, theirs = alone.step(everyone[:1]), among.step(everyone)
        for one, other in zip(flat(mine), flat(theirs), strict=True):
            assert torch.equal(one, other[:1])
    assert int(alone.state.episode) > 0


# --- the order of things in the file ------------------------------------------------------------------------------


def lives(level: Level, num_agents: int = 32, num_steps: int = 120) -> list[StepResult]:
    """Random steps, the same for any two levels that have the same actions and masks."""
    env, draws = make_env(level, num_agents), generator(7)
    return [env.step(random_valid(env.observe().action_mask, draws)) for _ in range(num_steps)]


def test_the_order_in_which_the_file_names_meters_changes_nothing(level: Level) -> None:
    names = list(level.meters)
    turned = level.model_copy(update={"meters": {name: level.meters[name] for name in reversed(names)}})
    assert list(turned.meters) != names
    for one, other in zip(lives(level), lives(turned), strict=True):
        assert_equal(one, other)


def test_the_order_of_the_meters_that_are_present_permutes_the_observation_alone(level: Level) -> None:
    order = ["fitness", "money", "health", "social", "energy", "mood", "satiation", "hygiene"]
    turned = load_level("2", {"present_meters": order})
    meters = make_env(level).observation_layout.slices["meters"]
    column = torch.arange(50)
    column[meters] = torch.tensor([meters.start + level.present_meters.index(name) for name in order])
    for one, other in zip(lives(level), lives(turned), strict=True):
        assert torch.equal(other.observation.features, one.observation.features[:, column])
        assert torch.equal(other.final_features, one.final_features[:, column])
        for field in ("reward", "terminated", "truncated", "final_action_mask"):
            assert torch.equal(getattr(other, field), getattr(one, field))


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "got"),
    [
        (torch.zeros(3, dtype=torch.int64), r"\[3\] torch.int64"),
        (torch.zeros(4, 1, dtype=torch.int64), r"\[4, 1\] torch.int64"),
        (torch.zeros((), dtype=torch.int64), r"\[\] torch.int64"),
        (torch.zeros(4, dtype=torch.int32), r"\[4\] torch.int32"),
        (torch.zeros(4), r"\[4\] torch.float32"),
    ],
)
def test_actions_of_another_shape_or_type_are_refused(level: Level, actions: Tensor, got: str) -> None:
    env = make_env(level, 4)
    with pytest.raises(ValueError, match=rf"expected \[4\] torch.int64, got {got}"):
        env.step(actions)
    assert env.state.tick.tolist() == [0] * 4


def test_an_environment_has_at_least_one_agent(level: Level) -> None:
    with pytest.raises(ValueError, match="num_agents: expected at least 1, got 0"):
        VectorizedEnv(level, 0)


# --- metrics and state ---------------------------------------------------------------------------------------------


def test_metrics_count_uses_and_deaths_since_they_were_last_read() -> None:
    env = make_env(fixed_town(), 4)
    put(env, 0, at="Bed")
    put(env, 1, at="Bed", meters={"money": 0.01})  # cannot pay
    put(env, 2, at=(3, 3), meters={"energy": 0.001, "health": 0.0001})  # dies of the first meter that is empty
    put(env, 3, at=(3, 3), meters={"health": 0.0001})
    interact = torch.full((4,), env.level.actions.index("INTERACT"))
    env.step(interact)
    metrics = env.read_metrics()
    used = {key: value for key, value in metrics.items() if key.startswith("affordance/") and value}
    assert used == {"affordance/Bed_uses": 1.0}
    deaths = {key: value for key, value in metrics.items() if key.startswith("deaths/")}
    assert deaths == {"deaths/energy": 1.0, "deaths/health": 1.0}
    assert metrics["meters/money_mean"] == pytest.approx((0.45 + 0.01 + 0.5 + 0.5) / 4, abs=1e-6)
    counts = {key: value for key, value in env.read_metrics().items() if not key.startswith("meters/")}
    assert set(counts.values()) == {0.0}


def test_an_interaction_of_several_ticks_is_used_when_it_ends() -> None:
    env, uses = make_env(fixed_town(multi_tick={"spread": 0.75})), []
    put(env, at="Shower")
    for _ in range(6):
        env.step(torch.tensor([env.level.actions.index("INTERACT")]))
        uses.append(env.read_metrics()["affordance/Shower_uses"])
    assert uses == [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]


def run(env: VectorizedEnv, draws: torch.Generator, num_steps: int) -> list[StepResult]:
    return [env.step(random_valid(env.observe().action_mask, draws)) for _ in range(num_steps)]


def test_a_state_goes_on_in_another_environment_as_it_would_have(level: Level) -> None:
    env, other = make_env(level, 16, seed=1), make_env(level, 16, seed=2)
    run(env, generator(), 60)
    other.load_state_dict(copy.deepcopy(env.state_dict()))
    for one, two in zip(run(env, generator(1), 100), run(other, generator(1), 100), strict=True):
        assert_equal(one, two)
    assert env.read_metrics() == other.read_metrics()


def test_a_state_that_was_taken_does_not_change_with_later_steps(level: Level) -> None:
    env, other = make_env(level, 64), make_env(level, 64)
    run(env, generator(), 20)
    taken, kept = env.state_dict(), copy.deepcopy(env.state_dict())
    other.load_state_dict(taken)
    for one in (env, other):
        run(one, generator(1), 20)
        one.read_metrics()
    for part in ("state", "counts"):
        for name, value in taken[part].items():
            assert torch.equal(value, kept[part][name]), name


def test_a_state_of_another_number_of_agents_is_refused(level: Level) -> None:
    with pytest.raises(ValueError, match="num_agents: expected 4, got a state of 5"):
        make_env(level, 4).load_state_dict(make_env(level, 5).state_dict())


# --- ticks that are no steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2", "3"])
def test_who_is_skipped_stays_as_it_was_and_the_others_live_as_ever(name: str) -> None:
    level, who = load_level(name, {"max_steps": 30}), torch.arange(12) % 3 == 0
    env, other, stream = make_env(level, 12), make_env(level, 12), generator()
    for step in range(60):
        before, seen = env.state, env.observe()
        actions = random_valid(seen.action_mask, stream)
        skipped = who.roll(step)
        other.state = before
        result, whole = env.step(actions, skipped=skipped), other.step(actions)
        assert torch.equal(result.skipped, skipped)
        for mine, was, lived in zip(env.state, before, other.state, strict=True):
            assert torch.equal(mine, torch.where(skipped, was, lived))
        rows = skipped.unsqueeze(1)
        final = Observation(result.final_features, result.final_action_mask)
        ends = Observation(whole.final_features, whole.final_action_mask)
        for mine, shown, was, lived in zip(final, result.observation, seen, ends, strict=True):
            assert torch.equal(mine, torch.where(rows, was, lived))
            assert torch.equal(shown, mine)  # who ended sees the end; where it begins, in a tick that it skips
        assert torch.equal(result.reward, torch.where(skipped, 0.0, whole.reward))
        assert torch.equal(result.terminated, whole.terminated & ~skipped)
        assert torch.equal(result.truncated, whole.truncated & ~skipped)


def test_what_is_skipped_is_not_counted(level: Level) -> None:
    env = make_env(level, 2)
    put(env, 0, at="Bed", meters={"energy": 0.5})
    put(env, 1, meters={"energy": 0.001})  # less than a move costs
    actions = torch.tensor([level.actions.index("INTERACT"), level.actions.index("UP")])
    assert env.read_metrics()["affordance/Bed_uses"] == 0.0
    env.step(actions, skipped=torch.tensor([True, True]))
    metrics = env.read_metrics()
    assert (metrics["affordance/Bed_uses"], metrics["deaths/energy"]) == (0.0, 0.0)
    env.step(actions)
    metrics = env.read_metrics()
    assert (metrics["affordance/Bed_uses"], metrics["deaths/energy"]) == (1.0, 1.0)
