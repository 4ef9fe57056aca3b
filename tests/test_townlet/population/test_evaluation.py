"""Greedy evaluation: own memory, first episodes only, unseen maps, and a summary worked out by hand."""

import pytest
import torch

from support.launches import launches
from support.learning import FEW_MAPS, SMALL_NETWORK, copy_of, differences
from support.rooms import room as wide_room
from support.rooms import write_level
from townlet.agent.networks import QNetwork, make_network
from townlet.config import load_gym_task, load_level
from townlet.environment import make
from townlet.environment.layout import lay_out
from townlet.environment.tables import draw_places
from townlet.environment.types import Observation, StepResult
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.page.recorder import Noted
from townlet.population import evaluation
from townlet.population.episodes import FirstEpisodes
from townlet.population.evaluation import Evaluator, RandomPolicy, evaluate, play
from townlet.population.lives import FEWEST_ROWS, GreedyPolicy

CPU = torch.device("cpu")

# One room, one meter: 0.05 of energy lasts 10 ticks at rest, 5 ticks of moves, and 7 ticks are the limit.
ROOM = {
    "meters.energy.initial": 0.05, "meters.energy.passive": -0.005, "meters.energy.move": -0.005, "max_steps": 7,
    "actions": ["UP", "DOWN", "LEFT", "RIGHT", "INTERACT", "WAIT"], "reward.alive": 0.5, "reward.death": -2.0,
}  # fmt: skip
WAIT, MOVES = 5, [0, 1, 2, 3]


def room(**overrides):
    return load_level("0", {**ROOM, **overrides})


def small_town(**overrides):
    return load_level("2", {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.1, "max_steps": 30, **overrides})


def some_network(level, seed=0):
    torch.manual_seed(seed)
    return make_network(level.network, lay_out(level), len(level.actions))


class Restless(QNetwork):
    """Moves at its first step, and from then on waits: its memory says whether this is the first."""

    def __init__(self, level):
        super().__init__(lay_out(level), len(level.actions), False)
        self.calls = []

    def initial_hidden(self, batch):
        return (torch.zeros(1, batch, 1),)

    def forward(self, features, hidden, previous_actions=None, reset=None):
        self.calls.append(([row.item() for row in hidden[0][0]], previous_actions[:, 0].tolist()))
        first = hidden[0][0] == 0.0  # [batch, 1]
        moves, waits = torch.tensor([4.0, 4, 4, 4, 0, 1]), torch.tensor([0.0, 0, 0, 0, 0, 1])
        return torch.where(first, moves, waits).unsqueeze(1), (hidden[0] + 1.0,)


class EvenAgentsWait:
    """Agents 0, 2, ... wait; the others always move."""

    def act(self, observation: Observation):
        mask = observation.action_mask.clone()
        mask[:, 4:] = False
        moves = mask.long().argmax(dim=1)
        return torch.where(torch.arange(len(moves)) % 2 == 0, WAIT, moves)

    def after(self, actions, result: StepResult):
        pass


@pytest.fixture
def worlds(monkeypatch):
    """The environments that evaluation makes, with the actions and the observations before each of their steps."""
    made = []

    class Watched(VectorizedEnv):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.lived = []
            made.append(self)

        def step(self, actions):
            self.lived.append((self.observe(), actions))
            return super().step(actions)

    monkeypatch.setattr(make, "VectorizedEnv", Watched)
    return made


def test_the_summary_of_a_stub_policy_by_hand():
    """Two of four wait to the limit of 7: 7 x 0.5; two move and die on tick 5: 4 x 0.5 and -2 on the last."""
    found = play(room(), EvenAgentsWait(), 4, seed=0, device=CPU)
    del found["visits"]  # of which another test speaks
    alive, dead = 7 * 0.5, 4 * 0.5 - 2.0
    assert found == {
        "episodes": 4,
        "mean_ep_length": 6.0,  # of 7, 5, 7, 5
        "std_ep_length": 1.0,
        "mean_reward": pytest.approx((alive + dead) / 2),
        "std_reward": pytest.approx((alive - dead) / 2),
        "survival_rate": 0.5,
        "deaths": {"energy": 2},
        "cut": 0,
    }


def test_only_first_episodes_count():
    """The movers' second episodes run until the waiters' first have ended, and change nothing."""
    three_of_four = play(room(max_steps=7), EvenAgentsWait(), 3, seed=0, device=CPU)
    assert three_of_four["mean_ep_length"] == pytest.approx((7 + 5 + 7) / 3)
    assert three_of_four["deaths"] == {"energy": 1}
    long = play(room(**{"max_steps": 9}), EvenAgentsWait(), 2, seed=0, device=CPU)
    assert long["mean_ep_length"] == 7.0 and long["deaths"] == {"energy": 1}  # 9 and 5


