"""The header of a replay: what was played, by whom, under which rules, and where its numbers lie."""

from typing import Annotated, Literal

from pydantic import Field

from townlet.config import FeedForward, Milestone, Part, Potential, Recurrent

Index = Annotated[int, Field(ge=0, lt=2**31)]
Number = Annotated[float, Field(ge=-1e30, le=1e30)]
Text = Annotated[str, Field(max_length=256)]
PerMeter = Annotated[tuple[Number, ...], Field(description="a number for each meter")]
Stored = Literal["uint8", "uint16", "uint32"]
Ended = Literal["death", "limit", "cut"]
Format = Literal["townlet-replay/1"]
FORMAT: Format = "townlet-replay/1"


class Origin(Part):
    """Where the lives come from."""

    run: Annotated[Text | None, Field(description="the name of the run's folder")] = None
    run_id: Annotated[Text | None, Field(description="the run's own id, as in its meta.json")] = None
    checkpoint: Annotated[Text | None, Field(description="the checkpoint's name")] = None
    learned: Annotated[Text | None, Field(description="the id of the level in which the network learned")] = None
    env_steps: Annotated[int, Field(ge=0, description="environment steps that the network had learned from")] = 0
    seed: Annotated[int, Field(description="that decides the map and the cell of each life")]
    level_seed: Annotated[int, Field(description="that the level's pool of maps is drawn from")]
    maps: Literal["training", "evaluation"] = "evaluation"
    versions: Annotated[dict[Text, Text], Field(description="of Townlet and of PyTorch")]


class LevelFacts(Part):
    """The level that was played."""

    id: Text
    name: Text
    description: str
    yaml: Annotated[str, Field(description="the whole level, as a file that stands for itself")]
    yardsticks: Annotated[dict[str, float], Field(description="mean lives that are known, by who lived them")]


class MeterRow(Part):
    """A meter: how it starts, what it loses each tick and by a move, and whether 0 is death."""

    name: Text
    initial: Number
    passive: Number
    move: Number
    lethal: bool


class DrainRow(Part):
    """Meter `meter` loses `rate * (at_full + (at_empty - at_full) * (1 - by))` a tick; without `by`, by is 1."""

    meter: Index
    by: Index | None
    rate: Number
    at_full: Number
    at_empty: Number


class PullRow(Part):
    """Where `source` is below the threshold, `target` loses `strength * (threshold - source) / threshold` a tick."""

    source: Index
    target: Index
    strength: Number


class PullGroup(Part):
    """Pulls that apply together, each on the meters as the group before left them."""

    name: Annotated[Text | None, Field(exclude=True, description="of earlier versions; not written any more")] = None
    pulls: tuple[PullRow, ...]


class AffordanceRow(Part):
    """What INTERACT does in one place: each tick, on the last one besides, and as a whole."""

    name: Text
    ticks: Annotated[int, Field(ge=1)]
    hours: Annotated[tuple[Index, Index] | None, Field(description="open from the first to before the second")]
    cost: Annotated[PerMeter, Field(description="taken each tick; below 0 for earnings")]
    effect: Annotated[PerMeter, Field(description="given each tick")]
    bonus: Annotated[PerMeter, Field(description="given on the last tick besides")]
    whole_cost: Annotated[PerMeter, Field(description="of the whole interaction, as the level says")]
    whole_effect: Annotated[PerMeter, Field(description="of the whole interaction, as the level says")]


class ActionRow(Part):
    """An action: where it moves the agent, and whether it uses what stands there."""

    name: Text
    dx: Literal[-1, 0, 1]
    dy: Literal[-1, 0, 1]
    interacts: bool


class RewardRow(Part):
    """The terms of the reward, with meters by name; see the level's key `reward`."""

    alive: float
    death: float
    milestones: tuple[Milestone, ...]
    wellbeing: dict[str, float]
    interaction: dict[str, float]
    potential: Potential | None
    gamma: Annotated[float, Field(description="the discount, which the potential takes")]


