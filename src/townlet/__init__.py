"""Townlet: a vectorised town of small lives, and recurrent Q-learning agents that learn to survive in it.

Importing it registers the levels with Gymnasium, as Townlet/Level2-v0 and so on, and Townlet/TMaze-v0. A trained agent
that acts in them is `townlet.load_policy(RUN)`; in a notebook, `townlet.show(RUN)` is a page that plays what it does.
`townlet.learn(LEVEL)` trains one, and tells a `townlet.Callback` how it goes.
"""

from importlib import import_module
from typing import Any

from townlet.screen.process import begin

__version__ = "0.1.0"

if not begin():  # a command registers them where it looks for environments: most have no use for Gymnasium
    from townlet.environment.gym.registration import register_worlds

    register_worlds()

# What needs PyTorch is imported when it is asked for, so that importing Townlet stays quick.
_ON_DEMAND = {
    "Callback": "townlet.callbacks.callback",
    "Run": "townlet.session.run",
    "learn": "townlet.session.learning",
    "load_policy": "townlet.policy.loading",
    "loggers": "townlet.loggers",  # the room itself
    "show": "townlet.commands.lives.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'townlet' has no attribute {name!r}")
    found = import_module(_ON_DEMAND[name])
    return found if found.__name__ == f"townlet.{name}" else getattr(found, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND])
