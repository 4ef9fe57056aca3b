"""A population in shares: each process steps its own agents, and all learn as one."""

import subprocess
import sys
from functools import partial

import pytest
import torch

from support.learning import MODES, copy_of, differences, make_training, random_batch, recurrent
from support.shares import together
from townlet.agent.learner import QLearner
from townlet.config import ConfigError, load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.exploration.epsilon_greedy import EpsilonGreedy, epsilon_ladder
from townlet.population import crew as crew_module
from townlet.population.crew import Crew, WorkerEndedError
from townlet.population.shared import SharedPopulation, populate
from townlet.population.vectorized import VectorizedPopulation
from townlet.shares.share import Share, ShareLostError

SMALL = {**MODES["fresh"][1], "training.workers": 2, "training.total_steps": 4096}


def level_of(**overrides):
    return load_level("2", {**SMALL, **{key.replace("__", "."): value for key, value in overrides.items()}})


def test_a_sum_is_that_of_all_shares_in_each_of_them():
    def add(values, share):
        return lambda: share.sum(torch.tensor(values)).tolist()

    assert together(partial(add, [1.0, 2.0]), partial(add, [10.0, -2.0])) == [[11.0, 0.0]] * 2


def test_alone_a_sum_is_what_it_was():
    values = torch.tensor([1.0, 2.0])
    assert Share().sum(values) is values


def test_a_share_that_is_gone_is_told():
    def leave(share):
        return share.part

    def ask(share):
        return partial(ask_again, share)

    def ask_again(share):
        with pytest.raises(ShareLostError, match="share 1 of 2 hears nothing of another"):
            for _ in range(100):
                share.sum(torch.ones(1))

    together(ask, leave)


def test_each_share_lives_the_lives_of_its_agents_among_all():
    level = level_of(training__num_agents=6)
    whole, parts = (
        VectorizedEnv(level, 6, compile=False),
        [VectorizedEnv(level, 3, compile=False, share=Share(rank, 2)) for rank in range(2)],
    )
    actions = torch.randint(0, 5, (40, 6), generator=torch.Generator().manual_seed(0))
    ends = 0
    for row in actions:
        result, shared = whole.step(row), [env.step(mine) for env, mine in zip(parts, row.chunk(2), strict=True)]
        for name in ("reward", "terminated", "truncated", "final_features"):
            assert torch.equal(getattr(result, name), torch.cat([getattr(one, name) for one in shared])), name
        ends += int(result.ended.sum())
    assert ends > 6


def test_each_share_explores_as_its_agents_do_among_all():
    config = load_level("2").training.exploration
    ladder = epsilon_ladder(6, config.base, config.alpha)
    for rank in range(2):
        mine = EpsilonGreedy(config, [1.0] * 5, 6, 0, share=Share(rank, 2))
        assert torch.equal(mine.epsilon(0), ladder[3 * rank : 3 * rank + 3])


def test_an_update_over_shares_is_the_update_over_all_their_windows():
    """Of the first share 11 steps count, of the second one: a mean of both means would weigh that one 11 times."""
    batch = random_batch(batch=8, seq_len=3)
    valid = torch.zeros_like(batch.valid)
    valid[:4], valid[0, 0], valid[5, 1] = True, False, True
    batch = batch._replace(valid=valid, weights=torch.linspace(0.5, 2.0, 8))

    def learned(rows, share):
        learner = QLearner(recurrent(), make_training(max_grad_norm=0.01), share=share)

        def learn():
            told = [learner.update(batch.rows(rows)).metrics for _ in range(3)]
            return torch.cat([weight.detach().flatten() for weight in learner.weights]), told[-1]

        return learn

    (first, told), (second, same) = together(partial(learned, torch.arange(4)), partial(learned, torch.arange(4, 8)))
    expected, metrics = learned(torch.arange(8), Share())()
    before = torch.cat([weight.detach().flatten() for weight in recurrent().parameters()])
    assert torch.equal(first, second) and told == same
    assert (expected - before).abs().max() > 1e-3
    torch.testing.assert_close(first, expected, rtol=0, atol=1e-6)
    for name, value in metrics.items():
        torch.testing.assert_close(told[name], value, rtol=1e-5, atol=1e-6)


def test_shares_without_a_step_to_learn_from_learn_nothing():
    batch = random_batch(batch=4, seq_len=3)
    batch = batch._replace(valid=torch.zeros_like(batch.valid))

    def loss(share):
        learner = QLearner(recurrent(), make_training(), share=share)
        return lambda: float(learner.update(batch).metrics["train/loss"])

    assert together(loss, loss) == [0.0, 0.0]


