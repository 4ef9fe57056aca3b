"""Stages of difficulty: who goes up, who falls back, and what each lives under, in numbers worked out by hand."""

import math
from itertools import pairwise

import pytest
import torch

from support.learning import copy_of, differences, everything, make_population, population_of
from support.worlds import make_env, put
from townlet.agent.acting import q_values
from townlet.config import Adversarial, Level, load_level
from townlet.curriculum.adversarial import AdversarialCurriculum, policy_entropy
from townlet.curriculum.static import StaticCurriculum, make_curriculum
from townlet.environment.types import Difficulty, Observation, StepResult
from townlet.level.course import Stage

RULE = {
    "kind": "adversarial", "episodes": 2, "min_stay": 6, "advance_above": 0.7, "retreat_below": 0.3,
    "entropy_below": 0.5, "temperature": 1.0,
    "stages": (Stage(passive=0.2), Stage(passive=0.5), Stage(passive=1.0, reward="sparse")),
}  # fmt: skip
SURE, UNSURE = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])  # q of an agent: entropy 0.0018 and 1


def make(num_agents: int, max_steps: int = 10, **changes) -> AdversarialCurriculum:
    level = load_level("2").model_copy(update={"max_steps": max_steps})
    return AdversarialCurriculum(level, Adversarial(**(RULE | changes)), num_agents, torch.device("cpu"))


def result_of(ended: list[bool]) -> StepResult:
    flags = torch.tensor(ended)
    nothing = torch.zeros(len(ended), 1)
    seen = Observation(nothing, nothing.bool())
    return StepResult(seen, torch.zeros(len(ended)), flags, torch.zeros_like(flags), nothing, nothing.bool())


def live(curriculum: AdversarialCurriculum, *lengths: int, q: torch.Tensor = SURE) -> list[int]:
    """One agent's episodes of so many steps; its stage after each."""
    stages, mask = [], torch.ones(1, 2, dtype=torch.bool)
    for length in lengths:
        for step in range(1, length + 1):
            curriculum.record(q, mask, result_of([step == length]))
        stages.append(int(curriculum.stage[0]))
    return stages


# --- the rule -----------------------------------------------------------------------------------------------------


def test_an_agent_goes_up_above_the_share_of_the_limit_and_is_judged_anew_there():
    assert live(make(1), 7, 7, 8, 8, 9, 9) == [0, 0, 1, 1, 2, 2]  # 0.7 is not above 0.7; 7 and 8 are; the last stays


def test_an_agent_falls_back_below_the_share_of_the_limit():
    curriculum = make(1, min_stay=1)
    assert live(curriculum, 10, 10, 3, 3, 2) == [0, 1, 1, 1, 0]  # 0.3 is not below 0.3; 0.25 is
    assert live(curriculum, 1, 1, 1) == [0, 0, 0]  # below the first there is none


def test_an_agent_stays_for_the_least_steps_before_it_goes_up_or_down():
    curriculum = make(1, min_stay=25)
    assert live(curriculum, 10, 10, 10) == [0, 0, 1]
    assert live(curriculum, *[2] * 12) == [1] * 12  # 24 steps
    assert live(curriculum, 2) == [0]


def test_an_agent_that_fell_back_is_judged_by_new_episodes_alone():
    assert live(make(1, min_stay=1), 10, 10, 10, 10, 2, 2, 2, 2) == [0, 1, 1, 2, 2, 1, 1, 0]  # two for each stage


def test_an_agent_that_fell_back_stays_for_the_least_steps_again():
    curriculum = make(1, min_stay=25)
    assert live(curriculum, 10, 10, 10) == [0, 0, 1]
    assert live(curriculum, *[2] * 13) == [1] * 12 + [0]
    assert live(curriculum, 10, 10, 10) == [0, 0, 1]


def test_an_agent_goes_up_only_while_it_does_not_become_worse():
    assert live(make(1), 10, 9, 9) == [0, 0, 1]  # 10 then 9 is worse
    assert live(make(1, least_progress=0.1), 9, 9, 10) == [0, 0, 1]
    assert live(make(1, episodes=4), 10, 10, 10, 8) == [0, 0, 0, 0]  # 20 in the earlier half, 18 in the later


def test_an_agent_goes_up_only_when_it_knows_what_it_wants():
    curriculum = make(1)
    assert live(curriculum, 10, 10, q=UNSURE) == [0, 0]
    assert live(curriculum, 10) == [0]  # the mean over the two episodes is 0.5009, just over
    assert live(curriculum, 10) == [1]


