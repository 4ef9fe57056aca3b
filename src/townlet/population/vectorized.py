"""The population: all agents act at once with one network, remember each for itself, and learn from one tape."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from townlet.agent.acting import Memory, carry_on, initial_memory, q_values
from townlet.agent.learner import QLearner
from townlet.agent.networks import QNetwork, make_network
from townlet.agent.prediction import make_prediction
from townlet.agent.recall import make_recall
from townlet.capture import CapturedStep, leaves, mapped, write
from townlet.config import Task
from townlet.curriculum.static import make_curriculum
from townlet.environment.types import Environment, Observation, StepResult
from townlet.exploration.curiosity import make_curiosity
from townlet.exploration.epsilon_greedy import EpsilonGreedy
from townlet.exploration.tastes import NoTastes, Tastes
from townlet.population.episodes import EpisodeTracker
from townlet.population.learning import make_learning
from townlet.population.reward_scale import make_reward_scale
from townlet.population.stopwatch import Stopwatch
from townlet.seeding import go_on, stream_seed
from townlet.sequences import Hidden
from townlet.shares.share import ALONE, Share


class VectorizedPopulation:
    """N agents in an environment: `step` acts, steps, records and, when it is due, learns.

    Public: network, learner, buffer, hidden (the acting memory, a row an agent), num_agents. All randomness comes from
    named streams of the task's seed. `network` takes the place of the one that the task names. `whole` is False where a
    step was broken off by an error between what it changes: such a population is not worth keeping.

    All that a step changes lies in tensors that are written where they lie. So with `capture` a step, all but learning,
    is one graph on a CUDA device, if the environment can be a part of one; None does so there and nowhere else.

    With a `share` the environment's agents are those of one process among several, `num_agents` are those of all.
    """

    def __init__(
        self,
        task: Task,
        env: Environment,
        network: QNetwork | None = None,
        share: Share = ALONE,
        capture: bool | None = None,
    ) -> None:
        self.task, self.env, self.device, self.share = task, env, env.device, share
        self.num_agents = env.num_agents * share.size
        seed, rows = task.training.seed, env.num_agents
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "initialisation"))
            made = network or make_network(task.network, env.observation_layout, env.num_actions)
            recall = make_recall(task.training.recall, made, env.observation_layout)
            prediction = make_prediction(task.training.prediction, made)
        self.network = made.to(self.device)
        self.learner = QLearner(self.network, task.training, share=share, recall=recall, prediction=prediction)
        weights = task.action_weights(env.num_actions)
        explores, taste, device = task.training.exploration, task.training.exploration.taste, self.device
        self.exploration = EpsilonGreedy(explores, weights, self.num_agents, seed, device, share)
        sizes = (rows, env.num_actions, env.obs_dim)
        self.tastes = NoTastes() if taste is None else Tastes(taste, *sizes, seed, device)
        self.curriculum = make_curriculum(task, env)
        self.curiosity = make_curiosity(task, env)
        self.scale = make_reward_scale(self.learner.reward_scale, task.training.gamma, rows)
        self._learning = make_learning(task, env, self.learner, self.curiosity)
        self.buffer = self._learning.buffer
        self._observation: Observation = mapped(Tensor.clone, env.reset())
        self._memory = initial_memory(self.network, rows, self.device)
        self.steps = 0  # of the population; the environment's are num_agents times as many
        self._clock = torch.zeros(1, dtype=torch.int64, device=device)  # the same, on the device
        self.whole = True
        self.episodes = EpisodeTracker(rows, self.device, share)
        wanted = capture or (capture is None and device.type == "cuda")
        self._captured = CapturedStep(self._advance, device) if wanted and env.keep_in_place() else None
        parts = ("act", "world", "store") if self._captured is None else ("step",)
        self._watch = Stopwatch(*parts, "learn")

    @property
    def env_steps(self) -> int:
        """Environment steps so far, summed over agents."""
        return self.steps * self.num_agents

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each part of the steps took so far, by the host's clock."""
        return self._watch.seconds

    @property
    def observation(self) -> Observation:
        """What all agents see now: a copy, since a step overwrites it where it lies."""
        copied: Observation = mapped(Tensor.clone, self._observation)
        return copied

    @property
    def memory(self) -> Memory:
        """What all agents carry now, a copy."""
        copied: Memory = mapped(Tensor.clone, self._memory)
        return copied

    @property
    def hidden(self) -> Hidden:
        """The acting memory, a copy, a row an agent: each [num_layers, num_agents, hidden_dim], () without memory."""
        return self.memory.hidden

    @hidden.setter
    def hidden(self, hidden: Hidden) -> None:
        self._put(self._memory, self._memory.with_hidden(hidden))

    def reset_hidden(self, agents: Tensor) -> None:
        """Set the memory of chosen agents to zero; `agents` [num_agents] bool."""
        self._put(self._memory, self._memory.without(agents))

    @property
    def uncaptured(self) -> dict[str, str]:
        """What should be a graph and is none, with the reason; nothing where all is one, or need not be."""
        graphs = (self._captured, self.exploration.drawing)
        steps = next((graph.failure for graph in graphs if graph is not None and graph.failure), None)
        failures = {"steps": steps, "updates": self.learner.capture_failure}
        return {what: why for what, why in failures.items() if why}

    def step(self) -> dict[str, Tensor]:
        """Advance every agent by one tick; return the metrics of the updates made, if any, on the device."""
        self._watch.begin()
        self.exploration.prepare(self.steps)
        if self._captured is None:
            self._advance()
        else:
            self._captured()
            self._watch.end("step")
        self.buffer.count_step()
        self.steps += 1
        metrics = self._learning.learn(self.env_steps) if self._learning.due(self.steps) else {}
        self._watch.end("learn")
        return metrics

    def _advance(self) -> None:
        """All of a step but learning. A graph of it runs none of this again: it knows tensors alone."""
        actions, hidden, q = self._choose()
        self._end("act")
        result = self.curriculum.step(self.env, actions)  # a step of the world, as hard as it is for each agent
        self._end("world")
        self.whole = False
        self._record(actions, result)
        self.curriculum.record(q, self._observation.action_mask, result)
        self._carry_on(actions, result, hidden)
        self.whole = True
        self._end("store")

    def _end(self, part: str) -> None:
        if self._captured is None:
            self._watch.end(part)

    def act(self) -> tuple[Tensor, Hidden]:
        """Choose the next actions [num_agents] and return the memory after them; changes nothing."""
        self.exploration.prepare(self.steps)
        return self._choose()[:2]

    def _choose(self) -> tuple[Tensor, Hidden, Tensor]:
        q, hidden = q_values(self.network, self._observation, self._memory)
        liked = self.tastes(q, self._observation.features)
        return self.exploration.select(liked, self._observation.action_mask, self._clock), hidden, q

    def _record(self, actions: Tensor, result: StepResult) -> None:
        self.buffer.write(
            *self._observation,
            actions,
            result.reward,
            result.terminated,
            result.truncated,
            result.final_features,
            result.final_action_mask,
            self._memory.hidden,
            rewards_intrinsic=self.curiosity.reward(result),
            skipped=result.skipped,
        )
        self._learning.note(self._observation, self._memory)
        self.episodes.record(result)
        self.scale.record(result)

    def _carry_on(self, actions: Tensor, result: StepResult, hidden: Hidden) -> None:
        carry_on(hidden, actions, result.forgets, self.env.num_actions, into=self._memory)
        write(self._observation, result.observation)
        self.tastes.record(result)
        self._clock += 1

    def _put(self, held: Observation | Memory, new: Observation | Memory) -> None:
        """Write what agents see or carry where it lies."""
        write(list(leaves(held)), list(leaves(new)))

    def read_metrics(self) -> dict[str, float]:
        """What happened since the last call, by metric name; waits for the device.

        Raises TrainingDivergedError for updates that were not finite, where they did not say so themselves.
        """
        self.learner.check()
        metrics = self.episodes.read() | self.env.read_metrics()
        metrics |= self.curriculum.read_metrics() | self.curiosity.read_metrics()
        metrics["train/epsilon"] = self._mean(self.exploration.epsilon(self.steps))
        if self._memory.hidden:
            metrics["memory/hidden_norm"] = self._mean(self._memory.hidden[0].norm(dim=-1))
        return metrics

    def _mean(self, values: Tensor) -> float:
        """The mean over the agents of all shares; waits for the device."""
        return float(self.share.sum(values.mean())) / self.share.size

    def paused(self) -> AbstractContextManager[None]:
        """Hold for as long as no step is taken."""
        return nullcontext()

    def close(self) -> None:
        """Close the environment. Raises WorldError."""
        self.env.close()

    def stored_state_drift(self) -> float | None:
        """How stale the memories are that learning begins with, see `drift`; None without memory or without a past."""
        return self._learning.drift(self._observation, self._memory) if self._memory.hidden else None

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on, but for the network's weights: those are `network.state_dict()`.

        Tape, learner and curiosity are as they lie, and change with the next steps; all else is copied.
        """
        return {
            "learner": self.learner.state_dict(),
            "buffer": self.buffer.state_dict(),
            "env": self.env.state_dict(),
            "observation": self.observation._asdict(),
            **self.memory.state_dict(),
            "steps": self.steps,
            "episodes": mapped(Tensor.clone, self.episodes.state_dict()),
            "curriculum": mapped(Tensor.clone, self.curriculum.state_dict()),
            "curiosity": self.curiosity.state_dict(),
            "reward_scale": mapped(Tensor.clone, self.scale.state_dict()),
            "tastes": mapped(Tensor.clone, self.tastes.state_dict()),
            "learning": self._learning.state_dict(),
            "random": {"replay": self._learning.stream.get_state()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError where it does not fit.

        In an environment whose episodes cannot be brought back, all agents begin new ones, with a blank memory; those
        that were running end on the tape as truncated ones, and count nowhere else. On another kind of device than
        before the random stream of learning begins anew.
        """
        self.env.load_state_dict(state["env"])
        self.learner.load_state_dict(state["learner"])
        self.buffer.load_state_dict(state["buffer"])
        self.steps = state["steps"]
        self._clock.fill_(self.steps)
        self.episodes.load_state_dict(state["episodes"])
        self.curriculum.load_state_dict(state["curriculum"])
        self.curiosity.load_state_dict(state["curiosity"])
        self.scale.load_state_dict(state.get("reward_scale"))  # which older states do not have
        self.tastes.load_state_dict(state.get("tastes"))  # nor this
        if self.env.resumes:
            self._put(self._observation, Observation(**state["observation"]))
            self._put(self._memory, Memory.of_state(state))
            self._learning.load_state_dict(state.get("learning", {}))  # which older states do not have
        else:
            self._put(self._observation, self.env.reset())
            self._put(self._memory, initial_memory(self.network, self.env.num_agents, self.device))
            for counts in (self.buffer, self.episodes, self.scale, self.curiosity):
                counts.cut()
        seed = stream_seed(self.task.training.seed, f"replay/{self.steps}")
        go_on(self._learning.stream, state["random"]["replay"], seed)
