"""What the server tells a page: three kinds of events, each a message whose fields the page reads by name."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Point = tuple[int, float | None]  # environment steps summed over agents, and a value; None: none that is finite


class Message(BaseModel):
    """Something that is sent as JSON, whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Series(Message):
    """A line of a picture."""

    label: str
    metric: str  # by which its points are sent


class Picture(Message):
    """Which metrics are drawn into one picture, and what they are compared with."""

    title: str
    series: tuple[Series, ...]
    lines: dict[str, float]  # what known policies reach, by name
    most: float | None  # that can be reached; None: not known


class Group(Message):
    """Some numbers that belong together, the newest of each."""

    title: str
    rows: dict[str, float | None]


class RunNews(Message):
    """How a run stands: the event `run`."""

    name: str
    level: str  # its id and its name
    description: str
    agents: int
    seed: int
    total_steps: int
    state: Literal["waiting", "training", "over", "stopped"]
    said: str  # the same, in a sentence
    step: int
    elapsed: float  # seconds of training
    steps_per_second: float | None
    pictures: tuple[Picture, ...]
    groups: tuple[Group, ...]


class PointsNews(Message):
    """Points that came to the curves, by metric and in order of steps: the event `points`."""

    anew: bool  # whether they take the place of all that were sent before
    points: dict[str, list[Point]]


class Recording(Message):
    """A replay that can be fetched."""

    path: str  # relative to the page's own address
    step: int  # of the training, at which its agent was saved


class ReplaysNews(Message):
    """Which recorded lives there are, the oldest agent first: the event `replays`."""

    recordings: tuple[Recording, ...]
    said: str  # why there is none, or no newer one; empty where there is nothing to say


EVENTS: dict[type[Message], str] = {RunNews: "run", PointsNews: "points", ReplaysNews: "replays"}


def as_event(message: Message) -> bytes:
    """Return a message as a server-sent event."""
    return f"event: {EVENTS[type(message)]}\ndata: {message.model_dump_json()}\n\n".encode()
