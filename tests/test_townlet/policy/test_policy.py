"""A policy lives step for step as the population's evaluation does: in towns, in other environments, in every mode."""

from contextlib import closing

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import townlet
from support.strangers import SOME, ByMethod, Crowd, Stranger, by_turns
from townlet.agent import acting
from townlet.agent.networks import make_network
from townlet.config import load_gym_task, load_level
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import WorldError
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.policy.policy import Policy
from townlet.policy.senses import Senses
from townlet.population.evaluation import Evaluator
from townlet.population.lives import GreedyPolicy

AGENTS, STEPS, SEED = 6, 40, 3
MODES = [*AutoresetMode]


@pytest.fixture(scope="module")
def level(run):
    return load_level(run / "config.yaml")


@pytest.fixture(scope="module")
def network(level):
    """As it begins, with values that memory and previous actions have a great part in."""
    torch.manual_seed(1)
    with closing(VectorizedEnv(level, 1)) as env:
        network = make_network(level.network, env.observation_layout, env.num_actions)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3.0)
    return network


def many(run, mode, **options):
    """The world of the run for many agents, as Gymnasium makes it."""
    level = run / "config.yaml"
    return gymnasium.make_vec("Townlet/Level-v0", AGENTS, level=level, autoreset_mode=mode, **options)


def policy_of(level, network, mode=None):
    with closing(VectorizedEnv(level, 1)) as env:
        return Policy(level, network, Senses.of(env, "level room"), mode)


def reference(env, network):
    """Of each agent, what it saw, its values and its action, step by step, as evaluations live; and how it ended."""
    with closing(env):
        greedy, seen = GreedyPolicy(network, env.num_agents, env.device), env.reset()
        lived, ends = [[] for _ in range(env.num_agents)], set()
        for _ in range(STEPS):
            q, _ = acting.q_values(network, seen, greedy.memory)
            actions = greedy.act(seen)
            result = env.step(actions)
            greedy.after(actions, result)
            for agent in result.lived.nonzero().flatten().tolist():
                lived[agent].append((seen.features[agent].tolist(), q[agent].tolist(), int(actions[agent])))
            ends |= {name for name in ("terminated", "truncated") if getattr(result, name).any()}
            seen = result.observation
    return lived, ends


def live(policy, envs, seed):
    """The same of a policy in a vector environment, by what Gymnasium's loops do in its autoreset mode."""
    mode, lived = envs.metadata["autoreset_mode"], [[] for _ in range(envs.num_envs)]
    seen, info = envs.reset(seed=seed)
    over = np.zeros(envs.num_envs, bool)
    for _ in range(STEPS):
        q, shown = policy.q_values(seen, info), seen.copy()
        actions = policy.act(seen, info)
        seen, _, terminated, truncated, info = envs.step(actions)
        for agent in np.flatnonzero(~over):
            lived[agent].append((shown[agent].tolist(), q[agent].tolist(), int(actions[agent])))
        policy.observe(terminated, truncated)
        over = (terminated | truncated) & (mode is AutoresetMode.NEXT_STEP)
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            seen, info = envs.reset(options={"reset_mask": terminated | truncated})
    return lived


def same(lived, known, least):
    """Both lived the same, as far as the shorter of them goes."""
    pairs = [(mine[: len(theirs)], theirs[: len(mine)]) for mine, theirs in zip(lived, known, strict=True)]
    return all(len(mine) > least and mine == theirs for mine, theirs in pairs)


