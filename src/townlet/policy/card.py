"""The model card of an exported agent, in the form that hubs of models read: facts as YAML, then words."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from townlet.agent.networks import QNetwork, count_parameters
from townlet.config import GymTask, Recurrent, Task

LOOP = """\
```python
{imported}

policy = townlet.load_policy(".")  # this folder
{made}
observation, info = env.reset(seed=0)
ended = False
while not ended:
    action = policy.act(observation, info)  # masks are read, memory is carried
    observation, reward, terminated, truncated, info = env.step(action)
    policy.observe(terminated, truncated)
    ended = terminated or truncated
```"""
ABOUT = {  # what the files are
    "model.safetensors": "the weights",
    "config.yaml": "the level and how it was learned in, whole: training it again is this training again",
    "policy.json": "the form's version, versions, figures, and the sizes and hashes of the files",
    "town.png": "a moment of a life",
    "curves.png": "the training",
    "policy.onnx": "one step of the network as an ONNX graph, for any number of agents",
    "policy.pt2": "the same as a program of `torch.export`, which PyTorch runs without Townlet",
}


class Figures(NamedTuple):
    """What an agent reaches."""

    result: dict[str, Any]  # as `evaluate` returns it, and the seed
    forgetful: float | None  # the score with memory zeroed before every step; None without a memory
    random: float  # the score of random actions in the same episodes


def card(task: Task, network: QNetwork, manifest: Mapping[str, Any], figures: Figures, pictures: Sequence[str]) -> str:
    """Write the card of an agent: its facts, pictures, figures, how it is used, and how it came about."""
    facts = yaml.safe_dump(_facts(task, figures), sort_keys=False, allow_unicode=True, width=120)
    name, run = f"level {task.id} {task.title}", manifest["run"]
    kind = "a recurrent network" if isinstance(task.network, Recurrent) else "a feed-forward network"
    files = [*manifest["files"], "policy.json"]
    lines = [
        f"---\n{facts}---\n",
        f"# Townlet: {name}\n",
        f"{task.description}\n",
        f"An agent by deep Q-learning: {kind} of {count_parameters(network):,} parameters, "
        f"after {manifest['step']:,} environment steps.\n",
        *(f"![{ABOUT[one]}]({one})\n" for one in pictures),
        "## Figures\n",
        *_table(task, figures),
        f"\nGreedy, one episode each, on {task.score.unseen}; mean and standard deviation.\n",
        "## Use\n",
        "With Townlet installed, in this folder:\n",
        _loop(task),
        "\n`townlet evaluate .` measures it again, and `townlet train --load .` begins with its weights.\n",
        "| file | what it is |\n|---|---|",
        *(f"| `{one}` | {ABOUT[one]} |" for one in sorted(files)),
        f"\nRun {run['name']}, {run['checkpoint']}, seed {manifest['seed']}; Townlet {manifest['townlet']}, "
        f"PyTorch {manifest['torch']}, format {manifest['format']}.",
    ]
    return "\n".join(lines) + "\n"


def _facts(task: Task, figures: Figures) -> dict[str, Any]:
    """What stands at the top, for programs."""
    where = task.gym if isinstance(task, GymTask) else "Townlet/Level-v0"
    name = where if isinstance(task, GymTask) else f"Townlet level {task.id} {task.title}"
    memory = ["recurrent", "memory"] if isinstance(task.network, Recurrent) else []
    metrics = [
        {"type": key, "name": key, "value": _spread(figures.result, key.removeprefix("mean_")), "verified": False}
        for key in ("mean_reward", "mean_ep_length")
    ]
    return {
        "library_name": "townlet",
        "pipeline_tag": "reinforcement-learning",
        "tags": ["reinforcement-learning", "deep-reinforcement-learning", "townlet", where, *memory],
        "model-index": [
            {
                "name": f"townlet-{task.id}",
                "results": [
                    {
                        "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
                        "dataset": {"name": name, "type": where},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }


def _table(task: Task, figures: Figures) -> list[str]:
    result, score = figures.result, task.score
    rows = [
        ("length", f"{_spread(result, 'ep_length')} steps"),
        ("reward", _spread(result, "reward")),
        ("reached the limit", f"{result['survival_rate']:.1%}"),
        *((f"died of {cause}", f"{count:,}") for cause, count in result["deaths"].items() if count),
        ("episodes", f"{result['episodes']:,}"),
        *([(f"{score.word} with its memory zeroed before every step", f"{figures.forgetful:.1f}")]
          if figures.forgetful is not None else []),
        (f"{score.word} of random actions", f"{figures.random:.1f}"),
    ]  # fmt: skip
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _spread(result: Mapping[str, Any], key: str) -> str:
    return f"{result[f'mean_{key}']:.2f} +/- {result[f'std_{key}']:.2f}"


def _loop(task: Task) -> str:
    """A life in the task's world, in Python: a file is imported as a module."""
    modules = {"gymnasium", "townlet"}
    lines = ['env = gymnasium.make("Townlet/Level-v0", level="config.yaml", maps="evaluation")']
    if isinstance(task, GymTask):
        options = {name: value for name, value in task.gym_options.items() if name != "asynchronous"}  # of many agents
        limit = {"max_episode_steps": task.max_steps} if task.max_steps else {}
        module, name = _place(task.gym)
        if module and name.isidentifier():  # a class or a function, and no id
            modules, lines = modules | {module}, [f"env = {module}.{name}({_called(options)})"]
            lines += [f"env = gymnasium.wrappers.TimeLimit({_called(limit, 'env')})"] if limit else []
        else:
            made = json.dumps(f"{module}:{name}" if module else name)
            lines = [f"env = gymnasium.make({_called({**options, **limit}, made)})"]
        for wrapper in task.gym_wrappers:
            whole, given = (wrapper, {}) if isinstance(wrapper, str) else next(iter(wrapper.items()))
            module, name = _place(whole)
            modules |= {module} if module else set()
            lines.append(f"env = {module or 'gymnasium.wrappers'}.{name}({_called(given, 'env')})")
    imported = "\n".join(f"import {module}" for module in sorted(modules))
    return LOOP.format(imported=imported, made="\n".join(lines))


def _place(name: str) -> tuple[str, str]:
    """The module that something is in, "" for none, and its name there."""
    where, _, last = name.rpartition(":")
    return (Path(where).stem if where.endswith(".py") else where), last


def _called(given: Mapping[str, Any], *first: str) -> str:
    return ", ".join([*first, *(f"{name}={value!r}" for name, value in given.items())])
