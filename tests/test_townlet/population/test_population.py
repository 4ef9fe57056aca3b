"""The population: memory across steps, episodes and updates, what is learned when, and runs repeated and resumed."""

from collections import Counter
from functools import cache

import pytest
import torch

from support.learning import copy_of, differences, everything, make_population, population_of
from support.worlds import ODD_TOWNS, odd_town, put
from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.evaluation import evaluate
from townlet.population.vectorized import VectorizedPopulation

MODES = pytest.mark.parametrize("mode", ["fresh", "replay"])
PRIORITY = {"exponent": 0.9, "importance": 0.6, "largest": 0.9}
KIT = {  # all that R2D2 is made of, and a GRU
    "network__cell": "gru",
    "training__mode__priority": PRIORITY,
    "training__mode__stored_every": 4,
    "training__mode__burn_in": 4,
    "training__value_rescaling": True,
    "training__target_every": None,
    "training__target_rate": 0.05,
    "training__exploration__warm_up": 200,
}
MOSTLY_RANDOM = {"training__exploration__base": 0.9, "training__exploration__alpha": 0.0}


def watch_steps(population):
    """Collect (observation, memory, actions, result) of every step from now on."""
    seen, step = [], population.env.step

    def watched(actions):
        observation, memory = population.observation, population.memory
        result = step(actions)
        seen.append((observation, memory, actions, result))
        return result

    population.env.step = watched
    return seen


def watch_updates(population):
    """Collect (steps so far, batch) of every update from now on."""
    seen, update = [], population.learner.update

    def watched(batch):
        seen.append((population.steps, batch))
        return update(batch)

    population.learner.update = watched
    return seen


# --- acting memory ------------------------------------------------------------------------------------------------


@MODES
def test_memory_advances_once_a_step_and_is_dropped_for_ended_rows_alone_bit_for_bit(mode):
    """Nine of ten actions are random; deaths and time limits happen; updates happen in between."""
    population = make_population(mode, **MOSTLY_RANDOM)
    seen, deaths, limits, nothing_ended = watch_steps(population), 0, 0, 0
    for _ in range(60):
        observation, (hidden, previous) = population.observation, population.memory
        with torch.no_grad():
            _, expected = population.network(observation.features.unsqueeze(1), hidden, previous.unsqueeze(1))
        population.step()
        _, _, actions, result = seen[-1]
        ended = result.terminated | result.truncated
        for part, whole in zip(population.hidden, expected, strict=True):
            assert not part[:, ended].any()
            assert torch.equal(part[:, ~ended], whole[:, ~ended])
        assert population.hidden[0][:, ~ended].any(dim=-1).all()
        assert population.memory.previous_actions.tolist() == [
            population.env.num_actions if over else action
            for over, action in zip(ended.tolist(), actions.tolist(), strict=True)
        ]
        deaths, limits = deaths + int(result.terminated.sum()), limits + int(result.truncated.sum())
        nothing_ended += not bool(ended.any())
    assert deaths > 0 and limits > 0 and nothing_ended > 0
    assert population.learner.updates > 0


@MODES
def test_the_network_acts_once_a_step(mode):
    population = make_population(mode)
    calls = []
    population.network.register_forward_hook(lambda module, args, output: calls.append(args[0].shape[1]))
    for step in range(1, 30):
        population.step()
        population.read_metrics()  # logging looks at memory and does not move it
        assert calls.count(1) == step


@MODES
def test_acting_has_no_graph(mode):
    population = make_population(mode)
    for _ in range(25):
        population.step()
        assert not any(part.requires_grad or part.grad_fn is not None for part in population.hidden)


@MODES
def test_an_update_changes_nothing_that_acting_uses_but_the_weights_bit_for_bit(mode):
    population = make_population(mode)
    for _ in range(29):
        population.step()
    assert any(bool(part.any()) for part in population.hidden)

    def used():
        state = population.state_dict()
        stored = {name: part for name, part in state["buffer"].items()}
        return copy_of([state["hidden"], state["previous_actions"], state["observation"], state["env"], stored])

    before, weights = used(), copy_of(population.network.state_dict())
    for _ in range(4):
        population._learning.learn(population.env_steps)
    assert differences(before, used()) == []
    assert "cell.weight_hh_l0" in " ".join(differences(weights, population.network.state_dict()))


