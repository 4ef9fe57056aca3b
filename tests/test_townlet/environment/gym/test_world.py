"""Other worlds: every autoreset mode by hand, what is stored of it, encodings, masks, and what is refused."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from townlet.config import ConfigError, load_gym_task
from townlet.environment.gym.features import encode, features_of
from townlet.environment.gym.gate import Gate
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import WorldError
from townlet.level.file import configs_directory
from townlet.population.vectorized import VectorizedPopulation
from townlet.replay.cuts import each_cut

NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
LENGTHS = (2, 3)  # of the episodes of agents 0, 2, ..., which die, and 1, 3, ..., which reach a time limit


class Walk(VectorEnv):
    """Observed is (steps of the episode, episode); the k-th step of an episode pays k, plus 10 for action 1."""

    def __init__(self, mode, num_envs=2, masks=None, actions=None):
        self.metadata = {} if mode is None else {"autoreset_mode": mode}
        self.num_envs, self.masks, self.seeds, self.taken = num_envs, masks, [], []
        self.single_action_space = actions or spaces.Discrete(2)
        self.single_observation_space = spaces.Box(0, 100, (2,))
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.length = np.array([LENGTHS[agent % 2] for agent in range(num_envs)])
        self.dies = np.arange(num_envs) % 2 == 0

    def info(self):
        return {} if self.masks is None else {"action_mask": self.masks[self.t]}

    def seen(self):
        return np.stack([self.t, self.episode], axis=1).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        if options and "reset_mask" in options:
            self.begin(options["reset_mask"])
        else:
            self.seeds.append(seed)
            self.t, self.episode = np.zeros(self.num_envs, int), np.zeros(self.num_envs, int)
            self.over = np.zeros(self.num_envs, bool)
        return self.seen(), self.info()

    def begin(self, who):
        self.t, self.episode, self.over = np.where(who, 0, self.t), self.episode + who, self.over & ~who

    def step(self, actions):
        self.taken.append(actions.tolist())
        mode, skipped = self.metadata["autoreset_mode"], self.over.copy()
        assert mode == NEXT or not skipped.any()
        self.begin(skipped)
        self.t = self.t + ~skipped
        # What the tick of a reset pays is no reward: an agent that counted it would be told of 99s.
        reward = np.where(skipped, 99.0, self.t + 10.0 * (actions == 1))
        over = ~skipped & (self.t == self.length)
        self.over = over
        last, info = self.seen(), self.info()
        if mode == SAME and over.any():
            final = np.full(self.num_envs, None, dtype=object)
            for agent in np.flatnonzero(over):
                final[agent] = last[agent]
            self.begin(over)
            info = {**self.info(), "final_obs": final, "_final_obs": over, "final_info": info, "_final_info": over}
        return self.seen(), reward, over & self.dies, over & ~self.dies, info


def walk(mode, **options):
    return GymEnvironment(Walk(mode, **options))


def go(*actions):
    return torch.tensor(actions)


# --- the three modes, by hand ------------------------------------------------------------------------------------


# A tick for each row: seen, reward, ended, final, skipped, of agent 0 (dies after 2 steps) and 1 (cut off after 3).
AT_ONCE = [
    ([[1, 0], [1, 0]], [1, 1], [0, 0], [[1, 0], [1, 0]], None),
    ([[0, 1], [2, 0]], [2, 2], [1, 0], [[2, 0], [2, 0]], None),
    ([[1, 1], [0, 1]], [1, 3], [0, 1], [[1, 1], [3, 0]], None),
    ([[0, 2], [1, 1]], [2, 1], [1, 0], [[2, 1], [1, 1]], None),
]
A_TICK_LATER = [
    ([[1, 0], [1, 0]], [1, 1], [0, 0], [[1, 0], [1, 0]], [0, 0]),
    ([[2, 0], [2, 0]], [2, 2], [1, 0], [[2, 0], [2, 0]], [0, 0]),
    ([[0, 1], [3, 0]], [0, 3], [0, 1], [[0, 1], [3, 0]], [1, 0]),
    ([[1, 1], [0, 1]], [1, 0], [0, 0], [[1, 1], [0, 1]], [0, 1]),
    ([[2, 1], [1, 1]], [2, 1], [1, 0], [[2, 1], [1, 1]], [0, 0]),
]


@pytest.mark.parametrize(("mode", "ticks"), [(SAME, AT_ONCE), (DISABLED, AT_ONCE), (NEXT, A_TICK_LATER)])
def test_each_mode_tick_by_tick_by_hand(mode, ticks):
    env = walk(mode)
    assert env.reset().features.tolist() == [[0, 0], [0, 0]]
    for seen, reward, ended, final, skipped in ticks:
        result = env.step(go(0, 0))
        assert result.observation.features.tolist() == seen
        assert (result.reward.tolist(), result.ended.long().tolist()) == (reward, ended)
        assert result.terminated.tolist() == [bool(ended[0]), False]
        assert result.truncated.tolist() == [False, bool(ended[1])]
        assert result.final_features.tolist() == final
        assert result.skipped is None if skipped is None else result.skipped.long().tolist() == skipped
        forgets = ended if skipped is None else [one or other for one, other in zip(ended, skipped, strict=True)]
        assert result.forgets.long().tolist() == forgets
        assert result.observation.features.dtype == result.reward.dtype == torch.float32


@pytest.mark.parametrize("mode", [None, "SameStep", 3])
def test_a_mode_that_is_not_there_or_not_known_is_one_line(mode):
    with pytest.raises(ConfigError, match="autoreset_mode") as told:
        walk(mode)
    assert len(told.value.errors) == 1


def test_a_final_observation_that_is_missing_is_told_with_its_agent():
    class Forgetful(Walk):
        def step(self, actions):
            *rest, info = super().step(actions)
            return *rest, {**info, "_final_obs": np.zeros(2, bool)}

    env = GymEnvironment(Forgetful(SAME))
    env.reset()
    env.step(go(0, 0))
    with pytest.raises(WorldError, match=r"final_obs.*agent 0"):
        env.step(go(0, 0))


def test_final_observations_may_come_as_one_array():
    class Whole(Walk):
        def step(self, actions):
            *rest, info = super().step(actions)
            if "final_obs" in info:
                info["final_obs"] = np.array([[7, 7], [8, 8]], dtype=np.float32)
            return *rest, info

    env = GymEnvironment(Whole(SAME))
    env.reset()
    env.step(go(0, 0))
    assert env.step(go(0, 0)).final_features.tolist() == [[7, 7], [2, 0]]  # of agent 0, who died; agent 1 goes on


def test_actions_count_from_the_start_of_their_space():
    env = walk(NEXT, actions=spaces.Discrete(2, start=5))
    env.reset()
    env.step(go(0, 1))
    assert env.env.taken == [[5, 6]] and env.num_actions == 2


def test_each_reset_has_another_seed_and_a_resumed_one_goes_on_counting():
    env, again = walk(NEXT), walk(NEXT)
    env.reset(), env.reset()
    again.load_state_dict(env.state_dict())
    again.reset()
    seeds = [*env.env.seeds, *again.env.seeds]
    assert len(set(seeds)) == 3
    other = GymEnvironment(Walk(NEXT), seed=1)
    other.reset()
    assert other.env.seeds[0] not in seeds


# --- what a population stores of it ------------------------------------------------------------------------------


def population_in(env, num_agents=4, **overrides):
    small = {"network.hidden": 4, "network.head": 4, "network.encoder.width": 4, "training.seq_len": 12}
    small |= {"training.num_agents": num_agents, "training.mode.minibatches": 1, "training.exploration.base": 0.9}
    return VectorizedPopulation(load_gym_task("Walk-v0", configs_directory() / "fresh.yaml", small | overrides), env)


def stored(population):
    """Every transition on the tape: (steps, episode) before, action, reward, (steps, episode) after, how it ended."""
    tape = population.buffer
    rows = tape.valid.nonzero().squeeze(1)
    ring = rows // tape.slots * tape.slots
    after = ring + (rows - ring + 1) % tape.slots
    parts = tape.features[rows], tape.actions[rows], tape.rewards_extrinsic[rows], tape.features[after]
    return list(zip(*(part.tolist() for part in (*parts, tape.terminated[rows], tape.truncated[rows])), strict=True))


def wrong_transitions(population):
    """Those that no life has: a successor that is not the next step, another reward, an end in the wrong place."""
    return [
        one for one in stored(population)
        for (t, episode), action, reward, after, terminated, truncated in [one]
        if after != [t + 1, episode] or reward != t + 1 + 10 * action
        or (terminated and t + 1 != 2) or (truncated and t + 1 != 3)
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "dying", "cut_off"), [(SAME, 12, 12), (DISABLED, 12, 12), (NEXT, 8, 9)])
def test_every_step_is_stored_once_and_no_reset_ever(mode, dying, cut_off):
    """12 ticks: of 2 steps and a reset 8 are steps, of 3 steps and a reset 9. The tape holds 12 steps an agent."""
    population = population_in(walk(mode, num_envs=4))
    for _ in range(12):
        population.step()
    assert wrong_transitions(population) == []
    assert population.buffer.num_transitions == len(stored(population)) == 2 * (dying + cut_off)
    assert population.learner.updates == 1


def test_storing_a_reset_as_a_step_would_be_seen():
    class Careless(GymEnvironment):
        def step(self, actions, difficulty=None):
            return super().step(actions, difficulty)._replace(skipped=None)

    population = population_in(Careless(Walk(NEXT, num_envs=4)))
    for _ in range(12):
        population.step()
    assert [2.0, 0.0] in [before for before, *_ in wrong_transitions(population)]  # from an end into the next episode


@pytest.mark.parametrize("mode", [SAME, NEXT, DISABLED])
def test_episodes_are_counted_as_they_were(mode):
    population = population_in(walk(mode, num_envs=4), **{"training.exploration.alpha": 0.0})
    for _ in range(12):
        population.step()
    told = population.read_metrics()
    # Without resets in between 6 of 2 steps and 4 of 3; with them 4 and 3: all pairs of agents alike.
    two, three = (4, 3) if mode == NEXT else (6, 4)
    assert told["rollout/ep_len_mean"] == pytest.approx((2 * two + 3 * three) / (two + three))
    assert told["rollout/survival_rate"] == pytest.approx(three / (two + three))
    ended = [one for one in stored(population) if one[4] or one[5]]
    assert int(population.buffer.ended) == len(ended) == 2 * (two + three)


def test_the_newest_window_skips_the_reset_and_forgets_before_and_after_it():
    population = population_in(walk(NEXT, num_envs=4))
    for _ in range(6):
        population.step()
    window = population.buffer.newest_sequences(6)
    assert window.valid[0].long().tolist() == [1, 1, 0, 1, 1, 0]  # ticks 3 and 6 of agent 0 were resets
    assert window.reset[0].long().tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert window.valid[1].long().tolist() == [1, 1, 0, 0, 1, 1]  # the time limit's step, then a reset
    assert window.reset[1].long().tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert window.observations[0, :, 0].tolist()[:6] == [0, 1, 2, 0, 1, 2]
    assert window.previous_actions[0, 3] == 2  # none


@pytest.mark.parametrize(("mode", "episodes"), [(SAME, 2), (DISABLED, 2), (NEXT, 1)])
def test_a_step_that_was_cut_off_is_learned_from_with_what_it_led_to_in_each_mode(mode, episodes):
    """Agents 1 and 3 are cut off after 3 steps, within 6 ticks twice, or once where each reset takes a tick too."""
    population = population_in(walk(mode, num_envs=4), **{"training.seq_len": 6})
    learned, update = [], population.learner.update

    def watched(batch):
        learned.append(batch)
        return update(batch)

    population.learner.update = watched
    for _ in range(6):
        population.step()
    cut = population.buffer.cut_steps(6, each_cut)
    ends = [[[2.0, episode], [3.0, episode]] for episode in range(episodes)]  # steps of the episode, episode
    assert cut.alone.observations.tolist() == [*ends, *ends]
    assert torch.equal(cut.alone.previous_actions[:, 1:], cut.alone.actions)
    (batch,) = learned
    order = (batch.where // population.buffer.slots).argsort()
    assert torch.equal(batch.cut[order], cut.cut)
    resets = 2 * 2 + 2 * 1 if mode == NEXT else 0  # two of agents 0 and 2, who die after 2 steps, one of the others
    assert int((~batch.valid).sum()) == resets


def test_a_reset_leaves_no_memory_and_no_previous_action():
    population = population_in(walk(NEXT, num_envs=4))
    for tick in range(1, 7):
        population.step()
        blank = tick % 3 != 1  # of agent 0: after its end and after its reset
        assert (not population.hidden[0][:, 0].any()) == blank
        assert (population.memory.previous_actions[0] == 2) == blank


def test_the_last_slot_of_an_episode_is_as_it_was_before_the_reset():
    """A sampled window ends there: observation, and the action that led to it."""
    population = population_in(walk(NEXT, num_envs=4))
    for _ in range(3):
        population.step()
    window = population.buffer.windows(torch.tensor([0]), 6, 6)
    assert window.observations[0, :3].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert window.valid[0].tolist() == [True, True, False, False, False, False]
    assert window.previous_actions[0, 1:3].tolist() == window.actions[0, :2].tolist()


@pytest.mark.parametrize("mode", [SAME, NEXT, DISABLED])
def test_an_episode_that_ends_by_both_at_once_is_a_death(mode):
    env = Walk(mode)
    plain = env.step

    def step(actions):
        seen, reward, dies, is_cut, info = plain(actions)
        return seen, reward, dies | is_cut, dies | is_cut, info

    env.step = step
    world = GymEnvironment(env)
    world.reset()
    results = [world.step(go(0, 0)) for _ in range(3)]
    assert [result.terminated.tolist() for result in results] == [[False, False], [True, False], [False, True]]
    assert not any(result.truncated.any() for result in results)


def test_a_resumed_population_begins_new_episodes_and_keeps_the_rest():
    first, second = (population_in(walk(SAME, num_envs=4), **{"training.seq_len": 7}) for _ in range(2))
    for _ in range(7):
        first.step()
    second.load_state_dict(first.state_dict())
    second.network.load_state_dict(first.network.state_dict())
    assert second.steps == 7 and second.learner.updates == first.learner.updates == 1
    assert second.observation.features.tolist() == [[0, 0]] * 4 and not second.hidden[0].any()
    tape = second.buffer
    assert tape.num_transitions == 28 and not tape.lived.any()
    # Agent 0 has ended after ticks 2, 4 and 6, agent 1 after 3 and 6: everybody was in an episode, which is now cut.
    assert int(tape.ended) == int(first.buffer.ended) + 4 == 2 * (3 + 2) + 4
    for _ in range(5):
        second.step()
    cut = [one for one in stored(second) if one[5] and one[0][0] == 0]
    assert len(cut) == 4 and all(one[3] == [1.0, one[0][1]] for one in cut)  # a truncated first step each
    assert second.read_metrics()["rollout/ep_len_mean"] == pytest.approx((10 * 2 + 6 * 3) / 16)  # none of 1 step


def test_curiosity_counts_no_episode_that_a_resume_cut():
    anneal = {"episodes": 8, "survival": 0.0, "spread": 1.0, "factor": 0.5}
    curious = {"weight": 1.0, "hidden": [4], "embedding": 2, "learning_rate": 0.01, "anneal": anneal}
    settings = {"training.curiosity": curious, "max_steps": 4}
    first, second = (population_in(walk(SAME), 2, **settings) for _ in range(2))
    first.step()
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        second.step()
    sums = second.curiosity.annealing.episodes.sums  # the newest last
    assert sums[0, -1].tolist() == [2.0, 3.0]  # and not 3 and 4


# --- masks -------------------------------------------------------------------------------------------------------

MASKS = np.array([[1, 1], [0, 1], [1, 0], [1, 0]], dtype=np.int8)  # by steps of the episode


@pytest.mark.parametrize("mode", [SAME, NEXT, DISABLED])
def test_masks_of_the_next_episode_and_of_the_end_are_told_apart(mode):
    env = walk(mode, masks=MASKS)
    assert env.reset().action_mask.tolist() == [[True, True]] * 2
    assert env.step(go(0, 0)).observation.action_mask.tolist() == [[False, True]] * 2
    result = env.step(go(1, 1))
    assert result.final_action_mask.tolist() == [[True, False]] * 2
    begun = [True, False] if mode == NEXT else [True, True]
    assert result.observation.action_mask.tolist() == [begun, [True, False]]


def test_nobody_needs_an_action_where_an_episode_is_over():
    masks = MASKS.copy()
    masks[2:] = 0  # the end of agent 0; agent 1 has one more step to go
    stuck = walk(NEXT, masks=masks)
    stuck.reset(), stuck.step(go(0, 0))
    with pytest.raises(WorldError, match=r"action_mask.*agent 1"):
        stuck.step(go(1, 1))


# --- observations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "observed", "features"),
    [
        (spaces.Box(-1, 1, (2, 2)), [[[1, 2], [3, 4]]], [1, 2, 3, 4]),
        (spaces.Box(-1, 1, ()), [0.5], [0.5]),
        (spaces.Discrete(3, start=-1), [0], [0, 1, 0]),
        (spaces.MultiDiscrete([2, 3]), [[1, 2]], [0, 1, 0, 0, 1]),
        (spaces.MultiBinary(3), [[1, 0, 1]], [1, 0, 1]),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 9, (1,)))), ([1], [[7]]), [0, 1, 7]),
        (spaces.Dict(b=spaces.Discrete(2), a=spaces.MultiBinary(1)), {"a": [[1]], "b": [0]}, [1, 0, 1]),
    ],
)
def test_every_space_becomes_one_vector_by_hand(space, observed, features):
    observed = {name: np.array(part) for name, part in observed.items()} if isinstance(observed, dict) else observed
    found = encode(Gate("some", 1), space, observed)
    assert found.tolist() == [features] and found.dtype == np.float32
    assert features_of(space) == len(features)


def test_a_value_outside_of_its_space_is_told_with_its_agent():
    with pytest.raises(WorldError, match=r"Discrete\(2\).*agent 1"):
        encode(Gate("some", 2), spaces.Discrete(2), np.array([1, 2]))


def test_a_vector_of_single_environments_with_a_dict_ends_with_its_own_last_observation():
    class Pair(gymnasium.Env):
        observation_space = spaces.Dict(t=spaces.Discrete(4), level=spaces.Box(0, 9, (1,)))
        action_space = spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            self.t = 0
            return self.seen(), {"action_mask": np.array([1, 1], dtype=np.int8)}

        def seen(self):
            return {"t": self.t, "level": np.array([self.t * 0.5], dtype=np.float32)}

        def step(self, action):
            self.t += 1
            return self.seen(), 1.0, self.t == 3, False, {"action_mask": np.array([0, 1], dtype=np.int8)}

    env = GymEnvironment(SyncVectorEnv([Pair, Pair], autoreset_mode=SAME))
    env.reset()
    env.step(go(1, 1)), env.step(go(1, 1))
    result = env.step(go(1, 1))
    assert result.final_features.tolist() == [[0, 0, 0, 1, 1.5]] * 2  # one-hot t, then level
    assert result.observation.features.tolist() == [[1, 0, 0, 0, 0]] * 2
    assert result.final_action_mask.tolist() == [[False, True]] * 2
    assert result.observation.action_mask.tolist() == [[True, True]] * 2


# --- made by id --------------------------------------------------------------------------------------------------


def test_an_environments_own_vector_version_is_taken_with_its_own_mode_and_others_by_turns():
    own, turns = (GymEnvironment.from_id(name, 3) for name in ("CartPole-v1", "Acrobot-v1"))
    assert (own.mode, turns.mode) == (NEXT, SAME)
    assert (own.num_agents, own.obs_dim, own.num_actions) == (3, 4, 2)
    assert (turns.num_agents, turns.obs_dim, turns.num_actions) == (3, 6, 3)
    first, again = own.reset(), GymEnvironment.from_id("CartPole-v1", 3).reset()
    assert torch.equal(first.features, again.features)
    unseen = GymEnvironment.from_id("CartPole-v1", 3, stream="evaluation").reset()
    assert not torch.isin(unseen.features, first.features).any()


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCar-v0"])
def test_a_time_limit_of_our_own_takes_the_place_of_the_environments(name):
    env = GymEnvironment.from_id(name, 2, max_steps=3)
    env.reset()
    assert [env.step(go(0, 1)).truncated.tolist() for _ in range(3)] == [[False] * 2, [False] * 2, [True] * 2]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("NoSuch-v0", {}, "NoSuch"),
        ("no_such_module:X-v0", {}, "no_such_module"),
        ("Pendulum-v1", {}, "discrete actions"),
        ("CartPole-v1", {"colour": "red"}, "colour"),
        ("Acrobot-v1", {"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_made_is_one_line(name, options, said):
    with pytest.raises(ConfigError, match=said) as told:
        GymEnvironment.from_id(name, 2, options=options)
    assert len(told.value.errors) == 1 and name in str(told.value)


def test_a_space_without_a_width_is_one_line():
    class Speaking(Walk):
        def __init__(self):
            super().__init__(SAME)
            self.single_observation_space = spaces.Text(3)

    with pytest.raises(ConfigError, match=r"observation space.*Text"):
        GymEnvironment(Speaking())
