"""Observations of whole numbers from 0 to 255 are kept as bytes, and read as they were."""

import torch

from support.learning import differences
from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer

AGENTS, WIDTH, ACTIONS, STEPS = 2, 3, 2, 14


def buffers():
    """One with bytes and one with numbers of any kind, that draw the same windows."""
    streams = (torch.Generator().manual_seed(0) for _ in range(2))
    return [
        SequentialReplayBuffer(20, AGENTS, WIDTH, ACTIONS, generator=stream, in_bytes=in_bytes)
        for stream, in_bytes in zip(streams, (True, False), strict=True)
    ]


def filled():
    both, draw = buffers(), torch.Generator().manual_seed(1)
    seen = torch.randint(0, 256, (AGENTS, WIDTH), generator=draw).float()
    seen[0, 0], mask = 255.0, torch.ones(AGENTS, ACTIONS, dtype=torch.bool)
    for step in range(STEPS):
        ended, after = (
            torch.tensor([step % 4 == 3, step % 5 == 4]),
            torch.randint(0, 256, (AGENTS, WIDTH), generator=draw),
        )
        for buffer in both:
            zeros = torch.zeros(AGENTS, dtype=torch.int64)
            buffer.append(seen, mask, zeros, torch.ones(AGENTS), ended, ended & False, after.float(), mask)
        seen = after.float()
    return both


def test_what_is_read_is_what_was_seen_in_sampled_and_in_newest_windows():
    for read in (lambda one: one.sample_sequences(8, 4, 2), lambda one: one.newest_sequences(5, with_successors=True)):
        found, expected = (read(buffer)._asdict() for buffer in filled())
        assert differences(found, expected) == [] and found["observations"].dtype == torch.float32
        assert found["observations"].max() > 200


def test_a_byte_is_a_quarter_of_what_other_numbers_take():
    small, large = buffers()
    assert small.features.nbytes * 4 == large.features.nbytes


def test_whole_episodes_from_elsewhere_are_kept_too_and_a_state_goes_on():
    episode = {"observations": [[0, 1, 255], [7, 8, 9], [200, 0, 3]], "actions": [0, 1]}
    episode |= {"rewards_extrinsic": [1.0, 2.0], "terminated": True, "truncated": False}
    both = buffers()
    for buffer in both:
        buffer.store_episode(episode)
    again = buffers()[0]
    again.load_state_dict(both[0].state_dict())
    windows = [buffer.windows(torch.tensor([0]), 2, 2).observations.tolist() for buffer in (*both, again)]
    assert windows == [[episode["observations"]]] * 3
