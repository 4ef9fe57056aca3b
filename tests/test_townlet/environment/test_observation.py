"""What an agent sees and may do, on the fixed map, worked out by hand."""

import math

import pytest
import torch

from support.worlds import DAY, FIXED, MULTI_TICK, fixed_town, make_env, places_of, put
from townlet.config import Level, load_level
from townlet.environment.layout import lay_out
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.level.file import shipped_levels

WIDTHS = {
    "0": {"window": 25, "position": 2, "meters": 1, "underfoot": 15},
    "0.5": {"position": 2, "offsets": 28, "meters": 4, "underfoot": 15},
    "1": {"position": 64, "offsets": 28, "meters": 8, "underfoot": 15},
    "2": {"window": 25, "position": 2, "meters": 8, "underfoot": 15},
    "3": {"window": 25, "position": 2, "meters": 8, "underfoot": 15, "clock": 2, "progress": 1, "age": 1},
}


def town_env(level: Level | None = None, **where: object) -> VectorizedEnv:
    """One agent on the fixed map, put by `where`, as in `put`."""
    env = make_env(level or fixed_town())
    put(env, **where)
    return env


def part(env: VectorizedEnv, name: str) -> list[float]:
    """One part of what the one agent sees."""
    return env.observe().features[0, env.observation_layout.slices[name]].tolist()


@pytest.mark.parametrize("name", WIDTHS)
def test_the_parts_of_each_level_follow_one_another_without_gaps(name: str) -> None:
    layout, start = lay_out(load_level(name)), 0
    for (got, where), (expected, width) in zip(layout.slices.items(), WIDTHS[name].items(), strict=True):
        assert (got, where) == (expected, slice(start, start + width))
        assert layout.width(got) == width
        start += width
    assert layout.obs_dim == start


def test_level_2_sees_fifty_numbers_and_level_3_four_more() -> None:
    assert lay_out(load_level("2")).obs_dim == 50
    assert lay_out(load_level("3")).obs_dim == 54


def test_every_level_is_observed_in_float32_at_its_width_and_within_one() -> None:
    for name in shipped_levels():
        env = make_env(load_level(name), 32)
        observation = env.observe()
        assert observation.features.shape == (32, env.obs_dim)
        assert observation.features.dtype == torch.float32
        assert observation.action_mask.shape == (32, len(env.level.actions))
        assert observation.action_mask.dtype == torch.bool
        assert observation.features.abs().max() <= 1.0


def test_the_window_shows_the_cells_around_row_by_row_and_nothing_off_the_map() -> None:
    env = town_env(at=(1, 2))
    assert part(env, "window") == [
        *(0, 0, 0, 0, 0),  # y = 0, from x = -1, which is off the map
        *(0, 0, 1, 1, 0),  # y = 1: Bed at 1, LuxuryBed at 2
        *(0, 0, 0, 1, 0),  # y = 2: Shower at 2
        *(0, 0, 1, 0, 0),  # y = 3: HomeMeal at 1
        *(0, 1, 0, 0, 0),  # y = 4: Park at 0
    ]  # fmt: skip


def test_the_window_does_not_wrap_around_the_map() -> None:
    env = town_env(at=(7, 7))
    assert part(env, "window") == [
        *(0, 0, 0, 0, 0),  # y = 5
        *(1, 1, 1, 0, 0),  # y = 6: FastFood at 5, Job at 6, Labor at 7
        *(0, 0, 0, 0, 0),  # y = 7
        *(0, 0, 0, 0, 0),
        *(0, 0, 0, 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), [(3, {(5, 1), (6, 1), (7, 3)}), (7, {(5, 1), (6, 1), (7, 3), (7, 0)})])
