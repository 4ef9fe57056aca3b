"""Contestants of the world's benchmark do the same work."""

import numpy as np
import pytest
import torch

from support.benchmarks import needs_compiler
from townlet.bench.speed.env_worlds import KernelSteps, NumpySteps, OneByOne, OurSteps
from townlet.bench.worlds.plain_rules import plain_rules
from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv


def lived(steps, calls):
    for _ in range(calls):
        steps()
    assert steps.steps == calls
    return steps


WORLDS = [pytest.param(NumpySteps, id="numpy"), pytest.param(KernelSteps, id="c", marks=needs_compiler)]


@pytest.mark.parametrize("make", WORLDS)
def test_all_choose_the_same_actions_and_live_the_same_lives(make):
    level, agents, calls = load_level("2", {"training.seed": 4}), 300, 130  # more steps than are drawn
    ours = lived(OurSteps(VectorizedEnv(level, agents, compile=False)), calls)
    theirs = lived(make(plain_rules(level), agents), calls).world
    world = theirs.arrays if make is KernelSteps else vars(theirs)
    for name in ("x", "y", "map", "tick", "episode"):
        entry = getattr(ours.env.state, "map_index" if name == "map" else name)
        assert np.array_equal(entry.numpy(), world[name]), name
    assert ours.env.state.episode.max() > 0
    assert np.array_equal(ours.env.observe().features.numpy(), world["features"])
    assert np.array_equal(ours.mask.numpy(), world["mask"])


def test_one_agent_in_gymnasium_begins_anew_after_each_end():
    one = lived(OneByOne("2", {"max_steps": 5}), 12)
    assert int(one.env.unwrapped._one.world.state.tick) == 2  # of the third episode
    assert torch.equal(one.env.unwrapped._one.world.observe().action_mask[0], torch.from_numpy(one.mask).bool())
