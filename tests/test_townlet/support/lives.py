"""Lives on a tape: every observation is a number that tells where it came from, and all else follows from it."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.agent.networks import Hidden
from townlet.replay.replay_tape import ReplayTape, SequenceBatch

NUM_ACTIONS = 7
NO_ACTION = 7  # the previous action at an episode's start
INTRINSIC = 1000.0
NUM_LAYERS, HIDDEN_DIM = 2, 3
MEMORY: Hidden = (torch.zeros(NUM_LAYERS, 1, HIDDEN_DIM), torch.zeros(NUM_LAYERS, 1, HIDDEN_DIM))
FOREVER = 10**9


class Step(NamedTuple):
    """What happened in one step of one agent."""

    observation: int
    successor: int  # the observation after the step, before any reset
    action: int
    previous: int
    first: bool  # of its episode
    terminated: bool
    truncated: bool


def number(agent: int, episode: int, step: int) -> int:
    """An observation as a number: agent, episode and step are its digits."""
    return 100 * agent + 10 * episode + step


def action_at(observation: int) -> int:
    """The action that is taken there."""
    return observation % NUM_ACTIONS


def mask_at(observation: int) -> list[bool]:
    """Allowed actions there: all but one, see `forbidden`."""
    return [action != (observation + 1) % NUM_ACTIONS for action in range(NUM_ACTIONS)]


def memory_at(observation: int) -> tuple[list[list[float]], list[list[float]]]:
    """Memory before the step there, h and c, each [num_layers][hidden_dim]; no two entries are equal."""
    rows = [[observation + layer / 4 + unit / 16 for unit in range(HIDDEN_DIM)] for layer in range(NUM_LAYERS)]
    return rows, [[-value for value in row] for row in rows]


def stack_memory(observations: Sequence[int]) -> Hidden:
    """Memory before steps at some observations, each [num_layers, len(observations), hidden_dim]."""
    parts = zip(*(memory_at(observation) for observation in observations), strict=True)
    return tuple(torch.tensor(part).transpose(0, 1).contiguous() for part in parts)


def step_at(agent: int, episode: int, step: int, length: int, end: str, name: Callable[..., int] = number) -> Step:
    """One step of an episode: `end` is "d" for death, "t" for a time limit, "b" for both at once."""
    observation, last = name(agent, episode, step), step + 1 == length
    return Step(
        observation,
        successor=name(agent, episode, step + 1),
        action=action_at(observation),
        previous=NO_ACTION if step == 0 else action_at(name(agent, episode, step - 1)),
        first=step == 0,
        terminated=last and end in "db",
        truncated=last and end in "tb",
    )


def make_steps(agent: int, episode: int, length: int, end: str, name: Callable[..., int] = number) -> list[Step]:
    """All steps of one episode, see `step_at`."""
    return [step_at(agent, episode, step, length, end, name) for step in range(length)]


def make_episode(steps: Sequence[Step], **changes: Any) -> dict[str, Any]:
    """An episode for `store_episode`, with all optional parts; `changes` replace parts, None takes one away."""
    seen = [step.observation for step in steps] + [steps[-1].successor]
    episode = {
        "observations": torch.tensor(seen, dtype=torch.float32).unsqueeze(1),  # [T + 1, 1]
        "actions": torch.tensor([step.action for step in steps]),
        "rewards_extrinsic": torch.tensor([float(step.observation) for step in steps]),
        "rewards_intrinsic": torch.full((len(steps),), INTRINSIC),
        "terminated": steps[-1].terminated,
        "truncated": steps[-1].truncated,
        "action_mask": torch.tensor([mask_at(observation) for observation in seen]),
        "hidden": stack_memory([step.observation for step in steps]),
        **changes,
    }
    return {part: value for part, value in episode.items() if value is not None}


def fragment_starts(tape: ReplayTape) -> Tensor:
    """Transitions that none comes before, [rows] bool: an episode's first, or the oldest left of it."""
    valid = tape.valid.view(tape.num_agents, tape.slots)
    return (valid & ~valid.roll(1, dims=1)).flatten()


