"""What a replay holds is what was lived: by the evaluation, by a plain world, and by a plain unroll of the network."""

import numpy as np
import pytest
import torch

from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, SEED, origin_of, play
from support.worlds import make_env, places_on
from townlet.config import load_level
from townlet.page import recorder
from townlet.page.recorder import Noted, Wanted, record
from townlet.page.replay import ReplayError, unpack
from townlet.population.evaluation import Evaluator, RandomPolicy, evaluate
from townlet.population.lives import GreedyPolicy

SHORT = {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.15, "max_steps": 24}
EASY = {f"meters.{name}.{key}": 0.0 for name in load_level("2").present_meters for key in ("passive", "move")}
EASY |= {"drains": [], "meters.energy.lethal": False}  # nothing is lost but in some places
AGENTS = 6


def moody(level):
    """A network of a level whose agents do not all do the same."""
    network = network_of(level, seed=3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3.0)
    return network


@pytest.fixture(scope="module")
def town():
    """Level 2 with short lives, and a network in it."""
    level = load_level("2", SHORT)
    return level, moody(level)


@pytest.fixture(scope="module")
def wandering(town):
    """A recording of agents that act at random, and what it was made of before it was packed."""
    level, network = town
    noted, _ = play(level, RandomPolicy(1, CPU), AGENTS)
    values = {}
    with pytest.MonkeyPatch.context() as patched:
        pack = recorder.pack
        patched.setattr(
            recorder, "pack", lambda header, given, *rest: values.update(given) or pack(header, given, *rest)
        )
        packed = record(level, network, noted, Wanted(range(AGENTS)), origin_of(level))
    return unpack(packed), values


@pytest.fixture(scope="module")
def greedy(town):
    """What agents of the town do when they play greedily, as `record` takes it."""
    level, network = town
    noted, _ = play(level, GreedyPolicy(network, AGENTS, CPU), AGENTS)

    def recorded(*agents, **wanted):
        return unpack(record(level, network, noted, Wanted(agents or range(AGENTS), **wanted), origin_of(level)))

    return recorded


# --- lives --------------------------------------------------------------------------------------------------------


def test_recorded_lives_are_those_that_an_evaluation_lives(town, greedy):
    (level, network), one = town, greedy()
    found = evaluate(level, network, AGENTS, SEED, CPU)
    lengths = [life.length for life in one.lives]
    assert np.mean(lengths) == found["mean_ep_length"] and np.std(lengths) == pytest.approx(found["std_ep_length"])
    assert np.mean([life.total_reward for life in one.lives]) == pytest.approx(found["mean_reward"], abs=1e-5)
    assert np.mean([life.ended == "limit" for life in one.lives]) == found["survival_rate"]
    died_of = [level.present_meters[life.cause] for life in one.lives if life.cause is not None]
    assert {name: died_of.count(name) for name in found["deaths"]} == found["deaths"]
    assert len(set(lengths)) > 1, "a town in which all live alike shows little"


def test_every_step_is_the_one_that_the_evaluation_took(town, greedy):
    level, network = town
    taken = []

    class Watched(GreedyPolicy):
        def act(self, observation):
            taken.append(super().act(observation))
            return taken[-1]

    evaluator = Evaluator(level, AGENTS, SEED, CPU)
    evaluator.play(Watched(network, AGENTS, CPU))
    one, actions = greedy(), torch.stack(taken, dim=1).numpy()
    for life, agent in enumerate(one.lives):
        assert one["action"][life, 0, : agent.length].tolist() == actions[life, : agent.length].tolist()


def test_chosen_agents_live_as_they_did_among_all(greedy):
    whole, some = greedy(), greedy(4, 1)
    assert [life.agent for life in some.lives] == [4, 1]
    assert [*some.lives] == [whole.lives[4], whole.lives[1]]
    for name in ("position", "meters", "action", "allowed"):
        for row, life in enumerate(some.lives):
            assert (some[name][row, :, : life.length] == whole[name][life.agent, :, : life.length]).all()


