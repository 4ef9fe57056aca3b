"""Weights carried to another level: what is known stays, what is new begins at nothing, what differs is refused."""

import pytest
import torch

from support.learning import network_of
from support.rooms import room, write_level
from townlet.agent.carrying import CarryError, Interface, carry_weights
from townlet.agent.networks import QNetwork
from townlet.config import Level, load_level
from townlet.environment.layout import lay_out

JOINT = {"network.encoder.width": 7, "network.hidden": 6, "network.head": 5, "network.memory": []}
KEPT = [
    {"kind": "delta", "keys": 3, "values": 2, "keep": 1.0},
    {"kind": "delta", "keys": 3, "values": 2, "keep": 1.0, "phases": True},
    {"kind": "lru", "units": 3, "span": 8},
    {"kind": "lru", "units": 3, "span": 8, "traces": True},
]
SPATIAL = {"network.encoder.window": 8, "network.encoder.part": 4, "network.hidden": 6, "network.head": 5}
WITH_WAIT = {"actions": "[WAIT, UP, DOWN, LEFT, RIGHT, INTERACT]"}


def interface(level: Level) -> Interface:
    return Interface.of(level, lay_out(level))


def pair(old: Level, new: Level) -> tuple[QNetwork, QNetwork]:
    """Fresh networks of two levels, the old one's weights carried to the new one."""
    networks = network_of(old), network_of(new, seed=1)
    carry_weights(networks[0], interface(old), networks[1], interface(new))
    return networks


def with_network_of(level: Level, other: Level) -> Level:
    return level.model_copy(update={"network": other.network})


def translated(seen: torch.Tensor, old: Level, new: Level) -> torch.Tensor:
    """Observations [batch, time, width] of a new level as the old one would have made them, zero where it has more."""
    names, there = interface(new).inputs, torch.zeros(*seen.shape[:-1], lay_out(old).obs_dim)
    for index, name in enumerate(interface(old).inputs):
        if name in names:
            there[..., index] = seen[..., names.index(name)]
    return there


def test_inputs_are_named_by_part_and_by_what_stands_there():
    level = load_level("0.5", {"grid.width": 6})
    names = interface(level).inputs
    assert names[:2] == ("position 0", "position 1")
    assert names[2] == "offsets Bed right" and names[2 + 14] == "offsets Bed below"
    assert names[30:34] == ("meters energy", "meters satiation", "meters money", "meters health")
    assert names[34] == "underfoot Bed" and names[-1] == "underfoot nothing" and len(names) == 49
    window = interface(load_level("2")).inputs[:25]
    assert (window[0], window[3], window[12]) == (
        "window -2 right -2 below", "window 1 right -2 below", "window 0 right 0 below",
    )  # fmt: skip
    cells = interface(load_level("1", {"grid.width": 9})).inputs[:72]
    assert (cells[0], cells[1], cells[9]) == ("position cell 0, 0", "position cell 1, 0", "position cell 0, 1")


def test_a_column_goes_to_the_meter_of_the_same_name_and_a_new_input_has_no_weight():
    old = load_level("0.5", {"network.hidden": "[4]"})
    new = with_network_of(load_level("1"), old)
    one, other = pair(old, new)
    columns, names = other.body[0][0].weight, interface(new).inputs
    money = one.body[0][0].weight[:, interface(old).inputs.index("meters money")]
    assert torch.equal(columns[:, names.index("meters money")], money)
    for name in ("meters hygiene", "position cell 3, 0"):
        assert not columns[:, names.index(name)].any()


def test_a_cell_keeps_its_column_on_a_grid_of_another_shape(tmp_path):
    def room_of(name, width, height):
        content = room(id=name, grid={"width": width, "height": height}, observation={"position": "one_hot"},
                       network={"kind": "feed_forward", "hidden": [4]})  # fmt: skip
        return load_level(write_level(tmp_path, content))

    wide, tall = room_of("wide", 5, 2), room_of("tall", 1, 4)
    names = [name.removeprefix("position cell ") for name in interface(wide).inputs[:10]]
    assert names == ["0, 0", "1, 0", "2, 0", "3, 0", "4, 0", "0, 1", "1, 1", "2, 1", "3, 1", "4, 1"]
    assert interface(tall).inputs[:5] == (*(f"position cell 0, {y}" for y in range(4)), "meters breath")
    one, other = pair(wide, tall)
    before, after = (network.body[0][0].weight for network in (one, other))  # [units, inputs]
    assert torch.equal(after[:, 0], before[:, 0]) and torch.equal(after[:, 1], before[:, 5])
    assert not after[:, 2:4].any() and torch.equal(after[:, 4:], before[:, 10:])