@MODES
def test_the_tape_holds_what_was_seen_and_allowed_before_and_after_each_step_and_not_what_a_reset_shows(mode):
    population = make_population(mode, **MOSTLY_RANDOM)
    seen, told_apart = watch_steps(population), Counter()
    for _ in range(60):
        population.step()
        observation, _, _, result = seen[-1]
        newest = population.buffer.newest_sequences(1)
        assert torch.equal(newest.observations, torch.stack([observation.features, result.final_features], dim=1))
        assert torch.equal(newest.action_mask, torch.stack([observation.action_mask, result.final_action_mask], dim=1))
        for end in ("terminated", "truncated"):
            ended, begun = getattr(result, end), result.observation
            told_apart[end, "features"] += int((begun.features != result.final_features)[ended].any(dim=1).sum())
            told_apart[end, "mask"] += int((begun.action_mask != result.final_action_mask)[ended].any(dim=1).sum())
    assert len(told_apart) == 4 and min(told_apart.values()) > 0, told_apart


@MODES
def test_the_memory_on_the_tape_is_the_acting_memory_before_the_step(mode):
    population = make_population(mode)
    seen = watch_steps(population)
    for step in range(1, 40):
        population.step()
        if step >= 8:
            newest = population.buffer.newest_sequences(8)
            memories = [memory for _, memory, _, _ in seen[-8:]]
            assert differences(newest.hidden, memories[0].hidden) == []
            previous = torch.stack([memory.previous_actions for memory in memories], dim=1)
            assert torch.equal(newest.previous_actions[:, :-1], previous)


@MODES
def test_learning_unrolls_the_q_values_that_agents_acted_on(mode):
    """The newest windows, over the ends of episodes, before any update: stored state, flags and actions all fit."""
    overrides = {"training__seq_len": 40} if mode == "fresh" else {"training__mode__min_episodes": 200}
    population = make_population(mode, network__previous_action=True, **overrides)
    seen, acted = watch_steps(population), []
    for step in range(30):
        if step == 22:  # whatever they chose before, one is cut off and others die within the newest windows
            put(population.env, 0, meters={"energy": 0.5}, tick=population.env.level.max_steps - 1)
            for agent in (1, 2, 3):
                put(population.env, agent, meters={"energy": 0.001})
        observation, (hidden, previous) = population.observation, population.memory
        with torch.no_grad():
            q, _ = population.network(observation.features.unsqueeze(1), hidden, previous.unsqueeze(1))
        acted.append(q[:, 0])
        population.step()
    assert population.learner.updates == 0
    assert any(bool(result.truncated.any()) for *_, result in seen[-12:])
    assert any(bool(result.terminated.any()) for *_, result in seen[-12:])
    batch = population.buffer.newest_sequences(12)
    with torch.no_grad():
        q, _ = population.network(batch.observations, batch.hidden, batch.previous_actions, batch.reset)
    torch.testing.assert_close(q[:, :-1], torch.stack(acted[-12:], dim=1), rtol=1e-4, atol=1e-5)


def test_memory_can_be_saved_put_back_and_reset_for_chosen_agents():
    population = make_population("fresh")
    for _ in range(5):
        population.step()
    saved = population.hidden
    chosen = torch.zeros(population.num_agents, dtype=torch.bool)
    chosen[[0, 3]] = True
    population.reset_hidden(chosen)
    for now, before in zip(population.hidden, saved, strict=True):
        assert not now[:, chosen].any() and torch.equal(now[:, ~chosen], before[:, ~chosen])
    population.hidden = saved
    assert all(torch.equal(now, before) for now, before in zip(population.hidden, saved, strict=True))


def test_memory_that_does_not_fit_is_refused_with_both_shapes():
    population = make_population("fresh", network__memory=[])
    shapes = "[[1, 8, 8], [1, 8, 8]]"
    with pytest.raises(ValueError, match="hidden: expected " + shapes.replace("[", r"\[") + r", got \[\[1, 8, 8\]\]"):
        population.hidden = population.hidden[:1]
    with pytest.raises(ValueError, match=r"agents: expected \[8\] torch.bool, got \[2\] torch.int64"):
        population.reset_hidden(torch.tensor([0, 3]))


# --- what is learned, and when ------------------------------------------------------------------------------------


