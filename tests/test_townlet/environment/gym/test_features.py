"""What is seen in others' environments: its order, its images and its bytes, and a mask among it, by hand."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from support.strangers import Stranger, by_turns
from townlet.config import ConfigError, load_gym_task
from townlet.environment.gym.features import encode, equal_parts, features_of, images_of, in_bytes, without_mask
from townlet.environment.gym.gate import Gate
from townlet.environment.layout import Image
from townlet.environment.make import check_env
from townlet.environment.types import WorldError


def picture(*shape, low=0, high=255, dtype=np.uint8):
    return spaces.Box(low, high, shape, dtype)


NESTED = spaces.Dict(
    b=spaces.Discrete(3, start=-1),
    a=spaces.Tuple(
        (spaces.MultiDiscrete([2, 3]), spaces.Dict(y=spaces.MultiBinary((2, 2)), x=spaces.Box(-9, 9, (2,))))
    ),
    c=picture(2, 2, 1),
)


def test_parts_of_nests_follow_one_another_in_the_order_of_their_space_by_hand():
    seen = {"b": 0, "a": ([1, 2], {"y": [[1, 0], [0, 1]], "x": [0.5, -7]}), "c": [[[1], [2]], [[3], [255]]]}
    together = [[*(0, 1, 0), *(0, 1, 0, 0, 1), *(1, 0, 0, 1), *(0.5, -7), *(1, 2, 3, 255)]]
    batch = {"b": [0], "a": ([[1, 2]], {"y": [[[1, 0], [0, 1]]], "x": [[0.5, -7]]}), "c": [seen["c"]]}
    assert encode(Gate("some", 1), NESTED, batch).tolist() == together


@pytest.mark.parametrize(
    ("space", "parts"),
    [
        (spaces.MultiDiscrete([3, 3, 3, 3]), 4),
        (spaces.MultiDiscrete([[3, 3], [3, 3]]), 4),
        (spaces.MultiDiscrete([3, 2, 3]), 1),
        (spaces.Discrete(4), 1),
        (spaces.Box(0, 1, (6,)), 1),  # as of a pole and two actions: numbers that are many are no parts yet
        (spaces.Tuple([spaces.Discrete(3), spaces.Discrete(3)]), 2),
        (spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2)]), 1),
        (spaces.Tuple([spaces.MultiDiscrete([3, 3]), spaces.Tuple([spaces.Discrete(3)])]), 3),
        (spaces.Dict(cards=spaces.MultiDiscrete([3, 3])), 2),  # what is left beside a mask
        (spaces.Dict(card=spaces.Discrete(3), time=spaces.Box(0, 1, (1,))), 1),
        (spaces.MultiBinary(4), 1),
    ],
    ids=str,
)
def test_equal_parts_are_discrete_values_of_one_kind(space, parts):
    assert equal_parts(space) == parts


def test_the_order_is_that_of_gymnasiums_own_flatten():
    NESTED.seed(0)
    for _ in range(5):
        seen = NESTED.sample()
        env = by_turns(Stranger(NESTED, seen=lambda env, seen=seen: seen))
        assert env.reset().features[0].tolist() == pytest.approx(spaces.flatten(NESTED, seen).tolist())
    assert features_of(NESTED) == spaces.flatdim(NESTED) == 18


@pytest.mark.parametrize(
    ("space", "image"),
    [
        (picture(84, 84, 1), (84, 84, 1, False, 0, 255)),
        (picture(84, 84, 4), (84, 84, 4, False, 0, 255)),
        (picture(4, 84, 80), (84, 80, 4, True, 0, 255)),
        (picture(3, 3, 3), (3, 3, 3, False, 0, 255)),
        (picture(3, 3, 20), (3, 3, 20, False, 0, 255)),
        (picture(20, 3, 3), (3, 3, 20, True, 0, 255)),
        (picture(7, 7, 3, high=10), (7, 7, 3, False, 0, 10)),
        (picture(20, 30), (20, 30, 1, False, 0, 255)),
        (picture(10, 10, 4, high=1, dtype=bool), (10, 10, 4, False, 0, 1)),
        (picture(10, 10, 4, high=9, dtype=np.float32), (10, 10, 4, False, 0, 1)),  # as it comes
    ],
    ids=str,
)
def test_images_have_two_axes_of_cells_and_perhaps_one_of_channels_first_or_last(space, image):
    height, width, channels, first, low, high = image
    assert images_of(space) == (Image(slice(0, features_of(space)), height, width, channels, first, low, high),)


@pytest.mark.parametrize(
    "space",
    [
        picture(9),
        picture(2, 2, 2, 2),
        picture(9, 1, 3),
        spaces.Box(0, 1, (20, 20)),  # of two axes anything else may be
        spaces.MultiBinary((20, 20)),
        spaces.Discrete(9),
    ],
    ids=str,
)
def test_other_things_are_no_images(space):
    assert images_of(space) == ()


def test_images_among_other_parts_are_where_they_are_encoded():
    space = spaces.Dict(
        a=spaces.Discrete(3), b=picture(4, 5, 3), c=spaces.Tuple((spaces.Box(0, 1, (2,)), picture(2, 6)))
    )
    found = [(image.part.start, image.part.stop) for image in images_of(space)]
    assert found == [(3, 63), (65, 77)]
    layout = by_turns(Stranger(space, seen=lambda env: space.sample())).observation_layout
    assert layout.images == images_of(space) and not layout.in_bytes


@pytest.mark.parametrize(
    ("space", "bytes_alone"),
    [
        (picture(2, 2, 1), True),
        (spaces.Dict(a=spaces.Discrete(3), b=spaces.MultiBinary(2), c=picture(3, high=1, dtype=bool)), True),
        (spaces.Tuple((picture(2, 2), spaces.Box(0, 1, (1,)))), False),
        (picture(3, low=-1, high=1, dtype=np.int8), False),
    ],
    ids=str,
)
def test_all_that_is_seen_is_in_bytes_where_no_part_may_be_anything_else(space, bytes_alone):
    assert in_bytes(space) == bytes_alone


@pytest.mark.parametrize(("value", "told"), [(0.5, "0.5"), (300, "300"), (-1, "-1")])
def test_a_number_that_is_no_byte_where_the_space_says_bytes_is_refused(value, told):
    seen = np.full((2, 2, 2, 1), 3.0)
    seen[1, 0, 1] = value
    with pytest.raises(WorldError) as refused:
        encode(Gate("some", 2), picture(2, 2, 1), seen)
    expected = "whole numbers from 0 to 255, as in Box(0, 255, (2, 2, 1), uint8)"
    assert str(refused.value).startswith(f"some: observation: expected {expected}, got {told} (agent 1, ")


# --- a mask in sight ---------------------------------------------------------------------------------------------

SEEN = spaces.Box(-1, 1, (2,))


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"action_mask": spaces.Box(0, 1, (3,), np.int8)}, "action_mask"),
        ({"mask": spaces.MultiBinary(3)}, "mask"),
        ({"mask": spaces.Box(0, 1, (3,), np.int8)}, "mask"),
        ({"mask": spaces.MultiBinary(3), "action_mask": spaces.MultiBinary(3)}, "action_mask"),
        ({"mask": spaces.MultiBinary(4)}, None),
        ({"mask": spaces.Box(0, 1, (3,))}, None),  # any numbers from 0 to 1
        ({"mask": spaces.Box(0, 2, (3,), np.int8)}, None),
    ],
    ids=str,
)
def test_a_mask_among_what_is_seen_is_known_by_its_name_and_a_short_name_by_its_values_too(parts, name):
    space = spaces.Dict({**parts, "seen": SEEN})
    seen, found = without_mask(space, 3)
    assert found == name and set(seen.spaces) == space.spaces.keys() - {name}


def test_an_action_mask_of_another_number_is_refused_and_what_is_taken_for_one_is_said():
    with pytest.raises(
        ConfigError, match=r"gym: action_mask: expected 3 values in the observation, got MultiBinary\(4\)"
    ):
        without_mask(spaces.Dict(action_mask=spaces.MultiBinary(4)), 3)
    space = spaces.Dict(seen=SEEN, mask=spaces.MultiBinary(3))
    env = by_turns(Stranger(space, seen=lambda env: {"seen": np.zeros(2), "mask": np.array([0, 1, 0])}))
    assert env.notes == ("mask: taken for the mask of actions, and left out of what agents see",)
    begun = env.reset()
    assert begun.action_mask.tolist() == [[False, True, False]] and env.obs_dim == 2


@pytest.mark.parametrize(
    "space",
    [spaces.Sequence(spaces.Discrete(2)), spaces.Graph(SEEN, None), spaces.OneOf([SEEN, SEEN]), spaces.Text(3)],
    ids=lambda space: type(space).__name__,
)
def test_what_has_no_width_is_refused_in_one_line_also_within_a_nest(space):
    for whole in (space, spaces.Tuple((SEEN, space))):
        with pytest.raises(
            ConfigError, match=r"^gym: expected an observation space of Box, Discrete, .*, got "
        ) as told:
            by_turns(Stranger(whole))
        assert len(told.value.errors) == 1


def test_a_gymnasium_game_of_images_is_seen_as_it_is_drawn():
    world = by_turns(gymnasium.wrappers.GrayscaleObservation(Drawn()))
    (image,) = world.observation_layout.images
    assert (image.height, image.width, image.channels, world.observation_layout.in_bytes) == (20, 20, 1, True)


class Drawn(gymnasium.Env):
    observation_space, action_space = picture(20, 20, 3), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}


@pytest.mark.parametrize(
    ("most", "changes", "said"),
    [
        (10, {}, ["images hold no more than 10 of 255 so far; --set network.image.largest=10 reads that as 1"]),
        (25, {}, ["images hold no more than 25 of 255 so far; --set network.image.largest=25 reads that as 1"]),
        (26, {}, []),
        (0, {}, []),  # nothing is shown yet
        (10, {"network.image.largest": 10}, []),
        (10, {"network.image": None}, []),
    ],
)
def test_images_that_hold_next_to_nothing_of_what_their_space_spans_are_told_of(most, changes, said):
    shown = np.zeros((7, 7, 3), np.uint8)
    gymnasium.register("Dark-v0", lambda: Stranger(picture(7, 7, 3), seen=lambda env: shown))
    shown[3, 3, 0], told = most, []
    try:
        check_env(load_gym_task("Dark-v0", overrides=changes), told.append)
    finally:
        del gymnasium.registry["Dark-v0"]
    assert told == [f"Dark-v0: {line}" for line in said]
