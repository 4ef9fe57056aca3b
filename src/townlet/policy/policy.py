"""A trained agent that acts, with a memory of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike
from torch import Tensor

from townlet.agent.acting import Memory, carry_on, initial_memory, q_values
from townlet.agent.networks import QNetwork
from townlet.config import Task
from townlet.environment.gym.gate import Array
from townlet.environment.gym.masks import TOLD
from townlet.masking import masked_argmax
from townlet.policy.senses import Senses, Told
from townlet.seeding import generator

EPSILON = 0.05  # share of random actions in `predict` where they are not to be the best: where DQN's usually end
State = tuple[Array, ...]  # the memory's parts, each [1, num_agents, size], then previous actions [1, num_agents] int64


class Policy:
    """Acts as evaluations do: the best allowed action, with what each agent remembers and did last carried along.

    Observations and actions are those of the environment that it learned in, of one agent or of as many as there are:
    [num_agents, ...]. Each call of `act` is a step. Agents whose episode ended begin without a past once `observe` or
    `reset` has told so; where there are more or fewer agents than in the call before, all of them do.

    `autoreset_mode` is that of a vector environment, `envs.metadata["autoreset_mode"]`, and says which observation is
    the first of an episode: the next one with SameStep, and with Disabled, where the environment is reset before it;
    with NextStep the one after that, since the next is the last of the old episode and its action goes nowhere.
    """

    def __init__(
        self, task: Task, network: QNetwork, senses: Senses, autoreset_mode: AutoresetMode | str | None = None
    ) -> None:
        self.task, self.network, self.epsilon = task, network, EPSILON
        self.autoreset_mode = None if autoreset_mode is None else AutoresetMode(autoreset_mode)
        self.device, self._senses = senses.device, senses
        self._memory: Memory | None = None  # of those that acted last; None: nobody has a past
        self._last = torch.zeros(0, dtype=torch.bool)  # [num_agents]: whose next observation ends their old episode
        self._random = generator(task.training.seed, "policy", senses.device)

    def act(self, observation: Any, info: Mapping[str, Any] | None = None) -> Told:
        """Choose the best allowed actions, and remember the step.

        `info` is what the environment returned beside the observation: `info["action_mask"]` says what is allowed.
        Returns the action of one agent, or [num_agents]. Raises WorldError for what is no observation of the
        environment, and where a mask is missing or forbids all that an agent could do.
        """
        seen, single = self._senses.read(observation, info)
        memory = self._memory_of(len(seen.features))
        nobody = torch.zeros_like(memory.previous_actions, dtype=torch.bool)
        last = self._last if memory is self._memory else nobody
        self._senses.check_can_act(seen.action_mask, ~last)
        q, hidden = q_values(self.network, seen, memory)
        chosen = masked_argmax(q, seen.action_mask)
        self._memory, self._last = carry_on(hidden, chosen, last, self.network.num_actions), nobody
        return self._senses.tell(chosen, single)

    def observe(self, terminated: ArrayLike, truncated: ArrayLike) -> None:
        """Take note of what a step of the environment returned: whose episode ended, a bool or [num_agents] bool.

        Raises ValueError for another shape, and for vectors where the policy knows no autoreset mode.
        """
        ended = np.logical_or(terminated, truncated)
        if ended.ndim and self.autoreset_mode is None:
            modes = ", ".join(mode.value for mode in AutoresetMode)
            raise ValueError(f"autoreset_mode: expected one of {modes} for a vector environment, got None")
        self.reset(ended)

    def reset(self, ended: ArrayLike | None = None) -> None:
        """Let agents begin a new episode without a past: all, or those whose episode ended, [num_agents] bool.

        Raises ValueError for another shape or type.
        """
        if ended is None:
            self._memory = None
            return
        who = np.atleast_1d(np.asarray(ended))
        count = len(who) if self._memory is None else len(self._memory.previous_actions)
        if who.dtype != np.bool_ or who.shape != (count,):
            raise ValueError(f"ended: expected [{count}] bool, got {list(who.shape)} {who.dtype}")
        if self._memory is not None:
            self._memory = self._begun(self._memory, who)
            if self.autoreset_mode is AutoresetMode.NEXT_STEP:
                self._last = torch.from_numpy(who).to(self.device)

    def q_values(self, observation: Any, info: Mapping[str, Any] | None = None) -> Array:
        """Return what `act` would choose by, [num_actions] or [num_agents, num_actions] float32; no step is taken.

        What is forbidden has a value too. Raises what `act` does, but for a mask that forbids all.
        """
        seen, single = self._senses.read(observation, info)
        q, _ = q_values(self.network, seen, self._memory_of(len(seen.features)))
        return q[0].cpu().numpy() if single else q.cpu().numpy()

    def predict(
        self,
        observation: Any,
        state: Sequence[ArrayLike] | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
        action_masks: ArrayLike | None = None,
    ) -> tuple[Told, State]:
        """Choose actions as recurrent policies of Stable-Baselines3 do; the policy's own memory stays as it is.

        `state` is what the call before returned, None for no past; `episode_start` [num_agents] bool says whose
        observation is the first of an episode. Without `action_masks`, in the form of sb3-contrib, all is allowed. Not
        `deterministic`, an action is random with probability `epsilon`. Raises ValueError for a state or an
        `episode_start` that does not fit, and WorldError for what is no observation of the environment, and, where what
        is shown is never the end of an episode, for a mask that forbids all that an agent could do.
        """
        told = {} if action_masks is None else {TOLD: action_masks}
        seen, single = self._senses.read(observation, told, masked=False)
        count = len(seen.features)
        memory = self._of_state(state, count)
        everyone = torch.ones_like(memory.previous_actions, dtype=torch.bool)
        if single or self.autoreset_mode not in (None, AutoresetMode.NEXT_STEP):  # else it may be over for some
            self._senses.check_can_act(seen.action_mask, everyone)
        if episode_start is not None:
            who = np.atleast_1d(np.asarray(episode_start))
            if who.shape != (count,) or not np.isin(who, (0, 1)).all():
                raise ValueError(f"episode_start: expected [{count}] bool, got {list(who.shape)} {who.dtype}")
            memory = self._begun(memory, who.astype(np.bool_))
        q, hidden = q_values(self.network, seen, memory)
        chosen = masked_argmax(q, seen.action_mask)
        if not deterministic:
            chosen = self._explored(chosen, seen.action_mask)
        after = carry_on(hidden, chosen, ~everyone, self.network.num_actions)
        parts = (*after.hidden, after.previous_actions.unsqueeze(0))
        return self._senses.tell(chosen, single), tuple(part.cpu().numpy() for part in parts)

    def _memory_of(self, count: int) -> Memory:
        """What `count` agents remember: nothing, where others acted last."""
        if self._memory is None or len(self._memory.previous_actions) != count:
            return initial_memory(self.network, count, self.device)
        return self._memory

    def _begun(self, memory: Memory, who: Array) -> Memory:
        """The memory, without that of agents who begin, [num_agents] bool."""
        begins = torch.tensor(who, device=self.device)
        return carry_on(memory.hidden, memory.previous_actions, begins, self.network.num_actions)

    def _of_state(self, state: Sequence[ArrayLike] | None, count: int) -> Memory:
        """What `predict` returned, as the memory of `count` agents."""
        none = initial_memory(self.network, count, self.device)
        if state is None:
            return none
        *hidden, previous = (np.asarray(part) for part in state)
        if previous.shape != (1, count):
            raise ValueError(f"state: expected one of {count} agents, got {list(previous.shape)} as previous actions")
        if previous.dtype.kind not in "iu" or not ((previous >= 0) & (previous <= self.network.num_actions)).all():
            expected = f"integers from 0 to {self.network.num_actions} as previous actions"
            raise ValueError(f"state: expected {expected}, got {previous.dtype} up to {previous.max()}")
        sizes, got = ([list(part.shape) for part in parts] for parts in (none.hidden, hidden))
        if sizes != got:
            raise ValueError(f"state: expected memories of {sizes}, got {got}")
        kept = zip(hidden, none.hidden, strict=True)
        parts = (torch.as_tensor(part, dtype=like.dtype, device=self.device) for part, like in kept)
        actions = torch.as_tensor(previous[0], dtype=torch.int64, device=self.device)
        return none.with_hidden(tuple(parts))._replace(previous_actions=actions)

    def _explored(self, chosen: Tensor, allowed: Tensor) -> Tensor:
        """Actions [num_agents], some of them drawn among those that are allowed, [num_agents, num_actions] bool."""
        device = self.device
        drawn = torch.rand(allowed.shape, generator=self._random, device=device).masked_fill(~allowed, -1.0).argmax(1)
        explores = torch.rand(chosen.shape, generator=self._random, device=device) < self.epsilon
        return torch.where(explores, drawn, chosen)