def fingerprints(features, actions, rewards):
    """One hashable for each step."""
    rows = zip(features.tolist(), actions.tolist(), rewards.tolist(), strict=True)
    return [(tuple(seen), action, reward) for seen, action, reward in rows]


def test_fresh_learns_from_each_step_exactly_once_those_cut_off_included():
    population = make_population("fresh")
    seen, updates = watch_steps(population), watch_updates(population)
    for _ in range(40):
        population.step()
    assert [steps for steps, _ in updates] == [8, 8, 16, 16, 24, 24, 32, 32, 40, 40]  # two minibatches each
    lived, truncated = Counter(), Counter()
    for observation, _, actions, result in seen:
        prints = fingerprints(observation.features, actions, result.reward)
        lived.update(prints)
        truncated.update(one for one, over in zip(prints, result.truncated.tolist(), strict=True) if over)
    trained, cut = Counter(), Counter()
    for _, batch in updates:
        assert batch.actions.shape == (4, 8) and batch.observations.shape[:2] == (4, 9)
        prints = fingerprints(
            batch.observations[:, :-1].flatten(0, 1), batch.actions.flatten(), batch.rewards.flatten()
        )
        trained.update(prints)
        assert batch.valid.all()
        if batch.cut is not None:
            cut.update(one for one, over in zip(prints, batch.cut.flatten().tolist(), strict=True) if over)
    assert sum(lived.values()) == 40 * 8 and truncated
    assert trained == lived
    assert cut == truncated


def test_replay_waits_for_its_first_episodes_and_then_learns_every_so_many_steps():
    population = make_population("replay", training__mode__min_episodes=9)
    seen, updates = watch_steps(population), watch_updates(population)
    expected, waited, complete = [], 0, 0
    for step in range(1, 50):
        population.step()
        complete += int((seen[-1][3].terminated | seen[-1][3].truncated).sum())
        if step % 4 == 0 and complete >= 9:
            expected.append(step)
        waited += step % 4 == 0 and 0 < complete < 9  # some episodes, and not enough
        assert len(population.buffer) == complete
    assert [steps for steps, _ in updates] == expected
    assert waited > 0
    assert all(batch.actions.shape == (6, 8) for _, batch in updates)


def test_replay_does_not_wait_for_episodes_that_fill_half_of_the_tape():
    """Half of 96 transitions of four agents are twelve steps; nobody's episode is over by then."""
    settings = {"training__num_agents": 4, "training__mode__capacity": 96, "training__mode__min_episodes": 50}
    population = make_population("replay", **settings, training__mode__train_every=1)
    updates = watch_updates(population)
    for _ in range(16):
        population.step()
    assert int(population.buffer.ended) < 50
    assert [steps for steps, _ in updates] == [12, 13, 14, 15, 16]


def test_replay_with_burn_in_learns_from_windows_with_their_past():
    population = make_population("replay", training__mode__burn_in=3)
    updates = watch_updates(population)
    for _ in range(24):
        population.step()
    assert updates
    assert all(
        batch.burn_in == 3 and batch.actions.shape == (6, 11) and not batch.valid[:, :3].any() for _, batch in updates
    )


@MODES
def test_the_learning_rate_follows_the_environment_steps(mode):
    population = make_population(
        mode,
        training__learning_rate=0.01,
        training__final_learning_rate=0.001,
        training__decay_steps=320,
        training__total_steps=320,
    )
    for _ in range(20):
        population.step()
    assert population.env_steps == 160 and population.learner.updates > 0
    learned_at = 160 if mode == "replay" else 128  # the last update was after step 20, or after 16
    assert population.learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 - 0.009 * learned_at / 320)


@MODES
def test_a_step_returns_the_metrics_of_its_update_and_otherwise_none(mode):
    population = make_population(mode)
    for _ in range(30):
        before = population.learner.updates
        metrics = population.step()
        assert bool(metrics) == (population.learner.updates > before)
        assert all(bool(value.isfinite()) for value in metrics.values())