def test_a_recording_of_some_steps_holds_the_first_of_them(greedy):
    whole, first = greedy(), greedy(steps=10)
    assert first.header.steps == 10 and first["action"].shape[-1] == 10 and first["meters"].shape[-1] == 11
    assert {life.ended for life in first.lives if life.length == 10} == {"cut"}
    for row, life in enumerate(first.lives):
        assert (first["action"][row, 0, : life.length] == whole["action"][row, 0, : life.length]).all()


def test_lives_that_end_elsewhere_than_they_were_played_are_refused(town):
    level, network = town
    noted, _ = play(level, GreedyPolicy(network, AGENTS, CPU), AGENTS)
    noted.ended = [torch.zeros_like(ended) for ended in noted.ended]
    with pytest.raises(ReplayError, match=r"^agent \d: expected a life of \d+ steps, as it was played, got \d+$"):
        record(level, network, noted, Wanted(range(AGENTS)), origin_of(level))


def test_a_network_that_is_not_finite_is_refused(town):
    level, _ = town
    noted, _ = play(level, RandomPolicy(1, CPU), AGENTS)
    broken = moody(level)
    with torch.no_grad():
        broken.value.output.bias.fill_(torch.inf)
    with pytest.raises(ReplayError, match=r"^q: life 0, component 0, step 0: expected a finite number, got"):
        record(level, broken, noted, Wanted(range(AGENTS)), origin_of(level))


# --- the world ----------------------------------------------------------------------------------------------------


def test_recorded_states_are_those_of_a_plain_world_bit_for_bit(town, wandering):
    level, (one, values) = town[0], wandering
    env = make_env(level, AGENTS, seed=SEED, maps="evaluation")
    for step in range(one.header.steps):
        lived = torch.tensor([step < life.length for life in one.lives])
        state, mask = env.state, env.observe().action_mask
        for name, now in {
            "meters": state.meters.t(), "position": torch.stack([state.x, state.y], dim=1),
            "tick": state.tick[:, None], "progress": state.progress[:, None],
            "allowed": (mask * 2 ** torch.arange(5)).sum(dim=1, keepdim=True),
        }.items():  # fmt: skip
            assert torch.equal(torch.from_numpy(values[name][..., step])[lived], now[lived]), name
        result = env.step(torch.from_numpy(one["action"][:, 0, step]))
        paid = torch.from_numpy(values["reward"][..., step]).sum(dim=1)
        assert torch.allclose(paid[lived], result.reward[lived], atol=1e-6)
        for row, life in enumerate(one.lives):
            if step == life.length - 1:  # what the world's own reset hides
                last = result.final_features[row, env.observation_layout.slices["meters"]]
                assert values["meters"][row, :, step + 1].tolist() == last.tolist()
                assert (life.ended == "death") == bool(result.terminated[row])


def test_places_are_those_of_each_lifes_map(town, wandering):
    env = make_env(town[0], AGENTS, seed=SEED, maps="evaluation")
    for life, index in zip(wandering[0].lives, env.state.map_index.tolist(), strict=True):
        known = dict(zip(town[0].affordances, life.places, strict=True))
        assert {name: place for name, place in known.items() if place} == places_on(env, index)


def test_interactions_and_what_they_pay_are_told_at_their_step():
    """A chair two ticks long: the mood that it gives comes with the second, and so does what it pays."""
    level = load_level("3", {"layout": {"kind": "fixed"}, "reward.interaction": {"satiation": 2.0}, "max_steps": 8,
                             "meters.satiation.initial": 0.2, "placed_affordances": ["HomeMeal"], "grid.width": 1,
                             "grid.height": 1, "affordances.HomeMeal.place": [0, 0]})  # fmt: skip
    uses = level.actions.index("INTERACT")

    class Uses:
        def act(self, observation):
            return torch.full((1,), uses)

        def after(self, actions, result):
            pass

    noted, _ = play(level, Uses(), 1)
    one = unpack(record(level, moody(level), noted, Wanted([0]), origin_of(level)))
    meal, none = list(level.affordances).index("HomeMeal"), len(level.affordances)
    assert one["completed"][0, 0, :4].tolist() == [none, meal, none, meal]
    assert one["progress"][0, 0, :4].tolist() == [0, 1, 0, 1]
    row = one.header.world.terms.index("interaction")
    told = one.header.world.affordances[meal]
    gain = np.array(told.effect) - np.array(told.cost)
    meter = level.present_meters.index("satiation")
    assert told.whole_effect[meter] == pytest.approx(0.45) and told.ticks == 2
    assert one["reward"][0, row, :2] == pytest.approx([2 * gain[meter], 2 * (gain + told.bonus)[meter]], abs=1e-4)