class PartRow(Part):
    """Where a part of the observation lies in it."""

    name: Text
    start: Index
    width: Index


class World(Part):
    """The rules of the level as numbers: all that a page needs, so that it names no meter, place, action or term."""

    width: Annotated[int, Field(ge=1, le=64)]
    height: Annotated[int, Field(ge=1, le=64)]
    max_steps: Annotated[int, Field(ge=1)]
    day_ticks: Annotated[int | None, Field(ge=1, description="ticks of a day; null without one")]
    empty: Annotated[float, Field(description="a meter at or below this is 0; costs within this can be paid")]
    meters: Annotated[tuple[MeterRow, ...], Field(min_length=1)]
    drains: tuple[DrainRow, ...]
    threshold: Annotated[Number, Field(description="of the cascades")]
    cascades: tuple[PullGroup, ...]
    affordances: tuple[AffordanceRow, ...]
    actions: Annotated[tuple[ActionRow, ...], Field(min_length=1, max_length=31)]
    reward: RewardRow
    terms: Annotated[tuple[Text, ...], Field(min_length=1, description="the components of the column `reward`")]
    window: Annotated[int | None, Field(description="side of the window that is seen; null without one")]
    observation: tuple[PartRow, ...]


class MemoryRow(Part):
    """A tensor of the network's memory: what keeps it, and how many numbers it holds."""

    name: Text
    units: Annotated[int, Field(ge=1)]


class Life(Part):
    """One agent's episode."""

    agent: Annotated[Index, Field(description="its number among those of the evaluation")]
    map: Annotated[Index, Field(description="its map's number in the pool of maps")]
    places: Annotated[tuple[tuple[Index, Index] | None, ...], Field(description="x, y of each affordance, null: none")]
    length: Annotated[int, Field(ge=1, description="steps that are recorded")]
    ended: Annotated[Ended, Field(description="cut: it went on, unrecorded")]
    cause: Annotated[Index | None, Field(description="the meter of which it died")]
    total_reward: Number


class PlannedLife(Part):
    """How a script that knows the whole map lived from the start of a life; what it did is the column `planned`."""

    length: Annotated[int, Field(ge=1, description="its steps")]
    ended: Annotated[Ended, Field(description="cut: it was not lived on")]
    cause: Annotated[Index | None, Field(description="the meter of which it died")]


class ColumnRow(Part):
    """Where a column lies, and how its numbers are meant."""

    name: Text
    type: Stored
    shape: Annotated[tuple[Index, Index, Index], Field(description="lives, components, times")]
    every: Annotated[int, Field(ge=1, description="frames from one time to the next")] = 1
    offset: Annotated[Index, Field(description="bytes from the start of the body")]
    low: Annotated[tuple[Number, ...] | None, Field(description="of each component; null: whole numbers")] = None
    scale: Annotated[tuple[Number, ...] | None, Field(description="value = low + scale * stored")] = None


class WeightRow(Part):
    """Where a tensor of the network's weights lies, in float32."""

    name: Text
    shape: Annotated[tuple[Index, ...], Field(max_length=8)]
    offset: Annotated[Index, Field(description="bytes from the start of the body")]


class Header(Part):
    """All of a replay but its numbers."""

    format: Annotated[Format, Field(description="the format and its version")]
    origin: Origin
    level: LevelFacts
    world: World
    network: Annotated[FeedForward | Recurrent, Field(discriminator="kind")]
    memory: tuple[MemoryRow, ...]
    steps: Annotated[int, Field(ge=1, description="of the longest life")]
    lives: Annotated[tuple[Life, ...], Field(min_length=1)]
    planner: Annotated[
        tuple[PlannedLife, ...] | None, Field(description="a script's life for each of `lives`; null: none lived")
    ] = None
    columns: tuple[ColumnRow, ...]
    weights: tuple[WeightRow, ...] | None = None

    @property
    def units(self) -> int:
        """Numbers in the memory of an agent."""
        return sum(part.units for part in self.memory)
