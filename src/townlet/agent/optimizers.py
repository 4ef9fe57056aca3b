"""Adam that never learns from what is not finite: it says so at once, or decides on the device and says so later."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from townlet.agent.divergence import TrainingDivergedError


class HostAdam(torch.optim.Adam):
    """Reads loss and gradient norm before each step: free on the CPU, a wait for any other device.

    Its steps are those of `torch.optim.Adam` to the last bit, for small networks in a quarter of the time: what that
    looks up at each step is known here from the first on, and the weights' counters lie side by side, to be raised
    together.
    """

    _known: "_Known | None" = None  # from the first step on; nothing again after loading, and in a copy

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, epsilon: float) -> None:
        super().__init__(parameters, lr=learning_rate, eps=epsilon, fused=True)

    def step_if_finite(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Take a step. Raises TrainingDivergedError, before any weight is changed, if either is not finite."""
        check_finite(self, float(loss), float(grad_norm))
        if self._known is None:
            self.step()
            self._known = self._look_up()
        else:
            self._step_again(self._known)

    @torch.no_grad()
    def _step_again(self, known: "_Known") -> None:
        (group,) = self.param_groups
        first, second = group["betas"]
        gradients = [cast(Tensor, weight.grad) for weight in known.weights]  # whoever had one before has one
        known.all_taken.add_(1.0)
        torch._fused_adam_(
            known.weights, gradients, known.means, known.squares, [], known.taken,
            lr=float(group["lr"]), beta1=first, beta2=second, weight_decay=0.0, eps=group["eps"],
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def _look_up(self) -> "_Known":
        """Lay the counters side by side, and list what each step reads and writes."""
        weights = [weight for weight in self.param_groups[0]["params"] if weight in self.state]
        states = [self.state[weight] for weight in weights]
        counters = torch.stack([one["step"] for one in states])
        for one, counter in zip(states, counters.unbind(), strict=True):
            one["step"] = counter
        means, squares, taken = ([one[name] for one in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        return _Known(weights, means, squares, taken, counters)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what either kind's `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._known = None  # it names what lay there before

    def set_learning_rate(self, rate: float) -> None:
        """Take the next steps at this rate."""
        for group in self.param_groups:
            group["lr"] = rate

    def check(self) -> None:
        """All has been said."""


class _Known(NamedTuple):
    """What a step reads and writes, by weight."""

    weights: list[Tensor]
    means: list[Tensor]  # of gradients
    squares: list[Tensor]  # means of their squares
    taken: list[Tensor]  # steps so far, scalars
    all_taken: Tensor  # [weights], the same side by side


class DeviceAdam(torch.optim.Adam):
    """Decides on the device, without a wait and as part of a graph, whether it takes a step.

    From the first loss or gradient norm on that is not finite it takes none: the weights stay as they were before it.
    `check` tells. All that a step reads and writes lies where it lies for good, as a graph expects.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, epsilon: float) -> None:
        weights = list(parameters)
        self.learning_rate = torch.tensor(learning_rate, device=weights[0].device)
        super().__init__(weights, lr=self.learning_rate, eps=epsilon, fused=True, capturable=True)
        self.newest = torch.zeros(2, device=weights[0].device)  # loss and gradient norm, the first bad ones for good
        # At 1 fused Adam takes no step: so torch.amp.GradScaler hands it what it found in the gradients.
        self.found_inf = torch.zeros((), device=weights[0].device)
        self._make_moments()

    def _make_moments(self) -> None:
        """Make them by a step that changes nothing: a graph would make them anew at each replay."""
        for weight in self._weights():
            weight.grad = torch.zeros_like(weight)
        self.found_inf.fill_(1.0)
        self.step()
        self.found_inf.zero_()
        self.zero_grad(set_to_none=True)

    def _weights(self) -> list[nn.Parameter]:
        return [weight for group in self.param_groups for weight in group["params"] if weight.requires_grad]

    @torch.no_grad()
    def step_if_finite(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Take a step if both are finite, and have been up to now."""
        seen = torch.where(self.newest.isfinite().all(), torch.stack([loss, grad_norm]), self.newest)
        self.newest.copy_(seen)
        self.found_inf.copy_(~seen.isfinite().all())
        self.step()

    def set_learning_rate(self, rate: float) -> None:
        """Take the next steps at this rate: graphs read it from where it lies."""
        self.learning_rate.fill_(rate)

    def check(self) -> None:
        """Raise TrainingDivergedError if steps are no longer taken; waits for the device."""
        check_finite(self, *self.newest.tolist())

    def changed_by_steps(self) -> list[Tensor]:
        """Return all that a step changes in place."""
        moments = [part for weight in self._weights() for part in self.state[weight].values()]
        return [*self._weights(), *moments, self.newest, self.found_inf]

    def state_dict(self) -> dict[str, Any]:
        """Return what HostAdam would: either goes on from the other's."""
        state = super().state_dict()
        for group in state["param_groups"]:
            group.update(lr=float(group["lr"]), capturable=False)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what either kind's `state_dict` returned, in the tensors that are here."""
        held = {weight: self.state[weight] for weight in self._weights()}
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            self.set_learning_rate(group["lr"])
            group.update(lr=self.learning_rate, capturable=True)
        for weight, parts in held.items():
            loaded = self.state[weight]  # nothing, where no step was taken before
            for name, part in parts.items():
                part.copy_(loaded.get(name, torch.zeros_like(part)))
            self.state[weight] = parts
        self.newest.zero_()
        self.found_inf.zero_()


def check_finite(optimizer: torch.optim.Adam, loss: float, grad_norm: float) -> None:
    """Raise TrainingDivergedError, which names the step that the optimiser did not take, unless both are finite."""
    values = {"loss": loss, "gradient norm": grad_norm}
    bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        taken = max((int(one["step"]) for one in optimizer.state.values()), default=0)
        raise TrainingDivergedError(f"update {taken + 1}: expected finite values, but {' and '.join(bad)}")