class Leftward:
    """Goes left, at the wall too, where that is forbidden and does nothing."""

    def act(self, observation: Observation):
        return torch.zeros(len(observation.features), dtype=torch.int64)

    def after(self, actions, result: StepResult):
        pass


def test_steps_are_counted_where_they_begin_as_long_as_first_episodes_last(tmp_path):
    """Breath lasts five ticks, so who begins in column 2 of 3 acts there, in column 1, and three times at the wall."""
    chair = {"kind": "fixed"}
    level = load_level(write_level(tmp_path, wide_room(grid={"width": 3, "height": 2}, layout=chair)))
    start = VectorizedEnv(level, 16, seed=0, compile=False, maps="evaluation").state
    cells = [[0, 0, 0], [0, 0, 0]]
    for x, y in zip(start.x.tolist(), start.y.tolist(), strict=True):
        for step in range(5):
            cells[y][max(x - step, 0)] += 1
    assert len({*zip(start.x.tolist(), start.y.tolist(), strict=True)}) > 3
    found = play(level, Leftward(), 16, seed=0, device=CPU)["visits"]
    assert found == {"cells": cells, "places": {"Chair": cells[0][0]}}  # it stands in the first cell; the Lamp nowhere


def test_nothing_is_counted_where_there_is_no_map():
    task = load_gym_task("CartPole-v1", None, {"max_steps": 5})
    assert "visits" not in play(task, RandomPolicy(0, CPU), 2, seed=0, device=CPU)


def test_the_first_empty_lethal_meter_is_what_somebody_died_of():
    level = load_level("2", FEW_MAPS)
    env = VectorizedEnv(level, 4, compile=False, maps="evaluation")
    first = FirstEpisodes.begin(4, CPU)
    meters = torch.full((4, 8), 0.5)
    energy, hygiene, health = (level.present_meters.index(name) for name in ("energy", "hygiene", "health"))
    meters[0, energy] = meters[0, health] = meters[1, health] = 0.0
    meters[:, hygiene] = 0.0  # not lethal
    final = torch.zeros(4, env.obs_dim)
    final[:, env.observation_layout.slices["meters"]] = meters
    observation, flags = env.reset(), torch.tensor([True, True, True, False])
    none = torch.zeros(4, dtype=torch.bool)
    died = StepResult(observation, torch.ones(4), flags & (torch.arange(4) < 2), none, final, observation.action_mask)
    cut = died._replace(terminated=none, truncated=flags)
    for result in (died, cut):
        first = first.after(result, env.cause_of_death(result.final_features))
    assert first.running.tolist() == [False, False, False, True]
    found = first.summary(env.causes)
    assert found["deaths"] == {"energy": 1, "health": 1}
    assert found["survival_rate"] == 0.25  # agent 2; agent 3 still runs
    assert found["mean_ep_length"] == (1 + 1 + 2 + 2) / 4


def test_it_stops_soon_after_the_last_first_episode(worlds):
    play(room(max_steps=400, **{"meters.energy.move": 0.0}), EvenAgentsWait(), 4, seed=0, device=CPU)
    assert 10 <= len(worlds[0].lived) <= 10 + evaluation.STEPS_BETWEEN_CHECKS


def test_an_evaluator_plays_the_same_episodes_each_time_in_one_world(worlds):
    level = small_town()
    network, evaluator = some_network(level), Evaluator(level, 6, 3, CPU)
    assert evaluator.evaluate(network) == evaluator.evaluate(network) == evaluate(level, network, 6, 3, "cpu")
    assert evaluator.evaluate(network, 1) == evaluate(level, network, 6, 3, "cpu", forget_every=1)
    assert len(worlds) == 3  # the evaluator's, and one for each evaluation by itself


def test_a_captured_world_is_played_in_as_a_plain_one(worlds):
    level = small_town()
    network, evaluator = some_network(level), Evaluator(level, 6, 3, CPU)
    plain = [evaluator.evaluate(network), evaluator.evaluate(network, 1), evaluator.play(RandomPolicy(0, CPU))]
    worlds[0].capture()  # as on a CUDA device
    captured = [evaluator.evaluate(network), evaluator.evaluate(network, 1), evaluator.play(RandomPolicy(0, CPU))]
    assert captured == plain and len(worlds) == 1


