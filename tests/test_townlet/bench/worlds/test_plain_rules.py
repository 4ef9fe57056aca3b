"""A level in plain numbers."""

import pytest

from townlet.bench.worlds.plain_rules import NotPlainError, plain_rules
from townlet.config import load_level


@pytest.mark.parametrize(
    ("level", "overrides", "reason"),
    [
        ("3", {}, "day_ticks, multi_tick, observation.age"),
        ("1", {}, "observation.position other than normalised, observation without a window, observation.offsets"),
        ("2", {"reward.milestones": [{"every": 10, "value": 1.0}]}, "reward.milestones"),
        ("2", {"reward": {"alive": 1.0, "potential": None}}, "reward without a potential"),
    ],
)
def test_rules_of_other_levels_are_refused_by_name(level, overrides, reason):
    with pytest.raises(NotPlainError) as refused:
        plain_rules(load_level(level, overrides))
    assert str(refused.value) == f"level {level}: expected the rules of Level 2's family, got {reason}"


def test_a_window_holds_what_stands_around_a_cell():
    fixed = {"layout": {"kind": "fixed", "training_maps": None, "evaluation_maps": None}}
    rules = plain_rules(load_level("2", {**fixed, "placed_affordances": ["Bed", "Shower"]}))  # at (1, 1) and (2, 2)
    names = list(rules.level.affordances)
    assert rules.affordance_at[0, 1 * 8 + 1] == names.index("Bed")
    assert rules.affordance_at[0, 2 * 8 + 2] == names.index("Shower")
    assert (rules.affordance_at[0] < len(names)).sum() == 2
    # Around (1, 1) the bed is cell (2, 2) of the 5x5 window and the shower cell (3, 3); around (0, 0), one further.
    assert rules.window_bits[0, 1 * 8 + 1] == 1 << (2 * 5 + 2) | 1 << (3 * 5 + 3)
    assert rules.window_bits[0, 0] == 1 << (3 * 5 + 3) | 1 << (4 * 5 + 4)
    assert rules.window_bits[0, 7 * 8 + 7] == 0
