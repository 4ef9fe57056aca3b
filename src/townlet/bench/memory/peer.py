"""The peer: RecurrentPPO of sb3-contrib, trained and evaluated on the same environments as our agents."""

import gymnasium
import numpy as np
import torch
from torch import Tensor

from townlet.agent.networks import count_parameters
from townlet.bench.memory.plan import Peer
from townlet.config import GymTask
from townlet.environment.types import Observation, StepResult


class PeerAgent:
    """RecurrentPPO in training. It sees what our agents see: one vector, discrete values one-hot."""

    def __init__(self, task: GymTask, peer: Peer, seed: int) -> None:
        from sb3_contrib import RecurrentPPO  # some seconds, for this agent alone
        from stable_baselines3.common.logger import Logger
        from stable_baselines3.common.vec_env import DummyVecEnv

        def make() -> gymnasium.Env:
            env = gymnasium.make(task.gym, max_episode_steps=task.max_steps, **task.gym_options)
            return gymnasium.wrappers.FlattenObservation(env)

        self.model = RecurrentPPO(
            "MlpLstmPolicy",
            DummyVecEnv([make] * peer.num_envs),
            n_steps=peer.n_steps,
            batch_size=peer.batch_size,
            learning_rate=peer.learning_rate,
            gamma=peer.gamma,
            policy_kwargs={"lstm_hidden_size": peer.hidden},
            seed=seed,
            device="cpu",
        )
        self.model.set_logger(Logger(None, []))  # without one each call of `learn` leaves a temporary folder behind
        self.parameters = count_parameters(self.model.policy)

    @property
    def steps(self) -> int:
        """Environment steps so far, summed over environments."""
        return self.model.num_timesteps

    def train_to(self, steps: int) -> None:
        """Train until `steps` environment steps are reached or just passed, in whole rollouts."""
        while self.model.num_timesteps < steps:
            self.model.learn(steps - self.model.num_timesteps, reset_num_timesteps=False)

    def policy(self, episodes: int) -> "PeerPolicy":
        """Return the policy as it is, the likeliest action for the greedy one."""
        return PeerPolicy(self.model, episodes)


class PeerPolicy:
    """The likeliest action of RecurrentPPO, with a memory of its own."""

    def __init__(self, model: "RecurrentPPO", num_agents: int) -> None:  # type: ignore[name-defined]  # noqa: F821
        self.model, self.state = model, None
        self.begins = np.ones(num_agents, dtype=bool)

    def act(self, observation: Observation) -> Tensor:
        """Choose actions [num_agents] int64."""
        seen = observation.features.cpu().numpy()
        actions, self.state = self.model.predict(seen, self.state, self.begins, deterministic=True)
        return torch.as_tensor(actions, dtype=torch.int64)

    def after(self, actions: Tensor, result: StepResult) -> None:
        """Remember whose episode begins next."""
        self.begins = result.forgets.cpu().numpy()
