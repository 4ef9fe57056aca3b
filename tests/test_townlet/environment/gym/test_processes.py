"""Environments in processes: the same lives as by turns, and what one does wrong is a line and loses nothing."""

import os
import signal
import time
from contextlib import closing

import gymnasium
import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from support.strangers import SOME, ByMethod, Stranger, at_once, by_turns
from townlet import train
from townlet.config import ConfigError
from townlet.environment.gym import processes
from townlet.environment.gym.gate import Gate
from townlet.environment.gym.processes import Processes
from townlet.environment.gym.turns import Turns
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import WorldError

AGENTS = 5


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    """As if there were two: of five agents three are in the first process."""
    monkeypatch.setattr(processes, "_processors", lambda: 2)


def apart(*makers):
    """Environments in processes, an agent each, as commands make them; they are made there."""
    gate = Gate("Some-v0", len(makers))

    def make(share):
        return Turns([maker() for maker in makers[share.first : share.first + share.num_agents]], share)

    return GymEnvironment(Processes(make, gate), gate=gate)


def lengths(index):
    """An environment whose episodes end by chance, by the seed alone, in either way."""

    def ends(env, share):
        return bool(env.np_random.random() < share)

    def seen(env):
        return env.np_random.random(2, np.float32)

    parts = {"dies": lambda env: ends(env, 0.2), "cut": lambda env: ends(env, 0.1), "seen": seen}
    if index % 2:
        parts["info"] = lambda env: {"action_mask": SOME if env.t % 2 else np.ones(3, np.int8)}
    return (ByMethod if index % 3 == 2 else Stranger)(**parts)


def same(one, other):
    """Whether two steps are equal in everything."""
    if isinstance(one, tuple):
        return all(same(*pair) for pair in zip(one, other, strict=True))
    return one is other is None or torch.equal(one, other)


def test_all_agents_live_as_they_do_by_turns_bit_for_bit():
    makers = [lambda index=index: lengths(index) for index in range(AGENTS)]
    turns, ours = by_turns(*(maker() for maker in makers)), apart(*makers)
    with closing(ours):
        assert (ours.masks_by_method, ours.mode, ours.num_actions) == (True, AutoresetMode.SAME_STEP, 3)
        ended = 0
        for _ in range(2):  # each reset begins other episodes
            pair = [env.reset() for env in (turns, ours)]
            assert same(*pair)
            for _ in range(20):
                allowed = pair[0].action_mask.float()
                actions = torch.multinomial(allowed, 1, generator=torch.Generator().manual_seed(ended)).squeeze(1)
                steps = [env.step(actions) for env in (turns, ours)]
                assert same(*steps)
                pair = [steps[0][0], steps[1][0]]
                ended += int((steps[0][2] | steps[0][3]).sum())
    assert ended > AGENTS


def ids(env):
    """The processes of an environment."""
    return [share.process for share in env.env._shares]


def test_agents_are_shared_out_and_close_ends_every_process():
    env = apart(*[Stranger] * AGENTS)
    assert [(share.first, share.agents) for share in env.env._shares] == [(0, 3), (3, 2)]
    found = ids(env)
    assert len({process.pid for process in found} | {os.getpid()}) == 3
    env.close()
    assert [process.exitcode for process in found] == [0, 0]


def test_a_fault_is_the_line_that_it_is_by_turns_with_the_agents_own_number_and_its_traceback():
    def broken(env):
        raise ConnectionError("the simulator went away")

    makers = [Stranger, Stranger, Stranger, Stranger, lambda: Stranger(paid=broken)]
    told = []
    for env in (by_turns(*(maker() for maker in makers)), apart(*makers)):
        with closing(env):
            env.reset()
            with pytest.raises(WorldError) as fault:
                env.step(torch.zeros(AGENTS, dtype=torch.int64))
        told.append(str(fault.value))
    assert told[0] == told[1] and "(agent 4, step 1)" in told[0]
    assert "in broken" in str(fault.value.__cause__)


