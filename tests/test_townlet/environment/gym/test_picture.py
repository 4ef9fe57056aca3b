"""Our levels drawn and written for a person, as Gymnasium asks for it."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo

from support.worlds import put
from townlet.config import load_level
from townlet.environment.gym.adaptors import TownletEnv, TownletVectorEnv
from townlet.environment.gym.picture import Scene, colour_of, draw, letters_of, write
from townlet.level.file import shipped_levels

FIXED = {"layout": {"kind": "fixed", "training_maps": None, "evaluation_maps": None}}
SMALL = {"max_steps": 4}


def town(level="2", num_envs=1, **options):
    """A level on the fixed map, with its first agent in the upper left corner."""
    env = TownletVectorEnv(level, num_envs, overrides=options.pop("overrides", FIXED), **options)
    env.reset(seed=0)
    put(env.world, at=(0, 0))
    return env


def scene_of(env, agent=0):
    return Scene.of(env.world.level, env.world.tables, env.world.state, agent)


# --- text ---------------------------------------------------------------------------------------------------------


def test_the_town_is_written_with_fog_around_what_is_seen():
    """The window reaches two cells far: the beds are within it, the shower too, and the job is not."""
    env = town()
    put(env.world, at=(0, 1), meters={"energy": 0.25}, tick=7)
    fog = "\N{LIGHT SHADE}"
    lines = write(env.world.level, scene_of(env)).splitlines()
    assert lines[0] == "level 2 partial_observability, step 7 of 500"
    assert lines[1:6] == [
        f". . . {' '.join(fog * 5)}",
        f"@ B L {' '.join(fog * 5)}",
        f". . S {' '.join(fog * 5)}",
        f". H . {' '.join(fog * 5)}",
        " ".join(fog * 8),
    ]
    assert lines[9] == "B Bed, L LuxuryBed, S Shower, H HomeMeal"
    assert lines[10].startswith("energy 0.25, hygiene 1.00")


def test_it_says_where_the_agent_is_whether_that_is_closed_and_that_it_is_dead():
    env = town("3")
    put(env.world, at="Job", tick=20, meters={"energy": 0.0})
    said = write(env.world.level, scene_of(env))
    assert "step 20 of 500, hour 20 of 24, dead" in said and "@ is at Job, closed" in said
    put(env.world, at="Bar", tick=20)
    assert "@ is at Bar\n" in write(env.world.level, scene_of(env))  # from 18 to 4, past midnight


@pytest.mark.parametrize("level", shipped_levels())
def test_every_place_has_a_letter_and_a_colour_of_its_own(level):
    names = list(load_level(level).affordances)
    assert len(set(letters_of(load_level(level)))) == len(names)
    assert len({colour_of(index, len(names)) for index in range(len(names))}) == len(names)


# --- pictures -----------------------------------------------------------------------------------------------------


def at(picture, x, y, cell=60, margin=16):
    """The colour near the lower edge of a cell, where neither a house nor its name is."""
    return picture[margin + y * cell + cell - 4, margin + x * cell + 4].astype(int)


def test_ground_in_view_is_brighter_than_ground_in_fog():
    env = town()
    picture = draw(env.world.level, scene_of(env))
    assert picture.dtype == np.uint8 and picture.shape == (512, 788, 3)
    assert at(picture, 1, 1).sum() > at(picture, 3, 1).sum() + 60
    assert np.abs(at(picture, 3, 1) - at(picture, 5, 7)).max() <= 8  # fog is fog
    seen = town("1")
    picture = draw(seen.world.level, scene_of(seen))
    assert np.abs(at(picture, 1, 1) - at(picture, 7, 7)).max() <= 8


def test_the_night_is_darker_than_noon():
    env = town("3")
    brightness = []
    for tick in (12, 0):
        put(env.world, at=(0, 0), tick=tick)
        brightness.append(at(draw(env.world.level, scene_of(env)), 1, 1).sum())
    assert brightness[0] > brightness[1] + 60


def test_a_house_has_its_colour_and_is_grey_where_it_is_closed():
    env = town("3")
    job = list(env.world.level.affordances).index("Job")
    colours = []
    for tick in (12, 36 - 12):  # noon, midnight
        put(env.world, at=(5, 5), tick=tick)
        colours.append(draw(env.world.level, scene_of(env))[16 + 6 * 60 + 8, 16 + 6 * 60 + 30].astype(int))
    assert np.abs(colours[0] - colour_of(job, 14)).max() <= 2
    assert np.ptp(colours[1]) < np.ptp(colours[0])


def test_a_bar_is_as_long_as_its_meter_is_full():
    env = town()
    lit = []
    for value in (0.0, 0.5, 1.0):
        put(env.world, meters={"energy": value})
        row = draw(env.world.level, scene_of(env))[16 + 74 + 20, 16 + 480 + 16 :].astype(int)
        lit.append(int((np.ptp(row, axis=1) > 40).sum()))  # not grey
    assert lit == [0, pytest.approx(130, abs=3), pytest.approx(260, abs=3)]


@pytest.mark.parametrize("level", shipped_levels())
def test_every_shipped_level_can_be_drawn_and_written(level):
    env = TownletVectorEnv(level)
    scene = scene_of(env)
    height, width, _ = draw(env.world.level, scene).shape
    assert height % 2 == 0 and width % 2 == 0
    assert write(env.world.level, scene).count("\n") == 3 + env.world.level.grid.height + (
        (scene.x, scene.y) in scene.places
    )


# --- as Gymnasium asks for it -------------------------------------------------------------------------------------


def test_each_mode_shows_what_it_says(capsys):
    picture = gymnasium.make("Townlet/Level2-v0", render_mode="rgb_array")
    picture.reset(seed=0)
    assert picture.render().shape == (512, 788, 3) and picture.metadata["render_fps"] == 8
    text = gymnasium.make("Townlet/Level2-v0", render_mode="ansi")
    text.reset(seed=0)
    assert text.render().startswith("level 2 partial_observability, step 0 of 500\n")
    assert capsys.readouterr().out == ""
    human = gymnasium.make("Townlet/Level2-v0", render_mode="human")
    human.reset(seed=0)
    human.step(0)
    said = capsys.readouterr().out
    assert "step 0 of 500" in said and "step 1 of 500" in said and human.render() is None
    assert TownletEnv("2").render() is None


def test_a_mode_that_there_is_not_is_one_line():
    for make in (TownletEnv, TownletVectorEnv):
        with pytest.raises(
            ValueError, match=r"^render_mode: expected one of ansi, human, rgb_array or None, got 'svg'$"
        ):
            make("2", render_mode="svg")


@pytest.mark.parametrize(("mode", "last", "then"), [("NextStep", 4, 0), ("Disabled", 4, 0), ("SameStep", 0, 1)])
def test_the_last_moment_of_an_episode_is_shown_where_it_is_returned(mode, last, then):
    env = TownletVectorEnv("2", 2, overrides=SMALL, render_mode="ansi", autoreset_mode=mode)
    env.reset(seed=0)
    for step in range(1, 4):
        env.step(np.array([4, 4]))
        assert [f"step {step} of 4" in said for said in env.render()] == [True, True]
    env.step(np.array([4, 4]))
    assert [f"step {last} of 4" in said for said in env.render()] == [True, True]
    if mode == "Disabled":
        env.reset(options={"reset_mask": np.array([True, True])})
    else:
        env.step(np.array([4, 4]))
    assert [f"step {then} of 4" in said for said in env.render()] == [True, True]


def test_drawing_changes_no_life():
    drawn, plain = (TownletVectorEnv("2", 3, overrides=SMALL, render_mode=mode) for mode in ("rgb_array", None))
    first = [env.reset(seed=1)[0] for env in (drawn, plain)]
    assert np.array_equal(*first)
    for action in np.random.default_rng(0).integers(0, 5, size=(12, 3)):
        seen, *rest = drawn.step(action)
        other, *others = plain.step(action)
        assert np.array_equal(seen, other) and all(map(np.array_equal, rest[:3], others[:3]))


def test_a_person_plays_with_keys_for_every_action():
    env = TownletEnv("3")
    assert env.get_keys_to_action() == {"w": 0, "s": 1, "a": 2, "d": 3, "e": 4, " ": 5}


def test_a_film_has_a_picture_for_each_moment():
    env = gymnasium.make("Townlet/Level2-v0", render_mode="rgb_array_list", overrides=SMALL)
    env.reset(seed=0)
    for _ in range(4):
        env.step(4)
    assert [picture.shape for picture in env.render()] == [(512, 788, 3)] * 5


def test_a_video_is_recorded(tmp_path):
    pytest.importorskip("moviepy", reason="moviepy is not installed")
    env = RecordVideo(gymnasium.make("Townlet/Level2-v0", render_mode="rgb_array", overrides=SMALL), str(tmp_path))
    env.reset(seed=0)
    for _ in range(4):
        env.step(4)
    env.close()
    assert len(list(tmp_path.glob("*.mp4"))) == 1


def test_the_recorder_of_stable_baselines3_records_it(tmp_path):
    pytest.importorskip("moviepy", reason="moviepy is not installed")
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env", reason="stable-baselines3 is not installed")
    make = partial(gymnasium.make, "Townlet/Level2-v0", render_mode="rgb_array", overrides=SMALL)
    env = vec_env.VecVideoRecorder(vec_env.DummyVecEnv([make]), str(tmp_path), lambda step: step == 0, video_length=3)
    env.reset()
    for _ in range(4):
        env.step(np.array([4]))
    env.close()
    assert len(list(tmp_path.glob("*.mp4"))) == 1