def live(steps, level, share):
    rows = level.training.num_agents // share.size
    population = VectorizedPopulation(level, VectorizedEnv(level, rows, compile=False, share=share), share=share)

    def do():
        for _ in range(steps):
            population.step()
        ended = population.episodes.sums.clone()
        return population, population.read_metrics(), ended

    return do


def test_shares_live_apart_learn_alike_and_tell_of_all_agents():
    level = level_of()
    (first, told, ours), (second, same, theirs) = together(*[partial(live, 24, level)] * 2)
    assert told == same
    assert first.env_steps == second.env_steps == 24 * 8
    assert first.learner.updates == 3 * 2
    assert not differences(first.network.state_dict(), second.network.state_dict())
    streams = [one._learning.stream.get_state() for one in (first, second)]
    assert not torch.equal(*streams)
    count, _, lengths, _ = (ours + theirs).tolist()
    assert count > 8 and told["rollout/ep_len_mean"] == pytest.approx(lengths / count)
    for name, rows in (("meters/energy_mean", 0), ("train/epsilon", None)):
        both = [
            float(one.env.state.meters[rows].mean()) if rows is not None else float(one.exploration.epsilon(192).mean())
            for one in (first, second)
        ]
        assert told[name] == pytest.approx(sum(both) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"training.num_agents": 9}, "a divisor of num_agents, 9"),
        ({"training.reward_scale": "auto"}, "1 where training.reward_scale is auto"),
        ({"training.exploration.taste": 0.1}, "1 where training.exploration.taste is there"),
    ],
)
def test_what_cannot_be_shared_is_refused_by_name(changes, expected):
    with pytest.raises(ConfigError, match=f"training.workers: expected {expected}, got 2"):
        load_level("2", {**SMALL, **changes})


def test_a_device_that_is_no_cpu_has_one_process():
    asked = []

    def make_env(share):
        asked.append(share.size)
        return VectorizedEnv(level_of(), 8, compile=False)

    assert type(populate(level_of(), torch.device("meta"), make_env)) is VectorizedPopulation
    assert asked == [1]


def test_of_several_workers_the_one_that_ended_is_named_without_waiting_for_others(monkeypatch):
    def begin(*_, said, **__):
        words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)

    monkeypatch.setattr(crew_module.child, "begin", begin)
    monkeypatch.setattr(crew_module, "SECONDS_TO_END", 1000.0)
    crew = Crew(3)
    crew._workers[1].kill()
    assert str(crew.lost()) == "worker 3 of 3: ended by signal 9"
    crew.close()


# --- in processes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def level():
    return level_of()


def begun(level):
    def make_env(share):
        return VectorizedEnv(level, level.training.num_agents // share.size, compile=False, share=share)

    return populate(level, torch.device("cpu"), make_env)


def stepped(population, steps):
    for _ in range(steps):
        population.step()
    return copy_of({"weights": population.network.state_dict(), **population.state_dict()})


@pytest.mark.slow
def test_a_run_in_processes_goes_on_bit_for_bit_and_says_which_worker_was_killed(level):
    whole = begun(level)
    saved = stepped(whole, 21)  # three steps after an update
    expected = stepped(whole, 30)
    told = whole.read_metrics()
    whole.close()

    again = begun(level)
    assert isinstance(again, SharedPopulation)
    again.network.load_state_dict(saved["weights"])
    again.load_state_dict(saved)
    found = stepped(again, 30)
    assert not differences(expected, found)
    assert told == again.read_metrics()
    assert len(found["shares"]) == 1 and found["shares"][0]["observation"]["features"].shape[0] == 4

    again._crew._workers[0].kill()
    with pytest.raises(WorkerEndedError, match="worker 2 of 2: ended by signal 9"):
        stepped(again, 16)
    assert not again.whole
    again.close()


@pytest.mark.slow
def test_a_population_that_misses_a_worker_as_it_is_saved_is_not_whole(level):
    population = begun(level)
    population._crew._workers[0].kill()
    with pytest.raises(WorkerEndedError, match="worker 2 of 2: ended by signal 9"):
        population.state_dict()
    assert not population.whole  # so that nobody tries to save it once more
    population.close()


@pytest.mark.slow
def test_what_is_raised_in_a_worker_is_the_reason(level):
    crew = Crew(2)
    with pytest.raises(WorkerEndedError, match="worker 2 of 2: ValueError: num_agents: expected at least 1, got 0"):
        crew.begin(level.model_copy(update={"training": level.training.model_copy(update={"num_agents": 0})}))
    crew.close()
