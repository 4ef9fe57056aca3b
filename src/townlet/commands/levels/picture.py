"""One level as a person reads it: its map, places, meters and rewards."""

import string
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from townlet.config import Adversarial, Affordance, FeedForward, Level, Potential, Recurrent, Stage
from townlet.environment.layout import lay_out
from townlet.environment.tables import draw_places

NARROW = 80  # columns: a map that leaves no room for gaps between its cells is drawn without
ALWAYS_SEEN = {
    "meters": "the meters, in the order above",
    "underfoot": "which kind of place the agent stands on, the last for none",
}


def level_picture(level: Level, map_number: int = 0) -> Group:
    """Draw one level; `map_number` picks one of its training maps. Raises ValueError where there is no such map."""
    places = draw_places(level, "training")  # [num_maps, num_affordances]
    if not 0 <= map_number < len(places):
        raise ValueError(f"expected a map from 0 to {len(places) - 1}, got {map_number}")
    signs = labels(level.affordances)
    cells = dict(zip(places[map_number].tolist(), signs.values(), strict=True))  # -1 holds what is on no map
    kind = "the one map" if level.layout.kind == "fixed" else f"map {map_number} of {len(places):,}, one an episode"
    return Group(
        Rule(Text(f"{level.id} {level.name}", style="bold")),
        Text(level.description),
        Text(_time(level), style="dim"),
        *_section(kind, draw_map(level, cells)),
        *_section("places", _places(level, signs)),
        *_section("meters", _meters(level)),
        *_section(f"observation, {lay_out(level).obs_dim} numbers", _observation(level)),
        *_section("reward, the sum of", _rows(_reward(level))),
        *_section("agents", _rows(_agents(level))),
    )


def labels(names: Iterable[str]) -> dict[str, str]:
    """One character for each name, none twice: its first letter, a small one, another of its letters, or any."""
    signs: dict[str, str] = {}
    for name in names:
        letters = [letter for letter in name if letter in string.ascii_letters + string.digits]
        first = [letters[0].upper(), letters[0].lower()] if letters else []
        wanted = [*first, *letters, *string.ascii_letters, *string.digits]
        signs[name] = next((sign for sign in wanted if sign not in signs.values()), "#")  # there are 62
    return signs


def draw_map(level: Level, cells: Mapping[int, str]) -> Text:
    """Draw a map row by row; `cells` holds what stands in a cell, by y * width + x, a dot stands for nothing."""
    width, height = level.grid.width, level.grid.height
    gap = " " if 2 * width + 3 <= NARROW else ""
    columns = "".join(gap + str(x % 10) for x in range(width))
    lines = [Text(f"  {columns}", style="dim")]
    for y in range(height):
        line = Text(f"{y:2}", style="dim")
        for x in range(width):
            sign = cells.get(y * width + x)
            line.append(gap).append(sign or "·", style="bold cyan" if sign else "dim")
        lines.append(line)
    return Text("\n").join(lines)


def _section(title: str, *content: RenderableType) -> list[RenderableType]:
    return [Text(), Rule(Text(title), align="left", style="dim"), *content]


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="dim")


