"""What all who watch a run are told: read once a second for all of them, and by nobody where nobody watches."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from townlet.run.side_effects import reason_of
from townlet.screen.command_line import aside
from townlet.watch.folder import Found, RunFolder, recordings
from townlet.watch.messages import Message, Point, PointsNews, ReplaysNews, RunNews

SECONDS_BETWEEN_LOOKS = 1.0
MOST_STREAMS = 50


class Hub:
    """Looks into a run's folder for its listeners, and knows what each of them was told."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.listeners = 0
        self.closed = False
        self.run: RunNews | None = None
        self.replays: ReplaysNews | None = None
        self.files: dict[str, Path] = {}  # the replays that can be fetched, by name
        self.points: dict[str, list[Point]] = {}  # by metric, in order of steps
        self.beginnings = 0  # how often all points began anew
        self.recorder_said = ""
        self._failed = ""  # why the last look did
        self._turn = asyncio.Event()  # set, and replaced, whenever there may be something to tell

    @property
    def turn(self) -> asyncio.Event:
        """What is set when there may be something to tell that is not known now."""
        return self._turn

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        """Be one of the listeners for as long as this lasts."""
        self.listeners += 1
        try:
            yield Listener(self)
        finally:
            self.listeners -= 1

    async def look(self) -> None:
        """Look into the folder, and let listeners know what was found."""
        self.take(await asyncio.to_thread(self.folder.look))

    async def look_or_say(self) -> None:
        """Look; why that fails is said once, and what was found before stays until a look succeeds again."""
        try:
            await self.look()
            self._failed = ""
        except Exception as error:  # of files that others write and remove meanwhile: of many kinds
            reason = reason_of(error)
            if reason != self._failed:
                aside(f"cannot look into {self.folder.path}: {reason}")
            self._failed = reason

    async def look_for_listeners(self) -> None:
        """Look again and again, while there is somebody to tell."""
        while True:
            if self.listeners:
                await self.look_or_say()
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def take(self, found: Found) -> None:
        """Take over what was found in the folder."""
        before = self.run, self.replays
        self.run, self.files = found.run, found.replays
        self.replays = ReplaysNews(recordings=recordings(self.files), said=self.recorder_said or found.awaited)
        if found.points is not None:
            if found.points.anew:
                self.points.clear()
                self.beginnings += 1
            for name, points in found.points.points.items():
                self.points.setdefault(name, []).extend(points)
        if found.points is not None or before != (self.run, self.replays):
            self._wake()

    def close(self) -> None:
        """Let all listeners go."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        former, self._turn = self._turn, asyncio.Event()
        former.set()


class Listener:
    """Somebody who is told the news one after the other: how much of it, and not the news, is kept for each."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._run: RunNews | None = None
        self._replays: ReplaysNews | None = None
        self._beginnings = -1
        self._counts: dict[str, int] = {}  # by metric: how many points were told

    def news(self) -> list[Message]:
        """Return what was not told yet, and take it for told."""
        hub, told = self.hub, list[Message]()
        if hub.run is not None and hub.run != self._run:
            told.append(hub.run)
        if anew := hub.beginnings != self._beginnings:
            self._counts.clear()
        points = {name: came for name, all in hub.points.items() if (came := all[self._counts.get(name, 0) :])}
        if points or anew:
            told.append(PointsNews(anew=anew, points=points))
        if hub.replays is not None and hub.replays != self._replays:
            told.append(hub.replays)
        self._run, self._replays, self._beginnings = hub.run, hub.replays, hub.beginnings
        self._counts = {name: len(all) for name, all in hub.points.items()}
        return told
