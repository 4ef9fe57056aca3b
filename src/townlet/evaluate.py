"""`python -m townlet.evaluate`: play greedy episodes with a trained agent on maps that it never saw."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import torch

from townlet.agent.networks import QNetwork, make_network
from townlet.config import OF_LEARNING, ConfigError, Task, load_task
from townlet.environment.make import make_env
from townlet.environment.types import Environment, WorldError
from townlet.population.evaluation import RandomPolicy, evaluate, play, tell_cut
from townlet.run.fit import misfit, seen_maps
from townlet.run.metrics import plain
from townlet.run.run_directory import RunError
from townlet.run.saving import checkpoint, exported, saved
from townlet.run.saving.saved import find_run
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, positive, setting, tells_errors, whole
from townlet.screen.device import device_named
from townlet.screen.process import run_as_process
from townlet.seeding import stream_seed

REFERENCE = "a run's folder or name, latest, a checkpoint's own folder, or one that an agent was exported to"


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet evaluate", description="Play greedy episodes on maps that training never saw.")
    parser.add_argument("run", type=named, metavar="RUN", help=REFERENCE)
    parser.add_argument(
        "--level", type=named, help="another level to play in: an id, a name or a file (default: the run's own)"
    )
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level's world"
    )
    parser.add_argument("--episodes", type=positive, default=512, help="how many (default: 512)")
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument(
        "--seed", type=whole, help="which maps and starts (default: those of the run's own evaluations)"
    )
    parser.add_argument(
        "--forget-every", type=positive, metavar="N", help="zero the memory before every N-th step; 1: have none"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors("townlet evaluate", RunError, checkpoint.CheckpointError, WorldError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    run, name = find_run(options.run, options.runs_dir, options.checkpoint, tell=aside)
    world, seed, result = play_run(
        run, name, options.device, options.episodes, options.level, dict(options.set), options.seed,
        options.forget_every,
    )  # fmt: skip
    if options.json:
        print(json.dumps(plain(result), allow_nan=False))
    else:
        random = play(world, RandomPolicy(seed, options.device), options.episodes, seed, options.device)
        print(describe(world, result, random[world.score.key]))
    return DONE


class Played(NamedTuple):
    """What greedy episodes of an agent came to."""

    world: Task
    seed: int  # of maps and starts
    result: dict[str, Any]  # that of `population.evaluation.evaluate`, and what was played by whom


def play_run(
    run: Path,
    checkpoint: str,
    device: torch.device,
    episodes: int,
    level: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int | None = None,
    forget_every: int | None = None,
) -> Played:
    """Play greedy episodes with the agent that lies in the folder of a run, or was exported; arguments are the flags.

    Raises ConfigError, CheckpointError and WorldError.
    """
    learned, overrides = load_task(run / "config.yaml"), dict(overrides or {})
    world = load_world(learned, level or run / "config.yaml", overrides)
    found = find_checkpoint(run, learned, checkpoint)
    network = trained_network(learned, found, device)
    seed = evaluation_seed(learned) if seed is None else seed
    result = evaluate(world, network, episodes, seed, device, forget_every)
    result |= {"checkpoint": found.path.name, "level": world.id, "learned": learned.id, "set": overrides}
    return Played(world, seed, result)


def load_world(learned: Task, reference: str | Path, overrides: Mapping[str, Any] | None = None) -> Task:
    """Load the task that an agent of `learned` is to play: its world alone matters, how it would be learned does not.

    `overrides` are dotted keys of that world. Its maps are drawn from the seed of `learned`, so that those of
    evaluation stay unseen. Raises ConfigError where the world is wrong, where the network of `learned` does not fit it,
    and where its maps may be ones that were trained on.
    """
    overrides = dict(overrides or {})
    for key in overrides:
        if key.partition(".")[0] in OF_LEARNING:
            raise ConfigError([f"--set {key}: expected a key of the world, got one of how agents learn in it"])
    world = load_task(reference, overrides | {"training.seed": learned.training.seed})
    if problem := misfit(learned, world):
        raise ConfigError([f"level {world.id}: the network of level {learned.id} does not fit: {problem}"])
    if problem := seen_maps(learned, world):
        raise ConfigError([f"level {world.id}: {problem}"])
    return world


def evaluation_seed(task: Task) -> int:
    """Return the seed of a run's own evaluations."""
    return stream_seed(task.training.seed, "evaluation")


def trained_network(task: Task, found: checkpoint.Checkpoint, device: torch.device) -> QNetwork:
    """Return a task's network with the weights of a checkpoint of it. Raises CheckpointError where they do not fit."""
    with closing(make_env(task, 1, device, compile=False)) as env:
        return network_in(env, task, found)


def network_in(env: Environment, task: Task, found: checkpoint.Checkpoint) -> QNetwork:
    """Return what `trained_network` does, on the device of an environment of the task, which is at hand."""
    exported.check_interface(found, env)
    network = make_network(task.network, env.observation_layout, env.num_actions).to(env.device)
    saved.load_network(network, found)
    return network


def find_checkpoint(run: Path, learned: Task, name: str) -> checkpoint.Checkpoint:
    """Read the checkpoint of a run that is called `latest`, `best` or by its name; what is passed over is told.

    Raises CheckpointError.
    """
    return saved.find(run, learned, name, aside)


def describe(task: Task, result: dict[str, Any], random: float) -> str:
    """The result for a person, beside what random actions reach in the same episodes, measured now."""
    score, changed = task.score, result["set"]
    known = {} if changed else {name: value for name, value in task.yardsticks.items() if name != "random"}
    length, reward = ("survival", "reward") if score.key == "mean_ep_length" else ("length", "return")
    limit = f" of {task.max_steps}" if task.max_steps else ""
    deaths = ", ".join(f"{count} of {cause}" for cause, count in result["deaths"].items() if count) or "none"
    learned = "" if result["learned"] == result["level"] else f" learned in level {result['learned']}"
    where = ", ".join([f"level {result['level']}", *(f"{key}={value}" for key, value in changed.items())])
    lines = [
        f"{where}, {result['checkpoint']}{learned}: {result['episodes']} greedy episodes on {score.unseen}",
        f"{length:9} {result['mean_ep_length']:.1f}{limit} steps (standard deviation {result['std_ep_length']:.1f})",
        f"{reward:9} {result['mean_reward']:.2f} (standard deviation {result['std_reward']:.2f})",
        f"reached the limit  {result['survival_rate']:.1%}",
        *([f"cut       {cut}"] if (cut := tell_cut(task, result)) else []),
        *([f"deaths    {deaths}"] if result["deaths"] else []),
        f"beside    random actions {random:.1f}" + "".join(f", {name} {value:g}" for name, value in known.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_as_process(main))
