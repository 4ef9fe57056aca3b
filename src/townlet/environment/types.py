"""What the world hands to others: frozen records of tensors, one row an agent, and the protocol of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from townlet.environment.layout import ObservationLayout

if TYPE_CHECKING:  # those who only tell of a WorldError do without PyTorch
    import torch
    from torch import Tensor


class WorldError(Exception):
    """An environment does what no agent can live with; one line: what was expected, what came, and for which agent."""


class Observation(NamedTuple):
    """What agents see, and which actions they have."""

    features: Tensor  # [num_agents, obs_dim] float32
    action_mask: Tensor  # [num_agents, num_actions] bool


class StepResult(NamedTuple):
    """One tick of all agents."""

    observation: Observation  # after autoreset
    reward: Tensor  # [num_agents] float32
    terminated: Tensor  # [num_agents] bool: death, no future value
    truncated: Tensor  # [num_agents] bool: step limit, the future still has value
    final_features: Tensor  # [num_agents, obs_dim]: before the reset, for bootstrapping
    final_action_mask: Tensor  # [num_agents, num_actions]: before the reset
    skipped: Tensor | None = None  # [num_agents] bool: the tick was a reset and no step; None where that never happens

    @property
    def ended(self) -> Tensor:
        """Whose episode ended, in either way, [num_agents] bool."""
        return self.terminated | self.truncated

    @property
    def lived(self) -> Tensor:
        """Whose tick was a step, [num_agents] bool."""
        return self.terminated.new_ones(self.terminated.shape) if self.skipped is None else ~self.skipped

    @property
    def forgets(self) -> Tensor:
        """Who acts next without a past, [num_agents] bool: after an episode's end, and after a reset."""
        return self.ended if self.skipped is None else self.ended | self.skipped


class Difficulty(NamedTuple):
    """What each agent lives under; without one all live under the level as it is."""

    passive: Tensor  # [num_meters, num_agents] float32: share of each meter's passive change and drain
    sparse: Tensor  # [num_agents] bool: whose reward is the level's `sparse_reward`


class EnvState(NamedTuple):
    """The world between two ticks: one column a meter, one entry an agent."""

    meters: Tensor  # [num_meters, num_agents] float32 in [0, 1]
    x: Tensor  # [num_agents] int32, column
    y: Tensor  # [num_agents] int32, row
    map_index: Tensor  # [num_agents] int32, row in the table of maps
    progress: Tensor  # [num_agents] int32, ticks done of the interaction underfoot
    tick: Tensor  # [num_agents] int32, ticks lived in this episode
    episode: Tensor  # [num_agents] int32, episodes begun before this one


def changed(state: EnvState, **parts: Tensor) -> EnvState:
    """Return a state with some parts changed, as its `_replace` would, which PyTorch 2.6 does not compile."""
    kept = {
        "meters": state.meters,
        "x": state.x,
        "y": state.y,
        "map_index": state.map_index,
        "progress": state.progress,
        "tick": state.tick,
        "episode": state.episode,
    }
    return EnvState(**{**kept, **parts})


class Standing(NamedTuple):
    """Where agents are."""

    cell: Tensor  # [num_agents] int32: row * width + column
    affordance: Tensor  # [num_agents] int32: what stands there, num_affordances for nothing


class Environment(Protocol):
    """What a population needs of a world."""

    num_agents: int
    num_actions: int
    obs_dim: int
    device: torch.device
    observation_layout: ObservationLayout
    resumes: bool  # whether `load_state_dict` brings back the running episodes; else they are lost, and new ones begin
    compile_failure: str | None  # why a step that should be compiled or captured is not
    causes: dict[int, str]  # what an episode can end by, by the index that `cause_of_death` gives

    def reset(self) -> Observation:
        """Begin an episode of every agent."""
        ...

    def step(self, actions: Tensor, difficulty: Difficulty | None = None) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64; ended episodes begin anew."""
        ...

    def keep_in_place(self) -> bool:
        """Write all that a step changes where it lies from now on, so that it may be part of a graph; or return False.

        What a step returns is then overwritten by the next, where both are of one graph.
        """
        ...

    def standing(self) -> Standing | None:
        """Return where the agents are now, None where there is no map."""
        ...

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        """Return what ended the episodes whose last observations are [num_agents, obs_dim], [num_agents] int64."""
        ...

    def read_metrics(self) -> dict[str, float]:
        """Return what happened since the last call, by metric name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        ...

    def close(self) -> None:
        """Let go of what the environment holds."""
        ...
