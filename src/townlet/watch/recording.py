"""The recorder's process, from the server's side: begun with it, listened to, and ended with it."""

import asyncio
import os
import sys
from pathlib import Path

from townlet.watch.folder import steps_saved
from townlet.watch.hub import SECONDS_BETWEEN_LOOKS, Hub

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


async def recording(hub: Hub, into: Path, lives: int) -> None:
    """Let a process record the newest agents of a hub's run into a folder, and tell the hub what it says.

    It begins, which takes seconds of a core, when there is an agent to record and somebody to see it.
    """
    while not (hub.listeners and steps_saved(hub.folder.path)):
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    command = ["-m", "townlet.watch.recorder", str(hub.folder.path), str(into), str(lives)]
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=pipe, stdout=pipe, env={**os.environ, **ONE_THREAD}
        )
    except OSError as error:
        hub.recorder_said = f"No lives are recorded: {error.strerror}."
        return
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            hub.recorder_said = line.decode(errors="replace").strip()
        hub.recorder_said = f"No more lives are recorded: the recorder ended with code {await process.wait()}."
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