@pytest.mark.parametrize("mode", MODES)
def test_many_agents_live_as_in_an_evaluation_through_deaths_and_time_limits(run, level, network, mode):
    known, ends = reference(VectorizedEnv(level, AGENTS, seed=SEED), network)
    assert ends == {"terminated", "truncated"} and len({action for one in known for *_, action in one}) == 4
    with closing(many(run, mode)) as envs:
        assert same(live(policy_of(level, network, mode), envs, SEED), known, STEPS // 2)


def test_one_agent_lives_as_in_an_evaluation_in_a_plain_loop(run, level, network):
    known, _ = reference(VectorizedEnv(level, 1, seed=SEED), network)
    policy, lived = policy_of(level, network), []
    with closing(gymnasium.make("Townlet/Level-v0", level=run / "config.yaml")) as env:
        seen, info = env.reset(seed=SEED)
        for _ in range(STEPS):
            q, action = policy.q_values(seen, info), policy.act(seen, info)
            lived.append((seen.tolist(), q.tolist(), int(action)))
            seen, _, terminated, truncated, info = env.step(action)
            policy.observe(terminated, truncated)
            if terminated or truncated:
                seen, info = env.reset()
    assert [lived] == known


def test_its_episodes_are_as_long_as_those_of_an_evaluation(run, level, network):
    with closing(Evaluator(level, AGENTS, SEED, torch.device("cpu"))) as evaluator:
        found = evaluator.evaluate(network)
    policy, lengths, runs = policy_of(level, network), np.zeros(AGENTS), np.ones(AGENTS, bool)
    with closing(many(run, AutoresetMode.SAME_STEP, maps="evaluation")) as envs:
        seen, info = envs.reset(seed=SEED)
        while runs.any():
            seen, _, terminated, truncated, info = envs.step(policy.act(seen, info))
            lengths += runs
            runs &= ~(terminated | truncated)
            policy.reset(terminated | truncated)
    assert lengths.mean() == found["mean_ep_length"] and lengths.std() == found["std_ep_length"] > 0


@pytest.mark.parametrize("mode", MODES)
def test_in_another_vector_environment_agents_live_as_in_an_evaluation(mode):
    task, env = load_gym_task("CartPole-v1", overrides={"network.previous_action": True}), GymEnvironment(Crowd(mode))
    torch.manual_seed(0)
    network = make_network(task.network, env.observation_layout, env.num_actions)
    policy = Policy(task, network, Senses.of(env, "crowd"), mode)
    known, ends = reference(env, network)
    assert ends == {"terminated"}
    assert same(live(policy, Crowd(mode), SEED), known, STEPS // 2)


def test_of_any_space_it_sees_what_the_network_learned_to_see(level):
    space = spaces.Dict({"at": spaces.Discrete(5, start=2), "near": spaces.Box(-1.0, 1.0, (2, 2), np.float32)})
    parts = {"seen": lambda env: {"at": np.int64(2 + env.t % 5), "near": np.full((2, 2), env.t / 10, np.float32)}}
    env = by_turns(Stranger(space, **parts), Stranger(space, **parts))
    policy = Policy(level, None, Senses.of(env, "stranger"))
    at, near = np.array([2, 6]), np.stack([np.full((2, 2), 0.5), np.zeros((2, 2))])
    many, single = policy._senses.read({"at": at, "near": near}, None)
    assert many.features.tolist() == [[1, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0, 1, 0, 0, 0, 0]] and not single
    one, single = policy._senses.read({"at": np.int64(6), "near": near[1]}, {"action_mask": SOME})
    assert one.features.tolist() == many.features[1:].tolist() and single
    assert many.action_mask.all() and one.action_mask.tolist() == [[True, False, True]]
    with pytest.raises(WorldError, match=r"^stranger: observation\['at'\]: expected one within .*, got 9"):
        policy._senses.read({"at": 9, "near": near[0]}, None)
    with pytest.raises(WorldError, match=r"^stranger: observation: expected a part 'at', got "):
        policy._senses.read(near, None)


def test_an_action_is_told_in_the_form_of_the_environment():
    class Switches(Stranger):
        action_space = spaces.MultiDiscrete([2, 3], start=[1, 5])

    senses = Senses.of(by_turns(Switches()), "switches")
    assert senses.tell(torch.tensor([4, 0]), False).tolist() == [[2, 6], [1, 5]]  # 4 is 1 and 1 of 2 x 3
    assert senses.tell(torch.tensor([5]), True).tolist() == [2, 7]


# --- ends, and how many there are --------------------------------------------------------------------------------


def observed(level, count):
    """An observation of the level for so many agents, and its info."""
    with closing(VectorizedEnv(level, count, seed=SEED)) as env:
        seen = env.reset()
    return seen.features.numpy(), {"action_mask": seen.action_mask.numpy()}


def test_agents_of_another_number_begin_without_a_past(level, network):
    policy, (seen, info) = policy_of(level, network), observed(level, 4)
    first = policy.q_values(seen, info)
    policy.act(seen, info)
    second = policy.q_values(seen, info)
    assert (first != second).any(axis=1).all()  # each remembers a step
    pair = {"action_mask": info["action_mask"][:2]}
    assert np.allclose(policy.q_values(seen[:2], pair), first[:2], atol=1e-6)
    policy.act(seen[:2], pair)
    assert np.allclose(policy.q_values(seen, info), first, atol=1e-6)
    assert policy.act(seen[0], {"action_mask": info["action_mask"][0]}).shape == ()


def test_who_is_reset_begins_without_a_past_and_nobody_else(level, network):
    policy, (seen, info) = policy_of(level, network), observed(level, 3)
    first = policy.q_values(seen, info)
    policy.act(seen, info)
    second = policy.q_values(seen, info)
    policy.reset(np.array([True, False, False]))
    now = policy.q_values(seen, info)
    assert (now[0] == first[0]).all() and (now[1:] == second[1:]).all()
    policy.reset()
    assert (policy.q_values(seen, info) == first).all()


def test_ends_of_a_vector_need_its_autoreset_mode_and_fit_the_agents(level, network):
    policy, (seen, info) = policy_of(level, network), observed(level, 3)
    policy.act(seen, info)
    with pytest.raises(ValueError, match=r"^autoreset_mode: expected one of NextStep, SameStep, Disabled for a vector"):
        policy.observe(np.zeros(3, bool), np.zeros(3, bool))
    for ended in (np.zeros(2, bool), np.zeros(3), True):
        with pytest.raises(ValueError, match=r"^ended: expected \[3\] bool, got "):
            policy.reset(ended)


def test_an_observation_without_a_mask_is_refused_where_there_are_masks(level, network):
    seen, _ = observed(level, 2)
    with pytest.raises(WorldError, match=r"^level room: info: expected action_mask, which .*, got time "):
        policy_of(level, network).act(seen, {"time": 3})
    with pytest.raises(WorldError, match=r"^level room: observation: expected \[\d+\] numbers"):
        policy_of(level, network).act(seen[:, 1:], {"action_mask": np.ones((2, 4), bool)})
    told = Senses.of(by_turns(ByMethod()), "by method")
    with pytest.raises(WorldError, match=r"^by method: info: expected action_mask, which .*, got none "):
        told.read(np.zeros(2, np.float32), {})


# --- the form of Stable-Baselines3 -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_predict_carries_its_state_from_call_to_call_as_act_does_and_leaves_the_policy_alone(run, level, network, mode):
    state, start = None, np.ones(AGENTS, bool)
    over = ~start  # in the step before
    policy, told = policy_of(level, network, mode), policy_of(level, network, mode)
    with closing(many(run, mode)) as envs:
        seen, info = envs.reset(seed=SEED)
        for _ in range(STEPS):
            actions, state = policy.predict(seen, state, start, action_masks=info["action_mask"])
            acts = ~over | (mode is AutoresetMode.SAME_STEP)
            assert (actions == told.act(seen, info))[acts].all()
            seen, _, terminated, truncated, info = envs.step(actions)
            start = over if mode is AutoresetMode.NEXT_STEP else terminated | truncated
            over = terminated | truncated
            told.observe(terminated, truncated)
    assert policy._memory is None
    with pytest.raises(ValueError, match=r"^state: expected one of 2 agents, got "):
        policy.predict(seen[:2], state)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda state: (*state[:-1], state[-1] + 0.5),
            r"state: expected integers from 0 to 4 as previous .*got float64",
        ),
        (lambda state: (*state[:-1], state[-1] + 99), r"state: expected integers from 0 to 4 as previous .* up to 1"),
        (lambda state: (state[0][..., 1:], *state[1:]), r"state: expected memories of \[\[1, 2, "),
        (lambda state: state[1:], r"state: expected memories of "),
    ],
    ids=["no action", "no such action", "width", "parts"],
)
def test_predict_refuses_a_state_that_is_no_memory_of_the_network(level, network, change, expected):
    policy, (seen, _) = policy_of(level, network), observed(level, 2)
    _, state = policy.predict(seen)
    with pytest.raises(ValueError, match=f"^{expected}"):
        policy.predict(seen, change(state))
    as_doubles = (*(part.astype(np.float64) for part in state[:-1]), state[-1].astype(np.int32))
    for mine, theirs in zip(policy.predict(seen, state)[1], policy.predict(seen, as_doubles)[1], strict=True):
        assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype


