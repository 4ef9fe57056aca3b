"""How a command ends by what went wrong: in one line that says what, and with the code for it."""

import functools
import sys
from collections.abc import Callable

from townlet.level.errors import ConfigError
from townlet.screen.command_line import FAILED, WRONG_USE, Given, aside, cannot_write, tells_of_memory


def tells_errors(program: str, *failures: type[Exception]) -> Callable[[Callable[Given, int]], Callable[Given, int]]:
    """Decorate a command: errors that a person can do something about end it with a line, and with code 1.

    These are `failures`, a file that cannot be written, too little memory, and Ctrl-C. A ConfigError is wrong use, code
    2, and says by itself where. All else is a mistake of ours, and is raised.
    """

    def decorate(command: Callable[Given, int]) -> Callable[Given, int]:
        @functools.wraps(command)
        def told(*words: Given.args, **named: Given.kwargs) -> int:
            try:
                return command(*words, **named)
            except ConfigError as error:
                print(error, file=sys.stderr)
                return WRONG_USE
            except failures as error:
                aside(f"{program}: {error}")
            except OSError as error:
                return cannot_write(program, error)
            except KeyboardInterrupt:
                aside(f"{program}: stopped")
            return FAILED

        return tells_of_memory(program)(told)

    return decorate
