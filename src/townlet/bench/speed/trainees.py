"""Who trains in `bench train`: our population, and two learners of Stable-Baselines3 on the same level."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch

from townlet.bench.speed.timing import synchronise
from townlet.config import Level, Recurrent
from townlet.environment.gym.adaptors import TownletVectorEnv
from townlet.environment.make import make_env
from townlet.environment.types import Environment
from townlet.population.shared import populate
from townlet.population.vectorized import VectorizedPopulation
from townlet.shares.share import Share

PEER_ENVS = 16
PEER_ROLLOUT = 256  # steps of each, of RecurrentPPO
Settings = Mapping[str, Any]  # of keys of a level

STEPS_BETWEEN_LOOKS = 8  # of the population, between two looks at the clock


class Progress(NamedTuple):
    """How far a trainee has come since it was made."""

    steps: int  # environment steps, summed over agents
    updates: int | None  # None where nobody counts them
    seconds: dict[str, float]  # by part of the loop


class Trainee(Protocol):
    """An agent in training that can be paused."""

    def advance(self) -> None:
        """Train for a little while, and wait for the device."""
        ...

    def progress(self) -> Progress:
        """Say how far it is."""
        ...


class OurTrainee:
    """A population that acts, steps, stores and learns as its level says; no metrics, evaluations or checkpoints.

    It lives in `env`, or in a world of its own, in as many processes as the level says.
    """

    def __init__(self, level: Level, device: torch.device, env: Environment | None = None) -> None:

        def make_share(share: Share) -> Environment:
            return make_env(level, level.training.num_agents // share.size, device, share=share)

        self.population = VectorizedPopulation(level, env) if env else populate(level, device, make_share)
        self.threads = torch.get_num_threads()  # of this process, fewer where there are others

    def advance(self) -> None:
        """Take a few steps of the population."""
        torch.set_num_threads(self.threads)  # those measured in turn may have others
        for _ in range(STEPS_BETWEEN_LOOKS):
            self.population.step()
        synchronise(self.population.device)

    def progress(self) -> Progress:
        """Say how far it is; where the time went is by the host's clock."""
        population = self.population
        return Progress(population.env_steps, population.learner.updates, dict(population.seconds))

    def close(self) -> None:
        """End its processes, and close its world."""
        self.population.close()


class PeerTrainee:
    """DQN of Stable-Baselines3 or RecurrentPPO of sb3-contrib on 16 agents of the level, through Sb3VecEnv.

    DQN has its own settings, with as many updates a step as it has for one agent: one of 32 transitions for every 4
    steps. RecurrentPPO has those under which it was measured on public tasks (rollouts of 256 steps, batches of 512,
    3e-4), and an LSTM as wide as the level's own. Raises ImportError without the package.
    """

    def __init__(self, name: str, level: Level, reference: str, settings: Settings, device: torch.device) -> None:
        from stable_baselines3.common.logger import Logger  # some seconds, for these trainees alone

        from townlet.bench.sb3_adaptor import Sb3VecEnv

        env = Sb3VecEnv(TownletVectorEnv(reference, PEER_ENVS, overrides=settings, autoreset_mode="SameStep"))
        shared: dict[str, Any] = {
            "env": env,
            "gamma": level.training.gamma,
            "seed": level.training.seed,
            "device": device,
        }
        self.model: Any
        if name == "DQN":
            from stable_baselines3 import DQN

            self.model, self.stride = DQN("MlpPolicy", train_freq=4, gradient_steps=PEER_ENVS, **shared), 4 * PEER_ENVS
        else:
            from sb3_contrib import RecurrentPPO

            width = level.network.hidden if isinstance(level.network, Recurrent) else 256
            options: dict[str, Any] = {"n_steps": PEER_ROLLOUT, "batch_size": 512, "learning_rate": 3e-4, **shared}
            self.model = RecurrentPPO("MlpLstmPolicy", policy_kwargs={"lstm_hidden_size": width}, **options)
            self.stride = PEER_ROLLOUT * PEER_ENVS
        self.threads = torch.get_num_threads()
        self.model.set_logger(Logger(None, []))  # without one each call of `learn` leaves a temporary folder behind

    def advance(self) -> None:
        """Train for one rollout and what is learned from it."""
        torch.set_num_threads(self.threads)  # those measured in turn may have others
        self.model.learn(self.stride, reset_num_timesteps=False)
        synchronise(self.model.device)

    def progress(self) -> Progress:
        """Say how far it is."""
        return Progress(self.model.num_timesteps, None, {})
