"""Q-networks: parameters only; memory is an argument and a return value.

Every network is called as `q, hidden = network(features, hidden, previous_actions, reset)`. One without memory takes
and returns `()`, so no caller branches.
"""

from itertools import chain, islice, pairwise

import torch
from torch import Tensor, nn

from townlet.agent.encoders import PartwiseEncoder, WholeEncoder, make_layer, one_hot
from townlet.agent.images import make_convolutions, make_scale
from townlet.agent.memories import make_beside
from townlet.agent.memory.beside import Memories
from townlet.agent.memory.cells import make_cell
from townlet.agent.memory.records import Records
from townlet.agent.memory.sightings import DIRECTIONS, directions
from townlet.config import (
    FeedForward,
    Images,
    Recurrent,
    SeeingFeedForward,
    SeeingRecurrent,
    SpatialEncoder,
)
from townlet.environment.layout import ObservationLayout
from townlet.sequences import Hidden

REFERENCE = Recurrent(
    kind="recurrent", encoder=SpatialEncoder(kind="spatial", window=128, part=32), hidden=256, head=128
)


def make_network(config: FeedForward | Recurrent, layout: ObservationLayout, num_actions: int) -> "QNetwork":
    """Build the network that a task names, for an environment's observations and actions, with fresh parameters."""
    if isinstance(config, Recurrent):
        return RecurrentSpatialQNetwork(layout, num_actions, config)
    return SimpleQNetwork(layout, num_actions, config)


def image_of(config: FeedForward | Recurrent) -> Images | None:
    """Return how a network reads images; None where it takes them as they come."""
    return config.image if isinstance(config, SeeingFeedForward | SeeingRecurrent) else None


def count_parameters(network: nn.Module) -> int:
    """Count what is trained."""
    return sum(part.numel() for part in network.parameters() if part.requires_grad)