def kill(env):
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(env):
    time.sleep(60)


@pytest.mark.parametrize(
    ("part", "got"),
    [
        (kill, "step: expected an answer of the process of agents 3 to 4, got its end by SIGKILL (step 1)"),
        (sleep, "step: expected an answer of the process of agents 3 to 4 within 0.3 seconds, got none (step 1)"),
        (lambda env: os._exit(3), "got its end with code 3 (step 1)"),
        (lambda env: lambda: None, "step: expected values that can be sent to another process, got "),
    ],
    ids=["killed", "hangs", "ends", "nothing to be sent"],
)
def test_a_process_that_ends_or_hangs_is_one_line_and_leaves_none_behind(part, got, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    monkeypatch.setattr(processes, "CLOSING", 0.1)
    env = apart(*[Stranger] * 4, lambda: Stranger(paid=part))
    found = ids(env)
    env.reset()
    with pytest.raises(WorldError) as fault:
        env.step(torch.zeros(AGENTS, dtype=torch.int64))
    assert got in str(fault.value) and "\n" not in str(fault.value)
    env.close()
    assert not any(process.is_alive() for process in found)


def test_signals_are_not_the_business_of_these_processes():
    """A terminal sends them to all processes of a command, which is to save what was learned first."""
    with closing(apart(*[Stranger] * AGENTS)) as env:
        env.reset()
        for process in ids(env):
            for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(process.pid, name)
        assert env.step(torch.ones(AGENTS, dtype=torch.int64)).reward.tolist() == [1.0] * AGENTS


def test_processes_close_what_they_hold_and_end_when_nobody_is_there_to_ask_them(tmp_path):
    """As when the command is killed: what it held open is closed."""
    env = apart(*[lambda at=at: Stranger(close=lambda env: (tmp_path / str(at)).touch()) for at in range(AGENTS)])
    for share in env.env._shares:
        share.pipe.close()
    for process in ids(env):
        process.join(10)
        assert process.exitcode == 0
    assert len(list(tmp_path.iterdir())) == AGENTS
    env.close()


def test_one_that_cannot_be_made_is_one_line_and_leaves_no_process(monkeypatch):
    begun, start = [], Processes._start

    def noted(*given):
        begun.append(start(*given))
        return begun[-1]

    def fails():
        raise ConfigError(["gym: expected a free port, got none"])

    monkeypatch.setattr(Processes, "_start", noted)
    with pytest.raises(ConfigError, match=r"^gym: expected a free port, got none$"):
        apart(*[Stranger] * 4, fails)
    assert len(begun) == 2 and not any(share.process.is_alive() for share in begun)


def test_spaces_that_differ_between_processes_are_refused():
    with pytest.raises(ConfigError, match=r"expected the same spaces for all agents, got .*, of agent 3"):
        apart(*[Stranger] * 3, *[lambda: Stranger(spaces.Box(0, 9, (2,)))] * 2)


def test_what_closing_refuses_is_told():
    def stuck(env):
        raise OSError("the window is gone")

    env = apart(*[Stranger] * 4, lambda: Stranger(close=stuck))
    with pytest.raises(WorldError, match=r"close: raised OSError: the window is gone \(agent 4, "):
        env.close()
    assert not any(process.is_alive() for process in ids(env))


# --- from the command line ---------------------------------------------------------------------------------------

SMALL = [
    "--num-agents", "4", "--set", "training.seq_len=4", "--set", "network.hidden=8", "--set", "network.head=8",
    "--set", "network.encoder.width=8", "--set", "evaluation.episodes=3", "--plain", "--device", "cpu",
    "--set", "training.mode.capacity=400",  # which every checkpoint holds
]  # fmt: skip
IN_PROCESSES = ["--set", "gym_options.asynchronous=true"]


@pytest.fixture
def register():
    """Registers an environment as Some-v0, and forgets it."""
    yield lambda made: gymnasium.register("Some-v0", made)
    gymnasium.registry.pop("Some-v0", None)


def weights(runs, *arguments):
    command = ["--gym", "Some-v0", *SMALL, "--total-steps", "64", "--runs-dir", str(runs), "--run-name", "run"]
    assert train.main([*command, *arguments]) == 0
    (file,) = runs.glob("*/run/checkpoints/step_000000064/model.safetensors")
    return safetensors.torch.load_file(file)


def test_a_run_in_processes_is_the_run_by_turns_bit_for_bit(register, tmp_path):
    register(lambda: lengths(2))
    one, other = weights(tmp_path / "a"), weights(tmp_path / "b", *IN_PROCESSES)
    assert one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_what_was_learned_before_a_process_is_killed_is_saved(register, tmp_path, capsys):
    register(lambda: Stranger(paid=lambda env: kill(env) if env.life == 25 else 1.0))
    command = ["--gym", "Some-v0", *SMALL, *IN_PROCESSES, "--runs-dir", str(tmp_path), "--run-name", "run"]
    assert train.main([*command, "--total-steps", "4000", "--evaluate-every", "9999"]) == 1
    err = capsys.readouterr().err
    assert "got its end by SIGKILL (step 25); saved up to step 96" in err and err.count("\n") == 1
    assert list(tmp_path.glob("*/run/checkpoints/step_000000096"))


def test_a_keyword_of_the_environments_own_goes_to_it_and_that_is_said(register, tmp_path, capsys):
    got = []

    def make(asynchronous=False):
        got.append(asynchronous)
        return Stranger()

    register(make)
    weights(tmp_path, *IN_PROCESSES)
    assert set(got) == {True}
    line = "gym_options.asynchronous: Some-v0 has this keyword itself and gets it; nothing runs in processes"
    assert f"Some-v0: {line}\n" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["3", "yes please", "null"])
