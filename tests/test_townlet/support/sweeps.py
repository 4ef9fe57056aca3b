"""What sweeps are asked for in tests, and a stand-in for their clock that shows what would be timed."""

import torch

from townlet.bench.scale.sweeps import Asked
from townlet.bench.speed.report import Row
from townlet.bench.speed.timing import Pace


def asked_for_tests(tell=lambda _: None, **changes):
    """Level 2 with few agents, eagerly, two short samples."""
    asked = {
        "level": "2", "replay": "2-replay", "settings": {"training.num_agents": 8}, "device": torch.device("cpu"),
        "pace": Pace(repeats=2, seconds=0.001), "eager": True, "tell": tell, "notes": [],
    }  # fmt: skip
    return Asked(**{**asked, **changes})


class Watch:
    """Stands in for `time_calls`: keeps the calls by curve, size and name, makes each once, and says 1 s."""

    def __init__(self):
        self.calls, self.facts = {}, {}

    def __call__(self, asked, curve, size, calls, facts):
        for name, call in calls.items():
            call()
            self.calls[curve, size, name], self.facts[curve, size, name] = call, facts
        return [Row(f"{curve}: {name}", size, [1.0], facts) for name in calls]
