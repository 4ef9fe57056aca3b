"""A population learns from steps that the time limit cuts off as from any other."""

import pytest
import torch

from support.learning import FEW_MAPS, make_population, population_of
from support.paid_at_the_cut import PaidAtTheCut
from townlet.agent.acting import initial_memory, q_values
from townlet.config import load_gym_task, load_level
from townlet.environment.types import Observation
from townlet.level.file import configs_directory
from townlet.population.vectorized import VectorizedPopulation
from townlet.replay.cuts import each_cut, every_step, last_of_each

SEQ_LEN = 8
OFTEN_CUT = {"max_steps": 3, "meters__energy__initial": 0.0255}  # three moves are a death, two and something else not
RANDOM = {"training__exploration__base": 0.9, "training__exploration__alpha": 0.0, "training__seed": 5}
KINDS = {
    "an LSTM": {"network__memory": []},
    "a GRU and previous actions": {"network__cell": "gru", "network__previous_action": True},
    "maps beside the cell": {"network__memory": [], "network__sightings": True, "network__frontier": True},
    "a target network": {"training__target_every": 2, "training__double_q": True, "network__previous_action": True},
    "a target network without double Q": {"training__target_every": 2, "training__double_q": False},
}


def about_to_learn(population):
    """Live until the third window is full; its steps, [seq_len] of (observation, memory, actions, result)."""
    seen, step = [], population.env.step

    def watched(actions):
        observation, memory = population.observation, population.memory
        result = step(actions)
        seen.append((observation, memory, actions, result))
        return result

    population.env.step = watched
    for _ in range(3 * SEQ_LEN):
        if population.steps == 3 * SEQ_LEN - 1:
            population._learning.learn = lambda env_steps: {}
        population.step()
    assert population.learner.updates == 4  # after the first and the second
    return seen[-SEQ_LEN:]


def row(record, agent):
    """One agent's row of an observation or a memory."""
    if isinstance(record, Observation):
        return Observation(record.features[agent : agent + 1], record.action_mask[agent : agent + 1])
    hidden = tuple(part[:, agent : agent + 1] for part in record.hidden)
    return record._replace(hidden=hidden, previous_actions=record.previous_actions[agent : agent + 1])


def slow_values(network, steps, agent, initial_state):
    """Q of what each step of one agent led to, [seq_len] of [num_actions]: a step at a time, before any reset."""
    blank = initial_memory(network, 1, torch.device("cpu"))
    memory = row(steps[0][1], agent)
    if initial_state == "zero":
        memory = memory._replace(hidden=blank.hidden)
    values = []
    for observation, acting, actions, result in steps:
        cut = bool(result.truncated[agent])
        if cut and initial_state == "stored":
            memory = row(acting, agent)  # what the agent had
        _, hidden = q_values(network, row(observation, agent), memory)
        memory = memory._replace(hidden=hidden, previous_actions=actions[agent : agent + 1])
        final = row(Observation(result.final_features, result.final_action_mask), agent)
        values.append(q_values(network, final, memory)[0][0].tolist())
        if bool(result.ended[agent]):
            memory = blank
    return values


def slow_targets(population, steps, agent):
    """Lambda returns of one agent's window, from its last step to its first."""
    training, learner = population.task.training, population.learner
    online = slow_values(learner.network, steps, agent, training.initial_state)
    target = slow_values(learner.target, steps, agent, training.initial_state) if learner.target else online
    later, targets = None, []
    for index, (_, _, _, result) in reversed(list(enumerate(steps))):
        allowed = result.final_action_mask[agent].tolist()
        chooser = online[index] if training.double_q else target[index]
        best = max((action for action in range(len(allowed)) if allowed[action]), key=lambda action: chooser[action])
        worth = target[index][best]
        if later is not None and not bool(result.ended[agent]):
            worth = (1 - training.trace_decay) * worth + training.trace_decay * later
        if bool(result.terminated[agent]):
            worth = 0.0
        later = training.reward_scale * float(result.reward[agent]) + training.gamma * worth
        targets.append(later)
    return targets[::-1]


def check_targets(population):
    """All targets of the third window are those of the slow reference; returns where it was cut off, and who died."""
    steps = about_to_learn(population)
    windows = population.buffer.newest_sequences(SEQ_LEN)
    from_zero = population.task.training.initial_state == "zero"
    prepared = population.learner.prepare(windows, population.buffer.cut_steps(SEQ_LEN, each_cut, from_zero))
    error, q = population.learner.td_error(prepared)
    expected = torch.tensor([slow_targets(population, steps, agent) for agent in range(population.num_agents)])
    torch.testing.assert_close((error + q).detach(), expected, rtol=1e-4, atol=1e-5)
    assert prepared.valid.all()
    cut, died = (torch.stack([getattr(step[3], end) for step in steps], 1) for end in ("truncated", "terminated"))
    assert torch.equal(prepared.cut, cut)
    return cut, died


