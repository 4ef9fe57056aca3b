"""`python -m townlet.evaluate`: play greedy episodes with a trained agent on maps that it never saw."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from townlet.agent.networks import QNetwork, make_network
from townlet.command_line import DONE, FAILED, WRONG_USE, Parser, device_named, positive
from townlet.config import ConfigError, Task, load_task
from townlet.environment.make import make_env
from townlet.environment.types import WorldError
from townlet.population.evaluation import RandomPolicy, evaluate, play
from townlet.seeding import stream_seed
from townlet.training import checkpoint
from townlet.training.run_directory import RunError, resolve_run


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet evaluate", description="Play greedy episodes on maps that training never saw.")
    parser.add_argument("run", metavar="RUN", help="a run's folder or name, or latest")
    parser.add_argument("--episodes", type=positive, default=512, help="how many (default: 512)")
    parser.add_argument("--checkpoint", default="latest", help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument("--seed", type=int, help="which maps and starts (default: those of the run's own evaluations)")
    parser.add_argument(
        "--forget-every", type=positive, metavar="N", help="zero the memory before every N-th step; 1: have none"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    try:
        run = resolve_run(options.run, options.runs_dir)
        task = load_task(run / "config.yaml")
        found = find_checkpoint(run / "checkpoints", options.checkpoint)
        network = trained_network(task, found, options.device)
        seed = stream_seed(task.training.seed, "evaluation") if options.seed is None else options.seed
        result = evaluate(task, network, options.episodes, seed, options.device, options.forget_every)
        result |= {"checkpoint": found.path.name, "level": task.id}
        if options.json:
            print(json.dumps(result))
        else:
            random = play(task, RandomPolicy(seed, options.device), options.episodes, seed, options.device)
            print(describe(task, result, random[task.score.key]))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (RunError, checkpoint.CheckpointError, WorldError) as error:
        print(f"townlet evaluate: {error}", file=sys.stderr)
        return FAILED
    return DONE


def trained_network(task: Task, found: checkpoint.Checkpoint, device: torch.device) -> QNetwork:
    """Return a task's network with the weights of a checkpoint of it."""
    with closing(make_env(task, 1, device, compile=False)) as env:
        network = make_network(task.network, env.observation_layout, env.num_actions).to(device)
    network.load_state_dict(found.model)
    return network


def find_checkpoint(directory: Path, name: str) -> checkpoint.Checkpoint:
    """Read the checkpoint called `latest`, `best` or by its name. Raises CheckpointError."""
    if name == "latest":
        return checkpoint.load_latest(directory, lambda text: print(text, file=sys.stderr))
    if name == "best":
        try:
            name = str(json.loads((directory / "best.json").read_text())["checkpoint"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise checkpoint.CheckpointError(
                f"{directory / 'best.json'}: expected a best checkpoint, got {error}"
            ) from error
    return checkpoint.load(directory / Path(name).name)


def describe(task: Task, result: dict[str, Any], random: float) -> str:
    """The result for a person, beside what random actions reach in the same episodes, measured now."""
    score, known = task.score, {name: value for name, value in task.yardsticks.items() if name != "random"}
    length, reward = ("survival", "reward") if score.key == "mean_ep_length" else ("length", "return")
    limit = f" of {task.max_steps}" if task.max_steps else ""
    deaths = ", ".join(f"{count} of {cause}" for cause, count in result["deaths"].items() if count) or "none"
    lines = [
        f"level {result['level']}, {result['checkpoint']}: {result['episodes']} greedy episodes on {score.unseen}",
        f"{length:9} {result['mean_ep_length']:.1f}{limit} steps (standard deviation {result['std_ep_length']:.1f})",
        f"{reward:9} {result['mean_reward']:.2f} (standard deviation {result['std_reward']:.2f})",
        f"reached the limit  {result['survival_rate']:.1%}",
        *([f"deaths    {deaths}"] if result["deaths"] else []),
        f"beside    random actions {random:.1f}" + "".join(f", {name} {value:g}" for name, value in known.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
