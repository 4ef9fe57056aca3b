"""The planner's lives in a replay: those of a script in the same world, from the starts of the lives beside them."""

import pytest

from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, SEED, closed, opened, origin_of, play, recording, tampered
from support.worlds import first_lives, make_env, odd_town
from townlet.config import load_level
from townlet.page.recorder import Wanted, record
from townlet.page.replay import ReplayError, unpack
from townlet.play.planner import Planner
from townlet.population.evaluation import RandomPolicy

HARD = {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.06, "max_steps": 40}
AGENTS = 6


@pytest.fixture(scope="module")
def town():
    """Level 2, in which who does not find a bed at once is dead."""
    return load_level("2", HARD)


@pytest.fixture(scope="module")
def recorded(town):
    """The file of lives at random, as `record` is asked for them; without further words with the planner beside."""
    (noted, _), network = play(town, RandomPolicy(1, CPU), AGENTS), network_of(town)

    def file(**wanted):
        return record(
            town, network, noted, Wanted(**{"agents": range(AGENTS), "planner": True, **wanted}), origin_of(town)
        )

    return file


@pytest.fixture(scope="module")
def packed(recorded):
    return recorded()


def test_it_lives_as_in_the_world_itself_from_the_same_starts(town, packed):
    one, acted = unpack(packed), []
    env = make_env(town, AGENTS, seed=SEED, maps="evaluation")
    planner = Planner(town, env.tables)

    def act():
        acted.append(planner.act(env.state))
        return acted[-1]

    ticks, truncated = first_lives(env, act)
    assert [life.length for life in one.header.planner] == ticks.tolist()
    assert [life.ended == "limit" for life in one.header.planner] == truncated.tolist()
    assert {life.ended for life in one.header.planner} == {"death", "limit"}
    for row, life in enumerate(one.header.planner):
        assert one["planned"][row, 0, : life.length].tolist() == [int(now[row]) for now in acted[: life.length]]


def test_it_lives_on_where_the_agents_have_died(recorded, packed):
    dead = [life.agent for life in unpack(packed).lives if life.ended == "death"]
    one = unpack(recorded(agents=dead))
    assert one["planned"].shape == (len(dead), 1, 40) and one.header.steps < 40
    causes = {life.cause for life in one.header.planner if life.ended == "death"}
    assert [one.header.world.meters[cause].name for cause in causes] == ["energy"]


def test_a_recording_of_some_steps_holds_so_many_of_its_lives(recorded, packed):
    first, whole = unpack(recorded(steps=7)), unpack(packed)
    assert first["planned"].shape[-1] == 7
    for row, life in enumerate(first.header.planner):
        assert (life.length, life.ended) == (7, "cut") or life == whole.header.planner[row]
        assert (first["planned"][row, 0, : life.length] == whole["planned"][row, 0, : life.length]).all()


def test_its_actions_are_a_byte_each(recorded, packed):
    header, body = opened(packed)
    _, without = opened(recorded(planner=False))
    steps = max(life["length"] for life in header["planner"])
    assert len(body) - len(without) == AGENTS * steps  # a multiple of 4


def test_it_is_not_there_where_it_is_not_asked_for_or_cannot_plan(recorded):
    still = odd_town("one action")
    for one in (unpack(recorded(planner=False)), unpack(recording(still, network_of(still), 2, planner=True))):
        assert one.header.planner is None and "planned" not in one


def test_a_file_of_before_there_were_planners_is_read(recorded):
    one = unpack(tampered(recorded(planner=False), lambda header: header.pop("planner")))
    assert one.header.planner is None and [life.agent for life in one.lives] == [*range(AGENTS)]


def test_lives_that_do_not_fit_are_refused(packed):
    def refusal(change):
        with pytest.raises(ReplayError) as refused:
            unpack(tampered(packed, change))
        return str(refused.value).removeprefix("replay: ")

    cause = "planner[0]: expected a cause of deaths alone, got None of one that ended by death"
    assert refusal(lambda header: header["planner"].pop()) == "planner: expected a life for each of 6, got 5"
    assert refusal(lambda header: header["planner"][0].update(ended="death", cause=None)) == cause
    assert refusal(lambda header: header.update(planner=None)).startswith("columns: expected ")
    longer = refusal(lambda header: header["planner"][0].update(length=41))
    assert longer == "columns planned: expected shape [6, 1, 41], got [6, 1, 40]"
    header, body = opened(packed)
    offset = header["columns"][-1]["offset"]
    with pytest.raises(ReplayError, match="columns planned: expected numbers below 5, got 9"):
        unpack(closed(header, body[:offset] + b"\x09" + body[offset + 1 :]))
