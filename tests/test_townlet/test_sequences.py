"""Windows as a TensorDict, in the way that TorchRL keeps trajectories."""

import pytest
import torch

from support.learning import make_population, random_batch

tensordict = pytest.importorskip("tensordict", reason="needs the package tensordict, of the bench extra")


def test_a_window_becomes_a_trajectory_with_its_time_dimension_named():
    batch = random_batch(batch=3, seq_len=4, terminated=torch.tensor([[False, False, False, True]] * 3))
    trajectory = batch.to_tensordict()
    assert trajectory.batch_size == torch.Size([3, 4]) and trajectory.names == [None, "time"]
    assert torch.equal(trajectory["observation"], batch.observations[:, :-1])
    assert torch.equal(trajectory["next", "observation"], batch.observations[:, 1:])
    assert torch.equal(trajectory["action"], batch.actions)
    assert torch.equal(trajectory["next", "reward"], batch.rewards.unsqueeze(-1))
    assert trajectory["next", "done"].squeeze(-1).tolist() == [[False, False, False, True]] * 3
    assert not trajectory["next", "truncated"].any()
    assert torch.equal(trajectory["mask"], batch.valid)


def test_memory_stands_in_the_first_step_alone():
    batch = random_batch(batch=3, seq_len=4)
    trajectory = batch.to_tensordict()
    for index, part in enumerate(batch.hidden):
        state = trajectory[f"recurrent_state_{index}"]  # [batch, time, num_layers, hidden_dim]
        assert torch.equal(state[:, 0], part.transpose(0, 1))
        assert not state[:, 1:].any()


def test_is_init_marks_where_memory_is_zero():
    reset = torch.zeros(3, 5, dtype=torch.bool)
    reset[1, 2] = True
    marked = random_batch(batch=3, seq_len=4, reset=reset).to_tensordict()["is_init"]
    assert marked.shape == (3, 4, 1) and marked.nonzero().tolist() == [[1, 2, 0]]
    assert not random_batch(batch=3, seq_len=4).to_tensordict()["is_init"].any()


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_windows_of_a_living_population_convert(mode):
    population = make_population(mode)
    for _ in range(40):
        population.step()
    fresh = mode == "fresh"
    batch = population.buffer.newest_sequences(8) if fresh else population.buffer.sample_sequences(6, 8)
    trajectory = batch.to_tensordict()
    assert trajectory.batch_size == torch.Size([len(batch.actions), 8])


def test_torchrl_unrolls_its_lstm_over_the_windows_as_ours_does():
    """TorchRL's LSTM module, with our weights, memory and flags, gives the outputs of our cell."""
    torchrl = pytest.importorskip("torchrl.modules", reason="needs the package torchrl")
    population = make_population("fresh", network__memory=[])
    for _ in range(40):
        population.step()
    cell, batch = population.network.cell, population.buffer.newest_sequences(8)
    theirs = torchrl.LSTMModule(
        lstm=torch.nn.LSTM(cell.input_size, cell.hidden_size, batch_first=True),
        in_keys=["encoded", "recurrent_state_0", "recurrent_state_1"],
        out_keys=["output", ("next", "recurrent_state_0"), ("next", "recurrent_state_1")],
    )
    theirs.lstm.load_state_dict(cell.state_dict())
    encoded = torch.randn(8, 9, cell.input_size, generator=torch.Generator().manual_seed(0))
    trajectory = batch.to_tensordict()
    trajectory["encoded"] = encoded[:, :-1]
    with torchrl.set_recurrent_mode(True), torch.no_grad():
        output = theirs(trajectory)["output"]
        expected, _ = cell(encoded, batch.hidden, batch.reset)
    assert batch.reset.any()
    torch.testing.assert_close(output, expected[:, :-1])