def _rows(rows: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in rows.items():
        table.add_row(Text(name), Text(text))
    return table


def _time(level: Level) -> str:
    parts = [f"{level.grid.width}x{level.grid.height} cells", f"at most {level.max_steps:,} ticks"]
    parts += [f"a day of {level.day_ticks} ticks"] if level.day_ticks else []
    if level.multi_tick:
        parts.append(f"interactions take ticks, {level.multi_tick.spread:.0%} of an effect before the last")
    return ", ".join([*parts, " ".join(level.actions)])


def _places(level: Level, signs: Mapping[str, str]) -> RenderableType:
    """The legend: what each place costs and does. What acts on an absent meter does nothing, and is not told."""
    shown = {"ticks": level.multi_tick is not None, "hours": level.day_ticks is not None}
    table = _table("", "place", *(title for title, wanted in shown.items() if wanted), "cost", "effect")
    for name in level.placed_affordances:
        one = level.affordances[name]
        facts = {"ticks": str(one.ticks), "hours": f"{one.hours[0]} to {one.hours[1]}" if one.hours else "always"}
        cells = [facts[title] for title, wanted in shown.items() if wanted]
        words = [_cost(level, one), _changes(level, one.effects)]
        table.add_row(Text(signs[name], style="bold cyan"), Text(name), *cells, *map(Text, words))
    known = [name for name in level.affordances if name not in level.placed_affordances]
    return Group(table, Text(f"known, but on no map: {', '.join(known)}", style="dim")) if known else table


def _cost(level: Level, one: Affordance) -> str:
    costs = {name: cost for name, cost in one.costs.items() if cost and name in level.present_meters}
    return ", ".join(f"{'earns ' if cost < 0 else ''}{abs(cost):g} {name}" for name, cost in costs.items()) or "free"


def _changes(level: Level, changes: Mapping[str, float]) -> str:
    told = {name: change for name, change in changes.items() if change and name in level.present_meters}
    return ", ".join(f"{change:+g} {name}" for name, change in told.items()) or "nothing"


def _meters(level: Level) -> Table:
    table = _table("meter", "start", "a tick", "a move", "what it does")
    for name in level.present_meters:
        meter = level.meters[name]
        rates = [f"{rate:+g}" if rate else "" for rate in (meter.passive, meter.move)]
        table.add_row(Text(name), f"{meter.initial:g}", *rates, Text("; ".join(_consequences(level, name))))
    return table


def _consequences(level: Level, name: str) -> list[str]:
    """What a meter does to an agent and to other meters."""
    present = level.present_meters
    told = ["death at 0"] if level.meters[name].lethal else []
    for drain in level.drains:
        if drain.meter == name:
            full, empty = drain.rate * drain.at_full, drain.rate * drain.at_empty
            by = f" to {empty:g} a tick, by {drain.by}" if drain.by in present else " a tick"
            told.append(f"loses {full:g}{by}")
    if level.cascades:
        pulls = [pull for group in level.cascades.groups for pull in group.pulls if pull.source == name]
        lost = ", ".join(f"{pull.target} {-pull.strength:g}" for pull in pulls if pull.target in present)
        told += [f"below {level.cascades.threshold:g}: {lost} at the most"] if lost else []
    return told


def _observation(level: Level) -> Table:
    layout, seen = lay_out(level), level.observation
    words = ALWAYS_SEEN | {part: field.description or "" for part, field in type(seen).model_fields.items()}
    words["window"] = f"{seen.window}x{seen.window} {words['window']}"
    words["position"] += ", one number a cell" if seen.position == "one_hot" else ": x and y in shares of the map"
    table = _table("part", "width", "what it holds")
    for part in layout.slices:
        table.add_row(part, str(layout.width(part)), words[part])
    return table


def _reward(level: Level) -> dict[str, str]:
    """The reward's terms that are not 0, by name."""
    words = {name: field.description or "" for name, field in type(level.reward).model_fields.items()}
    return {name: _term(level, term, words[name]) for name, term in level.reward if term}


def _term(level: Level, term: Any, words: str) -> str:
    if isinstance(term, Potential):
        weights = [_weight(name, one.weight, one.full) for name, one in term.meters.items()]
        return f"{term.scale:g} {words}: {', '.join(weights)}"
    if isinstance(term, tuple):
        return ", ".join(f"{one.value:+g} every {one.every} ticks" for one in term)  # milestones
    return f"{words}: {_changes(level, term)}" if isinstance(term, dict) else f"{term:+g} {words}"


def _weight(name: str, weight: float, full: float) -> str:
    return f"{name} {weight:g}" + (f" (full at {full:g})" if full < 1.0 else "")


def _network(network: FeedForward | Recurrent) -> str:
    if isinstance(network, FeedForward):
        return f"{network.kind} of {', '.join(map(str, network.hidden))} units"
    kept = {
        "sightings of places": network.sightings,
        "a map of the ground": network.frontier,
    }
    named = [*(name for name, is_kept in kept.items() if is_kept), *(f"{one.kind} memory" for one in network.memory)]
    beside = "".join(f", and {name}" for name in named)
    return f"{network.kind}, {network.cell} of {network.hidden} units{beside}"


def _stage(stage: Stage) -> str:
    reward = ", sparse reward" if stage.reward == "sparse" else ""
    return f"{stage.passive:.0%} of what {', '.join(stage.meters or ('all',))} lose{reward}"


def _agents(level: Level) -> dict[str, str]:
    network, training = level.network, level.training
    told = {
        "network": _network(network),
        "training": f"{training.num_agents:,} agents, {training.total_steps:,} steps in all, {training.mode.kind} "
        f"windows of {training.seq_len}",
    }
    if isinstance(training.curriculum, Adversarial):
        told["stages"] = "; ".join(map(_stage, training.curriculum.stages))
    if training.curiosity:
        told["curiosity"] = f"what is new is worth {training.curiosity.weight:g} times its novelty"
    if level.yardsticks:
        told["known lives"] = ", ".join(f"{name} {score:g}" for name, score in level.yardsticks.items())
    return told
