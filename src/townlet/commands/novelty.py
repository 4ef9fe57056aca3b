"""`townlet novelty`: how new each cell of a town would be to a curious agent, drawn as a map."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from townlet.agent.networks import QNetwork
from townlet.config import Level, load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.evaluate import find_checkpoint, trained_network
from townlet.exploration.curiosity import make_curiosity
from townlet.exploration.rnd import RandomNetworkDistillation
from townlet.population.lives import GreedyPolicy
from townlet.run.curves import save
from townlet.run.run_directory import RunError, resolve_run
from townlet.run.saving import checkpoint
from townlet.run.saving.saved import fitting
from townlet.screen.command_line import DONE, Parser, aside, named, named_path, tells_errors, whole
from townlet.screen.device import device_named

LIVES, STEPS = 64, 100  # agents whose states are put into each cell, and the steps that they live before that


@tells_errors("townlet novelty", RunError, checkpoint.CheckpointError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    parser = Parser(prog="townlet novelty", description="Draw how new each cell of a town is to a curious agent.")
    parser.add_argument("run", type=named, metavar="RUN", help="a run's folder or name, or latest")
    parser.add_argument(
        "--out", type=named_path, metavar="FILE", help="the picture (default: novelty.png in the run's folder)"
    )
    parser.add_argument("--map", type=whole, default=0, help="which of the level's training maps (default: 0)")
    parser.add_argument(
        "--checkpoint", type=named, default="latest", help="latest, best, or a checkpoint's name (default: latest)"
    )
    parser.add_argument("--device", type=device_named, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    options = parser.parse_args(arguments)
    run = resolve_run(options.run, options.runs_dir, aside)
    level = load_level(run / "config.yaml")
    env = VectorizedEnv(level, LIVES, options.device, compile=False)
    if not 0 <= options.map < env.tables.num_maps:
        parser.error(f"--map: expected 0 to {env.tables.num_maps - 1}, got {options.map}")
    curiosity = make_curiosity(level, env)
    if not isinstance(curiosity, RandomNetworkDistillation):
        raise RunError(f"{run}: expected a curious run, got one with training.curiosity null")
    found = find_checkpoint(run, level, options.checkpoint)
    with fitting(found):
        curiosity.load_novelty(found.state["population"]["curiosity"])
    new = novelty_map(env, trained_network(level, found, options.device), curiosity, options.map)
    out = options.out or run / "novelty.png"
    draw_novelty(new, env, options.map, f"Level {level.id}, {found.path.name}: map {options.map}", out)
    print(f"novelty {new.min():.3g} to {new.max():.3g}, mean {new.mean():.3g}; drawn into {out}")
    return DONE


@torch.no_grad()
def novelty_map(env: VectorizedEnv, network: QNetwork, curiosity: RandomNetworkDistillation, index: int) -> Tensor:
    """Return the mean error of the predictor in each cell of one map, [height, width].

    The meters and times of day are those that the agents of `env` have after some greedy steps: what differs between
    cells is where they stand, and what is seen from there.
    """
    level, policy = env.level, GreedyPolicy(network, env.num_agents, env.device)
    observation = env.reset()
    for _ in range(STEPS):
        actions = policy.act(observation)
        result = env.step(actions)
        policy.after(actions, result)
        observation = result.observation
    lived, zero = env.state, torch.zeros_like(env.state.x)
    new = torch.zeros(level.grid.height, level.grid.width)
    for y in range(level.grid.height):
        for x in range(level.grid.width):
            env.state = lived._replace(x=zero + x, y=zero + y, map_index=zero + index, progress=zero)
            new[y, x] = curiosity.novelty(env.observe().features).mean()
    return new


def draw_novelty(new: Tensor, env: VectorizedEnv, index: int, title: str, out: Path) -> None:
    """Draw a map of novelty [height, width], with what stands where, into a PNG. Raises OSError."""
    level: Level = env.level
    height, width = new.shape
    size = (max(0.75 * width + 2.0, 4.5), max(0.75 * height + 1.0, 3.2))  # words need room beside small towns too
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(new.numpy(), cmap="magma")
    figure.colorbar(shown, ax=axes, label="novelty: mean squared\nerror of the predictor")
    first = index * len(level.affordances)
    middle = float(new.min() + new.max()) / 2.0
    for offset, name in enumerate(level.affordances):
        x, y = int(env.tables.place_x[first + offset]), int(env.tables.place_y[first + offset])
        if x >= 0:
            colour = "black" if new[y, x] > middle else "white"
            letters = min(7.0, 85.0 / len(name))  # so that a long name stays within its cell
            axes.text(x, y, name, ha="center", va="center", fontsize=letters, color=colour)
    axes.set(title=title, xlabel="x", ylabel="y", xticks=range(width), yticks=range(height))
    save(figure, out)