class QNetwork(nn.Module):
    """What all networks share: how they are called, their memory, and what they take in beside the observation.

    A network is written as `read` and `values`, with the width of what is read, or as one `forward`: then nothing but
    values can be learned from what they are worked out from.
    """

    width_read: int  # how many numbers of each step `read` returns

    def __init__(
        self,
        layout: ObservationLayout,
        num_actions: int,
        previous_action: bool,
        directions: bool = False,
        image: Images | None = None,
    ) -> None:
        super().__init__()
        self.obs_dim, self.num_actions, self.takes_previous_action = layout.obs_dim, num_actions, previous_action
        self.scale = make_scale(layout, image)
        self.offsets = layout.slices["offsets"] if directions else None
        places = layout.width("offsets") // 2 if directions else 0
        self.extra = num_actions * previous_action + DIRECTIONS * places  # width of what `_inputs` adds
        self.dueling = False

    def initial_hidden(self, batch: int) -> Hidden:
        """Return the memory at an episode's start for `batch` rows."""
        raise NotImplementedError

    def forward(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, Hidden]:
        """Unroll over a window.

        features [batch, time, obs_dim]; hidden: the memory before the first step; previous_actions [batch, time] int64,
        num_actions for none, where the network takes them; reset [batch, time] bool: memory is zero before that step.
        Returns q [batch, time, num_actions] and the memory after the last step; where `beside` has what `read_beside`
        returned, without the memories that nothing is learned in.
        """
        joined, after = self.read(features, hidden, previous_actions, reset, beside)
        return self.values(joined), after

    def read(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, Hidden]:
        """Return all that values are worked out from, [batch, time, width_read], and the memory; see `forward`."""
        raise NotImplementedError

    def values(self, joined: Tensor) -> Tensor:
        """Map what `read` returned to q [batch, time, num_actions]."""
        raise NotImplementedError

    def read_beside(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> Tensor | None:
        """Return what memories that nothing is learned in read at each step of a window, [batch, time, width].

        Arguments as those of a call; None without such memories. No update changes it, so whoever learns several times
        from the same windows may work it out once, and hand it to each call as `beside`.
        """
        return None

    def shaped(self, hidden: Hidden) -> Hidden:
        """Return the parts of a memory that learning shapes: of one that a call returned, with `beside` or without."""
        return hidden

    def input_layers(self) -> dict[str, slice]:
        """Return which of the inputs, those of `_inputs`, each weight [units, inputs] reads, by its name."""
        return {}

    def output_layer(self) -> tuple[str, ...]:
        """Return the names of the parameters that have a row an action, and one more where they are dueling."""
        return ()

    def _inputs(self, features: Tensor, previous_actions: Tensor | None) -> Tensor:
        """The observation, previous actions one-hot and directions, where taken, [batch, time, obs_dim + extra]."""
        parts = [features if self.scale is None else self.scale(features)]
        if self.takes_previous_action:
            if previous_actions is None:
                raise ValueError("previous_actions: expected [batch, time] int64 for this network, got None")
            parts.append(one_hot(previous_actions, self.num_actions, features.dtype))
        if self.offsets is not None:
            parts.append(directions(*features[..., self.offsets].chunk(2, dim=-1)))
        return torch.cat(parts, dim=-1)


class SimpleQNetwork(QNetwork):
    """A feed-forward network over single observations."""

    def __init__(self, layout: ObservationLayout, num_actions: int, config: FeedForward) -> None:
        image = image_of(config)
        super().__init__(layout, num_actions, config.previous_action, config.directions, image)
        self.convolutions = make_convolutions(layout, self.extra, image)
        width = self.convolutions.width if self.convolutions is not None else layout.obs_dim + self.extra
        widths = [width, *config.hidden]
        self.body = nn.Sequential(*(make_layer(before, after, config.layer_norm) for before, after in pairwise(widths)))
        self.width_read = widths[-1]
        self.value, self.dueling = QHead(self.width_read, num_actions, config.dueling), config.dueling

    def initial_hidden(self, batch: int) -> Hidden:
        """Return `()`: there is no memory."""
        return ()

    def input_layers(self) -> dict[str, slice]:
        """The first layer reads all."""
        return {"body.0.0.weight": slice(None)}

    def output_layer(self) -> tuple[str, ...]:
        """Those of the head."""
        return ("value.output.weight", "value.output.bias")

    def read(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, Hidden]:
        """Return the last layer's units; `reset` has nothing to forget."""
        inputs = self._inputs(features, previous_actions)
        return self.body(inputs if self.convolutions is None else self.convolutions(inputs)), hidden

    def values(self, joined: Tensor) -> Tensor:
        """Read values in the last layer's units."""
        return self.value(joined)


class RecurrentSpatialQNetwork(QNetwork):
    """An encoder over all timesteps at once, one recurrent cell over the window, and a head.

    Beside the cell, where the task asks for them, memories that the head reads: first those that nothing is learned in,
    then those that are learned. What they know of each action by itself is read alike for all actions: see `Records`.
    """

    def __init__(self, layout: ObservationLayout, num_actions: int, config: Recurrent = REFERENCE) -> None:
        image = image_of(config)
        super().__init__(layout, num_actions, config.previous_action, config.directions, image)
        self.encoder: PartwiseEncoder | WholeEncoder
        if isinstance(config.encoder, SpatialEncoder):
            self.encoder = PartwiseEncoder(layout, self.extra, config.encoder)
        else:
            self.encoder = WholeEncoder(layout, self.extra, config.encoder, config.layer_norm, image)
        width: int = self.encoder.width
        self.cell = make_cell(config.cell, width, config.hidden, config.memory_span)
        beside = make_beside(config, layout, layout.obs_dim + self.extra, num_actions)
        self.ruled = Memories(part for part in beside if not part.learned)
        self.learned = Memories(part for part in beside if part.learned)
        self.skip = config.skip
        own = config.hidden + width * config.skip  # what is read of the cell and of the observation itself
        self.by_rule = slice(own, own + sum(part.width for part in self.ruled))
        self.width_read = own + sum(part.width for part in beside)
        self.head = make_layer(self.width_read, config.head, config.layer_norm)
        self.value, self.dueling = QHead(config.head, num_actions, config.dueling), config.dueling
        self.records = Records(self.ruled, num_actions, layout.choices, config.head)

    def input_layers(self) -> dict[str, slice]:
        """Those of the encoder, and of the memories that are learned."""
        readers = {"encoder": self.encoder} | {f"learned.{index}": one for index, one in enumerate(self.learned)}
        return {f"{where}.{name}": part for where, one in readers.items() for name, part in one.input_layers().items()}

    def output_layer(self) -> tuple[str, ...]:
        """Those of the head."""
        return ("value.output.weight", "value.output.bias")

    def initial_hidden(self, batch: int) -> Hidden:
        """Return zeros, each [1, batch, hidden_dim], on the network's device: (h, c) for an LSTM, (h,) for a GRU.

        What is kept beside the cell comes after them.
        """
        hidden = self.cell.initial_hidden(batch)
        beside = chain(self.ruled, self.learned)
        return tuple(chain(hidden, *(part.initial_hidden(batch, hidden[0]) for part in beside)))

    def shaped(self, hidden: Hidden) -> Hidden:
        """Those of the cell, and of the memories that are learned."""
        return (*hidden[: self.cell.parts], *hidden[len(hidden) - self.learned.parts :])

    def read(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, Hidden]:
        """Return side by side what the cell remembers, the encoding where it is skipped, and what memories tell."""
        inputs, held = self._inputs(features, previous_actions), iter(hidden)
        encoded = self.encoder(inputs)
        remembered, of_cell = self.cell(encoded, tuple(islice(held, self.cell.parts)), reset)
        ruled = tuple(islice(held, self.ruled.parts))
        read, kept = self.ruled.read(inputs, ruled, reset) if beside is None else ([beside], ())
        found, learned = self.learned.read(inputs, tuple(held), reset)
        parts = [remembered, encoded, *read, *found] if self.skip else [remembered, *read, *found]
        return torch.cat(parts, dim=-1), (*of_cell, *kept, *learned)

    def values(self, joined: Tensor) -> Tensor:
        """Read values in all that was read, and add what memories know of each action by itself."""
        context = self.head(joined)
        q: Tensor = self.value(context)
        return q + self.records(joined[..., self.by_rule], context) if self.records.parts else q

    @torch.no_grad()
    def read_beside(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> Tensor | None:
        """Return what the memories beside the cell read that nothing is learned in, see `QNetwork`."""
        if not self.ruled:
            return None
        first, inputs = self.cell.parts, self._inputs(features, previous_actions)
        read, _ = self.ruled.read(inputs, hidden[first : first + self.ruled.parts], reset)
        return torch.cat(read, dim=-1)


class QHead(nn.Module):
    """Q-values; dueling: value plus advantage less its mean (Wang et al., 2016)."""

    def __init__(self, width: int, num_actions: int, dueling: bool) -> None:
        super().__init__()
        self.num_actions, self.dueling = num_actions, dueling
        self.output = nn.Linear(width, num_actions + dueling)  # advantages, then the value

    def forward(self, encoded: Tensor) -> Tensor:
        """Map [..., width] to [..., num_actions]."""
        output = self.output(encoded)
        if not self.dueling:
            return output
        advantage = output[..., : self.num_actions]
        return output[..., self.num_actions :] + advantage - advantage.mean(dim=-1, keepdim=True)
