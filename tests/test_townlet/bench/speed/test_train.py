"""`python -m townlet.bench train`, in this process, at tiny sizes."""

import json
import sys

import pytest
import torch

from townlet.bench import __main__ as command
from townlet.bench.speed import train, trainees
from townlet.bench.speed.trainees import OurTrainee, Progress
from townlet.config import load_level

QUICK = ["--seconds", "0.001", "--repeats", "2"]
SMALL = {
    "training.num_agents": 8,
    "max_steps": 20,
    "evaluation.episodes": 4,
    "training.total_steps": 8000,
}  # too short to compile
SMALL_FLAGS = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def bench(tmp_path, capsys):
    """Run the command; returns its exit code, what it said, and what it kept."""

    def run(*arguments):
        path = tmp_path / "train.json"
        try:
            code = command.main(["train", *QUICK, *SMALL_FLAGS, "--json", str(path), *arguments])
        except SystemExit as stopped:
            code = stopped.code
        return code, capsys.readouterr(), json.loads(path.read_text()) if path.exists() else {}

    return run


class Clockwork:
    """A trainee each of whose advances takes 0.5 s: 0.2 s of one thing, 0.1 s of another; 30 steps, 1 update."""

    def __init__(self, monkeypatch):
        self.advances = 0
        monkeypatch.setattr(train.time, "perf_counter", lambda: 0.5 * self.advances)

    def advance(self):
        self.advances += 1

    def progress(self):
        times = self.advances
        return Progress(1000 + 30 * times, 7 + times, {"one": 5.0 + 0.2 * times, "another": 0.1 * times})


def test_a_window_counts_what_happened_in_it_alone(monkeypatch):
    trainee = Clockwork(monkeypatch)
    window = train.train_for(trainee, 1.9)
    assert trainee.advances == 4  # 2 s, the first look at the clock after 1.9 s
    assert window.steps == pytest.approx(60.0) and window.updates == pytest.approx(2.0)
    assert window.shares == pytest.approx({"one": 0.4, "another": 0.2, "other": 0.4})


def test_the_loop_is_measured_at_each_number_of_agents_with_its_parts(bench):
    code, said, kept = bench("--no-peers", "--agents", "8,16")
    assert code == 0, said.err
    assert [(row["name"], row["size"], len(row["samples"])) for row in kept["rows"]] == [
        ("Townlet", 8, 2),
        ("Townlet", 16, 2),
    ]
    for row in kept["rows"]:
        parts = {"share_act", "share_world", "share_store", "share_learn", "share_other"}
        assert set(row["facts"]) == parts | {"updates_a_second"} and row["median"] > 0.0
        assert all(0.0 <= row["facts"][part] < 1.0 for part in parts) and row["facts"]["share_learn"] > 0.0
    assert "updates/s" in said.out and "other" in said.out and kept["options"]["agents"] == [8, 16]


