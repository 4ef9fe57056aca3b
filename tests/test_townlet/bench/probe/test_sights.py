"""What agents have seen: ages by hand, a hidden state of its own tick, first episodes only, maps apart."""

import pytest
import torch

from support.learning import FEW_MAPS, SHORT_LIVES, SMALL_NETWORK
from support.probes import Walker
from townlet.bench.probe.sights import Sampling, collect, ticks_since
from townlet.config import load_level

AGENTS = 24
EVERY_TICK = Sampling(agents=AGENTS, ticks=16, every=1, recent=3)


def town(**overrides):
    return load_level("2", {**SMALL_NETWORK, **FEW_MAPS, **overrides})


def walked(level, sampling=EVERY_TICK, maps="evaluation"):
    return collect(level, Walker(level), Walker(level, scale=10.0), sampling, maps)


def lives(sights):
    """The rows of each agent, in the order of its ticks."""
    return [(sights.agent == agent).nonzero().squeeze(1).tolist() for agent in range(int(sights.agent.max()) + 1)]


def test_ticks_since_by_hand():
    happened = torch.tensor([[0, 1], [1, 0], [0, 0], [1, 0], [0, 0], [0, 0]], dtype=torch.bool)
    assert ticks_since(happened).tolist() == [[-1, 0], [0, 1], [1, 2], [0, 3], [1, 4], [2, 5]]


def test_ages_count_from_the_last_tick_on_a_cell_and_within_the_window():
    """Against a walk through each life with plain numbers: 5x5 cells around the agent are its window."""
    sights = walked(town())
    passed = 0
    for rows in lives(sights):
        for affordance in range(sights.place.shape[1]):
            stood, saw = None, None
            for tick, row in enumerate(rows):
                (x, y), (px, py) = sights.own[row].tolist(), sights.place[row, affordance].tolist()
                stood = tick if (x, y) == (px, py) else stood
                saw = tick if abs(x - px) <= 2 and abs(y - py) <= 2 else saw
                assert sights.underfoot_age[row, affordance] == (-1 if stood is None else tick - stood)
                assert sights.window_age[row, affordance] == (-1 if saw is None else tick - saw)
                passed += stood is not None and stood < tick
    assert passed > 50  # something was left behind and is still counted


def test_agents_walk_right_to_the_wall_and_then_down():
    """One cell a tick, so that the places above are those of the agents and of their own maps."""
    sights = walked(town())
    for rows in lives(sights):
        (x, y), *_ = path = sights.own[rows].tolist()
        expected = [(min(x + step, 7), min(y + max(step - (7 - x), 0), 7)) for step in range(len(path))]
        assert [tuple(cell) for cell in path[: 14 - x - y + 1]] == expected[: 14 - x - y + 1]


def test_the_cell_underfoot_is_what_the_observation_says():
    level = town()
    sights = walked(level)
    underfoot = sights.readings["observation"][:, -len(level.affordances) - 1 : -1]
    assert torch.equal(sights.underfoot_age == 0, underfoot == 1.0)
    assert (sights.underfoot_age == 0).sum() > 20


def test_every_source_is_read_after_the_sampled_tick():
    """The walker's hidden state is the number of ticks that it has lived."""
    sampling = Sampling(agents=AGENTS, ticks=16, every=5, recent=3)
    sights = walked(town(), sampling)
    assert sights.readings["memory"].view(3, AGENTS).tolist() == [[tick] * AGENTS for tick in (5.0, 10.0, 15.0)]
    assert sights.readings["untrained"].view(3, AGENTS)[:, 0].tolist() == [50.0, 100.0, 150.0]
    assert set(sights.readings["last 3 ticks"].flatten().tolist()) == {3.0}
    assert sights.readings["chance"].shape == (3 * AGENTS, 0)


def test_a_short_memory_is_no_longer_than_the_life():
    sights = walked(town(), EVERY_TICK._replace(agents=1))
    assert sights.readings["last 3 ticks"].flatten().tolist() == [1.0, 2.0] + [3.0] * 14


def test_samples_end_with_the_first_episode():
    """With energy 0.1, ten moves are death; the second episodes, up to tick 16, are not sampled."""
    sights = walked(town(**SHORT_LIVES))
    ticks = [sights.readings["memory"][rows].flatten().tolist() for rows in lives(sights)]
    assert all(one == [float(tick + 1) for tick in range(len(one))] for one in ticks)
    assert {len(one) for one in ticks} == {10}


def test_training_and_evaluation_share_no_map():
    level = town()
    places = [walked(level, maps=maps).place.flatten(1).tolist() for maps in ("training", "evaluation")]
    known, unknown = ({tuple(row) for row in rows} for rows in places)
    assert len(known) > 5 and len(unknown) > 5 and not known & unknown


@pytest.mark.parametrize(("epsilon", "strays"), [(0.0, False), (1.0, True)])
def test_epsilon_is_the_share_of_random_actions(epsilon, strays):
    greedy, other = walked(town()), walked(town(), EVERY_TICK._replace(epsilon=epsilon))
    assert torch.equal(greedy.own[:AGENTS], other.own[:AGENTS])  # where episodes begin
    assert (greedy.own.shape != other.own.shape or not torch.equal(greedy.own, other.own)) is strays


def test_without_a_window_nothing_is_seen_in_it():
    level = town(**{"observation.window": None})
    assert (walked(level).window_age == -1).all()
