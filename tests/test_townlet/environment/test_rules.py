"""The rules of a tick besides interactions, one by one, on the fixed map; expected numbers are worked out by hand."""

import pytest
import torch
from torch import Tensor

from support.worlds import fixed_town, tick_once
from townlet.config import Level, load_level
from townlet.environment.rules import cascade, drain

WAITED = {  # all full, money 0.5, after a tick of waiting
    "energy": 0.995,
    "hygiene": 0.997,
    "satiation": 0.996,
    "money": 0.5,
    "mood": 0.999,
    "social": 0.994,
    "health": 0.999495,  # 0.001 x (0.5 + 2.5 x 0.002)
    "fitness": 0.998,
}


@pytest.fixture(scope="module")
def town() -> Level:
    return fixed_town()


# --- passive change and moves ------------------------------------------------------------------------------------


def test_a_tick_of_waiting_changes_every_meter_by_its_passive_rate(town: Level) -> None:
    _, meters = tick_once(town, "WAIT", at=(3, 3))
    assert meters == pytest.approx(WAITED, abs=1e-6)


@pytest.mark.parametrize(("action", "cell"), [("UP", (3, 2)), ("DOWN", (3, 4)), ("LEFT", (2, 3)), ("RIGHT", (4, 3))])
def test_a_move_goes_one_cell_and_costs_energy_hygiene_and_satiation(
    town: Level, action: str, cell: tuple[int, int]
) -> None:
    done, meters = tick_once(town, action, at=(3, 3))
    assert (int(done.state.x), int(done.state.y)) == cell
    assert meters == pytest.approx(WAITED | {"energy": 0.990, "hygiene": 0.994, "satiation": 0.992}, abs=1e-6)


@pytest.mark.parametrize(("action", "edge"), [("UP", (3, 0)), ("DOWN", (3, 7)), ("LEFT", (0, 3)), ("RIGHT", (7, 5))])
def test_a_move_off_the_grid_is_a_wait(town: Level, action: str, edge: tuple[int, int]) -> None:
    done, meters = tick_once(town, action, at=edge)
    assert (int(done.state.x), int(done.state.y)) == edge
    assert meters == pytest.approx(WAITED, abs=1e-6)


def test_the_clock_and_nothing_else_of_the_episode_moves_with_a_tick(town: Level) -> None:
    done, _ = tick_once(town, "WAIT", at=(3, 3), tick=41)
    assert (int(done.state.tick), int(done.state.progress), int(done.state.episode)) == (42, 0, 0)


# --- health that falls with fitness ------------------------------------------------------------------------------


@pytest.mark.parametrize(("fitness", "loss"), [(1.0, 0.0005), (0.5, 0.00175), (0.0, 0.003)])
def test_health_is_lost_slower_the_fitter_one_is(town: Level, fitness: float, loss: float) -> None:
    health, fit = town.present_meters.index("health"), town.present_meters.index("fitness")
    after = drain(town, rows({health: 0.9, fit: fitness}))
    assert float(after[health]) == pytest.approx(0.9 - loss, abs=1e-7)


def test_the_drain_reads_fitness_after_its_own_passive_change(town: Level) -> None:
    _, meters = tick_once(town, "WAIT", at=(3, 3), meters={"fitness": 0.602, "health": 0.5})
    assert meters["health"] == pytest.approx(0.5 - 0.0015, abs=1e-7)  # 0.001 x (0.5 + 2.5 x 0.4)


def test_health_is_lost_as_if_fit_where_fitness_is_absent() -> None:
    _, meters = tick_once(load_level("0.5", {"actions": ["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"]}), "WAIT")
    assert meters["health"] == pytest.approx(0.9995, abs=1e-7)


# --- cascades ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "pulled"),
    [
        ("satiation", {"health": 0.004, "energy": 0.005}),
        ("mood", {"energy": 0.005}),
        ("hygiene", {"satiation": 0.002, "fitness": 0.002, "mood": 0.003, "health": 0.0005, "energy": 0.0005}),
        ("social", {"mood": 0.004, "energy": 0.0008}),
        ("energy", {}),
        ("money", {}),
        ("health", {}),
        ("fitness", {}),
    ],
)
@pytest.mark.parametrize(("level", "share"), [(0.0, 1.0), (0.15, 0.5), (0.27, 0.1), (0.3, 0.0), (0.9, 0.0)])
def test_a_low_meter_pulls_others_by_its_shortfall(
    town: Level, source: str, pulled: dict[str, float], level: float, share: float
) -> None:
    index = {name: position for position, name in enumerate(town.present_meters)}
    after = cascade(town, rows({index[source]: level}, otherwise=0.8))
    for name, position in index.items():
        start = level if name == source else 0.8
        assert float(after[position]) == pytest.approx(start - share * pulled.get(name, 0.0), abs=1e-7)


