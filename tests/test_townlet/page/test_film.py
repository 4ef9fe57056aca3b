"""A recorded life as pictures and as files that others open."""

import numpy as np
import pytest
from PIL import Image

from support.replays import recording
from support.rooms import room, write_level
from townlet.agent.networks import make_network
from townlet.config import load_level
from townlet.environment.gym.picture import FAINT
from townlet.environment.layout import lay_out
from townlet.page.encoding import FilmError, write_film
from townlet.page.film import TRACK, WITH, WITHOUT, film, level_of
from townlet.page.replay import unpack


@pytest.fixture(scope="module")
def level(tmp_path_factory):
    """The room, in which breath lasts for five ticks."""
    return load_level(write_level(tmp_path_factory.mktemp("levels"), room()))


@pytest.fixture(scope="module")
def replay(level):
    return unpack(recording(level, make_network(level.network, lay_out(level), len(level.actions)), 2))


def count(picture, colour):
    """How many pixels have a colour."""
    return int((picture == np.array(colour, dtype=np.uint8)).all(axis=2).sum())


def test_a_life_has_a_picture_for_each_frame_all_of_one_even_size(replay):
    pictures = list(film(replay, 0))
    assert len(pictures) == replay.lives[0].length + 1 == 6
    assert {picture.shape for picture in pictures} == {pictures[0].shape}
    height, width, colours = pictures[0].shape
    assert height % 2 == width % 2 == 0 and colours == 3
    assert not np.array_equal(pictures[0], pictures[5])  # breath is gone


def test_only_the_frames_that_are_asked_for_are_drawn(replay):
    whole = list(film(replay, 1))
    assert all(map(np.array_equal, film(replay, 1, 2, 4), whole[2:5]))
    with pytest.raises(IndexError, match="expected some of 0 to 5, got 4 to 6"):
        next(film(replay, 1, 4, 6))


def test_bars_are_as_long_as_values_are_large_and_forbidden_actions_are_hollow(replay):
    picture = next(film(replay, 0, 0, 0))
    q, blank = replay["q"][0, :, 0], replay["q_blank"][0, :, 0]
    low, high = min(q.min(), blank.min()), max(q.max(), blank.max())
    allowed = [bool(int(replay["allowed"][0, 0, 0]) >> action & 1) for action in range(len(q))]
    assert not all(allowed)
    for values, colour in ((q, WITH), (blank, WITHOUT)):
        solid = [max(4.0, (value - low) / (high - low) * 210) for value in values[np.array(allowed)]]
        lens = picture[-130:] if colour == WITH else picture  # meters are as green
        assert count(lens, colour) == pytest.approx(10 * sum(solid), rel=0.05)
    assert count(picture, FAINT) > 0 and count(picture, TRACK) > 0


def test_a_replay_holds_the_level_that_it_is_drawn_by(replay, level):
    assert level_of(replay).model_dump() == level.model_dump()


def test_a_gif_has_its_pictures_and_its_time(replay, tmp_path):
    write_film(tmp_path / "life.gif", film(replay, 0, 0, 3), fps=4)
    with Image.open(tmp_path / "life.gif") as image:
        assert image.n_frames == 4 and image.info["duration"] == 250 and image.info["loop"] == 0
        shown = np.asarray(image.convert("RGB"), dtype=int)
    assert np.abs(shown - next(film(replay, 0, 0, 0))).mean() < 4  # of 256: colours are rounded to 128
    assert [path.name for path in tmp_path.iterdir()] == ["life.gif"]


def test_an_mp4_has_its_pictures(replay, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed (extra `video`)")
    write_film(tmp_path / "life.mp4", film(replay, 0, 0, 3), fps=4)
    read = ffmpeg.read_frames(str(tmp_path / "life.mp4"))
    facts, (height, width, _) = next(read), next(film(replay, 0, 0, 0)).shape
    assert facts["size"] == (width, height) and facts["fps"] == 4 and len(list(read)) == 4


def test_what_cannot_be_made_is_one_line_and_leaves_nothing(replay, tmp_path, monkeypatch):
    with pytest.raises(FilmError, match=r"life.avi: expected a name that ends in .mp4 or .gif"):
        write_film(tmp_path / "life.avi", film(replay, 0), 4)
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(FilmError, match="pip install 'townlet\\[video\\]', or choose a GIF"):
        write_film(tmp_path / "life.mp4", film(replay, 0), 4)
    assert list(tmp_path.iterdir()) == []
