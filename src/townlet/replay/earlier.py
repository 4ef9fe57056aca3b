"""What was observed before the end of a window, some steps back in the same episode."""

import torch

from townlet.replay.step_rings import StepRings
from townlet.sequences import SequenceBatch


@torch.no_grad()
def with_earlier(windows: SequenceBatch, tape: StepRings, back: int, stream: torch.Generator) -> SequenceBatch:
    """Add to each window an observation of a step before its last observation, up to `back` steps, by equal chances.

    It is of the same episode, and one that is still on the tape. A window has none whose episode ended with its last
    step, or before.
    """
    last = windows.last
    reach = torch.minimum(tape.episode_step[last], torch.full_like(tape.episode_step[last], back - 1))
    drawn = torch.rand(len(last), generator=stream, device=tape.device)
    age = (drawn * (reach + 1)).long().clamp(max=reach)  # steps before the last one
    agent, slot = last // tape.slots, last % tape.slots
    row = tape.base[agent] + (slot - age) % tape.slots
    goes_on = windows.valid[:, -1] & ~(tape.terminated[last] | tape.truncated[last])
    still = (slot - tape.cursor[agent]) % tape.slots  # steps before the last one that were not written over
    stored = tape.valid[row] & (age <= still)
    return windows._replace(earlier=tape.features[row].float(), has_earlier=goes_on & stored)
