"""A trained agent as one folder to hand on: weights, level, versions, figures, and a card that says what it is."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from PIL import Image

import townlet
from townlet.config import Level, resolved_config
from townlet.environment.gym.adaptors import TownletEnv
from townlet.environment.make import make_env
from townlet.evaluate import evaluation_seed
from townlet.policy.card import ABOUT, Figures, card
from townlet.policy.loading import Source
from townlet.policy.policy import Policy
from townlet.population.evaluation import RandomPolicy, evaluate, play
from townlet.run.meta import id_in, read_meta
from townlet.run.metrics import plain
from townlet.run.run_directory import CONFIG_NAME, POLICY_NAME, RunError, is_exported, sync_folder
from townlet.run.saving.exported import FORMAT, interface_of
from townlet.run.saving.manifest import MODEL

CARD, TOWN, CURVES = "README.md", "town.png", "curves.png"
LIVED = 40  # steps of the life whose moment is drawn: enough to have been somewhere

Graph = Callable[[Policy, Path], Path]  # writes the network as a graph into a folder; returns its file


def measure(policy: Policy, episodes: int) -> Figures:
    """Evaluate as `townlet evaluate` does: with memory, where there is one without it too, and random actions."""
    task, network, device, seed = policy.task, policy.network, policy.device, evaluation_seed(policy.task)
    key = task.score.key
    result = evaluate(task, network, episodes, seed, device)
    forgetful = evaluate(task, network, episodes, seed, device, 1)[key] if network.initial_hidden(1) else None
    random = play(task, RandomPolicy(seed, device), episodes, seed, device)[key]
    return Figures(plain(result) | {"seed": seed}, forgetful, random)


def export(source: Source, episodes: int, folder: Path, graphs: Sequence[Graph] = ()) -> Figures:
    """Write an agent into a folder, whole or not at all, with its figures of so many episodes, and return these.

    An earlier export there is replaced; `graphs` write the network in other forms beside it. Raises RunError where
    something else lies there, WorldError, and OSError.
    """
    policy, found, run = source
    with _replaced(folder) as new:
        (new / MODEL).write_bytes(safetensors.torch.save(found.model, {"format": "pt", "townlet": FORMAT}))
        (new / CONFIG_NAME).write_bytes(resolved_config(policy.task).encode())
        for write in graphs:
            write(policy, new)
        pictures, figures = _pictures(policy, run, new), measure(policy, episodes)
        manifest = _manifest(source, figures, new)
        (new / POLICY_NAME).write_bytes(f"{json.dumps(manifest, indent=2)}\n".encode())
        (new / CARD).write_bytes(card(policy.task, policy.network, manifest, figures, pictures).encode())
    return figures


def _manifest(source: Source, figures: Figures, folder: Path) -> dict[str, Any]:
    policy, found, run = source
    task = policy.task
    with closing(make_env(task, 1, compile=False)) as env:
        interface = interface_of(env)
    origin = found.manifest.get("run") if is_exported(run) else None
    files = {path.name: _describe(path) for path in sorted(folder.iterdir())}
    return {
        "format": FORMAT,
        "step": found.step,
        "townlet": townlet.__version__,
        "torch": torch.__version__,
        "run": origin or {"name": run.name, "id": id_in(read_meta(run)), "checkpoint": found.path.name},
        "level": task.id,
        "seed": task.training.seed,
        "interface": interface,
        "evaluation": figures.result | {"without_memory": figures.forgetful, "random": figures.random},
        "files": files,
    }


def _describe(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _pictures(policy: Policy, run: Path, folder: Path) -> list[str]:
    """Draw the agent in its town, where it has one, and take the run's curves along; returns their files."""
    names = []
    if isinstance(policy.task, Level):
        Image.fromarray(_moment(policy, folder / CONFIG_NAME)).save(folder / TOWN)
        names.append(TOWN)
    if (run / CURVES).is_file():
        shutil.copyfile(run / CURVES, folder / CURVES)
        names.append(CURVES)
    return names


def _moment(policy: Policy, level: Path) -> Any:
    """The town as the agent sees it some steps into a life on a map that it never saw, [height, width, 3] uint8."""
    policy.reset()
    with closing(TownletEnv(level, maps="evaluation", render_mode="rgb_array")) as env:
        seen, info = env.reset(seed=evaluation_seed(policy.task))
        drawn = env.render()
        for _ in range(LIVED):
            seen, _, terminated, truncated, info = env.step(int(policy.act(seen, info)))
            if terminated or truncated:
                break
            drawn = env.render()
    policy.reset()
    return drawn


def _other_than_an_export(folder: Path) -> str:
    """What an export that takes a folder's place would destroy, in words; "" for an empty one or an earlier export.

    A folder that an earlier export lies in may be more: a clone of a hub's repository, or one with notes or replays.
    """
    if not folder.is_dir():
        return "something else"
    names = sorted(entry.name for entry in folder.iterdir())
    if names and not is_exported(folder):
        return "something else"
    return next((f"{name} in it too" for name in names if name not in {*ABOUT, POLICY_NAME, CARD}), "")


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of an export before it once all is written.

    A link stays what it is: what it leads to is replaced. The export before waits under a hidden name until the new one
    is in place, and is put back where that fails, or by the next export where this process ends in between.
    """
    folder = Path(os.path.realpath(folder))
    new, former = (folder.with_name(f".{folder.name}.{name}") for name in ("new", "former"))
    if former.exists() and not folder.exists():
        os.rename(former, folder)
    if folder.exists() and (other := _other_than_an_export(folder)):
        raise RunError(f"{folder}: expected nothing there yet, or an earlier export, got {other}")
    for left in (new, former):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            os.rename(folder, former)
        _put(new, folder, former)
        sync_folder(folder.parent)
    finally:
        for left in (new, former) if folder.exists() else (new,):
            shutil.rmtree(left, ignore_errors=True)


def _put(new: Path, folder: Path, former: Path) -> None:
    """Give a new folder its name, or give it back to the former one. Raises OSError."""
    try:
        os.rename(new, folder)
    except OSError:
        if former.exists():
            os.rename(former, folder)
        raise
