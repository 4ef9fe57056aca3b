"""What the types of a level alone cannot say: checks between its parts."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from townlet.level.checks.training import training_problems
from townlet.level.errors import Key, Problem
from townlet.level.parts import Adversarial, FeedForward, Milestone, Recurrent, Replay, Reward, SpatialEncoder
from townlet.level.suggestion import suggestion
from townlet.level.task import GymTask, Level, Task

ANY = "*"  # in a pattern of keys: each key of a mapping, each item of a list
BY_METER = [  # keys of the terms of a reward that name meters
    ("potential", "meters"),
    *((name,) for name, field in Reward.model_fields.items() if field.default_factory is dict),
]
NAMES: dict[Key, str] = {  # where the name of something stands -> the part of the level that defines it
    ("present_meters", ANY): "meters",
    ("drains", ANY, "meter"): "meters",
    ("drains", ANY, "by"): "meters",
    ("cascades", "groups", ANY, "pulls", ANY, "source"): "meters",
    ("cascades", "groups", ANY, "pulls", ANY, "target"): "meters",
    ("affordances", ANY, "costs", ANY): "meters",
    ("affordances", ANY, "effects", ANY): "meters",
    **{(reward, *term, ANY): "present_meters" for reward in ("reward", "sparse_reward") for term in BY_METER},
    ("training", "curriculum", "stages", ANY, "meters", ANY): "present_meters",
    ("placed_affordances", ANY): "affordances",
    ("training", "exploration", "action_weights", ANY): "actions",
}


def level_problems(level: Level) -> list[Problem]:
    """Everything wrong between the parts of a level whose structure is right, but for `name_problems`."""
    checks: tuple[Callable[[Level], list[Problem]], ...] = (
        _meter_problems, _reward_problems, _affordance_problems, _layout_problems, _action_problems, _time_problems,
        training_problems, _network_problems,
    )  # fmt: skip
    return [problem for check in checks for problem in check(level)]


def gym_problems(task: GymTask) -> list[Problem]:
    """Everything wrong between the parts of a Gymnasium task whose structure is right."""
    problems = [*training_problems(task), *_network_problems(task)]
    if weights := task.training.exploration.action_weights:
        key = ("training", "exploration", "action_weights")
        problems.append(Problem(key, "nothing, since a Gymnasium action has no name", ", ".join(weights)))
    curiosity = task.training.curiosity
    if curiosity and curiosity.anneal and task.max_steps is None:
        key = ("training", "curiosity", "anneal")
        problems.append(Problem(key, "null without max_steps, of which survival is a share", "a rule"))
    if isinstance(task.training.curriculum, Adversarial):
        key = ("training", "curriculum", "kind")
        problems.append(Problem(key, "static, since only a town can be made easier", "adversarial"))
    if isinstance(task.network, Recurrent):
        for option, tells in (("sightings", "what is underfoot"), ("frontier", "where an agent is")):
            if getattr(task.network, option):
                expected = f"false, since only a town tells {tells}"
                problems.append(Problem(("network", option), expected, "true"))
    return problems


def name_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Names that nothing defines, in a level's plain values, whatever else is wrong with them."""
    problems = []
    for pattern, part in NAMES.items():
        known = values.get(part)
        if isinstance(known, dict | list) and known:
            expected = "one of " + ", ".join(map(str, known))
            found = [(key, name) for key, name in _matches(values, pattern) if isinstance(name, str)]
            wrong = [(key, name) for key, name in found if name not in known]
            problems += [Problem(key, expected, repr(name) + suggestion(name, map(str, known))) for key, name in wrong]
    return problems


def _matches(values: object, pattern: Key, key: Key = ()) -> Iterator[tuple[Key, object]]:
    """Keys that fit a pattern, and the name there: at its end, ANY is a key of a mapping, or an item of a list."""
    part, deeper = pattern[0], pattern[1:]
    if isinstance(values, dict):
        children: dict[Any, Any] = values
    elif isinstance(values, list):
        children = dict(enumerate(values))
    else:
        return
    for name, child in children.items():
        if part in (ANY, name) and deeper:
            yield from _matches(child, deeper, (*key, name))
        elif part in (ANY, name):
            yield (*key, name), name if part == ANY and isinstance(values, dict) else child


