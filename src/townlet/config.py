"""The level: everything that a run is, as frozen, checked types."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from townlet import level_file
from townlet.level_file import ConfigError, Problem

__all__ = ["ConfigError", "Level", "load_level"]

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(ge=-1.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Ticks = Annotated[int, Field(ge=1, lt=2**31)]  # what the world counts in int32
Name = Annotated[str, Field(min_length=1, max_length=64)]
Action = Literal["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"]


class Part(BaseModel):
    """Base of all parts of a level: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# --- the world ---------------------------------------------------------------------------------------------------


class Grid(Part):
    """Size of the map in cells; x is the column, y the row."""

    width: Annotated[int, Field(ge=1, le=64)]
    height: Annotated[int, Field(ge=1, le=64)]


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
    costs: dict[Name, Rate] = {}
    effects: dict[Name, Rate] = {}
    hours: Annotated[tuple[Count, Count], Field(strict=False)] | None = None  # [open, close), may pass midnight
    place: Annotated[tuple[Count, Count], Field(strict=False)] | None = None  # x, y on a fixed map


class Layout(Part):
    """`fixed`: the affordances' own places. `random`: a new map each episode, from tables drawn from the seed."""

    kind: Literal["fixed", "random"]
    training_maps: Annotated[int, Field(ge=1, le=65536)] | None = None
    evaluation_maps: Annotated[int, Field(ge=1, le=65536)] | None = None


class MultiTick(Part):
    """Interactions take their affordance's ticks; `spread` of each effect is even, the rest comes on the last tick."""

    spread: Unit


class Observation(Part):
    """The parts of an observation besides the meters and the affordance underfoot, which are always there."""

    window: Literal[3, 5, 7] | None = None
    position: Literal["normalised", "one_hot"] | None = None
    offsets: bool = False
    clock: bool = False
    progress: bool = False
    age: bool = False


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
    """Terms that are added up each tick; meters are named by key."""

    alive: float = 0.0
    death: float = 0.0
    milestones: Annotated[tuple[Milestone, ...], Field(strict=False)] = ()
    wellbeing: dict[Name, float] = {}
    interaction: dict[Name, float] = {}
    potential: Potential | None = None


# --- the agent ---------------------------------------------------------------------------------------------------


class FeedForward(Part):
    """Layers of `hidden` units, without memory."""

    kind: Literal["feed_forward"]
    hidden: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    layer_norm: bool = False
    dueling: bool = False
    previous_action: bool = False


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
    """An encoder, an LSTM of `hidden` units, a head of `head` units; `skip` hands the encoding past the LSTM."""

    kind: Literal["recurrent"]
    encoder: Annotated[SpatialEncoder | JointEncoder, Field(discriminator="kind")]
    hidden: Positive
    head: Positive
    skip: bool = False
    layer_norm: bool = False
    dueling: bool = False
    previous_action: bool = False


class Fresh(Part):
    """Learn from the newest windows of all agents, each once, in `minibatches` updates."""

    kind: Literal["fresh"]
    minibatches: Positive


class Replay(Part):
    """Learn from sampled windows: `batch_size` of them every `train_every` steps of the population."""

    kind: Literal["replay"]
    batch_size: Positive
    train_every: Positive
    min_episodes: Count
    capacity: Positive  # transitions, all agents together
    burn_in: Count = 0


class Exploration(Part):
    """Epsilon of agent i is `base ** (1 + alpha * i / (N - 1))` (Horgan et al., 2018); weights of random actions."""

    base: Annotated[float, Field(gt=0.0, lt=1.0)]
    alpha: Annotated[float, Field(ge=0.0, le=100.0)]
    action_weights: dict[Action, Annotated[float, Field(gt=0.0)]] = {}