# --- the network --------------------------------------------------------------------------------------------------


def test_both_values_of_each_action_are_those_of_a_plain_unroll(town, wandering):
    (level, network), (one, values) = town, wandering
    env = make_env(level, AGENTS, seed=SEED, maps="evaluation")
    seen = []
    for step in range(one.header.steps):
        seen.append(env.observe().features)
        env.step(torch.from_numpy(one["action"][:, 0, step]))
    for row, life in enumerate(one.lives):
        features = torch.stack([now[row] for now in seen[: life.length]])
        actions = torch.from_numpy(one["action"][row, 0, : life.length])
        before = torch.cat([torch.tensor([network.num_actions]), actions[:-1]])
        with torch.no_grad():
            q, _ = network(features[None], network.initial_hidden(1), before[None])
            blank, _ = network(features[:, None], network.initial_hidden(life.length), before[:, None])
            _, hidden = network(features[None, :3], network.initial_hidden(1), before[None, :3])
        for name, plain in (("q", q[0]), ("q_blank", blank[:, 0])):
            exact = torch.from_numpy(values[name][row, :, : life.length]).t()
            assert torch.allclose(exact, plain, atol=1e-4), name
            told = torch.from_numpy(one[name][row, :, : life.length]).t()
            assert torch.allclose(told, plain, atol=1e-4 + one.row(name).scale[0]), name
        remembered = torch.cat([part.flatten() for part in hidden])
        assert torch.allclose(torch.from_numpy(values["memory"][row, :, 3]), remembered, atol=1e-5)
        assert (values["memory"][row, :, 0] == 0.0).all()
        assert not torch.allclose(q[0, 1:], blank[1:, 0], atol=1e-3), "a memory that changes nothing shows nothing"


def test_memory_is_recorded_every_so_many_frames(greedy):
    every, whole = greedy(memory_every=5), greedy()
    assert whole.row("memory").every == 1 and every.row("memory").every == 5
    assert every["memory"].shape[-1] == -(-(every.header.steps + 1) // 5)
    for row, life in enumerate(every.lives):
        kept = range(0, life.length + 1, 5)
        apart = np.abs(every["memory"][row, :, : len(kept)] - whole["memory"][row][:, kept]).max(axis=1)
        assert (apart <= np.array(whole.row("memory").scale) + 1e-6).all()


def test_the_weights_are_those_of_the_network(town, greedy):
    weights, known = greedy().weights, town[1].state_dict()
    assert weights.keys() == known.keys()
    assert all(torch.equal(torch.from_numpy(weights[name]), part) for name, part in known.items())
    assert greedy(weights=False).weights is None


# --- size ---------------------------------------------------------------------------------------------------------


def test_five_hundred_steps_of_sixteen_agents_of_level_2_stay_within_a_megabyte():
    """Of agents that wander about for all of them, in a town that costs no life."""
    level, dice = load_level("2", EASY), torch.Generator().manual_seed(0)
    noted = Noted()
    noted.actions = list(torch.randint(0, 5, (500, 16), generator=dice))
    noted.ended = [torch.full((16,), step == 499) for step in range(500)]
    packed = record(level, moody(level), noted, Wanted(range(16), weights=False), origin_of(level))
    assert [life.length for life in unpack(packed).lives] == [500] * 16
    assert 300_000 < len(packed) < 1_000_000


def test_what_is_noted_is_each_agents_first_life():
    noted = Noted()
    noted.ended = [torch.tensor(row) for row in ([False, True], [False, False], [True, True], [False, False])]
    assert noted.lengths().tolist() == [3, 1]
