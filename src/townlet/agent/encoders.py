"""What comes before a recurrent cell: the observation, and what a network takes in beside it, as one encoding."""

import torch
from torch import Tensor, nn

from townlet.agent.images import make_convolutions
from townlet.config import Images, JointEncoder, SpatialEncoder
from townlet.environment.layout import ObservationLayout


class WholeEncoder(nn.Module):
    """One layer over the whole observation, and, where there are large images, over what convolutions read in them."""

    def __init__(
        self, layout: ObservationLayout, extra: int, config: JointEncoder, layer_norm: bool, image: Images | None = None
    ) -> None:
        super().__init__()
        self.width = config.width
        self.convolutions = make_convolutions(layout, extra, image)
        inputs = layout.obs_dim + extra if self.convolutions is None else self.convolutions.width
        self.layer = make_layer(inputs, config.width, layer_norm)

    def input_layers(self) -> dict[str, slice]:
        """The one layer reads all."""
        return {"layer.0.weight": slice(None)}

    def forward(self, features: Tensor) -> Tensor:
        """Map [..., obs_dim + extra] to [..., width]."""
        return self.layer(features if self.convolutions is None else self.convolutions(features))


class PartwiseEncoder(nn.Module):
    """Two convolutions over the window; a layer for each other part of the observation."""

    def __init__(self, layout: ObservationLayout, extra: int, config: SpatialEncoder) -> None:
        super().__init__()
        if layout.window_size is None:
            raise ValueError("encoder: expected an observation with a window, got one without")
        self.window, self.size = layout.slices["window"], layout.window_size
        self.spatial = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(True), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(True), nn.Flatten(),
            nn.Linear(32 * self.size**2, config.window), nn.ReLU(True),
        )  # fmt: skip
        self.slices = [part for name, part in layout.slices.items() if name != "window"]
        if extra:
            self.slices.append(slice(layout.obs_dim, layout.obs_dim + extra))
        self.parts = nn.ModuleList(make_layer(part.stop - part.start, config.part, False) for part in self.slices)
        self.width = config.window + config.part * len(self.slices)

    def input_layers(self) -> dict[str, slice]:
        """A layer reads each part but the window, which is read by convolutions."""
        return {f"parts.{index}.0.weight": part for index, part in enumerate(self.slices)}

    def forward(self, features: Tensor) -> Tensor:
        """Map [batch, time, obs_dim + extra] to [batch, time, width]: one call over all timesteps."""
        batch, time, _ = features.shape
        window = features[..., self.window].reshape(
            batch * time, 1, self.size, self.size
        )  # [batch * time, 1, size, size]
        parts = [layer(features[..., part]) for layer, part in zip(self.parts, self.slices, strict=True)]
        return torch.cat([self.spatial(window).view(batch, time, -1), *parts], dim=-1)


def one_hot(actions: Tensor, num_actions: int, dtype: torch.dtype) -> Tensor:
    """Actions [...] int64 as 1 among zeros, [..., num_actions]; zeros alone for `num_actions`, none."""
    return (actions.unsqueeze(-1) == torch.arange(num_actions, device=actions.device)).to(dtype)


def make_layer(before: int, after: int, layer_norm: bool) -> nn.Sequential:
    """Make a linear layer with its nonlinearity, and a norm between them where it is asked for."""
    norm = [nn.LayerNorm(after)] if layer_norm else []
    return nn.Sequential(nn.Linear(before, after), *norm, nn.ReLU(inplace=True))
