"""`townlet play`: live in the town by the keyboard, alone or beside a trained agent."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live

from townlet.agent.networks import QNetwork
from townlet.config import ConfigError, Level, load_level
from townlet.evaluate import evaluation_seed, find_checkpoint, load_world, trained_network
from townlet.play.game import PERSON, Game, result_of
from townlet.play.picture import picture
from townlet.run.run_directory import RunError
from townlet.run.saving.checkpoint import CheckpointError
from townlet.run.saving.saved import find_run
from townlet.screen.command_line import DONE, WRONG_USE, Parser, aside, named, named_path, setting, tells_errors, whole
from townlet.screen.device import device_named
from townlet.screen.keys import DOWN, LEFT, RIGHT, UP, keyboard

LEAVE = ("q", "\x04", "")  # Ctrl-D, and where no more keys come
KEYS = {  # action: what is pressed for it
    "UP": (UP, "w"),
    "DOWN": (DOWN, "s"),
    "LEFT": (LEFT, "a"),
    "RIGHT": (RIGHT, "d"),
    "INTERACT": (" ", "\n", "\r", "e"),
    "WAIT": (".",),
}
HELP = {"UP": "arrows or wasd: walk", "INTERACT": "space: use what is here", "WAIT": ".: wait"}


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(prog="townlet play", description="Live in the town by the keyboard, seeing what an agent sees.")
    parser.add_argument(
        "run", type=named, nargs="?", metavar="RUN",
        help="a trained agent that lives the same life beside you: a run's folder or name, latest, or a checkpoint",
    )  # fmt: skip
    parser.add_argument("--level", type=named, help="an id, a name or a file (default: the run's own, or 2)")
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="any key of the level's world"
    )
    parser.add_argument("--seed", type=whole, help="which map and start (default: that of the run's own evaluations)")
    parser.add_argument("--checkpoint", type=named, help="latest, best, or a checkpoint's name (default: latest)")
    parser.add_argument("--runs-dir", type=named_path, default=Path("runs"), help="where runs lie (default: runs)")
    return parser


@tells_errors("townlet play", RunError, CheckpointError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = make_parser().parse_args(arguments)
    screen, game = Console(), make_game(options)
    if not (sys.stdin.isatty() and screen.is_terminal):
        aside("townlet play: expected a terminal to draw on and to read keys from, got none")
        return WRONG_USE
    _live(game, screen)
    screen.print(picture(game, "", ""))
    if game.ended[PERSON] is None:
        print(f"You left after {game.scene.tick} steps.")
    else:
        game.finish()
        print(result_of(game))
    return DONE


def make_game(options: Namespace) -> Game:
    """Return the game that a command line asks for, with the network that lives beside.

    Raises ConfigError, RunError and CheckpointError.
    """
    device_named("cpu")
    network: QNetwork | None = None
    overrides = dict(options.set)
    if options.run is None:
        if options.checkpoint is not None:
            raise ConfigError([f"--checkpoint: expected a run that it is of, got {options.checkpoint} alone"])
        level = load_level(options.level or "2", overrides)
    else:
        run, name = find_run(options.run, options.runs_dir, options.checkpoint, tell=aside)
        learned = load_level(run / "config.yaml")
        world = load_world(learned, options.level or run / "config.yaml", overrides)
        assert isinstance(world, Level)
        level = world
        found = find_checkpoint(run, learned, name)
        network = trained_network(learned, found, device_named("cpu"))
    return Game(level, evaluation_seed(level) if options.seed is None else options.seed, network)


def _live(game: Game, screen: Console) -> None:
    """Take keys until the life ends or the person leaves."""
    pressed, said = bindings(game.level), ""
    helped = [text for action, text in HELP.items() if action in game.level.actions]
    keys = ", ".join([*helped, "q: leave"])
    with keyboard() as next_key, Live(console=screen, auto_refresh=False, screen=True) as live:
        while game.ended[PERSON] is None:
            live.update(picture(game, said, keys), refresh=True)
            hit = next_key()
            if hit in LEAVE:
                return
            said = take(game, pressed, hit)


def bindings(level: Level) -> Mapping[str, int]:
    """Return which key stands for which of the level's actions."""
    return {hit: level.actions.index(name) for name, keys in KEYS.items() if name in level.actions for hit in keys}


def take(game: Game, pressed: Mapping[str, int], hit: str) -> str:
    """Do what a key stands for; returns what there is to say of it."""
    action = pressed.get(hit.lower() if len(hit) == 1 else hit)
    if action is None:
        return "no such key"
    may = game.allowed()[action]
    name = game.level.actions[action].lower()
    game.act(action)
    return "" if may else f"{name}: not possible here and now, so the step went by"