def test_episodes_that_have_ended_are_acted_for_no_more_and_no_figure_changes(monkeypatch):
    monkeypatch.setattr(evaluation, "STEPS_BETWEEN_CHECKS", 3)
    level = small_town()
    network = some_network(level, seed=3)
    noted, rows = Noted(), []
    everyone = play(level, GreedyPolicy(network, 96, CPU), 96, 3, CPU)
    network.register_forward_hook(lambda network, inputs, outputs: rows.append(len(inputs[0])))
    evaluator = Evaluator(level, 96, 3, CPU)
    assert evaluator.evaluate(network, note=noted) == everyone
    lengths = noted.lengths()
    running = [int((lengths > step).sum()) for step in range(len(rows))]  # who still lives before each step
    checked = [running[max(0, (step - 1) // 3 * 3 + 1)] if step else 96 for step in range(len(rows))]
    fewest = min(one for one in checked if one >= FEWEST_ROWS)
    assert rows == [max(one, fewest) for one in checked] and fewest < 48


@pytest.mark.parametrize("forget_every", [None, 1, 3])
def test_a_captured_evaluation_is_a_plain_one_bit_for_bit_each_time(forget_every):
    level = small_town()
    network, others = some_network(level), some_network(level, seed=1)
    plain, captured = (Evaluator(level, 6, 3, CPU, without_memory=2, capture=one) for one in (False, True))
    for policy in (network, network, others):
        notes = Noted(), Noted()
        played = [
            one.evaluate(policy, forget_every, note=note) for one, note in zip((plain, captured), notes, strict=True)
        ]
        assert played[0] == played[1]
        assert torch.equal(*(torch.stack(note.actions) for note in notes))
        assert torch.equal(*(torch.stack(note.ended) for note in notes))
        assert plain.compare(policy) == captured.compare(policy)


def test_nothing_of_a_captured_step_is_launched_outside_of_its_graph():
    level = small_town()
    evaluator = Evaluator(level, 6, 3, CPU, capture=True)
    evaluator.evaluate(some_network(level))
    lives = evaluator._captured
    lives.begin()
    lives.step()
    runs = lives._captured._runs
    (form,) = runs
    runs[form] = runs[form]._replace(replay=lambda: None)  # where a device replays the graph
    assert launches(lives.step)[0] == 0


def test_so_many_more_lives_are_played_without_memory_beside_those_with_it(worlds):
    """With its memory the stub moves once and lives to the limit of 7; without, it moves on and dies on tick 5."""
    level = room()
    network, noted = Restless(level), Noted()
    found, without = Evaluator(level, 3, 0, CPU, without_memory=2).compare(network, note=noted)
    assert [(one["episodes"], one["mean_ep_length"]) for one in (found, without)] == [(3, 7.0), (2, 5.0)]
    assert (found["deaths"], without["deaths"]) == ({"energy": 0}, {"energy": 2})
    assert sum(map(sum, found["visits"]["cells"])) == 3 * 7  # of those with memory alone
    assert noted.lengths().tolist() == [7] * 3
    (world,) = worlds
    assert world.num_agents == 5 and len(world.lived) == 7


@pytest.mark.parametrize("last", [1, 4])
def test_it_is_asked_before_each_step_whether_to_stop(worlds, last):
    asked = []

    def stopped():
        asked.append(len(worlds[0].lived))
        return len(asked) == last

    evaluator = Evaluator(room(), 4, 0, CPU)
    with pytest.raises(evaluation.EvaluationStoppedError):
        evaluator.play(EvenAgentsWait(), stopped)
    assert asked == list(range(last)) and len(worlds[0].lived) == last - 1
    assert evaluator.play(EvenAgentsWait(), lambda: False) == play(room(), EvenAgentsWait(), 4, 0, CPU)


def test_a_world_is_compiled_where_all_plays_together_repay_it():
    level = load_level("2")
    assert [Evaluator(level, 512, 0, CPU, times).compile for times in (1, 13, 14)] == [
        False,
        False,
        "auto",
    ]  # of 500 steps each


def test_actions_are_the_best_allowed_ones(worlds):
    level = small_town()
    network = some_network(level)
    evaluate(level, network, 6, seed=3, device="cpu")
    hidden, previous = network.initial_hidden(6), torch.full((6,), 5)
    forbidden_looked_best = 0
    for observation, actions in worlds[0].lived[:8]:  # nobody's episode ends before step 10
        with torch.no_grad():
            q, hidden = network(observation.features.unsqueeze(1), hidden, previous.unsqueeze(1))
        for row, allowed, action in zip(
            q[:, 0].tolist(), observation.action_mask.tolist(), actions.tolist(), strict=True
        ):
            assert action == max((index for index in range(5) if allowed[index]), key=row.__getitem__)
            forbidden_looked_best += not allowed[row.index(max(row))]
        previous = actions
    assert forbidden_looked_best > 0


def test_a_greedy_policy_carries_its_own_memory_and_drops_it_at_an_episodes_end():
    level = room()
    network, env = Restless(level), VectorizedEnv(level, 2, compile=False)
    policy, observation = GreedyPolicy(network, 2, CPU), env.reset()
    for _ in range(9):
        actions = policy.act(observation)
        result = env.step(actions)
        policy.after(actions, result)
        observation = result.observation
    # One move and six waits to the limit of 7, and again from nothing.
    assert [hidden for hidden, _ in network.calls] == [[float(step)] * 2 for step in (0, 1, 2, 3, 4, 5, 6, 0, 1)]
    assert [previous[0] for _, previous in network.calls][1:7] == [network.calls[1][1][0]] + [WAIT] * 5
    assert network.calls[0][1] == network.calls[7][1] == [6, 6]  # none


def test_forgetful_plays_without_memory_and_keeps_the_previous_action():
    """With its memory it moves once and lives to the limit; without, every step is its first, and it dies on tick 5."""
    level = room()
    remembering, forgetful = Restless(level), Restless(level)
    assert evaluate(level, remembering, 3, seed=0, device="cpu")["mean_ep_length"] == 7.0
    found = evaluate(level, forgetful, 3, seed=0, device="cpu", forget_every=1)
    assert found["mean_ep_length"] == 5.0 and found["survival_rate"] == 0.0
    assert all(hidden == [0.0] * 3 for hidden, _ in forgetful.calls)
    assert all(action in MOVES for _, previous in forgetful.calls[1:5] for action in previous)


def test_memory_is_zeroed_before_every_third_step():
    level = room()
    network = Restless(level)
    evaluate(level, network, 1, seed=0, device="cpu", forget_every=3)
    assert [hidden for hidden, _ in network.calls][:6] == [[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]]


def test_forgetful_is_the_same_for_a_network_without_memory():
    level = load_level("0", {"max_steps": 40})
    network = some_network(level)
    assert evaluate(level, network, 8, 0, "cpu") == evaluate(level, network, 8, 0, "cpu", forget_every=1)


def test_maps_are_none_of_those_that_training_has(worlds):
    level = small_town()
    evaluate(level, some_network(level), 4, seed=0, device="cpu")
    training = {tuple(row) for row in draw_places(level, "training").tolist()}
    count = len(level.affordances)
    tables = worlds[0].tables
    places = (tables.place_y * level.grid.width + tables.place_x).view(-1, count).tolist()
    assert len(places) == 16 and len(training) == 32
    assert not training & {tuple(row) for row in places}


def test_the_same_seed_evaluates_alike_and_another_starts_elsewhere(worlds):
    level = small_town()
    network = some_network(level)
    results = [evaluate(level, network, 6, seed, "cpu") for seed in (1, 1, 2)]
    assert results[0] == results[1]
    starts = [world.lived[0][0].features for world in worlds]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])


def test_evaluation_leaves_the_network_and_pytorchs_random_stream_alone():
    level = small_town()
    network = some_network(level)
    weights, stream = copy_of(network.state_dict()), torch.get_rng_state()
    evaluate(level, network, 6, 0, "cpu")
    assert differences(weights, network.state_dict()) == []
    assert all(one.grad is None and one.requires_grad for one in network.parameters())
    assert torch.equal(torch.get_rng_state(), stream)
    assert network.training


def test_the_random_policy_takes_all_allowed_actions_alike_and_no_other():
    mask = torch.tensor([[True, False, True, True, False]]).expand(30_000, 5)
    actions = RandomPolicy(0, CPU).act(Observation(torch.zeros(30_000, 1), mask))
    counts = torch.bincount(actions, minlength=5).tolist()
    assert counts[1] == counts[4] == 0
    five_sigma = 5 * (30_000 * 1 / 3 * 2 / 3) ** 0.5
    assert all(abs(counts[action] - 10_000) <= five_sigma for action in (0, 2, 3))
    again = RandomPolicy(0, CPU).act(Observation(torch.zeros(30_000, 1), mask))
    assert torch.equal(actions, again)