@pytest.mark.parametrize("reference", ["0", "1"])
@MODES
def test_networks_without_memory_live_and_learn_alike(reference, mode):
    replay = {
        "kind": "replay", "batch_size": 6, "train_every": 4, "min_episodes": 1, "capacity": 480
    }  # fmt: skip
    ways = {
        "fresh": {"training.mode.minibatches": 2},
        "replay": {"training.mode": replay, "training.trace_decay": 0.0},
    }
    lives = {"meters.energy.initial": 0.1, "max_steps": 12, "training.num_agents": 8, "training.seq_len": 8}
    maps = {"layout.training_maps": 32, "layout.evaluation_maps": 16} if reference == "1" else {}
    population = population_of(load_level(reference, {**ways[mode], **lives, **maps}))
    before = copy_of(population.network.state_dict())
    for _ in range(24):
        population.step()
    assert population.hidden == ()
    assert "memory/hidden_norm" not in population.read_metrics()
    assert differences(before, population.network.state_dict()) != []


# --- any number of agents, on a map of any shape ------------------------------------------------------------------


@pytest.mark.parametrize("agents", [1, 3])
@pytest.mark.parametrize("name", ODD_TOWNS)
def test_any_number_of_agents_learns_in_an_odd_town(name, agents):
    level = odd_town(name, num_agents=agents)
    population = population_of(level)
    for _ in range(16):
        population.step()
    assert population.learner.updates == 2 * level.training.mode.minibatches
    assert all(part.isfinite().all() for part in population.network.state_dict().values())
    assert evaluate(level, population.network, agents, 0, "cpu")["episodes"] == agents


@MODES
def test_one_agent_learns_alone_and_resumes_bit_for_bit(mode, tmp_path):
    alone = {"training__num_agents": 1, **({"training__mode__min_episodes": 1} if mode == "replay" else {})}
    check_resumes(lambda: make_population(mode, **alone), 20, tmp_path / "state.pt")


# --- runs that can be repeated, looked at and resumed -------------------------------------------------------------


@MODES
def test_the_same_seed_gives_the_same_run_and_another_seed_another(mode):
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(runs))  # PyTorch's own stream plays no part
        population = make_population(mode, training__seed=seed)
        metrics = [copy_of(population.step()) for _ in range(32)]
        runs.append([everything(population), metrics, population.read_metrics()])
    assert differences(runs[0], runs[1]) == []
    assert differences(runs[0][0]["network"], runs[2][0]["network"]) != []
    assert differences(runs[0][0]["population"]["env"], runs[2][0]["population"]["env"]) != []


@MODES
def test_a_population_leaves_pytorchs_own_random_stream_alone(mode):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    population = make_population(mode)
    for _ in range(20):
        population.step()
    assert torch.equal(torch.get_rng_state(), before)


@MODES
def test_evaluation_in_between_changes_nothing_bit_for_bit(mode):
    undisturbed, disturbed = make_population(mode), make_population(mode)
    for step in range(40):
        one = undisturbed.step()
        other = disturbed.step()
        assert differences(one, other) == []
        if step % 3 == 0:
            evaluate(disturbed.task, disturbed.network, 5, seed=step, device="cpu", forget_every=1 + step % 2)
    assert differences(everything(undisturbed), everything(disturbed)) == []


def gone_on_from(state, make, path):
    """Another population, in a state that went through a file."""
    torch.save(state, path)
    state, resumed = torch.load(path, weights_only=True), make()
    resumed.network.load_state_dict(state["network"])
    resumed.load_state_dict(state["population"])
    return resumed


def check_resumes(make, steps, path):
    """A run that is saved after `steps`, through a file, and goes on in another population, is the same run."""
    uninterrupted = make()
    for _ in range(steps):
        uninterrupted.step()
    state = everything(uninterrupted)
    rest = [copy_of(uninterrupted.step()) for _ in range(steps + 16)]
    resumed = gone_on_from(state, make, path)
    assert differences(rest, [resumed.step() for _ in range(steps + 16)]) == []
    assert uninterrupted.learner.updates > 0
    assert differences(everything(uninterrupted), everything(resumed)) == []
    assert uninterrupted.read_metrics() == resumed.read_metrics()
    return uninterrupted


STOPS, STEPS = (1, 8, 11, 13, 20), 40


@cache
def uninterrupted(mode):
    """A run of 40 steps: what it was at each stop, what its steps returned, and what it was and told at the end."""
    population, states, metrics = make_population(mode), {}, []
    for step in range(1, STEPS + 1):
        metrics.append(copy_of(population.step()))
        if step in STOPS:
            states[step] = everything(population)
    assert population.learner.updates > 0
    return states, metrics, everything(population), population.read_metrics()


