"""Small networks, batches and populations for tests of learning."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from townlet.agent.networks import QNetwork, RecurrentSpatialQNetwork, SimpleQNetwork, make_network
from townlet.config import FeedForward, JointEncoder, Level, Recurrent, Training, load_level
from townlet.environment.layout import ObservationLayout, lay_out
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation
from townlet.sequences import Hidden, SequenceBatch

OBS_DIM, NUM_ACTIONS, HIDDEN = 3, 2, 4

PLAIN = {
    "gamma": 0.99, "n_step": 1, "trace_decay": 0.0, "double_q": True, "target_every": 100, "huber_delta": 1.0,
    "learning_rate": 0.001, "final_learning_rate": 0.001, "decay_steps": 1000, "adam_epsilon": 1e-5,
    "max_grad_norm": 10.0,
}  # fmt: skip
SMALL_NETWORK = {"network.encoder.width": 12, "network.hidden": 8, "network.head": 12}
SMALL_SPATIAL = {"network.encoder.window": 8, "network.encoder.part": 4, "network.hidden": 8, "network.head": 12}
FEW_MAPS = {"layout.training_maps": 32, "layout.evaluation_maps": 16}
SHORT_LIVES = {"meters.energy.initial": 0.1, "max_steps": 12}  # 10 moves to death; who uses a bed lives to the limit
SMALL_RUN = {"training.num_agents": 8, "training.seq_len": 8, "training.seed": 0}
FRESH = {**SMALL_NETWORK, **FEW_MAPS, **SHORT_LIVES, **SMALL_RUN, "training.mode.minibatches": 2}
REPLAY = {
    **SMALL_SPATIAL,
    **FEW_MAPS,
    **SHORT_LIVES,
    **SMALL_RUN,
    "training.mode.train_every": 4,
    "training.mode.min_episodes": 4,
    "training.mode.capacity": 480,
    "training.mode.batch_size": 6,
    "training.target_every": 3,
}
MODES = {"fresh": ("2", FRESH), "replay": ("2-reference", REPLAY)}


class Spy(QNetwork):
    """Q(o) = scale * o and memory h + decay * (sum of o), for targets worked out by hand; notes its calls."""

    def __init__(self, num_actions: int = 2, scale: float = 1.0, decay: float = 0.0) -> None:
        super().__init__(ObservationLayout({"seen": slice(0, num_actions)}), num_actions, False)
        self.scale = nn.Parameter(torch.tensor(scale))
        self.decay = nn.Parameter(torch.tensor(decay))
        self.calls: list[tuple[Tensor, Hidden, Tensor | None]] = []

    def initial_hidden(self, batch: int) -> Hidden:
        return (torch.zeros(1, batch, 1),)

    def forward(
        self,
        features: Tensor,
        hidden: Hidden,
        previous_actions: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, Hidden]:
        self.calls.append((features.detach().clone(), tuple(part.detach().clone() for part in hidden), reset))
        past = hidden[0][0].unsqueeze(1)  # [batch, 1, 1]
        after = hidden[0] + self.decay * features.sum(dim=(1, 2)).view(1, -1, 1)
        return self.scale * features + self.decay * past, (after,)


def make_training(**changes: Any) -> Training:
    """How to learn in tests of the learner: `PLAIN`, changed. Levels are tuned; these numbers are not."""
    return load_level("2").training.model_copy(update={**PLAIN, **changes})


def joint(**options: Any) -> Recurrent:
    """A small recurrent network with one layer over the whole observation."""
    return Recurrent(**{
        "kind": "recurrent", "encoder": JointEncoder(kind="joint", width=5), "hidden": HIDDEN, "head": 6, **options
    })  # fmt: skip


def recurrent(seed: int = 0, config: Recurrent | None = None, obs_dim: int = OBS_DIM) -> RecurrentSpatialQNetwork:
    """A small recurrent network over `obs_dim` numbers."""
    torch.manual_seed(seed)
    return RecurrentSpatialQNetwork(ObservationLayout({"seen": slice(0, obs_dim)}), NUM_ACTIONS, config or joint())


def feed_forward(seed: int = 0, **options: Any) -> SimpleQNetwork:
    """A small feed-forward network."""
    torch.manual_seed(seed)
    layout = ObservationLayout({"seen": slice(0, OBS_DIM)})
    return SimpleQNetwork(layout, NUM_ACTIONS, FeedForward(kind="feed_forward", hidden=(6, 5), **options))


def random_hidden(batch: int, seed: int = 0, size: int = HIDDEN) -> Hidden:
    """A memory that is not zero."""
    stream = torch.Generator().manual_seed(seed)
    return (torch.randn(1, batch, size, generator=stream), torch.randn(1, batch, size, generator=stream))


def random_batch(batch: int = 4, seq_len: int = 5, burn_in: int = 0, seed: int = 0, **changes: Any) -> SequenceBatch:
    """Windows of random numbers, all steps valid, no death, no reset; `changes` replace fields."""
    stream = torch.Generator().manual_seed(seed)
    time = burn_in + seq_len
    valid = torch.ones(batch, time, dtype=torch.bool)
    valid[:, :burn_in] = False
    made = SequenceBatch(
        observations=torch.randn(batch, time + 1, OBS_DIM, generator=stream),
        action_mask=torch.ones(batch, time + 1, NUM_ACTIONS, dtype=torch.bool),
        actions=torch.randint(0, NUM_ACTIONS, (batch, time), generator=stream),
        rewards=torch.randn(batch, time, generator=stream),
        terminated=torch.zeros(batch, time, dtype=torch.bool),
        valid=valid,
        previous_actions=torch.randint(0, NUM_ACTIONS + 1, (batch, time + 1), generator=stream),
        hidden=random_hidden(batch, seed + 1),
        weights=torch.ones(batch),
        where=torch.arange(batch),
        last=torch.arange(batch),
        reset=None,
        burn_in=burn_in,
    )
    return made._replace(**changes)


def network_of(level: Level, seed: int = 0) -> QNetwork:
    """A level's network, fresh: the weights of a seed."""
    torch.manual_seed(seed)
    return make_network(level.network, lay_out(level), len(level.actions))


