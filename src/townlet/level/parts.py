"""The parts of a level: everything that a run is, as frozen, checked types."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from townlet.level.course import Adversarial, Curiosity, Prediction, Recall, Static, Stop
from townlet.level.memories import Memory
from townlet.level.part import MOST, WHOLE, Count, Name, Part, Positive, Rate, Ticks, Unit

WINDOW = "cells around the agent, row by row: 1 where something stands"

Action = Literal["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"]

# --- the world ---------------------------------------------------------------------------------------------------


class Grid(Part):
    """Size of the map in cells; x is the column, y the row."""

    width: Annotated[int, Field(ge=1, le=64), WHOLE]
    height: Annotated[int, Field(ge=1, le=64), WHOLE]


class Meter(Part):
    """One need, stored in [0, 1]: its start, its change each tick, the extra change of a move, and if 0 is death."""

    initial: Unit = 1.0
    passive: Rate = 0.0
    move: Rate = 0.0
    lethal: bool = False


class Drain(Part):
    """A loss each tick of `rate * (at_full + (at_empty - at_full) * (1 - by))`; without `by` in the level, by is 1."""

    meter: Name
    by: Name
    rate: Unit
    at_full: Annotated[float, Field(ge=0.0, le=100.0)]
    at_empty: Annotated[float, Field(ge=0.0, le=100.0)]


class Pull(Part):
    """When `source` is below the threshold, `target` loses `strength * (threshold - source) / threshold` a tick."""

    source: Name
    target: Name
    strength: Unit


class CascadeGroup(Part):
    """Pulls that apply together, each reading the meters as the group before left them."""

    name: Name
    pulls: Annotated[tuple[Pull, ...], Field(strict=False)]


class Cascades(Part):
    """The groups in the order in which they apply."""

    threshold: Annotated[float, Field(gt=0.0, le=1.0)]
    groups: Annotated[tuple[CascadeGroup, ...], Field(strict=False)] = ()


class Affordance(Part):
    """What INTERACT does in one place: costs (negative: earnings) and effects of one whole interaction, by meter."""

    ticks: Ticks = 1
    costs: dict[Name, Rate] = Field(default_factory=dict)
    effects: dict[Name, Rate] = Field(default_factory=dict)
    hours: Annotated[tuple[Count, Count], Field(strict=False)] | None = None  # [open, close), may pass midnight
    place: Annotated[tuple[Count, Count], Field(strict=False)] | None = None  # x, y on a fixed map


class Layout(Part):
    """`fixed`: the affordances' own places. `random`: a new map each episode, from tables drawn from the seed."""

    kind: Literal["fixed", "random"]
    training_maps: Annotated[int, Field(ge=1, le=65536), WHOLE] | None = None
    evaluation_maps: Annotated[int, Field(ge=1, le=65536), WHOLE] | None = None


class MultiTick(Part):
    """Interactions take their affordance's ticks; `spread` of each effect is even, the rest comes on the last tick."""

    spread: Unit


class Observation(Part):
    """The parts of an observation besides the meters and the affordance underfoot, which are always there."""

    window: Annotated[Literal[3, 5, 7] | None, Field(description=WINDOW)] = None
    position: Annotated[Literal["normalised", "one_hot"] | None, Field(description="where the agent is")] = None
    offsets: Annotated[bool, Field(description="how far each kind of place lies to the right and below")] = False
    clock: Annotated[bool, Field(description="sine and cosine of the time of day")] = False
    progress: Annotated[bool, Field(description="how much of the interaction is done")] = False
    age: Annotated[bool, Field(description="share of the longest life lived")] = False


# --- rewards -----------------------------------------------------------------------------------------------------


class Milestone(Part):
    """`value` at every multiple of `every` ticks lived."""

    every: Ticks
    value: float


class PotentialMeter(Part):
    """Weight of a meter in the potential, and the value from which it counts as full."""

    weight: Annotated[float, Field(gt=0.0)]
    full: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0


class Potential(Part):
    """Shaping `scale * (gamma * phi' - phi)`, phi = sum w (1 - (1 - m)^2) / sum w, 0 after death (Ng et al., 1999)."""

    scale: Annotated[float, Field(gt=0.0)]
    meters: Annotated[dict[Name, PotentialMeter], Field(min_length=1)]


class Reward(Part):
    """Terms that are added up each tick; a term that is a mapping names meters."""

    alive: Annotated[float, Field(description="for each tick lived")] = 0.0
    death: Annotated[float, Field(description="for dying")] = 0.0
    milestones: Annotated[tuple[Milestone, ...], Field(strict=False, description="every so many ticks lived")] = ()
    wellbeing: dict[Name, float] = Field(default_factory=dict, description="each tick, times the meter")
    interaction: dict[Name, float] = Field(default_factory=dict, description="times what an interaction changes")
    potential: Annotated[Potential | None, Field(description="times what meters are fuller, weighed")] = None


# --- the agent ---------------------------------------------------------------------------------------------------


class FeedForward(Part):
    """Layers of `hidden` units, without memory.

    `directions`: offsets in view are taken in as directions too, which way and how far.
    """

    kind: Literal["feed_forward"]
    hidden: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    layer_norm: bool = False
    dueling: bool = False
    previous_action: bool = False
    directions: bool = False


