"""What holds on a CUDA device as on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from support.launches import Launches
from support.learning import copy_of, differences, everything, make_training, random_batch, recurrent
from support.worlds import flat, random_valid
from townlet.agent.divergence import TrainingDivergedError
from townlet.agent.learner import QLearner
from townlet.capture import Captured, mapped
from townlet.config import load_level
from townlet.environment.types import Difficulty
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation
from townlet.replay.cuts import each_cut, every_step, last_of_each

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CURIOSITY = {"weight": 0.5, "hidden": [8], "embedding": 4, "learning_rate": 0.01, "anneal": None}
PRIORITY = {"exponent": 0.9, "importance": 0.6, "largest": 0.9}
KINDS = {
    "fresh": ("2", {}),
    "fresh and curious": ("2", {"training.curiosity": CURIOSITY}),
    "fresh and often cut off": ("2", {"max_steps": 5}),
    "fresh and curious, cut off once a window": ("2", {"training.curiosity": CURIOSITY, "max_steps": 8}),
    "fresh by stages": ("2-adversarial", {}),
    "replay": ("2-reference", {}),
    "replay of priorities": ("2-reference", {"training.mode.priority": PRIORITY}),
}
TARGETS = [
    {"target_every": 3},
    {"target_every": None, "target_rate": 0.25},
    {"target_every": None, "double_q": False},
]


@contextmanager
def no_waiting() -> Iterator[None]:
    """Whatever makes the host wait for the device raises."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def on_gpu(record):
    return mapped(lambda part: part.cuda(), record)


def assert_close(one, other):
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def make_population(kind, device="cuda", capture=True):
    reference, options = KINDS[kind]
    level = load_level(reference, {"training.num_agents": 64, **options})
    return VectorizedPopulation(level, VectorizedEnv(level, 64, device, compile=False), capture=capture)


# --- the world ----------------------------------------------------------------------------------------------------


def test_lives_are_the_same_on_both_devices():
    level = load_level("3")
    cpu, gpu = (VectorizedEnv(level, 64, device, compile=False) for device in ("cpu", "cuda"))
    gpu.reset()
    observation, stream = cpu.reset(), torch.Generator().manual_seed(0)
    for _ in range(200):
        noise = torch.rand(observation.action_mask.shape, generator=stream)
        actions = noise.masked_fill(~observation.action_mask, -1.0).argmax(dim=1)
        on_cpu, on_gpu = cpu.step(actions), gpu.step(actions.cuda())
        assert torch.allclose(on_cpu.final_features, on_gpu.final_features.cpu(), atol=1e-5)
        assert torch.equal(on_cpu.terminated, on_gpu.terminated.cpu())
        observation = on_cpu.observation


def test_a_step_of_the_world_never_waits_for_the_host():
    env = VectorizedEnv(load_level("2"), 64, "cuda", compile=False)
    env.reset()
    actions = torch.zeros(64, dtype=torch.int64, device="cuda")
    env.step(actions)
    with no_waiting():
        for _ in range(20):
            env.step(actions)


@pytest.mark.parametrize("name", ["1", "2", "3", "2-adversarial"])
def test_a_captured_step_is_a_plain_one(name):
    level, stream = load_level(name), torch.Generator("cuda").manual_seed(0)
    plain, captured = (VectorizedEnv(level, 64, "cuda", compile=False) for _ in range(2))
    captured.capture()
    assert_close(plain.state, captured.state)
    shares = torch.rand(len(level.present_meters), 64, generator=stream, device="cuda")
    graded = Difficulty(shares, shares[0] > 0.5) if level.graded else None
    for step in range(200):
        actions = random_valid(plain.observe().action_mask, stream)
        difficulty = graded if step % 3 else None
        one, other = plain.step(actions, difficulty), captured.step(actions, difficulty)
        assert_close(flat(one), flat(other))
        assert_close(plain.state, captured.state)
    assert int(plain.state.episode.sum()) > 32
    assert plain.read_metrics() == pytest.approx(captured.read_metrics())
    assert_close(flat(plain.step(actions)), flat(captured.step(actions)))
    assert captured.compile_failure is None