@pytest.mark.parametrize("initial_state", ["stored", "zero"])
@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_those_of_an_unroll_step_by_step_over_cuts_and_deaths(kind, initial_state):
    changes = {**OFTEN_CUT, **RANDOM, "training__trace_decay": 0.7, "training__initial_state": initial_state}
    for seed in range(8):  # which lives are led hangs on PyTorch's version
        cut, died = check_targets(make_population("fresh", **{**changes, **KINDS[kind], "training__seed": seed}))
        if (cut.sum(dim=1) > 1).any() and (cut.any(dim=1) & died.any(dim=1)).any():
            return
    pytest.fail("expected a window that is cut twice, and one that is cut and has a death, of some seed")


def test_targets_without_memory_are_those_of_single_steps():
    small = {"training.num_agents": 8, "training.seq_len": SEQ_LEN, "training.mode.minibatches": 2, **FEW_MAPS}
    level = load_level("1", {**small, **{name.replace("__", "."): value for name, value in OFTEN_CUT.items()}})
    cut, _ = check_targets(population_of(level))
    assert cut.any()


@pytest.mark.parametrize("initial_state", ["stored", "zero"])
def test_what_is_worked_out_in_shapes_that_do_not_depend_on_the_cuts_is_the_same(initial_state):
    from_zero = initial_state == "zero"
    for limit, pick in [(3, every_step), (8, last_of_each)]:
        changes = {**RANDOM, "max_steps": limit, "training__initial_state": initial_state}
        population = make_population("fresh", network__frontier=True, **changes)
        about_to_learn(population)
        newest, learner = population.buffer.newest_sequences(SEQ_LEN), population.learner
        few = learner.prepare(newest, population.buffer.cut_steps(SEQ_LEN, each_cut, from_zero))
        all_of_them = learner.prepare(newest, population.buffer.cut_steps(SEQ_LEN, pick, from_zero))
        assert few.cut.any() and torch.equal(few.cut, all_of_them.cut) and all_of_them.valid.all()
        torch.testing.assert_close(few.cut_values[few.cut], all_of_them.cut_values[few.cut])


def test_nothing_more_is_worked_out_where_nothing_was_cut_off():
    population = make_population("fresh", max_steps=100)
    calls = []
    population.network.register_forward_hook(lambda module, args, output: calls.append(tuple(args[0].shape[:2])))
    for _ in range(SEQ_LEN):
        population.step()
    assert calls == [(8, 1)] * SEQ_LEN + [(4, SEQ_LEN + 1)] * 2  # acting, and two minibatches


def test_cut_steps_cost_one_call_over_two_observations_of_each():
    population = make_population("fresh", max_steps=5)
    calls = []
    population.network.register_forward_hook(lambda module, args, output: calls.append(tuple(args[0].shape[:2])))
    for _ in range(SEQ_LEN):
        population.step()
    assert calls == [(8, 1)] * SEQ_LEN + [(8, 2)] + [(4, SEQ_LEN + 1)] * 2  # all live five steps


@pytest.mark.parametrize("dies", [False, True])
def test_what_is_paid_at_the_end_is_learned_whether_a_time_limit_ends_it_or_a_death(dies):
    settings = {
        "network.hidden": 8, "network.head": 16, "network.encoder.width": 16, "training.num_agents": 16,
        "training.seq_len": 8, "training.mode.minibatches": 2, "training.gamma": 0.9, "training.learning_rate": 0.01,
        "training.final_learning_rate": 0.01,
    }  # fmt: skip
    env = PaidAtTheCut(16, dies)
    task = load_gym_task("PaidAtTheCut-v0", configs_directory() / "fresh.yaml", settings)
    population = VectorizedPopulation(task, env)
    while population.env_steps < 4000:
        population.step()
    cues = Observation(torch.eye(3), torch.ones(3, 3, dtype=torch.bool))
    q, _ = q_values(population.network, cues, initial_memory(population.network, 3, env.device))
    assert q.argmax(dim=1).tolist() == [0, 1, 2]
    # Where episodes are only cut off, a greedy life is worth about 1 / (1 - 0.9); where they end, 1.
    assert (q.max(dim=1).values > 2.0).all() != dies
