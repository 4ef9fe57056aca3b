"""Recall: a memory is asked for what was seen before, beside what actions are worth."""

import torch
from torch import Tensor, nn

from townlet.agent.encoders import make_layer
from townlet.agent.networks import QNetwork
from townlet.agent.requirements import check_recall
from townlet.config import Recall
from townlet.environment.layout import ObservationLayout
from townlet.sequences import Hidden

WIDTH = 128  # units that look up an answer


class RecallHead(nn.Module):
    """Tells a part of an earlier observation by the memory after a window, told another part of it.

    Read is what learning shapes of the memory. What the window's own steps write is learned through it too; of what
    came before, only that it is kept and found. No action needs the answer: this is trained beside a network, and is
    not part of it.
    """

    def __init__(self, config: Recall, network: QNetwork, layout: ObservationLayout) -> None:
        super().__init__()
        check_recall(config, layout)
        self.weight, self.back = config.weight, config.back
        self.ask, self.tell = layout.slices[config.ask], layout.slices[config.tell]
        held = sum(part.shape[0] * part.shape[2] for part in network.shaped(network.initial_hidden(1)))
        self.lookup = make_layer(held + layout.width(config.ask), WIDTH, layer_norm=True)
        self.answer = nn.Linear(WIDTH, layout.width(config.tell))

    def forward(self, hidden: Hidden, asked: Tensor) -> Tensor:
        """Answer [batch, width of what is told] to what is asked [batch, width of that].

        hidden: what learning shapes of the memory, see `QNetwork.shaped`, each [num_layers, batch, width].
        """
        held = [part.transpose(0, 1).flatten(1) for part in hidden]
        return self.answer(self.lookup(torch.cat([*held, asked], dim=-1)))

    def loss(self, hidden: Hidden, earlier: Tensor, has_earlier: Tensor) -> Tensor:
        """Half the squared error, summed over what is told, in the mean over the windows [batch] that have a past."""
        error = self(hidden, earlier[:, self.ask]) - earlier[:, self.tell]
        squares = torch.where(has_earlier, error.square().sum(dim=-1), 0.0)
        return 0.5 * squares.sum() / has_earlier.sum().clamp(min=1)


def make_recall(config: Recall | None, network: QNetwork, layout: ObservationLayout) -> RecallHead | None:
    """Make the head that a task asks for beside a network, with fresh parameters; None where it asks for none.

    Raises ConfigError for a part that is not observed.
    """
    return None if config is None else RecallHead(config, network, layout)
