"""How images among what is observed are read: scaled, and the larger ones through convolutions."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from townlet.config import Images
from townlet.environment.layout import Image, ObservationLayout


class Scale(nn.Module):
    """What the space of each image spans, or 0 to `largest`, becomes 0 to 1; all else is as it comes."""

    factor: Tensor  # [obs_dim]
    offset: Tensor  # [obs_dim]

    def __init__(self, layout: ObservationLayout, largest: float | None = None) -> None:
        super().__init__()
        factor, offset = torch.ones(layout.obs_dim), torch.zeros(layout.obs_dim)
        for image in layout.images:
            low, high = span(image, largest)
            factor[image.part] = 1.0 / ((high - low) or 1.0)
            offset[image.part] = -low * factor[image.part]
        self.register_buffer("factor", factor, persistent=False)  # said by the space or the task, and not learned
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Scale features [..., obs_dim]."""
        return features * self.factor + self.offset


class Convolutions(nn.Module):
    """Layers of convolutions over each image that is large enough; what they return follows all other numbers."""

    def __init__(self, layout: ObservationLayout, extra: int, config: Images) -> None:
        super().__init__()
        self.images = large_images(layout, config)
        self.stacks = nn.ModuleList(_stack(image, config) for image in self.images)
        self.others = _others([image.part for image in self.images], layout.obs_dim + extra)
        sizes = (_size(image, config) for image in self.images)
        self.width = sum(part.stop - part.start for part in self.others) + sum(
            config.channels[-1] * one for one in sizes
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [..., obs_dim + extra] to [..., width]."""
        before = inputs.shape[:-1]
        read = [
            stack(_picture(inputs[..., image.part], image)).view(*before, -1)
            for stack, image in zip(self.stacks, self.images, strict=True)
        ]
        return torch.cat([*(inputs[..., part] for part in self.others), *read], dim=-1)


def large_images(layout: ObservationLayout, config: Images) -> tuple[Image, ...]:
    """Return the images that convolutions read."""
    return tuple(image for image in layout.images if min(image.height, image.width) >= config.smallest)


def make_scale(layout: ObservationLayout, config: Images | None) -> Scale | None:
    """Return what scales what is observed; None where nothing is to be scaled."""
    if config is None or all(span(image, config.largest) == (0.0, 1.0) for image in layout.images):
        return None
    return Scale(layout, config.largest)


def span(image: Image, largest: float | None) -> tuple[float, float]:
    """Return what becomes 0 in an image and what becomes 1: as its space says, or 0 and `largest`."""
    return (image.low, image.high) if largest is None else (0.0, largest)


def make_convolutions(layout: ObservationLayout, extra: int, config: Images | None) -> Convolutions | None:
    """Return what reads images in inputs of `obs_dim + extra` numbers; None where there are no large ones."""
    return Convolutions(layout, extra, config) if config is not None and large_images(layout, config) else None


def _picture(flat: Tensor, image: Image) -> Tensor:
    """An image [..., numbers] as convolutions take it, [all before, channels, height, width]."""
    if image.channels_first:
        return flat.reshape(-1, image.channels, image.height, image.width)
    return flat.reshape(-1, image.height, image.width, image.channels).permute(0, 3, 1, 2)


def _stack(image: Image, config: Images) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((image.channels, *config.channels)):
        layers += [nn.Conv2d(before, after, config.kernel, config.stride, config.kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten())


def _size(image: Image, config: Images) -> int:
    """How many cells are left of an image after all layers."""
    height, width = image.height, image.width
    for _ in config.channels:
        height, width = (
            (side + 2 * (config.kernel // 2) - config.kernel) // config.stride + 1 for side in (height, width)
        )
    return height * width


def _others(parts: list[slice], width: int) -> list[slice]:
    """What lies between parts that follow one another, of `width` numbers."""
    edges = [0, *(edge for part in parts for edge in (part.start, part.stop)), width]
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