def test_needs_pull_before_comforts_have_pulled_the_needs(town: Level) -> None:
    """Mood falls below 0.3 by what comforts take from it; energy was pulled by mood before that."""
    index = {name: position for position, name in enumerate(town.present_meters)}
    after = cascade(town, rows({index["mood"]: 0.301, index["social"]: 0.0}, otherwise=0.8))
    assert float(after[index["mood"]]) == pytest.approx(0.297, abs=1e-7)
    assert float(after[index["energy"]]) == pytest.approx(0.8 - 0.0008, abs=1e-7)  # by social alone


def test_a_group_reads_the_meters_as_the_group_before_left_them() -> None:
    groups = [
        {"name": "first", "pulls": [{"source": "energy", "target": "hygiene", "strength": 0.2}]},
        {"name": "second", "pulls": [{"source": "hygiene", "target": "mood", "strength": 0.1}]},
    ]
    town = fixed_town(cascades={"threshold": 0.5, "groups": groups})
    index = {name: position for position, name in enumerate(town.present_meters)}
    after = cascade(town, rows({index["energy"]: 0.0, index["hygiene"]: 0.6}, otherwise=0.8))
    assert float(after[index["hygiene"]]) == pytest.approx(0.4, abs=1e-7)
    assert float(after[index["mood"]]) == pytest.approx(0.8 - 0.1 * 0.2, abs=1e-7)  # hygiene is 0.1 / 0.5 short


def test_pulls_of_one_group_do_not_see_each_other() -> None:
    pulls = [
        {"source": "energy", "target": "hygiene", "strength": 0.2},
        {"source": "hygiene", "target": "mood", "strength": 0.1},
    ]
    town = fixed_town(cascades={"threshold": 0.5, "groups": [{"name": "one", "pulls": pulls}]})
    index = {name: position for position, name in enumerate(town.present_meters)}
    after = cascade(town, rows({index["energy"]: 0.0, index["hygiene"]: 0.6}, otherwise=0.8))
    assert float(after[index["mood"]]) == pytest.approx(0.8, abs=1e-7)


def test_cascades_come_after_the_passive_change(town: Level) -> None:
    _, meters = tick_once(town, "WAIT", at=(3, 3), meters={"satiation": 0.304})
    assert meters["energy"] == pytest.approx(0.995, abs=1e-6)  # satiation is at 0.3 when it is read
    _, meters = tick_once(town, "WAIT", at=(3, 3), meters={"satiation": 0.154})
    assert meters["energy"] == pytest.approx(0.995 - 0.0025, abs=1e-6)


# --- the end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meters", "dies"),
    [
        ({"energy": 0.005}, True),
        ({"energy": 0.0050005}, True),  # within a millionth of nothing
        ({"energy": 0.00501}, False),
        ({"health": 0.0004}, True),
        ({"health": 0.0006}, False),
        ({"hygiene": 0.0, "satiation": 0.0, "mood": 0.0, "social": 0.0, "fitness": 0.0, "money": 0.0}, False),
    ],
)
def test_only_an_empty_lethal_meter_is_death(town: Level, meters: dict[str, float], dies: bool) -> None:
    done, _ = tick_once(town, "WAIT", at=(3, 3), meters=meters)
    assert bool(done.terminated) == dies
    assert not bool(done.truncated)


def test_a_bed_in_the_last_moment_saves(town: Level) -> None:
    done, meters = tick_once(town, "INTERACT", at="Bed", meters={"energy": 0.001})
    assert not bool(done.terminated)
    assert meters["energy"] == pytest.approx(0.496, abs=1e-6)


def test_work_can_kill(town: Level) -> None:
    done, meters = tick_once(town, "INTERACT", at="Labor", meters={"energy": 0.2})
    assert bool(done.terminated)
    assert meters["energy"] == 0.0


def test_the_step_limit_truncates_who_lives(town: Level) -> None:
    done, _ = tick_once(town, "WAIT", tick=498)
    assert (bool(done.terminated), bool(done.truncated)) == (False, False)
    done, _ = tick_once(town, "WAIT", tick=499)
    assert (bool(done.terminated), bool(done.truncated)) == (False, True)


def test_death_on_the_tick_of_the_step_limit_is_a_termination(town: Level) -> None:
    done, _ = tick_once(town, "WAIT", tick=499, meters={"energy": 0.001})
    assert (bool(done.terminated), bool(done.truncated)) == (True, False)


def rows(values: dict[int, float], otherwise: float = 1.0, count: int = 8) -> list[Tensor]:
    """Meters of one agent as the rules take them."""
    return [torch.tensor([values.get(meter, otherwise)]) for meter in range(count)]