def test_a_captured_step_of_a_compiled_world_is_a_plain_one():
    level, stream = load_level("2"), torch.Generator("cuda").manual_seed(0)
    plain, fused = (VectorizedEnv(level, 64, "cuda", compile=compile) for compile in (False, True))
    for _ in range(50):
        plain.state = mapped(torch.clone, fused.state)
        actions = random_valid(plain.observe().action_mask, stream)
        assert_close(flat(plain.step(actions)), flat(fused.step(actions)))
    assert fused.compiled and fused.compile_failure is None


# --- updates ------------------------------------------------------------------------------------------------------


def batches(number):
    """Windows of every kind: two sizes, with and without resets, with a burn-in, with steps that were cut off."""
    reset = torch.zeros(4, 6, dtype=torch.bool)
    reset[1, 2] = reset[3, 0] = True
    cut = {"reset": reset, "cut": reset[:, 1:], "cut_values": torch.arange(20.0).view(4, 5)}
    kinds = [{}, {"reset": reset}, {"batch": 3}, {"burn_in": 2}, cut]
    return [on_gpu(random_batch(seed=seed, **kinds[seed % 5])) for seed in range(number)]


def both(**training):
    """A plain learner on the device and one that captures, of equal networks."""
    made = make_training(**training)
    return [QLearner(recurrent().cuda(), made, capture=capture) for capture in (False, None)]


def state_of(learner):
    state = learner.state_dict()
    return [learner.network.state_dict(), state["optimizer"]["state"], state["target"] or {}, state["updates"]]


@pytest.mark.parametrize("training", TARGETS)
def test_captured_updates_are_plain_updates(training):
    plain, captured = both(**training, learning_rate=0.01, final_learning_rate=0.001)
    for index, batch in enumerate(batches(16)):
        for learner in (plain, captured):
            learner.set_learning_rate(100 * index)
        one, other = plain.update(batch), captured.update(batch)
        assert_close(one.metrics, other.metrics)
        assert_close(one.td_error, other.td_error)
        assert_close(state_of(plain), state_of(captured))
    assert captured.capture_failure is None


def test_a_captured_learner_that_loads_a_state_goes_on_from_it():
    plain, captured = both()
    windows = batches(4)
    for batch in windows:
        plain.update(batch)
        captured.update(batch)
    state, network = copy_of(plain.state_dict()), copy_of(plain.network.state_dict())
    for batch in windows:
        captured.update(batch)
    captured.network.load_state_dict(network)
    captured.load_state_dict(state)
    for batch in windows:
        assert_close(plain.update(batch).metrics, captured.update(batch).metrics)
    assert_close(state_of(plain), state_of(captured))


def test_a_captured_update_never_waits_for_the_host():
    _, captured = both(target_every=3)
    windows = batches(4)
    for batch in windows:
        captured.update(batch)
    with no_waiting():
        for step in range(12):
            captured.set_learning_rate(step)
            captured.update(windows[step % 4])


def test_a_captured_update_that_is_not_finite_leaves_the_weights_and_is_told():
    _, captured = both()
    good, bad = on_gpu(random_batch()), on_gpu(random_batch(rewards=torch.full((4, 5), torch.nan)))
    for _ in range(2):
        captured.update(good)
    captured.check()
    before = copy_of([captured.network.state_dict(), captured.optimizer.state_dict()])
    with no_waiting():
        captured.update(bad)
        captured.update(good)
    assert differences(before, [captured.network.state_dict(), captured.optimizer.state_dict()]) == []
    with pytest.raises(TrainingDivergedError, match=r"^update 3: expected finite values, but loss is nan"):
        captured.check()


def test_where_capturing_fails_the_function_runs_all_the_same_and_others_are_captured():
    looks = Captured(lambda value: value * value.sum().item(), torch.device("cuda"))
    assert looks(torch.full((2,), 3.0, device="cuda")).tolist() == [18.0, 18.0]
    assert looks(torch.full((2,), 5.0, device="cuda")).tolist() == [50.0, 50.0]
    assert looks.failure
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    fine = Captured(lambda value: value + 1.0, torch.device("cuda"))
    assert fine(torch.zeros(2, device="cuda")).tolist() == [1.0, 1.0] and fine.failure is None


