"""The tables that a level is turned into: maps, numbers of one tick, windows."""

import itertools

import pytest
import torch
from torch import Tensor

from support.worlds import FIXED, fixed_town
from townlet.config import Level, load_level
from townlet.environment.tables import MeterRow, Row, Tables, draw_places, make_tables
from townlet.level.file import shipped_levels

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def level() -> Level:
    return load_level("2")


def as_sets(places: torch.Tensor) -> set[tuple[int, ...]]:
    """Maps as a set of rows."""
    return {tuple(row) for row in places.tolist()}


# --- maps --------------------------------------------------------------------------------------------------------


def test_the_fixed_map_has_every_affordance_in_its_own_place() -> None:
    level = fixed_town()
    (cells,) = draw_places(level, "training").tolist()
    assert dict(zip(level.affordances, cells, strict=True)) == {
        "Bed": 8 + 1,
        "LuxuryBed": 8 + 2,
        "Shower": 16 + 2,
        "HomeMeal": 24 + 1,
        "FastFood": 48 + 5,
        "Job": 48 + 6,
        "Labor": 48 + 7,
        "Gym": 24 + 7,
        "Bar": 7,
        "Park": 32,
        "Recreation": 56,
        "Therapist": 56 + 1,
        "Doctor": 8 + 5,
        "Hospital": 8 + 6,
    }


def test_the_fixed_map_is_the_same_in_training_and_evaluation() -> None:
    level = fixed_town()
    assert torch.equal(draw_places(level, "training"), draw_places(level, "evaluation"))


@pytest.mark.parametrize("name", [name for name in shipped_levels() if load_level(name).layout.kind == "random"])
def test_no_map_is_met_twice_and_none_of_evaluation_in_training(name: str) -> None:
    level = load_level(name)
    training, evaluation = (as_sets(draw_places(level, maps)) for maps in ("training", "evaluation"))
    assert (len(training), len(evaluation)) == (level.layout.training_maps, level.layout.evaluation_maps)
    assert not training & evaluation


def test_a_small_town_has_all_its_maps_in_the_two_tables() -> None:
    level = load_level("0", {"layout": {"kind": "random", "training_maps": 6, "evaluation_maps": 3}})  # 3x3, one Bed
    training, evaluation = (as_sets(draw_places(level, maps)) for maps in ("training", "evaluation"))
    assert {row[0] for row in training | evaluation} == set(range(9))
    assert not training & evaluation


def test_maps_follow_the_seed_of_the_level(level: Level) -> None:
    again, other = load_level("2"), load_level("2", {"training.seed": 1})
    assert torch.equal(draw_places(level, "training"), draw_places(again, "training"))
    assert not as_sets(draw_places(level, "training")) & as_sets(draw_places(other, "training"))


def test_affordances_of_a_random_map_stand_in_different_cells_of_the_grid(level: Level) -> None:
    places = draw_places(level, "training")
    assert places.shape == (4096, 14)
    assert int(places.min()) == 0 and int(places.max()) == 63
    assert all(len(set(row)) == 14 for row in places.tolist())


def test_every_affordance_stands_in_every_cell_about_equally_often(level: Level) -> None:
    for cells in draw_places(level, "training").t():
        counts = torch.bincount(cells, minlength=64)  # of 4096 maps: 64 expected, standard deviation 8
        assert int(counts.min()) > 24 and int(counts.max()) < 104


def test_an_affordance_that_is_not_placed_stands_nowhere() -> None:
    level = load_level("0.5")
    absent = [index for index, name in enumerate(level.affordances) if name not in level.placed_affordances]
    places = draw_places(level, "evaluation")
    assert (places[:, absent] == -1).all()
    assert (places == -1).sum(dim=1).eq(len(absent)).all()
    tables = make_tables(level, "evaluation", CPU)
    assert set(affordances(tables).tolist()) == {0, 3, 5, 13, 14}  # Bed, HomeMeal, Job, Hospital, none


