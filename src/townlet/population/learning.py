"""When a population learns, and from what: the newest windows, each once, or sampled ones."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.agent.acting import Memory
from townlet.agent.learner import QLearner
from townlet.config import Fresh, Replay, Task, Training
from townlet.environment.types import Environment, Observation
from townlet.exploration.curiosity import AnyCuriosity
from townlet.population.drift import MOST_NUMBERS, RecentPast, stored_drift
from townlet.replay.cuts import Pick, pick_for
from townlet.replay.earlier import with_earlier
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer
from townlet.seeding import generator

LONG = 0.5  # of a tape: so much is learned from though too few episodes have ended, since some never do
DRIFT_AGENTS, DRIFT_STEPS = 16, 1000  # whose past is kept, and how much, to measure the drift of the acting memory


def make_learning(
    task: Task, env: Environment, learner: QLearner, curiosity: AnyCuriosity
) -> "FreshLearning | ReplayLearning":
    """Choose the way of learning that a task names, with a buffer of its own."""
    training = task.training
    if isinstance(training.mode, Fresh):
        pick = pick_for(env.device, training.seq_len, task.steps_between_cuts)
        return FreshLearning(training, training.mode, env, learner, pick, curiosity)
    return ReplayLearning(training, training.mode, env, learner, curiosity)


def _make_buffer(
    capacity: int, env: Environment, learner: QLearner, stream: torch.Generator, **options: Any
) -> SequentialReplayBuffer:
    hidden, in_bytes = learner.network.initial_hidden(env.num_agents), env.observation_layout.in_bytes
    sizes = (capacity, env.num_agents, env.obs_dim, env.num_actions)
    return SequentialReplayBuffer(*sizes, env.device, hidden, stream, in_bytes=in_bytes, **options)


class FreshLearning:
    """Every `seq_len` steps, learn once from the newest windows of all agents, in minibatches of agents at random.

    The steps among them that a time limit cut off are looked up by `pick`, see `ReplayTape.cut_steps`.
    """

    def __init__(
        self, training: Training, mode: Fresh, env: Environment, learner: QLearner, pick: Pick, curiosity: AnyCuriosity
    ) -> None:
        self.curiosity, self.pick, self.from_zero = curiosity, pick, training.initial_state == "zero"
        self.with_successors = curiosity.weight is not None or training.prediction is not None
        self.mode, self.learner, self.seq_len, self.num_agents = mode, learner, training.seq_len, env.num_agents
        self.stream = generator(training.seed, learner.share.stream("replay"), env.device)
        agents = min(env.num_agents, DRIFT_AGENTS, max(1, MOST_NUMBERS // (DRIFT_STEPS * env.obs_dim)))
        steps = min(DRIFT_STEPS, max(1, MOST_NUMBERS // (agents * env.obs_dim)))
        steps = steps if learner.network.initial_hidden(1) else 1  # without memory there is no drift
        self.past = RecentPast(agents, steps, env.obs_dim, env.num_actions, env.device)
        self.recall = training.recall
        kept = 2 * self.seq_len + (self.recall.back if self.recall else 0)  # steps of each agent
        self.buffer = _make_buffer(kept * env.num_agents, env, learner, self.stream)

    def note(self, observation: Observation, memory: Memory) -> None:
        """Note a step of the few agents whose drift is measured, where there is memory to drift."""
        if memory.hidden:
            self.past.add(observation, memory)

    def drift(self, observation: Observation, memory: Memory) -> float | None:
        """Drift of the acting memory, with which windows begin; both are those of the coming step."""
        return self.past.drift(self.learner.network, observation, memory)

    def state_dict(self) -> dict[str, Any]:
        """Return what the drift is measured on; all else is of the learner, the buffer and the random stream."""
        return {"past": self.past.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; without a past, as in older states, from a blank one."""
        if "past" in state:
            self.past.load_state_dict(state["past"])

    def due(self, steps: int) -> bool:
        """Whether a window of steps is full, after so many of the population."""
        return steps % self.seq_len == 0

    def learn(self, env_steps: int) -> dict[str, Tensor]:
        """Update once for each minibatch; return the last one's metrics."""
        metrics: dict[str, Tensor] = {}
        self.learner.set_learning_rate(env_steps)
        newest = self.buffer.newest_sequences(self.seq_len, self.curiosity.weight, self.with_successors)
        if self.recall is not None:
            newest = with_earlier(newest, self.buffer, self.recall.back, self.stream)
        windows = self.learner.prepare(newest, self.buffer.cut_steps(self.seq_len, self.pick, self.from_zero))
        order = torch.randperm(self.num_agents, generator=self.stream, device=self.stream.device)
        for batch in windows.rows(order).chunk(self.mode.minibatches):
            metrics = self.learner.update(batch).metrics | self.curiosity.update(batch)
        return metrics


class ReplayLearning:
    """Every `train_every` steps, once enough is stored, learn from a batch of sampled windows."""

    def __init__(
        self, training: Training, mode: Replay, env: Environment, learner: QLearner, curiosity: AnyCuriosity
    ) -> None:
        self.curiosity = curiosity
        self.mode, self.learner, self.training = mode, learner, training
        self.stream = generator(training.seed, "replay", env.device)
        options = {"stored_every": mode.stored_every, "priority": mode.priority}
        self.buffer = _make_buffer(mode.capacity, env, learner, self.stream, **options)

    def note(self, observation: Observation, memory: Memory) -> None:
        """The tape holds all that the drift is measured on."""

    def drift(self, observation: Observation, memory: Memory) -> float | None:
        """Drift of the memories on the tape."""
        return stored_drift(
            self.learner.network, self.buffer, generator(self.training.seed, "drift", self.stream.device)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: all is of the learner, the buffer and the random stream."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is nothing to go on from."""

    def due(self, steps: int) -> bool:
        """Whether `train_every` steps of the population have passed, and enough is stored to learn from."""
        return steps % self.mode.train_every == 0 and self._enough()

    def _enough(self) -> bool:
        """Whether enough episodes have ended, or so few end that they fill `LONG` of the tape.

        Reads from the device until the first update only.
        """
        long = self.buffer.appended * self.buffer.num_agents >= LONG * self.buffer.capacity
        return self.learner.updates > 0 or long or int(self.buffer.ended) >= self.mode.min_episodes

    def learn(self, env_steps: int) -> dict[str, Tensor]:
        """Update once."""
        self.learner.set_learning_rate(env_steps)
        sizes = (self.mode.batch_size, self.training.seq_len, self.mode.burn_in)
        batch = self.buffer.sample_sequences(*sizes, self.curiosity.weight)
        if self.training.recall is not None:
            batch = with_earlier(batch, self.buffer, self.training.recall.back, self.stream)
        update = self.learner.update(batch)
        self.buffer.update_priorities(batch, update.td_error)
        return update.metrics | self.curiosity.update(batch)