# --- the population -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_a_population_never_waits_for_the_host(kind):
    population = make_population(kind)
    # Until the first update replay asks how many episodes there are, and the 49th step captures what exploration draws.
    while population.learner.updates < 2 or population.steps < 56:
        population.step()
    updates = population.learner.updates
    with no_waiting():
        for _ in range(64):
            population.step()
    assert population.learner.updates > updates and population.uncaptured == {}
    population.read_metrics()


@pytest.mark.parametrize("kind", KINDS)
def test_captured_steps_are_plain_steps(kind):
    """Until the first update: after it float32 rounds otherwise in a graph of an update than without."""
    plain, captured = (make_population(kind, capture=capture) for capture in (False, True))
    for population in (plain, captured):
        population._learning.due = lambda steps: False
    parts = ("env", "observation", "hidden", "previous_actions", "episodes", "curriculum")
    for _ in range(4):
        for _ in range(15):
            plain.step(), captured.step()
        one, other = plain.state_dict(), captured.state_dict()
        assert_close(*({name: state[name] for name in parts} for state in (one, other)))
        assert torch.equal(one["buffer"]["actions"], other["buffer"]["actions"])
        captured.load_state_dict(copy_of(other))  # which the graph has to find
    assert captured.uncaptured == {} and plain.read_metrics() == pytest.approx(captured.read_metrics())


def test_outside_of_graphs_a_step_launches_next_to_nothing():
    population, launched = make_population("fresh"), []
    for _ in range(56):
        population.step()
    for _ in range(24):
        with Launches() as mode:
            learned = population.step()
        if not learned:
            launched.append(mode.count)
    assert max(launched) <= 1 and population.uncaptured == {}


@pytest.mark.parametrize("kind", ["fresh", "replay"])
def test_a_run_goes_on_on_the_other_device(kind, tmp_path):
    first = make_population(kind, "cpu", capture=False)
    for device in ("cuda", "cpu", "cuda"):
        while first.learner.updates < 2 or first.steps % 40:
            first.step()
        torch.save(everything(first), tmp_path / "state.pt")
        state = torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
        then = make_population(kind, device, capture=device == "cuda")
        then.network.load_state_dict(state["network"])
        then.load_state_dict(state["population"])
        learners = then.learner.state_dict(), state["population"]["learner"]
        moment, saved = (one["optimizer"]["state"][0]["exp_avg"] for one in learners)
        assert moment.device.type == device and torch.equal(moment.cpu(), saved)
        for _ in range(80):
            then.step()
        assert then.learner.updates > first.learner.updates
        assert all(part.isfinite().all() for part in then.network.state_dict().values())
        first = then


@pytest.mark.parametrize(
    ("kind", "pick"),
    [("fresh and often cut off", every_step), ("fresh and curious, cut off once a window", last_of_each)],
)
def test_what_cut_steps_led_to_is_worked_out_in_shapes_that_do_not_depend_on_them(kind, pick):
    population = make_population(kind)
    assert population._learning.pick is pick
    for _ in range(12):
        population.step()
    buffer, newest = population.buffer, population.buffer.newest_sequences(8)
    few, fixed = (population.learner.prepare(newest, buffer.cut_steps(8, one)) for one in (each_cut, pick))
    assert few.cut.any() and torch.equal(few.cut, fixed.cut) and torch.equal(few.valid, fixed.valid)
    assert_close(few.cut_values[few.cut], fixed.cut_values[few.cut])


@pytest.mark.parametrize("kind", ["fresh", "replay"])
def test_a_population_learns(kind):
    population = make_population(kind)
    before = {name: value.clone() for name, value in population.network.state_dict().items()}
    for _ in range(200):
        population.step()
    assert population.learner.updates > 0 and population.uncaptured == {}
    assert all(not torch.equal(before[name], value) for name, value in population.network.state_dict().items())