def without_zeros(level: Level) -> QNetwork:
    """A fresh network, whose layers that begin at zero do not."""
    network = network_of(level)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return network


def make_population(mode: str, env_seed: int | None = None, **overrides: Any) -> VectorizedPopulation:
    """A small population on Level 2, `fresh` or `replay`, with short lives; overrides by dotted key, `.` as `__`."""
    reference, options = MODES[mode]
    level = load_level(reference, {**options, **{key.replace("__", "."): value for key, value in overrides.items()}})
    return population_of(level, env_seed)


def population_of(level: Level, env_seed: int | None = None, capture: bool | None = None) -> VectorizedPopulation:
    """A population in an environment that is not compiled."""
    env = VectorizedEnv(level, level.training.num_agents, seed=env_seed, compile=False)
    return VectorizedPopulation(level, env, capture=capture)


def copy_of(state: Any) -> Any:
    """A deep copy of nested records of tensors."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: copy_of(value) for key, value in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(copy_of(value) for value in state))
    if isinstance(state, (list, tuple)):
        return type(state)(copy_of(value) for value in state)
    return state


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two nested records of tensors differ in a bit, by name; nothing if they are equal."""
    if isinstance(one, Tensor):
        same = isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [where or "."]
    if isinstance(one, Mapping):
        if not isinstance(other, Mapping) or one.keys() != other.keys():
            return [where or "."]
        return [found for key in one for found in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, (list, tuple)):
        if not isinstance(other, (list, tuple)) or len(one) != len(other):
            return [where or "."]
        pairs = zip(one, other, strict=True)
        return [found for index, pair in enumerate(pairs) for found in differences(*pair, f"{where}[{index}]")]
    return [] if one == other else [where or "."]


def everything(population: VectorizedPopulation) -> dict[str, Any]:
    """All that a population is: the network's weights and its state, copied."""
    return copy_of({"network": population.network.state_dict(), "population": population.state_dict()})