def test_the_window_has_the_side_that_the_level_says(size: int, expected: set[tuple[int, int]]) -> None:
    # around (6, 2) stand Doctor (5, 1), Hospital (6, 1), Gym (7, 3) and, two rows up, Bar (7, 0)
    env = town_env(fixed_town(observation={"window": size}), at=(6, 2))
    window = torch.tensor(part(env, "window")).view(size, size)
    corner = (6 - size // 2, 2 - size // 2)
    seen = {(x + corner[0], y + corner[1]) for y in range(size) for x in range(size) if window[y, x]}
    assert seen == expected


def test_the_position_is_in_shares_of_the_way_across() -> None:
    assert part(town_env(at=(2, 7)), "position") == pytest.approx([2 / 7, 1.0])


def test_the_position_is_one_hot_over_the_cells_row_by_row_where_the_whole_map_is_seen() -> None:
    env = town_env(load_level("1", FIXED), at=(3, 2))
    assert [cell for cell, here in enumerate(part(env, "position")) if here] == [2 * 8 + 3]


def test_a_map_of_one_row_is_observed_without_dividing_by_nothing() -> None:
    level = load_level("1", {"grid": {"width": 20, "height": 1}, "observation": {"position": "normalised"}})
    env = make_env(level, 8)
    assert torch.isfinite(env.observe().features).all()


def test_offsets_tell_how_far_right_and_below_each_affordance_lies() -> None:
    env = town_env(load_level("1", FIXED), at=(1, 2))
    right, below = part(env, "offsets")[:14], part(env, "offsets")[14:]
    names = list(env.level.affordances)
    for name, dx, dy in (("Bed", 0, -1), ("FastFood", 4, 4), ("Bar", 6, -2), ("Park", -1, 2), ("Therapist", 0, 5)):
        assert right[names.index(name)] == pytest.approx(dx / 7, abs=1e-6)
        assert below[names.index(name)] == pytest.approx(dy / 7, abs=1e-6)


def test_offsets_of_affordances_that_are_absent_are_nothing() -> None:
    env = make_env(load_level("0.5"))
    offsets, names = torch.tensor(part(env, "offsets")).view(2, 14), list(env.level.affordances)
    absent = [names.index(name) for name in names if name not in places_of(env, 0)]
    assert len(absent) == 10
    assert not offsets[:, absent].any()


WIDE = {"grid": {"width": 5, "height": 2}, "affordances.Bed.place": [4, 1]}


def allowed(env: VectorizedEnv) -> set[str]:
    """What the first agent may do."""
    return {name for name, may in zip(env.level.actions, env.observe().action_mask[0], strict=True) if may}


def test_on_a_map_that_is_not_square_each_way_across_is_its_own() -> None:
    env = town_env(load_level("0", WIDE), at=(2, 0))
    assert part(env, "position") == [0.5, 0.0] and allowed(env) == {"DOWN", "LEFT", "RIGHT"}
    assert [cell for cell, shown in enumerate(part(env, "window")) if shown] == [3 * 5 + 4]  # one below, two right
    put(env, at=(1, 1))
    assert part(env, "position") == [0.25, 1.0]
    assert not any(part(env, "window"))  # three to the right
    put(env, at=(4, 1))
    assert part(env, "position") == [1.0, 1.0] and part(env, "underfoot")[0] == 1.0
    assert allowed(env) == {"UP", "LEFT", "INTERACT"}


def test_on_a_map_that_is_not_square_cells_are_counted_row_by_row_and_offsets_in_shares_of_each_way() -> None:
    seen = {"observation": {"window": None, "position": "one_hot", "offsets": True}}
    env = town_env(load_level("0", {**WIDE, **seen}), at=(1, 0))
    bed = list(env.level.affordances).index("Bed")
    right, below = part(env, "offsets")[:14], part(env, "offsets")[14:]
    assert (right[bed], below[bed]) == (0.75, 1.0)
    put(env, at=(3, 1))
    assert [cell for cell, here in enumerate(part(env, "position")) if here] == [5 + 3]


def test_meters_are_seen_as_they_are_in_the_order_of_the_level() -> None:
    env = town_env(meters={"energy": 0.125, "money": 0.25, "fitness": 0.75})
    assert part(env, "meters") == [0.125, 1.0, 1.0, 0.25, 1.0, 1.0, 1.0, 0.75]


@pytest.mark.parametrize(("at", "index"), [("Bed", 0), ("LuxuryBed", 1), ("Bar", 8), ("Hospital", 13), ((3, 3), 14)])
def test_the_affordance_underfoot_is_one_hot_the_last_for_none(at: str | tuple[int, int], index: int) -> None:
    assert part(town_env(at=at), "underfoot") == [float(position == index) for position in range(15)]


@pytest.mark.parametrize("tick", [0, 3, 6, 12, 18, 23, 24, 30, 499])
def test_the_clock_turns_once_a_day_from_midnight(tick: int) -> None:
    env = town_env(fixed_town(**DAY, observation={"clock": True}), tick=tick)
    hour = tick - 24 * (tick // 24)
    assert part(env, "clock") == pytest.approx([math.sin(hour * math.pi / 12), math.cos(hour * math.pi / 12)], abs=1e-6)


def test_the_clock_is_at_its_right_and_left_at_six_and_eighteen() -> None:
    level = fixed_town(**DAY, observation={"clock": True})
    assert part(town_env(level, tick=6), "clock") == pytest.approx([1.0, 0.0], abs=1e-6)
    assert part(town_env(level, tick=18), "clock") == pytest.approx([-1.0, 0.0], abs=1e-6)


def test_progress_is_the_share_of_the_interaction_that_is_done() -> None:
    level = fixed_town(**MULTI_TICK, observation={"progress": True})
    assert part(town_env(level, at="Bed", progress=2), "progress") == pytest.approx([0.4])
    assert part(town_env(level, at="Shower", progress=1), "progress") == pytest.approx([1 / 3])
    assert part(town_env(level, at=(3, 3)), "progress") == [0.0]


def test_age_is_the_share_of_the_step_limit_that_is_lived() -> None:
    assert part(town_env(fixed_town(observation={"age": True}), tick=125), "age") == pytest.approx([0.25])


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ((0, 0), {"DOWN", "RIGHT", "WAIT"}),
        ((7, 7), {"UP", "LEFT", "WAIT"}),
        ((3, 3), {"UP", "DOWN", "LEFT", "RIGHT", "WAIT"}),
        ("Bed", {"UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"}),
        ("Bar", {"DOWN", "LEFT", "INTERACT", "WAIT"}),
    ],
)
def test_the_mask_forbids_leaving_the_grid_and_interacting_with_nothing(
    at: str | tuple[int, int], allowed: set[str]
) -> None:
    env = town_env(at=at)
    mask = env.observe().action_mask[0].tolist()
    assert {action for action, possible in zip(env.level.actions, mask, strict=True) if possible} == allowed


def test_the_mask_follows_the_actions_of_the_level() -> None:
    env = town_env(fixed_town(actions=["WAIT", "INTERACT", "RIGHT", "LEFT"]), at=(0, 0))
    assert env.observe().action_mask[0].tolist() == [True, False, True, False]