def test_each_agent_has_a_stage_of_its_own():
    curriculum = make(3)
    mask = torch.ones(3, 2, dtype=torch.bool)
    for step in range(1, 21):
        ended = [step % 10 == 0, step % 5 == 0, False]
        curriculum.record(SURE.expand(3, 2), mask, result_of(ended))
    assert curriculum.stage.tolist() == [1, 0, 0]
    assert curriculum.read_metrics() == pytest.approx({
        "curriculum/stage": 4 / 3, "curriculum/agents_in_stage_1": 2, "curriculum/agents_in_stage_2": 1,
        "curriculum/agents_in_stage_3": 0,
    })  # fmt: skip


def test_entropy_is_a_share_of_what_the_allowed_actions_make_possible():
    q = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 5.0], [0.0, math.log(3.0), 9.0], [2.0, 7.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, True, False], [True, True, False], [False, True, False]])
    quarter = (0.25 * math.log(4.0) + 0.75 * math.log(4.0 / 3.0)) / math.log(2.0)  # chances of 1/4 and 3/4
    torch.testing.assert_close(policy_entropy(q, mask, 1.0), torch.tensor([1.0, 1.0, quarter, 0.0]))
    torch.testing.assert_close(policy_entropy(10.0 * q, mask, 10.0), policy_entropy(q, mask, 1.0))


# --- what agents live under ---------------------------------------------------------------------------------------


def test_a_stage_gives_its_share_to_its_meters_and_none_to_the_others():
    stages = (Stage(meters=("energy", "hygiene"), passive=0.2), Stage(passive=0.8, reward="sparse"))
    curriculum = make(2, stages=stages)
    curriculum.stage = torch.tensor([1, 0])
    difficulty = curriculum.difficulty()
    assert torch.equal(difficulty.passive[:, 0], torch.full((8,), 0.8))
    assert torch.equal(difficulty.passive[:, 1], torch.tensor([0.2, 0.2, 0, 0, 0, 0, 0, 0]))
    assert difficulty.sparse.tolist() == [True, False]


def graded_level() -> Level:
    return load_level("2-adversarial", {"actions": "[UP, DOWN, LEFT, RIGHT, INTERACT, WAIT]"})


def test_the_passive_change_and_the_drains_of_each_agent_have_its_shares():
    """One tick of waiting: energy loses 0.005, hygiene 0.003, satiation 0.004; health 0.001 x (0.5 + 2.5 x 0.4)."""
    level = graded_level()
    env = make_env(level, 2)
    for agent in range(2):
        put(env, agent, meters=dict.fromkeys(level.present_meters, 0.6))
    shares = torch.zeros(8, 2)
    shares[:, 0] = torch.tensor([0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0])
    shares[:, 1] = 1.0
    env.step(torch.tensor([5, 5]), Difficulty(shares, torch.zeros(2, dtype=torch.bool)))
    eased = [0.599, 0.5994, 0.6, 0.6, 0.6, 0.6, 0.6 - 0.5 * 0.0015, 0.6]
    whole = [0.595, 0.597, 0.596, 0.6, 0.599, 0.594, 0.6 - 0.0015, 0.598]
    torch.testing.assert_close(env.state.meters, torch.tensor([eased, whole]).t())


def test_the_cost_of_a_move_and_the_cascades_are_whole_in_every_stage():
    """Energy: a move costs 0.005 (and satiation 0.004: it is 0 then); satiation pulls it by 0.005, health by 0.004."""
    level = graded_level()
    env = make_env(level, 1)
    put(env, 0, at=(3, 3), meters=dict.fromkeys(level.present_meters, 0.6) | {"satiation": 0.004})
    env.step(torch.tensor([0]), Difficulty(torch.zeros(8, 1), torch.zeros(1, dtype=torch.bool)))
    assert env.state.meters[0, 0] == pytest.approx(0.59) and env.state.meters[6, 0] == pytest.approx(0.596)


def test_the_sparse_reward_counts_for_those_in_its_stage_alone():
    """The 50th tick: 5 by the sparse reward; 0.1 and a potential by the level's own."""
    level = graded_level()
    env, whole = make_env(level, 2), make_env(level, 2)
    for one in (env, whole):
        for agent in range(2):
            put(one, agent, tick=49)
    actions = torch.tensor([5, 5])
    result = env.step(actions, Difficulty(torch.ones(8, 2), torch.tensor([True, False])))
    assert result.reward[0] == 5.0
    assert result.reward[1] == whole.step(actions).reward[1] != 5.0