class SpatialEncoder(Part):
    """Two convolutions over the window to `window` units, every other part of the observation to `part` units."""

    kind: Literal["spatial"]
    window: Positive
    part: Positive


class JointEncoder(Part):
    """One linear layer over the whole observation to `width` units."""

    kind: Literal["joint"]
    width: Positive


class Recurrent(Part):
    """An encoder, a cell of `hidden` units, a head of `head` units; `skip` hands the encoding past the cell.

    `memory_span`: the steps for which fresh units keep what they hold, from 1 up to it; null: about three for all.
    `sightings`: beside the cell, which way each kind of place lies, from a memory of where it was last underfoot, or
    from the offsets of a level that shows them. `frontier`: which way the nearest place lies that was never stood on,
    and the nearest ground never seen. `memory`: those of other kinds, side by side. `directions`: as without memory.
    """

    kind: Literal["recurrent"]
    encoder: Annotated[SpatialEncoder | JointEncoder, Field(discriminator="kind")]
    cell: Literal["lstm", "gru"] = "lstm"
    hidden: Positive
    head: Positive
    memory_span: Annotated[int, Field(ge=2, le=MOST), WHOLE] | None = None
    sightings: bool = False
    frontier: bool = False
    memory: Annotated[tuple[Memory, ...], Field(strict=False)] = ()
    skip: bool = False
    layer_norm: bool = False
    dueling: bool = False
    previous_action: bool = False
    directions: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_what_was_not_there(cls, values: Any) -> Any:
        """Leave out `spectral: null`, as runs wrote it that had no such memory when that was its key."""
        if isinstance(values, dict) and values.get("spectral", values) is None:
            return {name: value for name, value in values.items() if name != "spectral"}
        return values


class Fresh(Part):
    """Learn from the newest windows of all agents, each once, in `minibatches` updates.

    Where so many do not part the agents alike, in the most below that which do.
    """

    kind: Literal["fresh"]
    minibatches: Positive


class Priority(Part):
    """Windows are drawn as priority ** exponent, and weighted by chance ** -importance over the largest.

    A window's priority is `largest` times its greatest absolute TD error plus the rest times the mean (Kapturowski et
    al., 2019; Schaul et al., 2016).
    """

    exponent: Unit
    importance: Unit
    largest: Unit  # eta


class Replay(Part):
    """Learn from sampled windows: `batch_size` of them every `train_every` steps of the population."""

    kind: Literal["replay"]
    batch_size: Positive
    train_every: Positive
    min_episodes: Count  # that ended before the first update, unless long ones fill half of the tape first
    capacity: Positive  # transitions, all agents together
    burn_in: Count = 0
    stored_every: Positive = 1  # steps between stored memories, where windows begin
    priority: Priority | None = None  # null: all windows alike


class Exploration(Part):
    """Epsilon of agent i is `base ** (1 + alpha * i / (N - 1))` (Horgan et al., 2018); weights of random actions.

    With `warm_up`, epsilon falls linearly from 1 to that over so many environment steps. `taste`: how strongly
    each agent prefers some actions for an episode, by what it observes, see `exploration.tastes`.
    """

    base: Annotated[float, Field(gt=0.0, lt=1.0)]
    alpha: Annotated[float, Field(ge=0.0, le=100.0)]
    warm_up: Positive | None = None
    taste: Annotated[float, Field(gt=0.0)] | None = None
    action_weights: dict[Action, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)


class Training(Part):
    """How the population learns."""

    seed: Annotated[int, Field(ge=0, lt=2**31), WHOLE]
    num_agents: Annotated[int, Field(ge=1, le=2**20), WHOLE]
    workers: Annotated[int, Field(ge=1, le=64), WHOLE] = 1  # processes on the CPU, each with as many of the agents
    total_steps: Positive  # environment steps, all agents together
    seq_len: Annotated[int, Field(ge=1, le=512), WHOLE]
    mode: Annotated[Fresh | Replay, Field(discriminator="kind")]
    initial_state: Literal["stored", "zero"] = "stored"  # memory at the start of a window
    gamma: Unit
    reward_scale: Annotated[float, Field(gt=0.0)] | Literal["auto"] = 1.0  # not of what is told
    n_step: Positive = 1
    trace_decay: Unit = 0.0  # lambda
    double_q: bool = True
    value_rescaling: bool = False  # learn h(return), see losses.rescale
    target_every: Positive | None  # updates between hard copies of the target network
    target_rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None  # soft: its step to the online one each update
    huber_delta: Annotated[float, Field(gt=0.0)] | None  # null: half the squared error
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    final_learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]  # reached linearly after decay_steps
    decay_steps: Positive  # environment steps; apart from total_steps, so that a run may be stopped early or extended
    adam_epsilon: Annotated[float, Field(gt=0.0, le=1.0)]
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    exploration: Exploration
    curriculum: Annotated[Static | Adversarial, Field(discriminator="kind")] | None = None  # null: static
    curiosity: Curiosity | None = None
    recall: Recall | None = None
    prediction: Prediction | None = None
    stop: Stop | None = None  # null: when the steps are used up

    @property
    def has_target(self) -> bool:
        """Whether targets come from a network of their own."""
        return self.target_every is not None or self.target_rate is not None
