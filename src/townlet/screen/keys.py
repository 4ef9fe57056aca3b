"""Keys as they are pressed, one by one and without Enter; none that was typed ahead is lost."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

UP, DOWN, RIGHT, LEFT = (f"\x1b[{letter}" for letter in "ABCD")
_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
_WINDOWS = {"H": UP, "P": DOWN, "M": RIGHT, "K": LEFT}  # after a first character that says that it is no letter


@contextmanager
def keyboard() -> Iterator[Callable[[], str]]:
    """Within it the terminal hands on each key at once; gives what waits for the next one.

    That is a character, or for a special key its escape sequence with `[`, and "" where no more come. Ctrl-C stays a
    signal. The standard input must be a terminal.
    """
    if sys.platform == "win32":
        yield _read_windows
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before, waiting = termios.tcgetattr(terminal), list[str]()

    def read() -> str:
        if not waiting:
            waiting.extend(keys_in(os.read(terminal, 1024).decode(errors="replace")))
        return waiting.pop(0) if waiting else ""

    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield read
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def keys_in(text: str) -> list[str]:
    """Part what a terminal sent into keys; both forms in which terminals send arrows become one."""
    return [re.sub("^\x1bO", "\x1b[", key) for key in _KEY.findall(text)]


def _read_windows() -> str:
    import msvcrt

    read: Callable[[], str] = getattr(msvcrt, "getwch")  # noqa: B009 - not there for those who check types elsewhere
    first = read()
    if first == "\x03":
        raise KeyboardInterrupt
    return _WINDOWS.get(read(), "") if first in "\0\xe0" else first