def test_processes_are_asked_for_by_true_or_false(value, register, tmp_path, capsys):
    register(Stranger)
    command = ["--gym", "Some-v0", *SMALL, "--runs-dir", str(tmp_path), "--set", f"gym_options.asynchronous={value}"]
    assert train.main(command) == 2
    assert capsys.readouterr().err.startswith("gym_options.asynchronous: expected true or false, got ")


# --- vector environments of Gymnasium's own ----------------------------------------------------------------------


class InSight(Stranger):
    """Shows its mask beside what is seen, as some do, under a short name."""

    def __init__(self):
        both = spaces.Dict(seen=spaces.Box(-1, 1, (2,)), mask=spaces.MultiBinary(3))
        super().__init__(both, seen=lambda env: {"seen": np.array([env.t / 10, 0], np.float32), "mask": told(env)})


def told(env):
    return SOME if env.t % 2 else np.ones(3, np.int8)


class Methodical(ByMethod):
    def action_masks(self):
        return told(self)


MASKED = {
    "in the info": lambda: Stranger(info=lambda env: {"action_mask": told(env)}),
    "in sight": InSight,
    "by the method": Methodical,
}


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("where", MASKED)
def test_a_vector_in_sync_and_one_in_processes_live_the_same_in_every_mode_and_obey_masks(where, mode):
    makers = [MASKED[where], MASKED[where]]
    one, other = (at_once(kind(makers, autoreset_mode=mode)) for kind in (SyncVectorEnv, AsyncVectorEnv))
    seen = [env.reset() for env in (one, other)]
    assert same(*seen) and seen[0].action_mask.all()
    with closing(one), closing(other):
        for tick in range(1, 13):
            steps = [env.step(torch.tensor([0, 2])) for env in (one, other)]
            assert same(*steps)
            # Five steps an episode, then, with NextStep, a tick that resets: 1, 2, 3, 4, 5 and at once, or next, 0.
            t = tick % 6 if mode is AutoresetMode.NEXT_STEP else tick % 5
            over = mode is AutoresetMode.NEXT_STEP and t == 5
            allowed = [True, False, True] if t % 2 else [True] * 3
            assert over or steps[0].observation.action_mask.tolist() == [allowed] * 2