def test_predict_refuses_starts_of_other_agents(level, network):
    policy, (seen, _) = policy_of(level, network), observed(level, 4)
    for wrong in (True, [True], np.ones((4, 1), bool), [0.5] * 4):
        with pytest.raises(ValueError, match=r"^episode_start: expected \[4\] bool, got "):
            policy.predict(seen, None, wrong)
    assert policy.predict(seen[0], None, True)[0].shape == ()


def test_whoever_may_do_nothing_is_refused_but_where_the_episode_is_over(level, network):
    seen, info = observed(level, 2)
    stuck = r"^level room: action_mask: expected an allowed action, got none \(agent 1, "
    none = {"action_mask": info["action_mask"] * np.array([[1], [0]], np.int8)}
    policy, within = policy_of(level, network, AutoresetMode.NEXT_STEP), policy_of(level, network, "SameStep")
    for refused in (lambda: policy.act(seen, none), lambda: within.predict(seen, action_masks=none["action_mask"])):
        with pytest.raises(WorldError, match=stuck):
            refused()
    with pytest.raises(WorldError, match="agent 0"):
        policy_of(level, network).predict(seen[1], action_masks=none["action_mask"][1])
    assert policy.predict(seen, action_masks=none["action_mask"])[0].shape == (2,)  # whose end it is, it is not told
    policy.act(seen, info)
    policy.observe(np.array([False, True]), np.zeros(2, bool))
    assert policy.act(seen, none).shape == (2,)  # agent 1 sees the end of its episode
    with pytest.raises(WorldError, match=stuck):
        policy.act(seen, none)


