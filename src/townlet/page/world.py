"""A level as the numbers that a page needs, taken from the tables that the world itself looks up."""

from collections.abc import Iterable

from townlet.config import Affordance, Level, Reward, resolved_config
from townlet.environment.layout import lay_out
from townlet.environment.rewards import terms_of
from townlet.environment.rules import EMPTY, STEPS
from townlet.environment.tables import MeterRow as RowOfMeter
from townlet.environment.tables import Tables
from townlet.page.header import (
    ActionRow,
    AffordanceRow,
    DrainRow,
    LevelFacts,
    MeterRow,
    PartRow,
    PullGroup,
    PullRow,
    RewardRow,
    World,
)


def describe_level(level: Level) -> LevelFacts:
    """Return what a replay says of its level."""
    return LevelFacts(
        id=level.id,
        name=level.name,
        description=level.description,
        yaml=resolved_config(level),
        yardsticks=dict(level.yardsticks),
    )


def describe_world(level: Level, tables: Tables) -> World:
    """Return the rules of a level as numbers; meters that it has not are left out, as the rules leave them out."""
    layout, at = lay_out(level), {name: index for index, name in enumerate(level.present_meters)}
    cascades = level.cascades.groups if level.cascades else ()
    return World(
        width=level.grid.width,
        height=level.grid.height,
        max_steps=level.max_steps,
        day_ticks=level.day_ticks,
        empty=EMPTY,
        meters=tuple(MeterRow(name=name, **level.meters[name].model_dump()) for name in at),
        drains=tuple(
            DrainRow(**one.model_dump(exclude={"meter", "by"}), meter=at[one.meter], by=at.get(one.by))
            for one in level.drains
            if one.meter in at
        ),
        threshold=level.cascades.threshold if level.cascades else 0.0,
        cascades=tuple(
            PullGroup(
                pulls=tuple(
                    PullRow(source=at[pull.source], target=at[pull.target], strength=pull.strength)
                    for pull in group.pulls
                    if pull.source in at and pull.target in at
                ),
            )
            for group in cascades
        ),
        affordances=tuple(_affordances(level, tables)),
        actions=tuple(map(_action, level.actions)),
        reward=_reward(level.reward, level.training.gamma),
        terms=tuple(terms_of(level.reward)),
        window=layout.window_size,
        observation=tuple(
            PartRow(name=name, start=part.start, width=part.stop - part.start) for name, part in layout.slices.items()
        ),
    )


def _affordances(level: Level, tables: Tables) -> Iterable[AffordanceRow]:
    parts = [_by_affordance(level, rows) for rows in (tables.costs, tables.effects, tables.bonuses)]
    for index, (name, one) in enumerate(level.affordances.items()):
        cost, effect, bonus = (part[index] for part in parts)
        yield AffordanceRow(
            name=name,
            ticks=one.ticks if level.multi_tick else 1,
            hours=one.hours if level.day_ticks else None,
            cost=cost,
            effect=effect,
            bonus=bonus,
            whole_cost=_by_meter(level, one, "costs"),
            whole_effect=_by_meter(level, one, "effects"),
        )


def _by_affordance(level: Level, rows: tuple[RowOfMeter, ...]) -> list[tuple[float, ...]]:
    """What rows of meters say of each affordance, a number for each meter."""
    found = [[0.0] * len(level.present_meters) for _ in level.affordances]
    for meter, row in rows:
        for affordance, number in row.others:
            found[affordance][meter] = number
    return [tuple(numbers) for numbers in found]


def _by_meter(level: Level, affordance: Affordance, field: str) -> tuple[float, ...]:
    return tuple(float(getattr(affordance, field).get(name, 0.0)) for name in level.present_meters)


def _action(name: str) -> ActionRow:
    dx, dy = STEPS.get(name, (0, 0))
    return ActionRow.model_validate({"name": name, "dx": dx, "dy": dy, "interacts": name == "INTERACT"})


def _reward(reward: Reward, gamma: float) -> RewardRow:
    return RewardRow(**dict(reward), gamma=gamma)