@pytest.mark.parametrize(
    ("before", "after", "options", "changes"),
    [
        ("0", "0.5", {"network.hidden": "[6, 5]"}, {}),
        ("2", "3", JOINT, {}),
        ("2", "2.5", JOINT, {"observation.window": 7, "network.sightings": True}),
        ("1", "1", {"network.hidden": "[6]", "network.directions": True}, WITH_WAIT),
        ("2-reference", "2-reference", SPATIAL, WITH_WAIT),
        ("2", "3", JOINT | {"network.dueling": False}, {}),
        ("2", "3", JOINT | {"network.memory": KEPT}, {}),
    ],
)
def test_known_actions_keep_their_values_whatever_is_newly_seen(before, after, options, changes):
    shared = {key: value for key, value in changes.items() if key.startswith("network")}
    old = load_level(before, options | shared)
    new = load_level(after, (options if after[0] == before[0] else {}) | changes)
    new = with_network_of(new, old)
    one, other = pair(old, new)
    seen, stream = torch.rand(3, 4, other.obs_dim), torch.Generator().manual_seed(0)
    previous = torch.randint(0, len(old.actions), (3, 4), generator=stream)
    previous_new = torch.tensor([new.actions.index(action) for action in old.actions])[previous]
    dropped = set(interface(old).inputs) - set(interface(new).inputs)
    assert all(name.startswith("window") for name in dropped)  # zeros, by `translated`
    q, _ = one(translated(seen, old, new), one.initial_hidden(3), previous)
    q_new, _ = other(seen, other.initial_hidden(3), previous_new)
    kept = [new.actions.index(action) for action in old.actions]
    torch.testing.assert_close(q_new[..., kept], q)
    if "WAIT" in new.actions and "WAIT" not in old.actions:
        torch.testing.assert_close(q_new[..., new.actions.index("WAIT")], q.mean(dim=-1))


def test_the_previous_action_is_matched_by_its_name():
    old, new = load_level("2", JOINT), load_level("2", JOINT | {"actions": "[DOWN, UP, LEFT, RIGHT, INTERACT]"})
    one, other = pair(old, new)
    before, after = (network.encoder.layer[0].weight[:, -5:] for network in (one, other))
    assert torch.equal(after[:, 0], before[:, 1]) and torch.equal(after[:, 1], before[:, 0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network.hidden": 7}, r"cell\.weight_ih_l0: expected \[28, 7\], got \[24, 7\]"),
        ({"network.layer_norm": False}, "same parameters"),
        ({"network.dueling": False}, "expected a dueling head, got a plain one"),
        ({"network.cell": "gru"}, "cell.weight_ih_l0"),
        ({"network.sightings": True}, r"head\.0\.weight"),
        ({"network": "{kind: feed_forward, hidden: [8]}"}, "expected a RecurrentSpatialQNetwork, got a SimpleQNetwork"),
    ],
)
def test_another_network_is_refused_in_one_line_and_left_as_it_is(change, said):
    old = load_level("2", JOINT)
    new = with_network_of(old, load_level("0")) if "network" in change else load_level("2", JOINT | change)
    one, other = network_of(old), network_of(new, seed=1)
    kept = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CarryError, match=said) as refused:
        carry_weights(one, interface(old), other, interface(new))
    assert "\n" not in str(refused.value)
    assert all(torch.equal(value, kept[name]) for name, value in other.state_dict().items())


def test_another_vocabulary_is_refused():
    town, station = load_level("2"), load_level("station")
    networks = network_of(town), network_of(station)
    with pytest.raises(CarryError, match=r"expected the same vocabulary, Bed, .*; got SolarPanel"):
        carry_weights(networks[0], interface(town), networks[1], interface(station))


def test_a_layer_that_would_read_something_else_is_refused():
    """Both have as many parts, one of which is another."""
    old = load_level("2-reference", SPATIAL | {"observation.age": True})
    new = load_level("2-reference", SPATIAL | {"day_ticks": 24, "observation.clock": True})
    with pytest.raises(CarryError, match="got clock 0 and no more of that"):
        pair(old, new)