@pytest.mark.parametrize("name", ["0", "0.5", "2"])
def test_the_tables_of_cells_and_of_places_tell_of_the_same_maps(name: str) -> None:
    level = load_level(name)
    tables, places = make_tables(level, "evaluation", CPU), draw_places(level, "evaluation")
    width, num_cells = level.grid.width, level.grid.width * level.grid.height
    at = affordances(tables).view(tables.num_maps, num_cells).tolist()
    x, y = (table.view(tables.num_maps, -1).tolist() for table in (tables.place_x, tables.place_y))
    for one, cells in enumerate(places.tolist()[:50]):
        expected = [len(level.affordances)] * num_cells
        for index, cell in enumerate(cells):
            assert (x[one][index], y[one][index]) == ((cell % width, cell // width) if cell >= 0 else (-1, -1))
            if cell >= 0:
                expected[cell] = index
        assert at[one] == expected


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_bits_of_a_window_are_the_occupied_cells_around(size: int) -> None:
    level = load_level("2", {"grid": {"width": 7, "height": 4}, "observation": {"window": size}})
    tables, places = make_tables(level, "evaluation", CPU), draw_places(level, "evaluation")
    bits, reach = (tables.cells >> tables.affordance_bits).view(-1, 28).tolist(), range(-(size // 2), size // 2 + 1)
    for one, cells in enumerate(places.tolist()[:5]):
        occupied = {(cell % 7, cell // 7) for cell in cells}
        for y, x in itertools.product(range(4), range(7)):
            window = [(x + dx, y + dy) in occupied for dy in reach for dx in reach]
            assert bits[one][y * 7 + x] == sum(2**index for index, seen in enumerate(window) if seen)


def test_a_cell_holds_its_affordance_alone_where_no_window_is_observed() -> None:
    tables = make_tables(load_level("1"), "evaluation", CPU)
    assert torch.equal(tables.cells, affordances(tables)) and int(tables.cells.max()) == 14


@pytest.mark.parametrize(("size", "number"), [(3, torch.int32), (5, torch.int32), (7, torch.int64)])
def test_cells_are_as_narrow_as_windows_and_affordances_let_them(size: int, number: torch.dtype) -> None:
    tables = make_tables(load_level("2", {"observation.window": size}), "evaluation", CPU)
    assert tables.affordance_bits == 4 and tables.cells.dtype == number and int(tables.cells.min()) >= 0


def affordances(tables: Tables) -> Tensor:
    return tables.cells & (2**tables.affordance_bits - 1)


# --- numbers of one tick -----------------------------------------------------------------------------------------


def in_full(row: Row, count: int) -> list[float]:
    """The number of each affordance, the last that of none."""
    others = dict(row.others)
    return [others.get(affordance, row.usual) for affordance in range(count)]


def table(level: Level, rows: tuple[MeterRow, ...]) -> dict[str, dict[str, float]]:
    """What is not zero in a table, by affordance and meter."""
    found: dict[str, dict[str, float]] = {}
    for meter, row in rows:
        names = [*level.affordances, "none"]
        for name, value in zip(names, in_full(row, len(names)), strict=True):
            if value:
                found.setdefault(name, {})[level.present_meters[meter]] = value
    return found


def tables_of(level: Level) -> Tables:
    return make_tables(level, "training", CPU)


def test_an_interaction_of_one_tick_costs_and_does_all_of_it() -> None:
    level = fixed_town()
    tables = tables_of(level)
    assert table(level, tables.costs)["Bed"] == pytest.approx({"money": 0.05})
    assert table(level, tables.costs)["Job"] == pytest.approx({"money": -0.1125})
    assert table(level, tables.effects)["Bed"] == pytest.approx({"energy": 0.5, "health": 0.02})
    assert tables.bonuses == ()
    assert in_full(tables.ticks, 15) == [1.0] * 15


def test_an_interaction_of_several_ticks_is_divided_and_keeps_a_quarter_for_the_last() -> None:
    level = load_level("3", FIXED)
    tables = tables_of(level)
    assert in_full(tables.ticks, 15) == [5, 5, 3, 2, 1, 4, 4, 4, 2, 2, 2, 3, 2, 3, 1]
    assert table(level, tables.costs)["Bed"] == pytest.approx({"money": 0.01})
    assert table(level, tables.costs)["Labor"] == pytest.approx({"money": -0.0375})
    assert table(level, tables.effects)["Bed"] == pytest.approx({"energy": 0.075, "health": 0.003})
    assert table(level, tables.bonuses)["Bed"] == pytest.approx({"energy": 0.125, "health": 0.005})
    assert table(level, tables.effects)["FastFood"]["satiation"] == pytest.approx(0.3375)
    assert table(level, tables.bonuses)["FastFood"]["satiation"] == pytest.approx(0.1125)


def test_no_affordance_costs_nothing_does_nothing_and_is_never_open() -> None:
    level = load_level("3")
    tables = tables_of(level)
    for rows in (tables.costs, tables.effects, tables.bonuses):
        assert "none" not in table(level, rows)
    assert not tables.open_at.view(15, 24)[14].any()


def test_absent_meters_are_in_no_table() -> None:
    level = load_level("0")
    tables = tables_of(level)
    assert tables.costs == ()
    assert [meter for meter, _ in tables.effects] == [0]
    assert table(level, tables.effects)["Bed"] == pytest.approx({"energy": 0.5})


def test_doors_follow_their_hours_past_midnight_and_to_the_end_of_the_day() -> None:
    hours = {"Job": {"hours": [20, 24]}, "Park": {"hours": [23, 1]}, "Gym": {"hours": [0, 24]}}
    level = load_level("3", {"affordances": hours})
    doors = tables_of(level).open_at.view(15, 24)
    names = list(level.affordances)
    expected = {"Job": [20, 21, 22, 23], "Park": [0, 23], "Gym": list(range(24)), "Bed": list(range(24))}
    for name, open_hours in expected.items():
        assert doors[names.index(name)].nonzero().flatten().tolist() == open_hours


def test_there_are_no_doors_without_a_day() -> None:
    assert tables_of(load_level("2")).open_at is None
