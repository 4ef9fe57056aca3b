"""Sweeps over worlds: which worlds are timed, and what is told of them."""

import pytest

from support.sweeps import Watch, asked_for_tests
from townlet.bench.scale import worlds as scale_worlds
from townlet.bench.scale.worlds import sweep_affordances, sweep_agents, sweep_grid, with_affordances
from townlet.bench.speed.train import Window
from townlet.config import ConfigError, level_problems, load_level


@pytest.fixture
def watch(monkeypatch):
    made = Watch()
    monkeypatch.setattr(scale_worlds, "time_calls", made)
    return made


@pytest.fixture
def populations(monkeypatch):
    """Every window is 0.5 s a step of the population, 30% of it learning; the first, which warms up, is slower."""
    trained = []

    def train_for(trainee, seconds):
        population = trainee.population
        trained.append(population)
        rate = 1.0 if trained.count(population) == 1 else 2.0  # of the population
        return Window(population.num_agents * rate, 1.0, {"act": 0.2, "world": 0.3, "store": 0.2, "learn": 0.3})

    monkeypatch.setattr(scale_worlds, "train_for", train_for)
    return trained


def test_each_number_of_agents_steps_a_world_and_a_population_of_so_many(watch, populations):
    rows = sweep_agents(asked_for_tests(), [1, 6])
    assert [(row.name, row.size, row.facts) for row in rows] == [
        (f"agents: {name}", size, {"units": size})
        for size in (1, 6)
        for name in ("world's step", "without learning", "with learning")
    ]
    timed = [call.env for call in watch.calls.values()]
    assert [env.num_agents for env in timed] == [1, 6] and not any(env.compiled for env in timed)
    assert [one.num_agents for one in populations] == [1, 1, 1, 6, 6, 6]  # a warm-up and two samples of each
    assert all(population.learner.updates > 0 for population in populations)
    assert [one.task.training.mode.minibatches for one in populations[2:4]] == [
        1,
        3,
    ]  # of 4: the most that part them alike


def test_a_populations_step_is_told_without_its_learning_and_with_it(watch, populations):
    _, acted, whole = sweep_agents(asked_for_tests(), [4])
    assert whole.samples == [pytest.approx(0.5)] * 2 and acted.samples == [pytest.approx(0.35)] * 2


def test_a_population_that_the_level_forbids_is_left_out_and_its_world_is_not(watch, populations):
    asked = asked_for_tests(level="2-replay", settings={"training.mode.capacity": 100})
    with pytest.raises(Exception, match="capacity"):  # what the user says is wrong stays an error
        sweep_agents(asked, [4])
    asked = asked_for_tests(level="2-replay", settings={"training.num_agents": 2, "training.mode.min_episodes": 1})
    rows = sweep_agents(asked, [4, 65_536])
    assert [(row.name, row.size) for row in rows][-2:] == [
        ("agents: with learning", 4),
        ("agents: world's step", 65_536),
    ]
    (note,) = asked.notes
    assert note.startswith("a population of 65,536 agents is left out: ") and "capacity: expected at least" in note


def test_maps_grow_and_nothing_else_changes(watch):
    asked = asked_for_tests()
    rows = sweep_grid(asked, [3, 4, 12])
    assert [(row.name, row.size, row.facts) for row in rows] == [
        ("grid: world's step", size, {"units": 8}) for size in (4, 12)
    ]
    levels = [call.env.level for call in watch.calls.values()]
    assert [(level.grid.width, level.grid.height) for level in levels] == [(4, 4), (12, 12)]
    shipped = load_level("2")
    assert all(level.affordances == shipped.affordances for level in levels)
    assert all(level.observation == shipped.observation for level in levels)
    (note,) = asked.notes
    assert note.startswith("a map of 3 x 3 is left out: ") and "at most 9 affordances" in note


def test_so_many_affordances_are_there_and_seen(watch):
    asked = asked_for_tests()
    rows = sweep_affordances(asked, [4, 14, 20, 65])
    assert [row.size for row in rows] == [4, 14, 20] and rows[0].facts == {"units": 8}
    envs = [call.env for call in watch.calls.values()]
    assert [len(env.level.affordances) for env in envs] == [4, 14, 20]
    # 25 cells, a position of 2, 8 meters, and the affordance underfoot or none
    assert [env.obs_dim for env in envs] == [25 + 2 + 8 + 5, 25 + 2 + 8 + 15, 25 + 2 + 8 + 21]
    (note,) = asked.notes
    assert note.startswith("a world of 65 affordances is left out: expected at most 64 affordances on a map of 8x8")


def test_of_no_affordances_no_more_are_made(watch):
    one_map = {"layout.kind": "fixed", "layout.training_maps": "null", "layout.evaluation_maps": "null"}
    with pytest.raises(ConfigError, match="expected a level with placed affordances, got 2 with none"):
        sweep_affordances(asked_for_tests(settings={"placed_affordances": "[]", **one_map}), [4])


def test_copies_have_names_of_their_own_and_do_the_same():
    level = load_level("2")
    first, second, *_ = level.placed_affordances
    more = with_affordances(level, 30)
    names = more.placed_affordances
    assert names[:14] == level.placed_affordances and tuple(more.affordances) == names and len(set(names)) == 30
    assert names[14:16] == (f"{first} 2", f"{second} 2") and names[28:] == (f"{first} 3", f"{second} 3")
    assert more.affordances[f"{second} 3"] == level.affordances[second] and not level_problems(more)
    assert with_affordances(level, 14) == level.model_copy(update={"affordances": level.affordances})


def test_where_compiling_fails_the_world_is_timed_as_it_is_with_a_line(watch, monkeypatch):
    real = scale_worlds.VectorizedEnv

    def failing(*arguments, compile):
        if compile:
            raise RuntimeError("no C++ compiler\nfound")
        return real(*arguments, compile=compile)

    monkeypatch.setattr(scale_worlds, "VectorizedEnv", failing)
    asked = asked_for_tests(eager=False)
    assert [row.size for row in sweep_grid(asked, [8])] == [8]
    assert asked.notes == ["compiling is left out: no C++ compiler found"]


@pytest.mark.slow
def test_worlds_are_compiled_unless_that_is_not_wanted(watch):
    sweep_grid(asked_for_tests(eager=False), [8])
    (call,) = watch.calls.values()
    assert call.env.compiled
