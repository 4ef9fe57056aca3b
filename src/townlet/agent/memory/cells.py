"""Recurrent cells over a window: PyTorch's fused calls where they can be used, else loops over the same parameters."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from townlet.sequences import Hidden

SHUT = -1e4  # what shuts a gate: its sigmoid is 0 in float32, whatever else comes in


def make_cell(kind: Literal["lstm", "gru"], input_size: int, hidden_size: int, span: int | None = None) -> "LSTM | GRU":
    """Build one layer of the named cell, with fresh parameters.

    With a span each unit keeps what it holds for about k steps, k at random from 1 to the span (chrono initialisation,
    Tallec & Ollivier, 2018); without one all begin as open gates do (Jozefowicz et al., 2015).
    """
    cell = LSTM(input_size, hidden_size) if kind == "lstm" else GRU(input_size, hidden_size)
    if span is not None:
        cell.keep_for(torch.empty(hidden_size).uniform_(1.0, span))
    return cell


class LSTM(nn.LSTM):
    """One layer of LSTM over a window, with memory (h, c) set to zero before flagged steps."""

    weight_ih_l0: Tensor  # [4 * hidden_size, input_size]
    weight_hh_l0: Tensor  # [4 * hidden_size, hidden_size]
    bias_ih_l0: Tensor  # [4 * hidden_size]
    bias_hh_l0: Tensor  # [4 * hidden_size]
    parts = 2  # tensors of memory

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)
        with torch.no_grad():  # a forget gate that starts open remembers from the start (Jozefowicz et al., 2015)
            self.bias_ih_l0[hidden_size : 2 * hidden_size] = 1.0
            self.bias_hh_l0[hidden_size : 2 * hidden_size] = 0.0

    @torch.no_grad()
    def keep_for(self, steps: Tensor) -> None:
        """Set input and forget gates so that units keep k / (k + 1) a step and take in the rest; k is [hidden_size]."""
        self.bias_ih_l0[: 2 * self.hidden_size] = torch.cat([-steps.log(), steps.log()])
        self.bias_hh_l0[: 2 * self.hidden_size] = 0.0

    def initial_hidden(self, batch: int) -> Hidden:
        """Return zeros: (h, c), each [1, batch, hidden_size]."""
        zeros = self.weight_hh_l0.new_zeros(1, batch, self.hidden_size)
        return (zeros, zeros.clone())

    def forward(self, inputs: Tensor, hidden: Hidden, reset: Tensor | None = None) -> tuple[Tensor, Hidden]:  # type: ignore[override]
        """Map inputs [batch, time, input_size] to outputs [batch, time, hidden_size] and the memory after them.

        reset [batch, time] bool: memory is zero before that step; None where it never is.
        """
        if reset is None:
            h, c = hidden
            return super().forward(inputs, (h, c))
        # Pieces are about twice as fast, and there are as many as there are flags, for which a GPU would have to wait.
        by = self.unroll_by_pieces if inputs.device.type == "cpu" else self.unroll_by_steps
        return by(inputs, hidden, reset)

    def unroll_by_pieces(self, inputs: Tensor, hidden: Hidden, reset: Tensor) -> tuple[Tensor, Hidden]:
        """Unroll with PyTorch's fused call: each piece of a window that begins at a flag is a row of its own.

        That row has the whole window's inputs. Until its piece begins, one more input of great negative weight shuts
        its input and forget gates, so that its memory is still zero then.
        """
        batch, time, _ = inputs.shape
        row, start = reset.nonzero(as_tuple=True)  # of each piece
        step = torch.arange(time, device=inputs.device)
        shut = torch.cat([torch.zeros_like(reset), step < start.unsqueeze(1)]).to(inputs.dtype)  # [rows, time]
        rows = torch.cat([torch.cat([inputs, inputs[row]]), shut.unsqueeze(-1)], dim=-1)
        begun = tuple(torch.cat([part, part.new_zeros(1, len(row), self.hidden_size)], dim=1) for part in hidden)
        gates = self.bias_ih_l0.new_zeros(4, self.hidden_size)  # input, forget, cell, output
        gates[:2] = SHUT
        widened = torch.cat([self.weight_ih_l0, gates.view(-1, 1)], dim=1)
        weights = [widened, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0]
        outputs, h, c = torch.lstm(rows, begun, weights, True, 1, 0.0, self.training, False, True)
        within = reset.cumsum(1) > 0  # [batch, time]: steps that are no more of the window's first piece
        piece = batch - 1 + reset.flatten().cumsum(0).view(batch, time)  # row of the newest piece
        where = within.nonzero(as_tuple=True)
        last = torch.where(within[:, -1], piece[:, -1], torch.arange(batch, device=inputs.device))
        return outputs[:batch].index_put(where, outputs[piece[where], where[1]]), (h[:, last], c[:, last])

    def unroll_by_steps(self, inputs: Tensor, hidden: Hidden, reset: Tensor) -> tuple[Tensor, Hidden]:
        """Unroll step by step, in operations whose number and shapes do not depend on the flags."""
        projected = nn.functional.linear(inputs, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0)
        recurrent = self.weight_hh_l0.t()

        def step(projected: Tensor, hidden: Hidden) -> Hidden:
            h, c = hidden
            i, f, g, o = torch.addmm(projected, h, recurrent).chunk(4, dim=1)  # [batch, hidden_size] each
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return (torch.sigmoid(o) * torch.tanh(c), c)

        return _unroll_with_resets(step, projected, hidden, reset)


class GRU(nn.GRU):
    """One layer of GRU (Cho et al., 2014) over a window, with memory (h,) set to zero before flagged steps."""

    weight_ih_l0: Tensor  # [3 * hidden_size, input_size]
    weight_hh_l0: Tensor  # [3 * hidden_size, hidden_size]
    bias_ih_l0: Tensor  # [3 * hidden_size]
    bias_hh_l0: Tensor  # [3 * hidden_size]
    parts = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)
        with torch.no_grad():  # an update gate that starts closed keeps what is there, as the LSTM's forget gate does
            self.bias_ih_l0[hidden_size : 2 * hidden_size] = 1.0
            self.bias_hh_l0[hidden_size : 2 * hidden_size] = 0.0

    @torch.no_grad()
    def keep_for(self, steps: Tensor) -> None:
        """Set update gates so that units keep k / (k + 1) a step and take in the rest; k is [hidden_size]."""
        self.bias_ih_l0[self.hidden_size : 2 * self.hidden_size] = steps.log()

    def initial_hidden(self, batch: int) -> Hidden:
        """Return zeros: (h,), [1, batch, hidden_size]."""
        return (self.weight_hh_l0.new_zeros(1, batch, self.hidden_size),)

    def forward(self, inputs: Tensor, hidden: Hidden, reset: Tensor | None = None) -> tuple[Tensor, Hidden]:  # type: ignore[override]
        """Map inputs [batch, time, input_size] to outputs [batch, time, hidden_size] and the memory after them.

        reset [batch, time] bool: memory is zero before that step; None where it never is.
        """
        if reset is None:
            outputs, h = super().forward(inputs, hidden[0])
            return outputs, (h,)
        projected = nn.functional.linear(inputs, self.weight_ih_l0, self.bias_ih_l0)
        recurrent = self.weight_hh_l0.t()

        def step(projected: Tensor, hidden: Hidden) -> Hidden:
            (h,) = hidden
            r, z, n = projected.chunk(3, dim=1)  # [batch, hidden_size] each
            recurrent_r, recurrent_z, recurrent_n = torch.addmm(self.bias_hh_l0, h, recurrent).chunk(3, dim=1)
            z = torch.sigmoid(z + recurrent_z)
            n = torch.tanh(n + torch.sigmoid(r + recurrent_r) * recurrent_n)
            return (n + z * (h - n),)

        return _unroll_with_resets(step, projected, hidden, reset)


def _unroll_with_resets(
    step: Callable[[Tensor, Hidden], Hidden], projected: Tensor, hidden: Hidden, reset: Tensor
) -> tuple[Tensor, Hidden]:
    """Apply `step` along time to projected inputs [batch, time, gates]; its first part of memory is the output."""
    keep = (~reset).to(projected.dtype).unsqueeze(-1)  # [batch, time, 1]
    now, outputs = tuple(part[0] for part in hidden), []  # each [batch, hidden_size]
    for inputs, keeps in zip(projected.unbind(1), keep.unbind(1), strict=True):
        now = step(inputs, tuple(part * keeps for part in now))
        outputs.append(now[0])
    return torch.stack(outputs, dim=1), tuple(part.unsqueeze(0) for part in now)