class Training(Part):
    """How the population learns."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    num_agents: Annotated[int, Field(ge=1, le=2**20)]
    total_steps: Positive  # environment steps, all agents together
    seq_len: Annotated[int, Field(ge=1, le=512)]
    mode: Annotated[Fresh | Replay, Field(discriminator="kind")]
    gamma: Unit
    n_step: Positive = 1
    trace_decay: Unit = 0.0  # lambda
    double_q: bool = True
    target_every: Positive | None  # updates between hard copies; null: the online network is its own target
    huber_delta: Annotated[float, Field(gt=0.0)] | None  # null: half the squared error
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    final_learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]  # reached linearly after decay_steps
    decay_steps: Positive  # environment steps; apart from total_steps, so that a run may be stopped early or extended
    adam_epsilon: Annotated[float, Field(gt=0.0, le=1.0)]
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    exploration: Exploration


class Evaluation(Part):
    """Greedy episodes on maps that training never saw: how many, and every how many environment steps."""

    episodes: Positive
    every: Positive


class Level(Part):
    """A whole level: the world, what agents see and are rewarded for, and how they learn."""

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=64)]
    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=64)]
    description: str
    grid: Grid
    meters: Annotated[dict[Name, Meter], Field(min_length=1)]
    present_meters: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]  # in observation order
    drains: Annotated[tuple[Drain, ...], Field(strict=False)] = ()
    cascades: Cascades | None = None
    affordances: Annotated[dict[Name, Affordance], Field(min_length=1)]  # the vocabulary, in observation order
    placed_affordances: Annotated[tuple[Name, ...], Field(strict=False)]
    layout: Layout
    actions: Annotated[tuple[Action, ...], Field(strict=False, min_length=1)]
    max_steps: Ticks
    day_ticks: Annotated[int, Field(ge=1, le=10_000)] | None = None
    multi_tick: MultiTick | None = None
    observation: Observation
    reward: Reward
    yardsticks: dict[Name, float] = {}
    network: Annotated[FeedForward | Recurrent, Field(discriminator="kind")]
    training: Training
    evaluation: Evaluation


def load_level(reference: str | Path, overrides: Mapping[str, Any] | None = None) -> Level:
    """Read, merge and check a level.

    `reference` is an id ("2"), a name, or a path to a YAML file; `overrides` maps dotted keys to values, as
    {"training.seed": 3}. Raises ConfigError with one line for each error.
    """
    path = reference if isinstance(reference, Path) else level_file.find_level(reference)
    return level_file.load(Level, path, overrides or {}, level_problems)


# --- what the types alone cannot say -----------------------------------------------------------------------------


def level_problems(level: Level) -> list[Problem]:
    """Everything wrong between the parts of a structurally valid level."""
    checks: tuple[Callable[[Level], list[Problem]], ...] = (
        _meter_problems, _reward_problems, _affordance_problems, _layout_problems, _action_problems, _time_problems,
        _returns_problems, _mode_problems, _network_problems,
    )  # fmt: skip
    return [problem for check in checks for problem in check(level)]


def _one_of(names: Mapping[str, Any] | tuple[str, ...]) -> str:
    return "one of " + ", ".join(names)


def _unknown(names: Mapping[tuple[str | int, ...], str], known: Mapping[str, Any] | tuple[str, ...]) -> list[Problem]:
    return [Problem(key, _one_of(known), repr(name)) for key, name in names.items() if name not in known]


def _repeated(key: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem((key, index), "each name once", repr(name)) for index, name in enumerate(names) if name in names[:index]
    ]


def _meter_problems(level: Level) -> list[Problem]:
    named: dict[tuple[str | int, ...], str] = {
        ("present_meters", index): name for index, name in enumerate(level.present_meters)
    }
    for index, drain in enumerate(level.drains):
        named |= {("drains", index, "meter"): drain.meter, ("drains", index, "by"): drain.by}
    for group, cascade in enumerate(level.cascades.groups if level.cascades else ()):
        for index, pull in enumerate(cascade.pulls):
            key = ("cascades", "groups", group, "pulls", index)
            named |= {(*key, "source"): pull.source, (*key, "target"): pull.target}
    for name, affordance in level.affordances.items():
        named |= {("affordances", name, "costs", meter): meter for meter in affordance.costs}
        named |= {("affordances", name, "effects", meter): meter for meter in affordance.effects}
    problems = _unknown(named, level.meters) + _repeated("present_meters", level.present_meters)
    lethal = [name for name in level.present_meters if name in level.meters and level.meters[name].lethal]
    if not lethal:
        problems.append(Problem(("present_meters",), "at least one lethal meter", str(list(level.present_meters))))
    return problems + [
        Problem(("meters", name, "initial"), "above 0 for a lethal meter", str(level.meters[name].initial))
        for name in dict.fromkeys(lethal)
        if not level.meters[name].initial
    ]


def _reward_problems(level: Level) -> list[Problem]:
    terms = level.reward
    named: dict[tuple[str | int, ...], str] = {
        ("reward", term, meter): meter for term in ("wellbeing", "interaction") for meter in getattr(terms, term)
    }
    if terms.potential:
        named |= {("reward", "potential", "meters", meter): meter for meter in terms.potential.meters}
    problems = _unknown(named, level.present_meters)
    weights = [terms.alive, terms.death, *terms.wellbeing.values(), *terms.interaction.values()]
    if not any([*weights, *(milestone.value for milestone in terms.milestones), terms.potential]):
        problems.append(Problem(("reward",), "at least one term that is not 0", "none"))
    return problems


def _affordance_problems(level: Level) -> list[Problem]:
    placed = level.placed_affordances
    problems = _unknown(
        {("placed_affordances", index): name for index, name in enumerate(placed)}, level.affordances
    ) + _repeated("placed_affordances", placed)
    cells = level.grid.width * level.grid.height
    if len(placed) > cells:
        expected = f"at most {cells} affordances on a map of {level.grid.width}x{level.grid.height} cells"
        problems.append(Problem(("placed_affordances",), expected, str(len(placed))))
    return problems


def _layout_problems(level: Level) -> list[Problem]:
    maps = {"training_maps": level.layout.training_maps, "evaluation_maps": level.layout.evaluation_maps}
    if level.layout.kind == "random":
        return [
            Problem(("layout", key), "a number of maps for a random layout", "null")
            for key, value in maps.items()
            if value is None
        ] or _pool_problems(level, [value for value in maps.values() if value is not None])
    return [
        Problem(("layout", key), "null on a fixed layout, which has one map", str(value))
        for key, value in maps.items()
        if value is not None
    ] + _place_problems(level)


def _pool_problems(level: Level, wanted: list[int]) -> list[Problem]:
    """Training and evaluation share no map, so there must be enough for both."""
    placed, cells = len(level.placed_affordances), level.grid.width * level.grid.height
    possible = math.perm(cells, placed)
    if placed > cells or sum(wanted) <= possible:
        return []
    expected = f"at most {possible} maps in all, for {placed} placed on {cells} cells"
    return [Problem(("layout",), expected, " + ".join(map(str, wanted)))]


def _place_problems(level: Level) -> list[Problem]:
    problems = []
    taken: dict[tuple[int, int], str] = {}
    for name in dict.fromkeys(level.placed_affordances):
        if name not in level.affordances:
            continue
        key, place = ("affordances", name, "place"), level.affordances[name].place
        if place is None:
            problems.append(Problem(key, "a place [x, y], since the layout is fixed", "null"))
        elif place[0] >= level.grid.width or place[1] >= level.grid.height:
            limits = f"x below {level.grid.width} and y below {level.grid.height}"
            problems.append(Problem(key, limits, str(list(place))))
        elif place in taken:
            problems.append(Problem(key, f"a cell of its own, {taken[place]} is there", str(list(place))))
        else:
            taken[place] = name
    return problems


def _action_problems(level: Level) -> list[Problem]:
    problems = _repeated("actions", level.actions)
    grid = level.grid
    # Without WAIT each cell needs a move that stays on the grid: both directions along an axis that has two cells.
    along_x = grid.width > 1 and {"LEFT", "RIGHT"} <= set(level.actions)
    along_y = grid.height > 1 and {"UP", "DOWN"} <= set(level.actions)
    if "WAIT" not in level.actions and not (along_x or along_y):
        expected = "WAIT, or both moves along an axis, so that an agent can act in every cell"
        problems.append(Problem(("actions",), expected, ", ".join(level.actions)))
    if level.placed_affordances and "INTERACT" not in level.actions:
        problems.append(Problem(("actions",), "INTERACT, since affordances are placed", ", ".join(level.actions)))
    problems += _unknown(
        {
            ("training", "exploration", "action_weights", name): name
            for name in level.training.exploration.action_weights
        },
        level.actions,
    )
    return problems


def _time_problems(level: Level) -> list[Problem]:
    problems = []
    for name, affordance in level.affordances.items():
        if level.day_ticks is not None and affordance.hours is not None:
            opening, closing = affordance.hours
            if opening >= level.day_ticks or closing > level.day_ticks or opening == closing:
                expected = f"an hour below {level.day_ticks}, then another of at most {level.day_ticks}"
                problems.append(Problem(("affordances", name, "hours"), expected, str(list(affordance.hours))))
    if level.observation.clock and level.day_ticks is None:
        problems.append(Problem(("observation", "clock"), "false in a level without a day", "true"))
    if level.observation.progress and level.multi_tick is None:
        problems.append(Problem(("observation", "progress"), "false where interactions take one tick", "true"))
    return problems


def _returns_problems(level: Level) -> list[Problem]:
    training, problems = level.training, []
    trace, decay = ("training", "trace_decay"), training.trace_decay
    if decay > 0.0 and training.n_step > 1:
        problems.append(Problem(trace, "0 with n_step over 1: one kind of return", str(decay)))
    if decay > 0.0 and training.seq_len == 1:
        problems.append(Problem(trace, "0 with windows of one step (seq_len is 1)", str(decay)))
    if training.n_step > training.seq_len:
        problems.append(Problem(("training", "n_step"), f"at most seq_len, {training.seq_len}", str(training.n_step)))
    if training.double_q and training.target_every is None:
        key = ("training", "double_q")
        problems.append(Problem(key, "false without a target network (target_every is null)", "true"))
    return problems


def _mode_problems(level: Level) -> list[Problem]:
    training, mode, key = level.training, level.training.mode, ("training", "mode")
    if isinstance(mode, Fresh):
        expected = f"a divisor of num_agents, {training.num_agents}"
        wrong = bool(training.num_agents % mode.minibatches)
        return [Problem((*key, "minibatches"), expected, str(mode.minibatches))] if wrong else []
    least = (training.seq_len + mode.burn_in + 2) * training.num_agents
    if mode.capacity < least:
        return [Problem((*key, "capacity"), f"at least {least}: a window of every agent", str(mode.capacity))]
    return []


def _network_problems(level: Level) -> list[Problem]:
    network, mode, problems = level.network, level.training.mode, []
    if isinstance(network, Recurrent) and isinstance(network.encoder, SpatialEncoder) and not level.observation.window:
        problems.append(Problem(("network", "encoder", "kind"), "joint, since no window is observed", "'spatial'"))
    if isinstance(network, FeedForward) and isinstance(mode, Replay) and mode.burn_in:
        problems.append(Problem(("training", "mode", "burn_in"), "0 for a network without memory", str(mode.burn_in)))
    return problems