def test_full_difficulty_is_the_level_as_it_is_bit_for_bit():
    level = graded_level()
    one, other = make_env(level, 16), make_env(level, 16)
    full = Difficulty(torch.ones(8, 16), torch.zeros(16, dtype=torch.bool))
    for step in range(60):
        actions = (torch.arange(16) + step) % 6
        assert differences(one.step(actions), other.step(actions, full)) == []


@pytest.mark.slow
def test_the_compiled_step_of_a_graded_level_is_one_graph_that_does_what_the_eager_one_does():
    level = graded_level()
    compiled, eager = make_env(level, 8, compile=True), make_env(level, 8)
    counter = pytest.importorskip("torch._dynamo.utils").counters["stats"]
    graphs, stream = counter["unique_graphs"], torch.Generator().manual_seed(0)
    for step in range(5):
        shares = torch.rand(8, 8, generator=stream)
        difficulty = Difficulty(shares, torch.arange(8) < step)
        actions = torch.randint(0, 6, (8,), generator=stream)
        one, other = compiled.step(actions, difficulty), eager.step(actions, difficulty)
        torch.testing.assert_close(one.reward, other.reward)
        torch.testing.assert_close(compiled.state.meters, eager.state.meters)
    assert counter["unique_graphs"] == graphs


# --- in a population ----------------------------------------------------------------------------------------------

SMALL = {
    "training.num_agents": 8, "training.seq_len": 8, "training.mode.minibatches": 2, "max_steps": 12,
    "layout.training_maps": 32, "layout.evaluation_maps": 16, "network.hidden": 8, "network.head": 12,
    "network.encoder.width": 12, "meters.energy.initial": 0.1, "training.curriculum.min_stay": 5,
    "training.curriculum.entropy_below": 1.0, "training.curriculum.episodes": 2,
    "training.curriculum.advance_above": 0.6, "training.curriculum.retreat_below": 0.5,
}  # fmt: skip


def test_an_agent_is_judged_by_what_it_saw_when_it_chose(monkeypatch):
    population, judged = population_of(load_level("2-adversarial", SMALL)), []
    judge = lambda q, mask, result: judged.append((q, mask.clone(), result))  # noqa: E731  # mask is written over
    monkeypatch.setattr(population.curriculum, "record", judge)
    for _ in range(20):
        before = population.observation.action_mask
        q = q_values(population.network, population.observation, population.memory)[0]
        population.step()
        assert torch.equal(judged[-1][1], before) and torch.equal(judged[-1][0], q)
        assert torch.equal(judged[-1][2].observation.features, population.observation.features)
    assert any(not torch.equal(one[1], other[1]) for one, other in pairwise(judged))


def test_a_population_goes_through_the_stages_and_resumes_in_the_middle_bit_for_bit():
    level = load_level("2-adversarial", SMALL)
    whole = population_of(level)
    assert isinstance(whole.curriculum, AdversarialCurriculum)
    for _ in range(100):
        whole.step()
        if whole.learner.updates > 4 and len(whole.curriculum.stage.unique()) > 1:
            break  # in the middle: some are ahead of others
    assert len(whole.curriculum.stage.unique()) > 1
    kept, weights = copy_of(whole.state_dict()), copy_of(whole.network.state_dict())
    again = population_of(level)
    again.network.load_state_dict(weights)
    again.load_state_dict(kept)
    for population in (whole, again):
        for _ in range(60):
            population.step()
    assert differences(everything(whole), everything(again)) == []
    assert whole.read_metrics()["curriculum/stage"] == again.read_metrics()["curriculum/stage"] > 1.0


def test_the_world_is_given_the_difficulty_of_before_the_step():
    population = population_of(load_level("2-adversarial", SMALL))
    given, step = [], population.env.step

    def watched(actions, difficulty):
        given.append(difficulty)
        return step(actions, difficulty)

    population.env.step = watched
    population.curriculum.stage[3] = 4
    population.step()
    assert given[0].sparse.nonzero().flatten().tolist() == [3]
    assert torch.equal(given[0].passive[:, 3], torch.ones(8))


@pytest.mark.parametrize("curriculum", [None, "{kind: static}"])
def test_without_stages_nothing_is_given_to_the_world(curriculum):
    population = make_population("fresh", training__curriculum=curriculum)
    assert isinstance(population.curriculum, StaticCurriculum)
    given, step = [], population.env.step

    def watched(*arguments):
        given.append(len(arguments))
        return step(*arguments)

    population.env.step = watched
    population.step()
    assert given == [1]  # the actions alone
    assert "curriculum/stage" not in population.read_metrics()
    assert isinstance(make_curriculum(population.task, population.env), StaticCurriculum)
