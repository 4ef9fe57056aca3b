"""The program on a card makes the world that an agent of others' worlds learned in, wrappers and all."""

import pytest

from townlet.config import load_gym_task
from townlet.policy import card


@pytest.mark.parametrize(
    ("env_id", "overrides", "made"),
    [
        ("CartPole-v1", {}, 'env = gymnasium.make("CartPole-v1")'),
        (
            "some:Other-v0",
            {"gym_options": {"size": 7, "asynchronous": True}, "max_steps": 9},
            'env = gymnasium.make("some:Other-v0", size=7, max_episode_steps=9)',
        ),
        (
            "Pendulum-v1",
            {"gym_wrappers": [{"DiscretizeAction": {"bins": 5}}, "some.where:Wrapper"]},
            'env = gymnasium.make("Pendulum-v1")\n'
            "env = gymnasium.wrappers.DiscretizeAction(env, bins=5)\n"
            "env = some.where.Wrapper(env)",
        ),
        (
            "/at/home/some_town.py:Town",
            {"gym_options": {"colour": "red"}, "max_steps": 9},
            "env = some_town.Town(colour='red')\nenv = gymnasium.wrappers.TimeLimit(env, max_episode_steps=9)",
        ),
        ("/at/home/some_town.py:Town-v0", {}, 'env = gymnasium.make("some_town:Town-v0")'),
    ],
)
def test_the_world_is_made_as_it_was_in_training(env_id, overrides, made):
    program = card._loop(load_gym_task(env_id, overrides=overrides))
    assert (
        f'policy = townlet.load_policy(".")  # this folder\n{made}\nobservation, info = env.reset(seed=0)\n' in program
    )
    modules = {line.removeprefix("import ") for line in program.splitlines() if line.startswith("import ")}
    named = {"some.where"} if "some.where" in made else {"some_town"} if "some_town.T" in made else set()
    assert modules == {"gymnasium", "townlet"} | named
