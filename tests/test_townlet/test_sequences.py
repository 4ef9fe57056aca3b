"""What a batch of windows says of itself."""

import torch

from support.learning import random_batch


def test_flags_are_dropped_where_none_is_set_and_kept_where_one_is():
    idle, busy = torch.zeros(3, 5, dtype=torch.bool), torch.zeros(3, 5, dtype=torch.bool)
    busy[2, 4] = True
    assert random_batch(batch=3, seq_len=4, reset=idle).without_idle_flags().reset is None
    assert torch.equal(random_batch(batch=3, seq_len=4, reset=busy).without_idle_flags().reset, busy)
    assert random_batch(batch=3, seq_len=4).without_idle_flags().reset is None
