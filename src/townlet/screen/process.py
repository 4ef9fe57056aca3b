"""The process of a command: what it does about signals and about its output, from the first import on.

Imported before everything that takes seconds, so it imports little itself.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from townlet.screen.streams import fill_descriptors, tolerant_streams

DONE, FAILED, WRONG_USE = 0, 1, 2
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
SECONDS_FOR_A_CHILD = 1.0  # to be gone once it was killed
SPINS = "20000"  # a millisecond or less; GNU's OpenMP counts them, and has 300,000 by itself
SHOW_CURSOR = b"\x1b[?25h"  # what draws pictures on a terminal has hidden it

_owned = False  # whether this process is a command's, which may end it, and not a notebook's or a script's
_hurried = False  # whether it is to end soon
_said = 0  # lines that were written past whatever draws on the terminal


def begin() -> bool:
    """Where this process is a command, end it with one line if a signal comes, until the command says otherwise.

    Python would raise an exception inside of an import, which makes a long traceback, or another error, of it. PyTorch
    is told how long its threads hold on to a core. Returns whether this process is a command.
    """
    global _owned
    if _is_command(sys.argv, sys.orig_argv):
        _owned = True
        fill_descriptors()
        _share_cores()
        _hear(lambda: end("townlet: stopped", FAILED))
    return _owned


def _share_cores() -> None:
    """Have threads that wait for each other let go of their core soon, where nobody has said how long they hold it.

    Each operation of PyTorch ends when its last thread does, and those that wait spin. Where another program has the
    core of that last one, they spin until the system takes theirs, so that the last can have it.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS  # read once, when PyTorch is imported


def run_as_process(command: Callable[[], int], *, printing: bool = True) -> int:
    """Run a command that has this process for itself; returns its exit code.

    The first signal raises KeyboardInterrupt in it, the next ends it. Output that nobody takes any more is dropped;
    where a disk refused it and `printing` is what the command is for, the command has failed.
    """
    global _owned
    former, _owned = _owned, True

    def on_signal() -> None:
        global _hurried
        if _hurried:
            end("townlet: stopped at once", FAILED)
        _hurried = True
        raise KeyboardInterrupt

    try:
        with hearing(on_signal), tolerant_streams() as output:
            code = command()
        code = FAILED if code == DONE and printing and output.refused else code
    except KeyboardInterrupt:
        say("townlet: stopped")
        code = FAILED
    finally:
        _owned = former
    if _hurried:
        os._exit(code)  # all is written: what Python takes apart on its way out takes it a second
    return code


def end(line: str, code: int) -> NoReturn:
    """Say a line and end this process at once; in a process that is no command's, raise KeyboardInterrupt.

    Nothing is unwound: there are imports and compilers that swallow an exception, or take seconds to give up.
    """
    if not _owned:
        raise KeyboardInterrupt
    say(line)
    _end_children()
    if os.environ.get("TERM") not in (None, "dumb", "unknown"):
        for descriptor in filter(os.isatty, (1, 2)):
            with suppress(OSError):
                os.write(descriptor, SHOW_CURSOR)
    os._exit(code)


def _end_children() -> None:
    """End the processes that Python started for this one: nobody else may wait for them, and they would stay listed."""
    multiprocessing = sys.modules.get("multiprocessing")  # imported by those who start any
    for child in multiprocessing.active_children() if multiprocessing is not None else ():
        child.kill()
        child.join(SECONDS_FOR_A_CHILD)


def end_within(seconds: float, line: str, code: int) -> None:
    """Let `end` come in so many seconds, whatever holds this process up; do nothing where it is no command's."""
    global _hurried
    if _owned:
        _hurried = True
        timer = threading.Timer(seconds, end, (line, code))
        timer.daemon = True  # an end that comes by itself does not wait for it
        timer.start()


def say(line: str) -> None:
    """Write a line to standard error, whatever else is being printed; on a terminal below what stands there."""
    global _said
    _said += 1
    with suppress(OSError):  # the terminal may be gone: that is what SIGHUP says
        os.write(2, ("\n" * os.isatty(2) + f"{line}\n").encode())


def lines_said() -> int:
    """Return how often `say` has written below what stands on the terminal: a picture there is no longer the last."""
    return _said


@contextmanager
def hearing(handler: Callable[[], None], signals: Collection[signal.Signals] | None = None) -> Iterator[None]:
    """Call `handler` for each signal that asks a process to end, in its main thread; elsewhere none can be heard.

    With `signals` it is called for these alone.
    """
    former = _hear(handler, signals) if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    finally:
        for signum, before in former.items():
            signal.signal(signum, before)


def _hear(handler: Callable[[], None], signals: Collection[signal.Signals] | None = None) -> dict[int, Any]:
    """Install a handler; returns those from before. A SIGHUP that is ignored stays so: that is what nohup asks for."""
    process = os.getpid()

    def on_signal(signum: int, _frame: object) -> None:
        if os.getpid() == process:
            handler()
        elif signum == signal.SIGTERM:  # forked for an environment: a terminal's signals are for its parent to answer
            os._exit(FAILED)

    asked = SIGNALS if signals is None else signals
    heard = [one for one in asked if one == signal.SIGINT or signal.getsignal(one) != signal.SIG_IGN]
    return {signum: signal.signal(signum, on_signal) for signum in heard}


def _is_command(words: list[str], line: list[str]) -> bool:
    """Whether `python -m townlet...` or the script `townlet` was started, by sys.argv and sys.orig_argv."""
    if words[:1] == ["-m"]:  # as it reads while the package of the module is imported
        return any(word.removeprefix("-m").partition(".")[0] == "townlet" for word in line)
    script = words[0] if words else ""
    return script in line[1:] and os.path.basename(script).partition(".")[0] == "townlet"
