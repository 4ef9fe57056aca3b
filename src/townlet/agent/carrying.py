"""Weights carried from the network of one level to that of another: inputs and actions are matched by name."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from townlet.agent.memory.sightings import DIRECTIONS
from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.environment.layout import ObservationLayout

VALUE = "the value"  # the row of a dueling head that is no action's


class CarryError(Exception):
    """Weights do not fit another network; one line: what was expected, what came, and where."""


class Interface(NamedTuple):
    """What a network stands between: the names of what it observes, of what it can do, and of the kinds of places."""

    inputs: tuple[str, ...]  # one for each number of an observation
    actions: tuple[str, ...]
    vocabulary: tuple[str, ...]

    @classmethod
    def of(cls, level: Level, layout: ObservationLayout) -> "Interface":
        """Name what agents observe in a level: part and meter, affordance, or place in the part."""
        places = tuple(level.affordances)
        named: dict[str, tuple[str, ...]] = {
            "meters": level.present_meters,
            "underfoot": (*places, "nothing"),
            "offsets": (*(f"{name} right" for name in places), *(f"{name} below" for name in places)),
        }
        if layout.window_size is not None:
            reach = layout.window_size // 2
            around = range(-reach, reach + 1)
            named["window"] = tuple(f"{right} right {below} below" for below in around for right in around)
        if level.observation.position == "one_hot":
            columns, rows = range(level.grid.width), range(level.grid.height)
            named["position"] = tuple(f"cell {x}, {y}" for y in rows for x in columns)
        inputs = [
            f"{part} {name}" for part in layout.slices for name in named.get(part, map(str, range(layout.width(part))))
        ]
        assert len(inputs) == layout.obs_dim
        return cls(tuple(inputs), level.actions, places)


@torch.no_grad()
def carry_weights(old: QNetwork, before: Interface, new: QNetwork, after: Interface) -> None:
    """Give `new`, of another level, the weights of `old`: same hidden sizes and kind, same vocabulary of affordances.

    What only the new level observes begins at zero weight, what only the old one did is dropped. An action that only
    the new level has begins at the mean of the others. So the values of the old actions are what they were, as long as
    what was dropped is zero. Raises CarryError, and changes nothing, where the networks differ in anything else.
    """
    if type(old) is not type(new):
        raise CarryError(f"network: expected a {type(old).__name__}, got a {type(new).__name__}")
    if before.vocabulary != after.vocabulary:
        expected, got = ", ".join(before.vocabulary), ", ".join(after.vocabulary)
        raise CarryError(f"affordances: expected the same vocabulary, {expected}; got {got}")
    theirs, mine = old.state_dict(), new.state_dict()
    if differing := theirs.keys() ^ mine.keys():
        raise CarryError(f"network: expected the same parameters, got {', '.join(sorted(differing))} in one alone")
    columns, rows = (_named_columns(old, before), _named_columns(new, after)), (_rows(old, before), _rows(new, after))
    carried = {}
    for name, weight in theirs.items():
        if name in columns[0]:
            weight = _match_columns(name, weight, columns[0][name], columns[1][name])
        elif name in old.output_layer():
            weight = _match_rows(name, weight, *rows)
        if weight.shape != mine[name].shape:
            raise CarryError(f"network: {name}: expected {list(mine[name].shape)}, got {list(weight.shape)}")
        carried[name] = weight
    new.load_state_dict(carried)


def _named_columns(network: QNetwork, interface: Interface) -> Mapping[str, list[str]]:
    """The inputs of each layer that reads observations, by the layer's weight."""
    names = list(interface.inputs)
    if network.takes_previous_action:
        names += [f"previous {action}" for action in interface.actions]
    if network.offsets is not None:
        names += [f"direction {index} {place}" for index in range(DIRECTIONS) for place in interface.vocabulary]
    return {name: names[part] for name, part in network.input_layers().items()}


def _rows(network: QNetwork, interface: Interface) -> list[str]:
    return [*interface.actions, VALUE] if network.dueling else list(interface.actions)


def _match_columns(name: str, weight: Tensor, before: list[str], after: list[str]) -> Tensor:
    """A weight [units, before] as [units, after], zero for what is new."""
    if not set(before) & set(after):
        raise CarryError(f"network: {name}: expected to read what it read before, got {after[0]} and no more of that")
    place, blank = {name: index for index, name in enumerate(before)}, weight.new_zeros(len(weight))
    return torch.stack([weight[:, place[name]] if name in place else blank for name in after], dim=1)


def _match_rows(name: str, weight: Tensor, before: list[str], after: list[str]) -> Tensor:
    """A weight or bias [before, ...] as [after, ...], the mean of the actions that are in both for a new one."""
    if (VALUE in before) != (VALUE in after):
        expected, got = ("dueling", "plain") if VALUE in before else ("plain", "dueling")
        raise CarryError(f"network: {name}: expected a {expected} head, got a {got} one")
    place = {name: index for index, name in enumerate(before)}
    kept = [place[name] for name in after if name in place and name != VALUE]
    if not kept:
        raise CarryError(f"actions: expected one of {', '.join(before)}, got {', '.join(after)}")
    mean = weight[kept].mean(dim=0)
    return torch.stack([weight[place[name]] if name in place else mean for name in after])
