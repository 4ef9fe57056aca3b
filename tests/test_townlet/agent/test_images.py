"""Images in a network: scaled as their space says, and through convolutions where they are large, by hand."""

import pytest
import torch
from torch.nn import functional

from support.learning import differences
from townlet.agent.images import Convolutions, Scale, make_convolutions, make_scale
from townlet.agent.networks import count_parameters, make_network
from townlet.config import Images, load_gym_task
from townlet.environment.layout import Image, ObservationLayout

ACTIONS, SIDE = 3, 16
CONFIG = Images(channels=(4, 5))


def layout(*images, before=2, after=3, **spans):
    """Images after some other numbers, and others after all of them."""
    span, start, placed = {"low": 0.0, "high": 255.0} | spans, before, []
    for height, width, channels, first in images:
        size = height * width * channels
        placed.append(Image(slice(start, start + size), height, width, channels, first, **span))
        start += size
    return ObservationLayout({"features": slice(0, start + after)}, images=tuple(placed))


def test_what_an_images_space_spans_becomes_0_to_1_and_other_numbers_stay_by_hand():
    scale = Scale(layout((2, 1, 1, False), before=1, after=1, low=10.0, high=20.0))
    scaled = scale(torch.tensor([[7.0, 10.0, 15.0, -3.0], [255.0, 20.0, 30.0, 0.5]]))
    assert torch.allclose(scaled, torch.tensor([[7.0, 0.0, 0.5, -3.0], [255.0, 1.0, 2.0, 0.5]]))
    flat = Scale(layout((1, 1, 1, False), before=0, after=0, low=3.0, high=3.0))  # a space of one value
    assert flat(torch.tensor([[3.0]])).tolist() == [[0.0]]


def test_images_that_hold_less_than_their_space_says_are_scaled_by_the_largest_that_they_hold_by_hand():
    """Whatever the space says: 10 is 1, 0 is 0."""
    for low, high in ((0.0, 255.0), (0.0, 1.0), (-20.0, 20.0)):
        of = layout((2, 1, 1, False), before=1, after=1, low=low, high=high)
        scaled = make_scale(of, Images(channels=(4,), largest=10.0))(torch.tensor([[7.0, 10.0, 5.0, -3.0]]))
        torch.testing.assert_close(scaled, torch.tensor([[7.0, 1.0, 0.5, -3.0]]))
    assert make_scale(of, Images(channels=(4,), largest=1.0)) is None


def test_nothing_is_scaled_and_nothing_convolved_where_nothing_is_to_be():
    small, as_they_come = layout((7, 7, 3, False)), layout((SIDE, SIDE, 1, False), high=1.0)
    assert make_scale(small, CONFIG) is not None and make_convolutions(small, 0, CONFIG) is None
    assert make_scale(as_they_come, CONFIG) is None and make_convolutions(as_they_come, 0, CONFIG) is not None
    assert make_scale(small, None) is make_convolutions(as_they_come, 0, None) is None
    assert make_scale(ObservationLayout({"features": slice(0, 4)}), CONFIG) is None


def test_only_images_of_so_many_rows_and_columns_are_convolved():
    of = layout((SIDE, SIDE, 1, False), (SIDE, SIDE - 1, 1, False), (SIDE - 1, SIDE, 1, False))
    assert [image.part for image in Convolutions(of, 0, CONFIG).images] == [of.images[0].part]
    smaller = Images(channels=(4,), smallest=SIDE - 1)
    assert len(Convolutions(of, 0, smaller).images) == 3


@pytest.mark.parametrize(
    ("options", "cells"),
    [({}, 4 * 5), ({"kernel": 8, "stride": 4}, 2 * 2), ({"stride": 1}, 16 * 18), ({"kernel": 2}, 5 * 6)],
)
def test_the_width_is_all_other_numbers_and_the_cells_that_the_layers_leave_by_hand(options, cells):
    """Sides of 16 and 18: halved twice, 8 and 9, then 4 and 5; a step of 4 leaves 5 and 5, then 2 and 2."""
    read = Convolutions(layout((SIDE, 18, 3, False)), 1, Images(channels=(4, 5), **options))
    assert read.width == 2 + 3 + 1 + 5 * cells
    assert read(torch.rand(2, 3, 2 + 3 + 1 + SIDE * 18 * 3)).shape == (2, 3, read.width)


