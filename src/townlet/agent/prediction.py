"""Prediction: what comes next is told from what is read of memory, beside what actions are worth."""

import torch
from torch import Tensor, nn

from townlet.agent.encoders import make_layer, one_hot
from townlet.agent.networks import QNetwork
from townlet.config import ConfigError, Prediction
from townlet.sequences import SequenceBatch


class PredictionHead(nn.Module):
    """Tells the observation after an action from all that a network's values are worked out from.

    Values say little of noise and of what is not seen; the next observation says of both, at each step, what should
    have been remembered (Ni et al., 2024, who call it observation prediction). No action needs the answer: this is
    trained beside a network, and is not part of it.
    """

    def __init__(self, config: Prediction, network: QNetwork) -> None:
        super().__init__()
        if type(network).forward is not QNetwork.forward:  # which may make other values of what was read
            expected = f"null, since {type(network).__name__} has a forward of its own in place of read and values"
            raise ConfigError([f"training.prediction: expected {expected}, got a weight of {config.weight:g}"])
        self.weight, self.alone = config.weight, config.alone
        self.num_actions, self.scale = network.num_actions, network.scale
        self.lookup = make_layer(network.width_read + network.num_actions, config.width, layer_norm=False)
        self.answer = nn.Linear(config.width, network.obs_dim)

    def forward(self, joined: Tensor, actions: Tensor) -> Tensor:
        """Tell the next observation [.., obs_dim] by what was read [.., width_read], and actions [..] int64."""
        action = one_hot(actions, self.num_actions, joined.dtype)
        told: Tensor = self.answer(self.lookup(torch.cat([joined, action], dim=-1)))
        return told

    def loss(self, joined: Tensor, batch: SequenceBatch) -> Tensor:
        """Half the squared error, summed over what is observed, in the mean over the steps to learn from.

        joined: what was read at each step of the windows, [batch, seq_len + 1, width_read].
        """
        steps = slice(batch.burn_in, None)
        following = batch.observations[:, batch.burn_in + 1 :] if batch.successors is None else batch.successors
        following = following if self.scale is None else self.scale(following)
        error = (self(joined[:, :-1], batch.actions[:, steps]) - following).square().sum(dim=-1)
        valid = batch.valid[:, steps]
        return 0.5 * torch.where(valid, error, 0.0).sum() / valid.sum().clamp(min=1)


def make_prediction(config: Prediction | None, network: QNetwork) -> PredictionHead | None:
    """Make the head that a task asks for beside a network, with fresh parameters; None where it asks for none.

    Raises ConfigError for a network that does not say what it reads.
    """
    return None if config is None else PredictionHead(config, network)
