"""A process of Python that works for this one, as long as its standard input is open."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

GROUP_OF_ITS_OWN, WHEN_OTHERS_IDLE = 0x200, 0x40  # flags of Windows
Child = subprocess.Popen[Any]  # of bytes or of text


def begin(
    module: str, *words: str, said: IO[Any], threads: int, text: bool = False, when_others_idle: bool = False
) -> Child:
    """Run `python -m MODULE WORDS`, with pipes to and from it; what it says beside goes to the file `said`.

    Ctrl-C in the terminal asks this process alone to stop. `threads` are those that PyTorch gets there. On Windows
    `when_others_idle` is a priority from the first moment on; elsewhere whoever wants that says so himself. Raises
    OSError.
    """
    flags = GROUP_OF_ITS_OWN | WHEN_OTHERS_IDLE * when_others_idle
    apart: dict[str, Any] = {"creationflags": flags} if os.name == "nt" else {"process_group": 0}
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=text,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        **apart,
    )


def end(children: Sequence[Child], seconds: float) -> None:
    """Tell all that nothing more comes, by the end of their standard input, and kill each that stays so long."""
    for child in children:
        assert child.stdin is not None
        with suppress(OSError):
            child.stdin.close()
    for child in children:
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
