"""Townlet: a vectorised town of small lives, and recurrent Q-learning agents that learn to survive in it.

Importing it registers the levels with Gymnasium, as Townlet/Level2-v0 and so on, and Townlet/TMaze-v0. In a notebook,
`townlet.show(RUN)` is a page that plays what a trained agent does.
"""

from importlib import import_module
from typing import Any

from townlet.screen.process import begin

__version__ = "0.1.0"

begin()


def _register_levels() -> None:
    """Register each shipped level as Townlet/Level<id>-v0, and Townlet/Level-v0, which takes any `level`.

    Entry points are strings: PyTorch is imported when a world is made. It happens here and not through Gymnasium's
    plugins, by which every `import gymnasium` of a machine would read our files, and none would in a source tree.
    Files that cannot be read are left out: whoever reads the levels tells of them, an import is no place for that.
    """
    from gymnasium.envs.registration import register  # takes its time, in which signals are heard already

    from townlet.level.file import shipped_levels

    known: dict[str, dict[str, str]] = {"Level": {}}
    known |= {f"Level{level[0].upper()}{level[1:]}": {"level": level} for level in shipped_levels()}
    for name, options in known.items():
        register(
            f"Townlet/{name}-v0",
            entry_point="townlet.environment.gym.adaptors:TownletEnv",
            vector_entry_point="townlet.environment.gym.adaptors:TownletVectorEnv",
            kwargs=options,
        )


def _register_tasks() -> None:
    """Register the tasks of ours that need no package beside Gymnasium, so that their ids alone find them."""
    from gymnasium.envs.registration import register

    register("Townlet/TMaze-v0", entry_point="townlet.bench.t_maze:TMaze")


# What needs PyTorch is imported when it is asked for, so that importing Townlet stays quick.
_ON_DEMAND = {"show": "townlet.commands.lives.notebook"}


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'townlet' has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND])


_register_levels()
_register_tasks()
