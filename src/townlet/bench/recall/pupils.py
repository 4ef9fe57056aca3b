"""Networks with one memory or another, taught by windows of their own episodes as Townlet's learner is."""

import hashlib
import json
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field, TypeAdapter, model_validator
from torch import Tensor
from torch.nn import functional

from townlet.agent.networks import QNetwork, count_parameters, make_network
from townlet.bench.recall.questions import NOT_ASKED, QUESTIONS, Question
from townlet.config import FeedForward, Part, Recurrent
from townlet.level.part import Positive
from townlet.seeding import generator, stream_seed
from townlet.sequences import Hidden

FRESH_EPISODES = 512  # that nobody was taught by
_NETWORK: TypeAdapter[FeedForward | Recurrent] = TypeAdapter(
    Annotated[FeedForward | Recurrent, Field(discriminator="kind")]
)


class Schooling(Part):
    """How all of them are taught: in windows, with memory carried from one to the next and no gradient across."""

    updates: Positive
    episodes: Positive  # side by side
    window: Positive  # steps; episodes are cut into these
    learning_rate: Annotated[float, Field(gt=0.0)]  # falls to a tenth


class Plan(Part):
    """Who is taught and asked: networks, by the name of what each remembers with.

    A pupil is `network` with other values for some of its keys, or another network whole, where it says its kind.
    """

    schooling: Schooling
    network: Recurrent
    pupils: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]

    def network_of(self, name: str) -> FeedForward | Recurrent:
        """Return the network of a pupil. Raises ValueError where it has a key that is wrong."""
        own = self.pupils[name]
        if "kind" not in own:
            own = self.network.model_dump() | own
        return _NETWORK.validate_json(json.dumps(own))  # the rules for JSON: a list may be a tuple

    @model_validator(mode="after")
    def _pupils_are_networks(self) -> "Plan":
        for name in self.pupils:
            self.network_of(name)
        return self


class Trial(NamedTuple):
    """One pupil and one question; `seed` of all randomness."""

    name: str
    question: str
    seed: int
    network: FeedForward | Recurrent
    schooling: Schooling

    @property
    def key(self) -> str:
        """What it is called where results are kept."""
        return f"{self.question}/{self.name}/{self.seed}"

    @property
    def recipe(self) -> str:
        """A digest of all that its result depends on, but for the machine and the question."""
        parts = self.network.model_dump_json() + self.schooling.model_dump_json()
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def run_trial(trial: Trial) -> dict[str, Any]:
    """Teach and examine; returns what is kept: `right`, the share of right answers by size of question."""
    question = QUESTIONS[trial.question]
    torch.manual_seed(stream_seed(trial.seed, "weights"))
    network = make_network(trial.network, question.layout, question.answers * question.classes)
    teach(network, question, trial.schooling, trial.seed)
    right = examine(network, question, trial.seed)
    held = sum(part.shape[-1] for part in network.initial_hidden(1))
    return {"recipe": trial.recipe, "parameters": count_parameters(network), "held": held, "right": right}


def teach(network: QNetwork, question: Question, schooling: Schooling, seed: int) -> None:
    """Let it answer at each step, and take a step of Adam for each window."""
    optimizer = torch.optim.Adam(network.parameters(), lr=schooling.learning_rate)
    fall = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, schooling.updates)
    stream, updates = generator(seed, "lessons"), 0
    while updates < schooling.updates:
        asked = question.ask(schooling.episodes, stream)
        hidden = network.initial_hidden(schooling.episodes)
        windows = (part.split(schooling.window, dim=1) for part in (asked.features, asked.right))
        for features, right in zip(*windows, strict=True):
            scores, hidden = _answer(network, question, features, hidden)
            hidden = tuple(part.detach() for part in hidden)
            if (right != NOT_ASKED).any() and updates < schooling.updates:
                loss = functional.cross_entropy(scores.flatten(0, 2), right.flatten(), ignore_index=NOT_ASKED)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                fall.step()
                updates += 1


@torch.no_grad()
def examine(network: QNetwork, question: Question, seed: int) -> dict[str, float]:
    """Return the share of right answers on fresh episodes, by size of question: 1, 2 to 3, 4 to 7 and so on."""
    asked = question.ask(FRESH_EPISODES, generator(seed, "examination"))
    scores, _ = _answer(network, question, asked.features, network.initial_hidden(FRESH_EPISODES))
    was_asked = asked.right != NOT_ASKED
    right = (scores.argmax(dim=-1) == asked.right)[was_asked]
    doublings = asked.size[was_asked].float().log2().floor().long()
    return {str(2**size): right[doublings == size].float().mean().item() for size in doublings.unique().tolist()}


def _answer(network: QNetwork, question: Question, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
    """Return a score for each class of each answer at each step, [episodes, time, answers, classes], and the memory."""
    q, hidden = network(features, hidden)
    return q.unflatten(-1, (question.answers, question.classes)), hidden