def test_predict_takes_random_actions_among_those_that_are_allowed_where_it_is_not_deterministic(level, network):
    policy, (seen, _) = policy_of(level, network), observed(level, 2)
    many, mask = np.repeat(seen, 200, axis=0), np.repeat([[1, 0, 1, 1]], 400, axis=0)
    best, _ = policy.predict(many, action_masks=mask)
    assert (policy.predict(many, deterministic=False, action_masks=mask)[0] != best).mean() < 0.2
    policy.epsilon = 1.0
    drawn, _ = policy.predict(many, deterministic=False, action_masks=mask)
    assert set(drawn.tolist()) == {0, 2, 3}
    assert policy.predict(seen[0])[0].shape == ()


@pytest.mark.bench
def test_what_evaluates_models_of_stable_baselines3_evaluates_a_policy(run, level, network):
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.monitor import Monitor

    env = Monitor(gymnasium.make("Townlet/Level-v0", level=run / "config.yaml"))
    policy = policy_of(level, network)
    _, lengths = evaluation.evaluate_policy(policy, env, n_eval_episodes=4, return_episode_rewards=True)
    assert len(lengths) == 4 and all(5 <= length <= 9 for length in lengths)  # from the last breath to the limit


# --- where it lies -----------------------------------------------------------------------------------------------


def test_a_run_a_checkpoint_and_a_name_are_the_same_policy(run):
    named = [townlet.load_policy(source, runs_dir=run.parents[1]) for source in (run, "run", "latest")]
    itself = townlet.load_policy(run / "checkpoints" / "step_000000032")
    older = townlet.load_policy(run, checkpoint="step_000000016")
    seen, info = observed(itself.task, 5)
    values = itself.q_values(seen, info)
    assert all((one.q_values(seen, info) == values).all() for one in named)
    assert (older.q_values(seen, info) != values).any()