class Lives:
    """Agents that live on a tape, one life a line: "3d 2t" dies after 3 steps, then meets a time limit after 2.

    After its last word a life runs on in an episode without end. Extrinsic rewards are the observation's number.
    """

    def __init__(self, tape: ReplayTape, lives: Sequence[str], name: Callable[..., int] = number) -> None:
        self.tape, self.name = tape, name
        self.plans = [[(int(word[:-1]), word[-1]) for word in life.split()] + [(FOREVER, "d")] for life in lives]
        self.episode = [0] * len(lives)
        self.step_in_episode = [0] * len(lives)

    def live(self, steps: int) -> list[list[Step]]:
        """Append so many steps; return them, [steps][num_agents]."""
        return [self.step() for _ in range(steps)]

    def step(self) -> list[Step]:
        """Append one step of all agents and return it."""
        now = [self._advance(agent) for agent in range(len(self.plans))]
        self.tape.append(**append_arguments(now, with_memory=bool(self.tape.hidden)))
        return now

    def _advance(self, agent: int) -> Step:
        episode, step = self.episode[agent], self.step_in_episode[agent]
        length, end = self.plans[agent][episode]
        last = step + 1 == length
        self.episode[agent], self.step_in_episode[agent] = (episode + 1, 0) if last else (episode, step + 1)
        return step_at(agent, episode, step, length, end, self.name)


def append_arguments(now: Sequence[Step], with_memory: bool = True, **changes: Any) -> dict[str, Any]:
    """Arguments of `append` for one step of all agents."""
    before, after = [step.observation for step in now], [step.successor for step in now]
    return {
        "features": torch.tensor(before, dtype=torch.float32).unsqueeze(1),
        "action_mask": torch.tensor([mask_at(observation) for observation in before]),
        "actions": torch.tensor([step.action for step in now]),
        "rewards": torch.tensor(before, dtype=torch.float32),
        "terminated": torch.tensor([step.terminated for step in now]),
        "truncated": torch.tensor([step.truncated for step in now]),
        "final_features": torch.tensor(after, dtype=torch.float32).unsqueeze(1),
        "final_action_mask": torch.tensor([mask_at(observation) for observation in after]),
        "hidden": stack_memory(before) if with_memory else (),
        "rewards_intrinsic": torch.full((len(now),), INTRINSIC),
        **changes,
    }


class ReferenceRing:
    """What one agent's ring should hold, the slow and obvious way: steps, and None after each that nothing follows."""

    def __init__(self, transitions: int) -> None:
        self.entries: deque[Step | None] = deque(maxlen=transitions + 1)
        self.running = False
        self.written = 0  # slots, going on past the seam
        self.slot_of: dict[int, int] = {}  # by observation

    def append(self, step: Step) -> None:
        """Add a step and its successor; in a running episode it takes the place of the successor before it."""
        if self.running:
            self.entries.pop()
        self.entries.extend([step, None])
        self.running = not (step.terminated or step.truncated)
        self.slot_of[step.observation] = self.written
        self.written += 1 if self.running else 2

    def fragments(self) -> list[list[Step]]:
        """Pieces of episodes that are stored without a gap, oldest first."""
        pieces: list[list[Step]] = [[]]
        for entry in self.entries:
            if entry is None:
                pieces.append([])
            else:
                pieces[-1].append(entry)
        return [piece for piece in pieces if piece]


def complete(fragment: Sequence[Step]) -> bool:
    """Whether a piece is a whole episode."""
    return fragment[0].first and (fragment[-1].terminated or fragment[-1].truncated)


def seen(batch: SequenceBatch) -> list[list[int]]:
    """Observations as numbers, [batch][burn_in + seq_len + 1]."""
    return batch.observations.squeeze(-1).int().tolist()


def forbidden(action_mask: Tensor) -> list[Any]:
    """The one action that each mask forbids."""
    assert ((~action_mask).sum(dim=-1) == 1).all()
    return (~action_mask).int().argmax(dim=-1).tolist()


def same(one: Any, other: Any) -> bool:
    """Whether two nests of tensors are equal bit for bit."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