@pytest.mark.parametrize("stop", STOPS)
@MODES
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(mode, stop, tmp_path):
    """In the middle of windows and of episodes, before the first update and after it."""
    states, metrics, end, told = uninterrupted(mode)
    resumed = gone_on_from(states[stop], lambda: make_population(mode), tmp_path / "state.pt")
    assert differences(metrics[stop:], [resumed.step() for _ in range(STEPS - stop)]) == []
    assert differences(end, everything(resumed)) == []
    assert told == resumed.read_metrics()


@MODES
def test_a_population_with_a_gru_learns_and_resumes_bit_for_bit(mode, tmp_path):
    population = check_resumes(
        lambda: make_population(mode, network__cell="gru", network__memory=[]), 20, tmp_path / "state.pt"
    )
    assert [part.shape for part in population.hidden] == [(1, 8, 8)]  # h alone
    fresh = make_population(mode, network__cell="gru", network__memory=[])
    changed = differences(fresh.network.state_dict(), population.network.state_dict())
    assert {".cell.weight_ih_l0", ".cell.weight_hh_l0"} <= set(changed)


@pytest.mark.parametrize("steps", [3, 13, 24])
def test_a_population_with_the_whole_kit_resumes_bit_for_bit(steps, tmp_path):
    population = check_resumes(lambda: make_population("replay", **KIT), steps, tmp_path / "state.pt")
    assert population.buffer.priorities.values.unique().numel() > 4
    assert population.exploration.epsilon(population.env_steps).max() < 1.0


def test_each_part_of_the_kit_is_at_work_in_a_population_that_has_it_all():
    population = make_population("replay", **KIT)
    updates, learn = [], population.learner.update

    def watched(batch):
        ranked = population.buffer.priorities.values.clone()
        target = copy_of(population.learner.target.state_dict())
        update = learn(batch)
        updates.append((batch, update, ranked, target))
        return update

    population.learner.update = watched
    for _ in range(60):
        before = len(updates)
        population.step()
        if len(updates) == before:
            continue
        batch, update, ranked, target = updates[-1]
        valid = batch.valid[:, 4:]
        assert batch.burn_in == 4 and batch.actions.shape == (6, 12) and update.td_error.shape == (6, 8)
        assert batch.weights.max() == 1.0
        after, expected = population.buffer.priorities.values, ranked.clone()
        error = torch.where(valid, update.td_error.abs(), 0.0).double()
        priority = 0.9 * error.amax(dim=1) + 0.1 * error.sum(dim=1) / valid.sum(dim=1)
        for row in set(batch.where.tolist()):
            expected[row] = priority[batch.where == row].max()
        torch.testing.assert_close(after, expected)
        for name, mine in population.learner.target.state_dict().items():
            torch.testing.assert_close(mine, 0.95 * target[name] + 0.05 * population.network.state_dict()[name])
        slots = batch.where % population.buffer.slots
        first = population.buffer.episode_step[batch.where] == 0
        assert ((slots % 4 == 0) | first).all()
    assert len(updates) > 5
    assert any(bool((batch.weights < 1.0).any()) for batch, *_ in updates)


