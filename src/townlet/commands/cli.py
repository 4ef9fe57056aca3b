"""`townlet`: one command with a word for each of the others."""

import sys
from collections.abc import Sequence
from functools import partial

import townlet
from townlet.level.errors import ConfigError
from townlet.screen.command_line import DONE, FAILED, WRONG_USE, lazily, run_word
from townlet.screen.process import run_as_process

USAGE = """usage: townlet COMMAND ...

  train      train a population in a level
  evaluate   play greedy episodes with a trained agent on unseen maps
  watch      show a run in a browser while it trains
  replay     record what a trained agent does, for a page to play back
  video      draw a life of a trained agent as a film, MP4 or GIF
  export     write a trained agent into a folder to hand on
  play       live in the town by the keyboard, alone or beside a trained agent
  transfer   play trained agents in other levels, all in one table
  novelty    draw how new each cell of a town is to a curious agent
  report     write what a run came to as a page
  compare    draw the greedy survival of several runs into one picture, or a page
  runs       list runs, the newest first, with what they came to
  levels     list the shipped levels, or draw one
  validate   check level files
  schema     print the JSON Schema of level files, for editors
  check-env  check a vector environment of Gymnasium, by its id
  bench      benchmarks, as python -m townlet.bench
  completion print the script by which a shell completes all this

townlet COMMAND --help says more; townlet --version says which version this is."""

VERSION = "--version"
COMMANDS = {
    "train": lazily("townlet.train"),
    "evaluate": lazily("townlet.evaluate"),
    "watch": lazily("townlet.commands.watch"),
    "replay": lazily("townlet.commands.lives.replay"),
    "video": lazily("townlet.commands.lives.video"),
    "export": lazily("townlet.commands.export"),
    "play": lazily("townlet.commands.lives.play"),
    "transfer": lazily("townlet.commands.transfer"),
    "novelty": lazily("townlet.commands.novelty"),
    "report": lazily("townlet.commands.report"),
    "compare": lazily("townlet.commands.compare"),
    "runs": lazily("townlet.commands.runs"),
    "levels": lazily("townlet.commands.levels.command"),
    "validate": lazily("townlet.commands.levels.validate"),
    "schema": lazily("townlet.commands.levels.schema"),
    "check-env": lazily("townlet.commands.check_env"),
    "bench": lazily("townlet.bench.__main__"),
    "completion": lazily("townlet.commands.completion.command"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Without `arguments` it is the one that this process was started as."""
    if arguments is None:
        return run_as_process(partial(main, sys.argv[1:]), printing=sys.argv[1:2] != ["train"])
    words = list(arguments)
    if words[:1] == [VERSION]:
        print(f"townlet {townlet.__version__}")
        return DONE
    try:
        return run_word(words, COMMANDS, USAGE, "townlet", "townlet --help", [VERSION])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"townlet {words[0]}: stopped", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
