"""What holds on a CUDA device as on the CPU."""

import pytest
import torch

from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.population.vectorized import VectorizedPopulation

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


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
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            env.step(actions)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("reference", ["2", "2-reference"])
def test_a_population_learns(reference):
    level = load_level(reference, {"training.num_agents": 64})
    population = VectorizedPopulation(level, VectorizedEnv(level, 64, "cuda", compile=False))
    before = {name: value.clone() for name, value in population.network.state_dict().items()}
    for _ in range(200):
        population.step()
    assert population.learner.updates > 0
    assert all(not torch.equal(before[name], value) for name, value in population.network.state_dict().items())
