"""The Q-learner: online and target network, optimiser, and the update from a batch of windows."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from townlet.agent import losses
from townlet.agent.networks import QNetwork
from townlet.agent.optimizers import DeviceAdam, HostAdam
from townlet.agent.prediction import PredictionHead
from townlet.agent.recall import RecallHead
from townlet.capture import Captured
from townlet.config import Training
from townlet.masking import masked_max
from townlet.sequences import CutSteps, Hidden, SequenceBatch
from townlet.shares.share import ALONE, Share


class Update(NamedTuple):
    """What an update tells; where gradient steps are captured, the next update overwrites it."""

    metrics: dict[str, Tensor]  # scalars on the device, by name
    td_error: Tensor  # [batch, seq_len], of the steps to learn from; priorities are made of it


class QLearner:
    """Learns Q-values of `network`, in place, as `training` says.

    The targets' network is a copy, renewed every `target_every` updates or a little (`target_rate`) at each, or the
    online network itself. `capture` runs gradient steps over static buffers, as one graph on a CUDA device; None does
    so there and nowhere else. A loss that is not finite then raises no error before `check`, see DeviceAdam. With a
    `share` the steps of all shares are learned from together, and weights stay equal bit for bit in each. With a
    `recall` the memory after each window is asked for what was seen earlier, where windows tell that, and a
    `prediction` tells at each step what comes next.
    """

    def __init__(
        self,
        network: QNetwork,
        training: Training,
        capture: bool | None = None,
        share: Share = ALONE,
        recall: RecallHead | None = None,
        prediction: PredictionHead | None = None,
    ) -> None:
        self.network, self.training, self.loss, self.share = network, training, losses.make_loss(training), share
        device = next(network.parameters()).device
        # `to` lays the copied weights of a cell side by side again, as CUDA's kernels want them.
        self.target = copy.deepcopy(network).to(device).requires_grad_(False) if training.has_target else None
        self.updates = 0
        scale = training.reward_scale
        self.reward_scale = torch.ones((), device=device) if scale == "auto" else scale
        self.recall = None if recall is None else recall.to(device)
        self.prediction = None if prediction is None else prediction.to(device)
        trained = [weight for part in (network, *self._heads.values()) for weight in part.parameters()]
        self.weights = [weight for weight in trained if weight.requires_grad]
        self.sizes = [weight.numel() for weight in self.weights]
        learned = (trained, training.learning_rate, training.adam_epsilon)
        self.optimizer: HostAdam | DeviceAdam
        self._captured: Captured | None = None
        self._gradient_step: Callable[[SequenceBatch], Update] = self._descend
        if capture or (capture is None and device.type == "cuda"):
            self.optimizer = DeviceAdam(*learned)
            self._gradient_step = self._captured = Captured(self._descend, device, self.optimizer.changed_by_steps)
        else:
            self.optimizer = HostAdam(*learned)

    @property
    def _heads(self) -> dict[str, nn.Module]:
        """What is trained beside the network, by its name in a saved state."""
        heads = {"recall": self.recall, "prediction": self.prediction}
        return {name: head for name, head in heads.items() if head is not None}

    @property
    def capture_failure(self) -> str | None:
        """Why gradient steps that should be captured are not; None where they are, or need not be."""
        return self._captured.failure if self._captured else None

    def prepare(self, windows: SequenceBatch, cut: CutSteps | None = None) -> SequenceBatch:
        """Work out, once for all updates from these windows, what none of them changes.

        Steps that a time limit `cut` off become steps to learn from: what they led to is valued by today's weights.
        """
        hidden = self._memory_at_start(self.network, windows)
        read = self.network.read_beside(windows.observations, hidden, windows.previous_actions, windows.reset)
        windows = windows._replace(beside=read)
        windows = windows if cut is None else self._with_cut_steps(windows, cut)
        if self.training.n_step > 1:
            return windows
        steps = windows.terminated[:, windows.burn_in :], continuing(windows)
        rates = self.training.gamma, self.training.trace_decay
        return windows._replace(discounts=losses.discounts(*steps, *rates, windows.rewards.dtype))

    @torch.no_grad()
    def _with_cut_steps(self, windows: SequenceBatch, cut: CutSteps) -> SequenceBatch:
        online, _ = self._unroll(self.network, cut.alone)
        target = online if self.target is None else self._unroll(self.target, cut.alone)[0]
        found = self._next_values(cut.alone, online, target).squeeze(1)  # [some]
        values = torch.zeros_like(windows.rewards).flatten().index_copy(0, cut.place, found)
        values = values.view_as(windows.rewards)  # [num_agents, seq_len]
        return windows._replace(valid=windows.valid | cut.cut, cut=cut.cut, cut_values=values)

    def update(self, batch: SequenceBatch) -> Update:
        """Take one gradient step.

        Raises TrainingDivergedError, before any weight is changed, if the loss or the gradient is not finite; where
        gradient steps are captured, `check` does.
        """
        update = self._gradient_step(batch)
        self.updates += 1
        self._renew_target()
        return update

    def _descend(self, batch: SequenceBatch) -> Update:
        online, hidden, prediction = self._online(batch)
        error, q = self._errors(batch, online)
        valid = batch.valid[:, batch.burn_in :]
        loss = losses.masked_mean(self.loss(error), valid, batch.weights)
        told = {"train/loss": loss.detach()}
        if self.recall is not None and batch.earlier is not None and batch.has_earlier is not None:
            recall = self.recall.loss(self.network.shaped(hidden), batch.earlier, batch.has_earlier)
            if self.share.size > 1:
                recall = recall * self.share.weight(batch.has_earlier.sum(), valid.sum())
            loss, told["train/recall_loss"] = loss + self.recall.weight * recall, recall.detach()
        if self.prediction is not None and prediction is not None:
            loss, told["train/prediction_loss"] = loss + self.prediction.weight * prediction, prediction.detach()
        gradient, error = self._gradient(loss), error.detach()
        told["train/td_error"], told["train/q_mean"] = losses.plain_means([error.abs(), q.detach()], valid)
        if self.share.size > 1:
            gradient, *means = self.share.means([gradient, *told.values()], valid.sum())
            told = dict(zip(told, means, strict=True))
        grad_norm = self._take(gradient)
        self.optimizer.step_if_finite(told["train/loss"], grad_norm)
        return Update(told | {"train/grad_norm": grad_norm}, error)

    def _online(self, batch: SequenceBatch) -> tuple[Tensor, Hidden, Tensor | None]:
        """Q-values, the memory after the window, and the loss of telling what comes next, None where nobody does."""
        if self.prediction is None:
            return (*self._unroll(self.network, batch), None)
        window, known = self._window(self.network, batch)
        joined, hidden = self.network.read(*window, **known)
        q = self.network.values(joined.detach() if self.prediction.alone else joined)
        return q, hidden, self.prediction.loss(joined, batch)

    def _gradient(self, loss: Tensor) -> Tensor:
        """The gradient of all weights as one tensor: to measure and clip it is an operation each, not one a weight."""
        parts = torch.autograd.grad(loss, self.weights, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    def _take(self, gradient: Tensor) -> Tensor:
        """Give the weights their gradients, clipped to `max_grad_norm` together; returns their norm before that."""
        norm = gradient.norm()
        gradient *= (self.training.max_grad_norm / (norm + 1e-6)).clamp(max=1.0)
        for weight, part in zip(self.weights, gradient.split(self.sizes), strict=True):
            weight.grad = part.view_as(weight)
        return norm

    def td_error(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return target less Q, and Q, of the actions taken, each [batch, seq_len]; only Q has a gradient."""
        return self._errors(batch, self._unroll(self.network, batch)[0])

    def _errors(self, batch: SequenceBatch, online: Tensor) -> tuple[Tensor, Tensor]:
        """See `td_error`; `online`: what the online network says of each step, [batch, seq_len + 1, num_actions]."""
        steps = slice(batch.burn_in, None)
        q = online[:, :-1].gather(-1, batch.actions[:, steps].unsqueeze(-1)).squeeze(-1)
        with torch.no_grad():
            target = online.detach() if self.target is None else self._unroll(self.target, batch)[0]
            returns = self._returns(batch, online.detach(), target)
        return returns - q, q

    def _returns(self, batch: SequenceBatch, online: Tensor, target: Tensor) -> Tensor:
        """Targets of all steps, [batch, seq_len]."""
        training, start = self.training, batch.burn_in
        next_values = self._next_values(batch, online, target)
        if batch.cut is not None and batch.cut_values is not None:
            next_values = torch.where(batch.cut[:, start:], batch.cut_values[:, start:], next_values)
        rewards = self.reward_scale * batch.rewards[:, start:]
        if batch.discounts is not None:
            returns = losses.discounted_returns(rewards, next_values, batch.discounts)
        else:
            steps = (rewards, next_values, batch.terminated[:, start:], continuing(batch))
            if training.n_step > 1:
                returns = losses.n_step_returns(*steps, training.gamma, training.n_step)
            else:
                returns = losses.lambda_returns(*steps, training.gamma, training.trace_decay)
        return losses.rescale(returns) if training.value_rescaling else returns

    def _next_values(self, batch: SequenceBatch, online: Tensor, target: Tensor) -> Tensor:
        """What comes after each step is worth, [batch, seq_len], by Q one index later under that observation's mask."""
        training, start = self.training, batch.burn_in
        mask = batch.action_mask[:, start + 1 :]
        if training.double_q:
            next_values = losses.double_q_values(online[:, 1:], target[:, 1:], mask)
        else:
            next_values = masked_max(target[:, 1:], mask)
        if training.value_rescaling:
            next_values = losses.unscale(next_values)
        return next_values

    def _unroll(self, network: QNetwork, batch: SequenceBatch) -> tuple[Tensor, Hidden]:
        """Q-values of one network over the window, and its memory after it."""
        window, known = self._window(network, batch)
        after: tuple[Tensor, Hidden] = network(*window, **known)
        return after

    def _window(self, network: QNetwork, batch: SequenceBatch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a network is called with to unroll over the steps to learn from.

        It begins with the memory at the window's start, and a burn-in without gradient.
        """
        hidden = self._memory_at_start(network, batch)
        start, reset = batch.burn_in, batch.reset
        if start:
            with torch.no_grad():
                early = None if reset is None else reset[:, :start]
                _, hidden = network(batch.observations[:, :start], hidden, batch.previous_actions[:, :start], early)
            reset = None if reset is None else reset[:, start:]
        known = {} if batch.beside is None else {"beside": batch.beside[:, start:]}  # not every network has it
        return (batch.observations[:, start:], hidden, batch.previous_actions[:, start:], reset), known

    def _memory_at_start(self, network: QNetwork, batch: SequenceBatch) -> Hidden:
        stored = self.training.initial_state == "stored"
        return batch.hidden if stored else network.initial_hidden(len(batch.actions))

    def check(self) -> None:
        """Raise TrainingDivergedError if an update was not finite and has not said so; may wait for the device."""
        self.optimizer.check()

    def _renew_target(self) -> None:
        if self.training.target_rate is not None and self.target is not None:
            with torch.no_grad():
                for mine, theirs in zip(self.target.parameters(), self.network.parameters(), strict=True):
                    mine.lerp_(theirs, self.training.target_rate)
        elif self.training.target_every is not None and self.updates % self.training.target_every == 0:
            self.copy_to_target()

    def copy_to_target(self) -> None:
        """Make the target network equal to the online network."""
        if self.target is not None:
            self.target.load_state_dict(self.network.state_dict())

    def set_learning_rate(self, env_steps: int) -> float:
        """Fall linearly from the first to the final learning rate over `decay_steps`; return the rate."""
        training = self.training
        share = min(1.0, env_steps / training.decay_steps)
        rate = training.learning_rate + (training.final_learning_rate - training.learning_rate) * share
        self.optimizer.set_learning_rate(rate)
        return rate

    def state_dict(self) -> dict[str, Any]:
        """Return optimiser, target network and counter; the online network's weights are saved beside it.

        Raises TrainingDivergedError as `check` does: nobody should go on from there.
        """
        self.check()
        return {
            "optimizer": self.optimizer.state_dict(),
            "target": self.target.state_dict() if self.target is not None else None,
            "updates": self.updates,
        } | {name: head.state_dict() for name, head in self._heads.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError if only one of both has a target network."""
        if (self.target is None) != (state["target"] is None):
            expected, got = ("none", "with one") if self.target is None else ("one", "without")
            raise ValueError(f"target network: expected {expected}, got a state {got}")
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # PyTorch would share the moments
        if self.target is not None:
            self.target.load_state_dict(state["target"])
        for name, head in self._heads.items():
            head.load_state_dict(state[name])
        self.updates = state["updates"]


def continuing(batch: SequenceBatch) -> Tensor:
    """Steps whose successor is a valid step of the same episode in the same window, [batch, seq_len] bool."""
    start = batch.burn_in
    following = torch.zeros_like(batch.valid[:, start:])
    following[:, :-1] = batch.valid[:, start + 1 :]
    if batch.reset is not None:
        following[:, :-1] &= ~batch.reset[:, start + 1 : -1]
    return following & ~batch.terminated[:, start:]
