"""`townlet`: one command with a word for each of the others."""

import sys
from collections.abc import Sequence
from functools import partial

from townlet import evaluate, train
from townlet.bench import __main__ as bench
from townlet.commands import (
    check_env,
    compare,
    levels,
    novelty,
    report,
    schema,
    transfer,
    validate,
    watch,
)
from townlet.commands.lives import play, replay, video
from townlet.config import ConfigError
from townlet.screen.command_line import FAILED, WRONG_USE, run_word
from townlet.screen.process import run_as_process

USAGE = """usage: townlet COMMAND ...

  train      train a population in a level
  evaluate   play greedy episodes with a trained agent on unseen maps
  watch      show a run in a browser while it trains
  replay     record what a trained agent does, for a page to play back
  video      draw a life of a trained agent as a film, MP4 or GIF
  play       live in the town by the keyboard, alone or beside a trained agent
  transfer   play trained agents in other levels, all in one table
  novelty    draw how new each cell of a town is to a curious agent
  report     write what a run came to as a page
  compare    draw the greedy survival of several runs into one picture, or a page
  levels     list the shipped levels, or draw one
  validate   check level files
  schema     print the JSON Schema of level files, for editors
  check-env  check a vector environment of Gymnasium, by its id
  bench      benchmarks, as python -m townlet.bench

townlet COMMAND --help says more."""


COMMANDS = {
    "train": train.main,
    "evaluate": evaluate.main,
    "watch": watch.main,
    "replay": replay.main,
    "video": video.main,
    "play": play.main,
    "transfer": transfer.main,
    "novelty": novelty.main,
    "report": report.main,
    "compare": compare.main,
    "levels": levels.main,
    "validate": validate.main,
    "schema": schema.main,
    "check-env": check_env.main,
    "bench": bench.main,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Without `arguments` it is the one that this process was started as."""
    if arguments is None:
        return run_as_process(partial(main, sys.argv[1:]), printing=sys.argv[1:2] != ["train"])
    words = list(arguments)
    try:
        return run_word(words, COMMANDS, USAGE, "townlet", "townlet --help")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"townlet {words[0]}: stopped", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