@pytest.mark.parametrize("first", [False, True])
def test_other_numbers_come_first_then_each_image_as_convolutions_read_it(first):
    torch.manual_seed(0)
    shapes = [(SIDE, 18, 3, first), (17, SIDE, 2, first)]
    of = layout(*shapes)
    read, pictures = Convolutions(of, 1, CONFIG), [torch.rand(2, c, h, w) for h, w, c, _ in shapes]
    flat = [(one if first else one.permute(0, 2, 3, 1)).flatten(1) for one in pictures]
    others = torch.rand(2, 6)
    inputs = torch.cat([others[:, :2], *flat, others[:, 2:]], dim=1)
    expected = [others]
    for stack, one in zip(read.stacks, pictures, strict=True):
        for conv in (stack[0], stack[2]):
            one = functional.relu(functional.conv2d(one, conv.weight, conv.bias, stride=2, padding=1))
        expected.append(one.flatten(1))
    assert torch.allclose(read(inputs), torch.cat(expected, dim=1), atol=1e-6)


IMAGE, SPECTRAL = {"channels": [4, 5]}, {"kind": "spectral", "lags": 4, "keep": 0.9, "widest": 3}
SEEING = {
    "network.encoder.width": 6, "network.hidden": 4, "network.head": 5, "network.memory": [SPECTRAL],
    "network.image": IMAGE,
}  # fmt: skip
PLAIN = {
    "network": {"kind": "feed_forward", "hidden": [6], "previous_action": True, "image": IMAGE},
    "training.mode.stored_every": 1,
}


@pytest.fixture(params=[SEEING, PLAIN], ids=["recurrent", "feed_forward"])
def network(request):
    task = load_gym_task("Some-v0", overrides=request.param)
    torch.manual_seed(1)
    return make_network(task.network, layout((SIDE, SIDE, 3, False)), ACTIONS)


def seen(*before):
    """Pixels from 0 to 255 among other numbers near 0."""
    numbers = torch.rand(*before, 2 + SIDE * SIDE * 3 + 3)
    numbers[..., 2:-3] *= 255.0
    return numbers


def test_a_network_sees_pixels_scaled_and_all_steps_of_a_window_alike(network):
    window, previous = seen(2, 4), torch.full((2, 4), ACTIONS)
    whole, _ = network(window, network.initial_hidden(2), previous)
    hidden, parts = network.initial_hidden(2), []
    for step in range(4):
        q, hidden = network(window[:, step : step + 1], hidden, previous[:, step : step + 1])
        parts.append(q)
    assert torch.allclose(whole, torch.cat(parts, dim=1), atol=1e-5)
    assert float(network.scale(window).max()) <= 1.0


def test_convolutions_are_learned_and_the_scale_is_not(network):
    network(seen(2, 2), network.initial_hidden(2), torch.full((2, 2), ACTIONS))[0].sum().backward()
    learned = {name for name, part in network.named_parameters() if part.grad is not None and part.grad.any()}
    assert sum("convolutions.stacks" in name for name in learned) == 4  # two layers, weight and bias each
    assert not any("scale" in name for name in network.state_dict())


def test_a_small_image_gives_the_network_that_it_had_before_there_were_convolutions():
    small = layout((7, 7, 3, False))
    sizes = []
    for image in ({"channels": [4, 5]}, None):
        task = load_gym_task("Some-v0", overrides=SEEING | {"network.image": image})
        network = make_network(task.network, small, ACTIONS)
        sizes.append((count_parameters(network), list(network.state_dict())))
        assert (network.scale is None) == (image is None)
    assert sizes[0] == sizes[1]


def test_a_copy_of_a_network_differs_in_nothing(network):
    import copy

    assert not differences(network.state_dict(), copy.deepcopy(network).state_dict())