def test_numbers_of_workers_are_compared_in_turn_at_each_number_of_agents(bench, monkeypatch):
    """At 8 agents rounds of 100, 100 and 200 steps against 150, 120 and 260: 1.5, 1.2 and 1.3 times; the best 1.3."""
    made, ended, threads = [], [], torch.get_num_threads()
    rates = {(8, 1): [100, 100, 200], (8, 2): [150, 120, 260], (16, 1): [300] * 3, (16, 2): [600] * 3}

    class Trainee:
        def __init__(self, level, device):
            self.key = (level.training.num_agents, level.training.workers)
            made.append((*self.key, torch.get_num_threads()))
            torch.set_num_threads(max(1, threads // self.key[1]))  # as processes that share cores do

        def close(self):
            ended.append(self.key)

    def in_turn(trainees, pace, tell):
        return [[train.Window(float(rate), None, {}) for rate in rates[one.key]] for _, _, one in trainees]

    monkeypatch.setattr(train, "OurTrainee", Trainee)
    monkeypatch.setattr(train, "_in_turn", in_turn)
    code, said, kept = bench("--no-peers", "--agents", "8,16", "--workers", "1,2")
    assert code == 0, said.err
    assert made == [(*key, threads) for key in rates] and sorted(ended) == sorted(rates)
    names = ["Townlet, 1 worker", "Townlet, 2 workers"]
    assert [(row["name"], row["size"]) for row in kept["rows"]] == [(name, size) for size in (8, 16) for name in names]
    assert kept["options"]["workers"] == [1, 2]
    what = "Townlet, 2 workers: {} times the steps of Townlet, 1 worker, the median of rounds from {} to {}"
    assert kept["notes"] == [
        f"8 agents: {what.format('1.30', '1.20', '1.50')}; the best of each 1.30 times",
        f"16 agents: {what.format('2.00', '2.00', '2.00')}; the best of each 2.00 times",
    ]


def test_our_trainee_learns_as_the_level_says():
    trainee = OurTrainee(load_level("2", SMALL), torch.device("cpu"))
    trainee.advance()
    # 8 steps of 8 agents fill the newest windows of 8 once, which are learned from in 4 minibatches.
    assert trainee.progress()[:2] == (64, 4)


def test_until_stops_at_the_first_evaluation_that_is_good_enough(bench):
    code, said, kept = bench("--no-peers", "--until", "1", "--evaluate-every", "64")
    facts = kept["facts"]
    assert code == 0 and facts["until_steps"] == 64 and facts["until_survival"] >= 1.0
    assert 0.0 < facts["until_seconds"] < facts["until_everything"]
    assert "greedy survival reached " in said.out and "after 64 steps" in " ".join(said.out.split())


def test_until_tells_seconds_of_training_apart_from_all_else(monkeypatch):
    """Making takes 7 s, a step of 10 agents 0.5 s, an evaluation 100 s; the third one is good enough."""
    clock, scores = [0.0], [100.0, 200.0, 300.0]

    def takes(seconds):
        clock[0] += seconds

    class Population:
        env_steps = 0

        def step(self):
            takes(0.5)
            self.env_steps += 10

    class Trainee:
        def __init__(self, level, device):
            takes(7.0)
            self.population = Population()
            self.population.network = None

    def evaluate(*_):
        takes(100.0)
        return {"mean_ep_length": scores.pop(0)}

    monkeypatch.setattr(train.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(train, "OurTrainee", Trainee)
    monkeypatch.setattr(train, "evaluate", evaluate)
    until = train.train_until(load_level("2"), 300.0, 100, torch.device("cpu"), lambda _: None)
    assert until == (300.0, 300, pytest.approx(15.0), pytest.approx(7.0 + 15.0 + 300.0))


def test_until_gives_up_where_the_steps_of_the_level_end(bench):
    settings = ("--set", "training.total_steps=128", "--set", "max_steps=200")
    code, said, kept = bench("--no-peers", "--until", "200", "--evaluate-every", "100", *settings)
    assert code == 0 and kept["facts"]["until_steps"] == 128 and kept["facts"]["until_survival"] < 200.0
    assert "greedy survival did not reach 200, but " in " ".join(said.out.split())


def test_absent_packages_leave_the_peers_out_with_a_line_each(bench, monkeypatch):
    for package in ("stable_baselines3", "sb3_contrib", "townlet.bench.sb3_adaptor"):
        monkeypatch.setitem(sys.modules, package, None)
    code, said, kept = bench()
    assert code == 0 and [row["name"] for row in kept["rows"]] == ["Townlet"]
    told = " ".join(said.out.split())
    for name in ("DQN", "RecurrentPPO"):
        assert f"{name} is left out: expected the extra townlet[bench], or --no-peers, got " in told


def test_peers_are_left_out_without_a_word_where_nobody_wants_them(bench, monkeypatch):
    monkeypatch.setattr(train, "PeerTrainee", None)
    code, said, kept = bench("--no-peers")
    assert code == 0 and [row["name"] for row in kept["rows"]] == ["Townlet"]
    assert kept["notes"] == [] and "left out" not in said.out


@pytest.mark.bench
def test_peers_train_on_the_same_level(bench, monkeypatch):
    for package in ("stable_baselines3", "sb3_contrib"):
        pytest.importorskip(package, reason="needs the bench extra: pip install '.[bench]'")
    for module in (train, trainees):
        monkeypatch.setattr(module, "PEER_ENVS", 2)
    monkeypatch.setattr(trainees, "PEER_ROLLOUT", 16)
    code, said, kept = bench("--repeats", "1")
    assert code == 0, said.err
    rows = {row["name"]: row for row in kept["rows"]}
    assert set(rows) == {"Townlet", "DQN", "RecurrentPPO"} and kept["notes"] == []
    assert all(rows[name]["size"] == 2 and rows[name]["median"] > 0.0 for name in ("DQN", "RecurrentPPO"))


@pytest.mark.bench
def test_peers_learn_as_often_as_they_do_alone(monkeypatch):
    for package in ("stable_baselines3", "sb3_contrib"):
        pytest.importorskip(package, reason="needs the bench extra: pip install '.[bench]'")
    assert (trainees.PEER_ENVS, trainees.PEER_ROLLOUT) == (16, 256)
    monkeypatch.setattr(trainees, "PEER_ENVS", 2)
    monkeypatch.setattr(trainees, "PEER_ROLLOUT", 16)
    level = load_level("2", SMALL)
    dqn = trainees.PeerTrainee("DQN", level, "2", SMALL, torch.device("cpu"))
    for _ in range(20):
        dqn.advance()
    # 8 steps each time, then 2 updates: one for 4 steps. They begin with the 13th time, past 100 steps.
    assert dqn.model.get_env().get_attr("world", 0)[0].level.max_steps == 20
    assert dqn.progress() == Progress(160, None, {}) and dqn.model._n_updates == 2 * (20 - 12)
    ppo = trainees.PeerTrainee("RecurrentPPO", level, "2", SMALL, torch.device("cpu"))
    assert ppo.model.policy.lstm_actor.hidden_size == 32  # as the level's own
    ppo.advance()
    assert ppo.progress().steps == 2 * 16


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--until", "-3"], "--until: expected a number above 0, got -3"),
        (["--until", "21"], "--until: expected at most 20, the limit of level 2, got 21"),
        (["--level", "1", "--until", "21"], "--until: expected at most 20, the limit of level 1, got 21"),
        (["--workers", "1,3"], "training.workers: expected a divisor of num_agents, 8, got 3"),
        (["--evaluate-every", "100"], "--evaluate-every: expected --until beside it, got none"),
        (["--set", "training.seq_len=0"], "training.seq_len"),
    ],
)
def test_wrong_use_is_one_line(bench, arguments, said):
    code, output, _ = bench("--no-peers", *arguments)
    assert code == 2 and said in output.err and output.err.count("\n") == 1
