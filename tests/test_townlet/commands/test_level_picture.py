"""A level's drawing, line by line, for a room small enough to draw by hand."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from support.rooms import room, write_level
from townlet.commands.level_picture import draw_map, labels, level_picture, levels_table, summary
from townlet.config import Level, load_level
from townlet.environment.tables import draw_places

NEEDS = {
    "breath": {"initial": 0.75, "passive": -0.2, "move": -0.05, "lethal": True},
    "calm": {"initial": 0.5},
    "trust": {},
}
PLACES = {
    "Chair": {"ticks": 2, "costs": {"calm": -0.125}, "hours": [1, 3], "place": [0, 1]},
    "Cup": {"costs": {"calm": 0.05, "trust": 0.5}, "effects": {"breath": 0.25, "calm": -0.1, "trust": 1.0},
            "place": [3, 0]},
    "Lamp": {},
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def load(**changes: Any) -> Level:
        content = room(grid={"width": 4, "height": 2}, layout={"kind": "fixed"}, meters=NEEDS, affordances=PLACES,
                       placed_affordances=["Chair", "Cup"])  # fmt: skip
        return load_level(write_level(tmp_path, content | changes))

    return load


def lines(picture: RenderableType, width: int = 80) -> list[str]:
    screen = StringIO()
    Console(file=screen, width=width).print(picture)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def section(level: Level, title: str, **options: Any) -> list[str]:
    """The lines of a drawing under a title, up to the next."""
    drawn = lines(level_picture(level, **options))
    start = next(index for index, line in enumerate(drawn) if line.startswith(title) and "──" in line) + 1
    return drawn[start : drawn.index("", start)] if "" in drawn[start:] else drawn[start:]


def test_a_fixed_map_has_its_places_where_they_are_by_hand(load):
    assert section(load(), "the one map") == ["   0 1 2 3", " 0 · · · c", " 1 C · · ·"]


@pytest.mark.parametrize(
    ("width", "height", "chair", "cup", "expected"),
    [
        (5, 2, [4, 0], [0, 1], ["   0 1 2 3 4", " 0 · · · · C", " 1 c · · · ·"]),
        (2, 5, [1, 0], [0, 4], ["   0 1", " 0 · C", " 1 · ·", " 2 · ·", " 3 · ·", " 4 c ·"]),
        (1, 4, [0, 3], [0, 1], ["   0", " 0 ·", " 1 c", " 2 ·", " 3 C"]),
        (4, 1, [3, 0], [1, 0], ["   0 1 2 3", " 0 · c · C"]),
    ],
)
def test_maps_that_are_not_square_are_drawn_row_by_row(load, width, height, chair, cup, expected):
    affordances = {"Chair": {"place": chair}, "Cup": {"place": cup}}
    level = load(grid={"width": width, "height": height}, affordances=affordances)
    assert section(level, "the one map") == expected
    assert f"{width}x{height} cells, at most 9 ticks" in "\n".join(lines(level_picture(level)))
    assert summary(level).startswith(f"{width}x{height} fixed, 2 places")


def test_a_random_map_is_the_one_that_agents_live_in(load):
    level = load(layout={"kind": "random", "training_maps": 5, "evaluation_maps": 3})
    for number, (chair, cup, lamp) in enumerate(draw_places(level, "training").tolist()):
        drawn = section(level, f"map {number} of 5, one an episode", map_number=number)
        cells = "".join(line[3:].replace(" ", "") for line in drawn[1:])
        expected = ["·"] * 8
        expected[chair], expected[cup] = "C", "c"
        assert cells == "".join(expected) and lamp == -1


@pytest.mark.parametrize("number", [-1, 5])
def test_a_map_that_is_not_there_is_refused(load, number):
    level = load(layout={"kind": "random", "training_maps": 5, "evaluation_maps": 3})
    with pytest.raises(ValueError, match=f"expected a map from 0 to 4, got {number}"):
        level_picture(level, number)


def test_a_wide_map_is_drawn_without_gaps(load):
    drawn = draw_map(load(grid={"width": 64, "height": 2}), {64: "C"}).plain.splitlines()
    assert drawn == ["  " + ("0123456789" * 7)[:64], " 0" + "·" * 64, " 1C" + "·" * 63]


def test_every_name_has_a_character_of_its_own():
    names = ["Bed", "Bar", "Bob", "bd", "Äpfel", "+", "B"]
    assert labels(names) == dict(zip(names, ["B", "b", "o", "d", "P", "a", "c"], strict=True))
    many = labels(f"X{number}" for number in range(62))
    assert len(set(many.values())) == 62 and "#" not in many.values()


def test_the_legend_tells_costs_and_effects_of_what_is_present_alone(load):
    assert section(load(), "places") == [
        "   place  cost              effect",
        "C  Chair  earns 0.125 calm  nothing",
        "c  Cup    0.05 calm         +0.25 breath, -0.1 calm",
        "known, but on no map: Lamp",
    ]


def test_the_legend_tells_hours_and_ticks_where_the_level_has_them(load):
    drawn = section(load(day_ticks=4, multi_tick={"spread": 0.5}), "places")
    assert drawn[0].split() == ["place", "ticks", "hours", "cost", "effect"]
    assert drawn[1].split()[:6] == ["C", "Chair", "2", "1", "to", "3"]
    assert drawn[2].split()[:4] == ["c", "Cup", "1", "always"]


def test_meters_say_how_they_change_and_what_they_do(load):
    drains = [{"meter": "breath", "by": "calm", "rate": 0.01, "at_full": 0.5, "at_empty": 2.0}]
    pulls = [{"source": "calm", "target": "breath", "strength": 0.04}, {"source": "calm", "target": "trust",
              "strength": 0.5}]  # fmt: skip
    level = load(drains=drains, cascades={"threshold": 0.3, "groups": [{"name": "one", "pulls": pulls}]})
    header, breath, calm = section(level, "meters")
    assert header.split("  ")[0] == "meter"
    assert " ".join(breath.split()) == "breath 0.75 -0.2 -0.05 death at 0; loses 0.005 to 0.02 a tick, by calm"
    assert " ".join(calm.split()) == "calm 0.5 below 0.3: breath -0.04 at the most"


def test_an_absent_meter_does_not_drain_harder(load):
    drains = [{"meter": "breath", "by": "trust", "rate": 0.01, "at_full": 0.5, "at_empty": 2.0}]
    assert section(load(drains=drains), "meters")[1].endswith("death at 0; loses 0.005 a tick")


def test_the_observation_has_its_parts_with_their_widths(load):
    drawn = section(load(), "observation, 17 numbers")
    assert [line.split()[:2] for line in drawn[1:] if line[0] != " "] == [
        ["window", "9"], ["position", "2"], ["meters", "2"], ["underfoot", "4"],
    ]  # fmt: skip
    assert "3x3 cells around the agent" in drawn[1]


def test_rewards_are_told_term_by_term(load):
    level = load(reward={
        "alive": 0.1, "death": -2.0, "milestones": [{"every": 10, "value": 0.5}, {"every": 100, "value": 5.0}],
        "wellbeing": {"calm": 0.2}, "interaction": {"breath": 1.0},
        "potential": {"scale": 3.0, "meters": {"breath": {"weight": 2.0}, "calm": {"weight": 1.0, "full": 0.5}}},
    })  # fmt: skip
    assert section(level, "reward") == [
        "alive        +0.1 for each tick lived",
        "death        -2 for dying",
        "milestones   +0.5 every 10 ticks, +5 every 100 ticks",
        "wellbeing    each tick, times the meter: +0.2 calm",
        "interaction  times what an interaction changes: +1 breath",
        "potential    3 times what meters are fuller, weighed: breath 2, calm 1 (full at",
        "             0.5)",
    ]
    assert section(load(), "reward") == ["alive  +1 for each tick lived"]


def test_the_agents_and_what_others_reach_come_last(load):
    assert section(load(yardsticks={"random": 4.5}), "agents") == [
        "network      recurrent, lstm of 4 units",
        "training     4 agents, 32 steps in all, fresh windows of 4",
        "known lives  random 4.5",
    ]


def test_what_is_kept_beside_the_cell_is_told():
    assert section(load_level("2"), "agents")[0] == "network      recurrent, lstm of 32 units, and delta memory"
    ruled = "network      recurrent, lstm of 32 units, and sightings of places"
    assert section(load_level("2-sightings"), "agents")[0] == ruled
    kept = "and sightings of places, and a map of the ground"
    assert kept in " ".join(" ".join(section(load_level("2.5"), "agents")).split())
    several = [{"kind": "spectral", "lags": lags, "keep": 1.0} for lags in (8, 16)]
    one = load_level("2", {"network.memory": several})
    told = " ".join(" ".join(section(one, "agents")).split())
    assert "lstm of 32 units, and spectral memory, and spectral memory training" in told


def test_stages_and_curiosity_are_told():
    curious = {"training.curiosity": {"weight": 0.5, "hidden": [4], "embedding": 2, "learning_rate": 0.1}}
    told = " ".join(" ".join(section(load_level("2-adversarial", curious), "agents")).split())
    assert "stages 20% of what energy, hygiene lose; 50% of what energy, hygiene, satiation lose;" in told
    assert "100% of what all lose; 100% of what all lose, sparse reward" in told
    assert "curiosity what is new is worth 0.5 times its novelty" in told


def test_names_are_shown_as_they_are_written(load):
    level = load(affordances={"[red]": {"effects": {"calm": 0.1}, "place": [0, 0]}}, placed_affordances=["[red]"],
                 description="[bold]loud")  # fmt: skip
    assert section(level, "places")[1].split() == ["R", "[red]", "free", "+0.1", "calm"]
    assert "[bold]loud" in lines(level_picture(level)) and "[bold]loud" in "".join(lines(levels_table([level]), 160))