def _repeated(key: str, names: tuple[str, ...]) -> list[Problem]:
    return [
        Problem((key, index), "each name once", repr(name)) for index, name in enumerate(names) if name in names[:index]
    ]


def _meter_problems(level: Level) -> list[Problem]:
    problems = _repeated("present_meters", level.present_meters)
    lethal = [name for name in level.present_meters if name in level.meters and level.meters[name].lethal]
    if not lethal:
        problems.append(Problem(("present_meters",), "at least one lethal meter", str(list(level.present_meters))))
    return problems + [
        Problem(("meters", name, "initial"), "above 0 for a lethal meter", str(level.meters[name].initial))
        for name in dict.fromkeys(lethal)
        if not level.meters[name].initial
    ]


def _reward_problems(level: Level) -> list[Problem]:
    rewards = {"reward": level.reward, "sparse_reward": level.sparse_reward}
    return [
        Problem((key,), "at least one term that is not 0", "none")
        for key, terms in rewards.items()
        if terms is not None and not any(_counts(term) for _, term in terms)
    ]


def _counts(term: object) -> bool:
    """Whether a term of a reward is not 0."""
    if isinstance(term, dict | tuple):
        return any(map(_counts, term.values() if isinstance(term, dict) else term))
    return bool(term.value if isinstance(term, Milestone) else term)


def _affordance_problems(level: Level) -> list[Problem]:
    placed = level.placed_affordances
    problems = _repeated("placed_affordances", placed)
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


def _ground_is_seen(level: Level) -> bool:
    return level.observation.window is not None and level.observation.position == "normalised"


def _places_are_told(level: Level) -> bool:
    return level.observation.offsets or level.observation.position == "normalised"


def _memory_problems(network: FeedForward | Recurrent) -> Iterator[Problem]:
    for index, one in enumerate(network.memory if isinstance(network, Recurrent) else ()):
        key = ("network", "memory", index)
        if one.kind == "spectral" and one.turn == "fixed" and one.banks > 1:
            yield Problem((*key, "banks"), "1 where turn is fixed", str(one.banks))
        elif one.kind == "counter" and one.of == "all" and one.reach:
            yield Problem((*key, "reach"), "0 of all", str(one.reach))
        elif one.kind == "counter" and one.of != "all" and not network.previous_action:
            yield Problem((*key, "of"), "all without previous_action", one.of)


def _network_problems(level: Task) -> list[Problem]:
    network, mode, problems = level.network, level.training.mode, []
    if isinstance(network, Recurrent) and isinstance(network.encoder, SpatialEncoder) and not level.window:
        problems.append(Problem(("network", "encoder", "kind"), "joint, since no window is observed", "'spatial'"))
    if network.directions and not (isinstance(level, Level) and level.observation.offsets):
        problems.append(Problem(("network", "directions"), "false, since no offsets are observed", "true"))
    if isinstance(level, Level) and isinstance(network, Recurrent):
        if network.sightings and not _places_are_told(level):
            expected = "false, since it takes offsets or a normalised position"
            problems.append(Problem(("network", "sightings"), expected, "true"))
        if network.frontier and not _ground_is_seen(level):
            expected = "false, since it takes a window and a normalised position"
            problems.append(Problem(("network", "frontier"), expected, "true"))
    problems += _memory_problems(network)
    if isinstance(network, FeedForward) and isinstance(mode, Replay):
        for name, value, none in (("burn_in", mode.burn_in, 0), ("stored_every", mode.stored_every, 1)):
            if value != none:
                expected = f"{none} for a network without memory"
                problems.append(Problem(("training", "mode", name), expected, str(value)))
    if isinstance(network, FeedForward) and level.training.initial_state == "zero":
        expected = "stored for a network without memory"
        problems.append(Problem(("training", "initial_state"), expected, "zero"))
    return problems
