"""`python -m townlet.evaluate`: play greedy episodes with a trained agent on maps that it never saw."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from townlet.agent.networks import make_network
from townlet.command_line import DONE, FAILED, WRONG_USE, Parser, device_named, positive
from townlet.config import ConfigError, load_level
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
    parser.add_argument("--forgetful", action="store_true", help="zero the memory before every step")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    try:
        run = resolve_run(options.run, options.runs_dir)
        level = load_level(run / "config.yaml")
        found = find_checkpoint(run / "checkpoints", options.checkpoint)
        network = make_network(level).to(options.device)
        network.load_state_dict(found.model)
        seed = stream_seed(level.training.seed, "evaluation") if options.seed is None else options.seed
        result = evaluate(level, network, options.episodes, seed, options.device, options.forgetful)
        result |= {"checkpoint": found.path.name, "level": level.id}
        if options.json:
            print(json.dumps(result))
        else:
            random = play(level, RandomPolicy(seed, options.device), options.episodes, seed, options.device)
            print(describe(result, random["mean_ep_length"], level.max_steps, level.yardsticks))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except (RunError, checkpoint.CheckpointError) as error:
        print(f"townlet evaluate: {error}", file=sys.stderr)
        return FAILED
    return DONE


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


def describe(result: dict[str, Any], random: float, limit: int, yardsticks: dict[str, float]) -> str:
    """The result for a person, beside what random actions reach on the same maps, measured now."""
    deaths = ", ".join(f"{count} of {meter}" for meter, count in result["deaths"].items() if count) or "none"
    known = {name: value for name, value in yardsticks.items() if name != "random"}
    lines = [
        f"level {result['level']}, {result['checkpoint']}: {result['episodes']} greedy episodes on unseen maps",
        f"survival  {result['mean_ep_length']:.1f} of {limit} steps (standard deviation {result['std_ep_length']:.1f})",
        f"reward    {result['mean_reward']:.2f} (standard deviation {result['std_reward']:.2f})",
        f"reached the limit  {result['survival_rate']:.1%}",
        f"deaths    {deaths}",
        f"beside    random actions {random:.1f}" + "".join(f", {name} {value:g}" for name, value in known.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