@pytest.mark.parametrize("seq_len", [1, 8, 40, pytest.param(128, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@MODES
def test_windows_of_any_length_are_learned_from(mode, cell, seq_len):
    steps = max(seq_len, 8)
    schedule = {} if mode == "fresh" else {"training__mode__train_every": steps, "training__mode__min_episodes": 0}
    population = make_population(
        mode, network__cell=cell, training__num_agents=2, training__seq_len=seq_len, training__trace_decay=0.0,
        training__n_step=1, max_steps=300, meters__energy__initial=1.0, **schedule,
    )  # fmt: skip
    updates, before = watch_updates(population), copy_of(population.network.state_dict())
    for _ in range(steps):
        metrics = population.step()
    assert updates and all(batch.actions.shape[1] == seq_len for _, batch in updates)
    assert max(int(batch.valid.sum(dim=1).max()) for _, batch in updates) > 0.3 * seq_len
    assert all(bool(value.isfinite()) for value in metrics.values())
    assert {".cell.weight_ih_l0", ".cell.weight_hh_l0"} <= set(differences(before, population.network.state_dict()))


@MODES
def test_two_runs_from_one_live_state_do_not_disturb_each_other(mode):
    """Without a file in between, tensors of the state must not be shared."""
    original = make_population(mode)
    for _ in range(21):
        original.step()
    twin = make_population(mode)
    twin.network.load_state_dict(original.network.state_dict())
    twin.load_state_dict(original.state_dict())
    before = everything(original)
    for _ in range(20):
        twin.step()
    assert differences(before, everything(original)) == []
    for _ in range(20):
        original.step()
    assert differences(everything(original), everything(twin)) == []


def test_a_state_of_another_number_of_agents_is_refused():
    state = make_population("fresh").state_dict()
    other = make_population("fresh", training__num_agents=4)
    with pytest.raises(ValueError, match=r"num_agents: expected 4, got a state of 8"):
        other.load_state_dict(state)


def test_each_agent_of_a_larger_population_sees_the_same_world():
    few, many = make_population("fresh", training__num_agents=4), make_population("fresh", training__num_agents=8)
    assert torch.equal(few.observation.features, many.observation.features[:4])


def test_initial_weights_depend_on_the_seed_alone():
    few = make_population("fresh", training__num_agents=4)
    many = make_population("fresh", training__num_agents=8, training__exploration__base=0.2)
    assert differences(few.network.state_dict(), many.network.state_dict()) == []
    level = load_level("2", {"training.num_agents": 4, "layout.training_maps": 8, "layout.evaluation_maps": 8})
    env = VectorizedEnv(level, 4, seed=99, compile=False)  # another world
    assert (
        differences(VectorizedPopulation(level, env).network.state_dict(), population_of(level).network.state_dict())
        == []
    )


# --- metrics ------------------------------------------------------------------------------------------------------


def test_metrics_of_memory_and_exploration():
    population = make_population("fresh", training__exploration__base=0.4, training__exploration__alpha=0.0)
    population.step()
    metrics = population.read_metrics()
    assert metrics["train/epsilon"] == pytest.approx(0.4)
    h = population.hidden[0][0]  # [num_agents, hidden_dim]
    assert metrics["memory/hidden_norm"] == pytest.approx(sum(row.norm().item() for row in h) / 8, rel=1e-5)


# --- what is worked out once for all updates from the same windows ----------------------------------------------------


STEERED = {"kind": "spectral", "lags": 4, "keep": 0.9, "turn": "learned", "banks": 2}


@pytest.mark.parametrize("memory", [[], [STEERED]], ids=["rules", "rules and a learned memory"])
@pytest.mark.parametrize("initial_state", ["stored", "zero"])
def test_what_is_read_beside_the_cell_is_worked_out_once_and_is_what_each_update_would_read(initial_state, memory):
    changes = {"network__frontier": True, "network__memory": memory, "training__initial_state": initial_state}
    population = make_population("fresh", **changes)
    learner, seen = population.learner, watch_updates(population)
    for _ in range(16):
        population.step()
    assert any(batch.reset is not None and batch.reset.any() for _, batch in seen)
    for _, batch in seen:
        assert batch.beside.shape == (4, 9, sum(part.width for part in population.network.ruled))
        plain = batch._replace(beside=None)
        assert torch.equal(learner.prepare(plain).beside, batch.beside)
        assert differences(learner.td_error(plain), learner.td_error(batch)) == []


@pytest.mark.parametrize("memory", [[], [STEERED]], ids=["rules", "rules and a learned memory"])
def test_what_was_read_before_a_burn_in_is_left_out_of_what_is_learned_from(memory):
    population = make_population("fresh", network__sightings=True, network__memory=memory)
    for _ in range(8):
        population.step()
    learner, batch = population.learner, population.buffer.newest_sequences(8)._replace(burn_in=3)
    assert differences(learner.td_error(batch), learner.td_error(learner.prepare(batch))) == []


@pytest.mark.parametrize("memory", [[], [STEERED]], ids=["none", "a learned one"])
def test_a_network_without_such_memories_reads_nothing_beside(memory):
    population = make_population("fresh", network__memory=memory)
    for _ in range(8):
        population.step()
    assert population.learner.prepare(population.buffer.newest_sequences(8)).beside is None
