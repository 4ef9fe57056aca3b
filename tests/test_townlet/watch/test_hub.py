"""What each listener is told: all that is new to it, once."""

import asyncio

import pytest

from townlet.watch.folder import Found
from townlet.watch.hub import Hub
from townlet.watch.messages import PointsNews, ReplaysNews, RunNews, as_event


def news(step):
    return RunNews(
        name="run", level="room room", description="", agents=4, seed=1, total_steps=32, state="training", said="",
        step=step, elapsed=1.0, steps_per_second=None, pictures=(), groups=(),
    )  # fmt: skip


def found(step, points=None, anew=False, replays=()):
    came = None if points is None else PointsNews(anew=anew, points=points)
    return Found(news(step), came, dict.fromkeys(replays), "")


@pytest.fixture
def hub():
    return Hub(folder=None)


def told(listener):
    return [one for one in listener.news() if not isinstance(one, ReplaysNews)]


def test_who_comes_later_is_told_all_and_who_was_there_only_what_came(hub):
    with hub.listening() as early:
        hub.take(found(4, {"a": [(4, 1.0)]}))
        assert told(early) == [news(4), PointsNews(anew=True, points={"a": [(4, 1.0)]})]
        hub.take(found(8, {"a": [(8, 2.0)], "b": [(8, None)]}))
        assert told(early) == [news(8), PointsNews(anew=False, points={"a": [(8, 2.0)], "b": [(8, None)]})]
        with hub.listening() as late:
            assert told(late)[1] == PointsNews(anew=True, points={"a": [(4, 1.0), (8, 2.0)], "b": [(8, None)]})
        assert early.news() == [] and hub.listeners == 1
    assert hub.listeners == 0


def test_points_that_begin_anew_take_the_place_of_those_before(hub):
    with hub.listening() as listener:
        hub.take(found(8, {"a": [(4, 1.0), (8, 2.0)]}))
        listener.news()
        hub.take(found(6, {"a": [(4, 1.0), (6, 3.0)]}, anew=True))
        hub.take(found(7, {"a": [(7, 4.0)]}))
        assert told(listener)[1] == PointsNews(anew=True, points={"a": [(4, 1.0), (6, 3.0), (7, 4.0)]})


def test_listeners_are_woken_by_news_alone(hub):
    async def turns():
        first = hub.turn
        hub.take(found(4))
        second = hub.turn
        hub.take(found(4))
        assert first.is_set() and hub.turn is second and not second.is_set()
        hub.close()
        assert second.is_set()

    asyncio.run(turns())


def test_a_look_that_fails_is_said_once_and_the_next_may_succeed(capsys):
    refused = OSError(5, "Input/output error")

    class Folder:
        path = "run"
        looks = iter([refused, refused, ValueError("no\nnumber"), found(4)])

        def look(self):
            if isinstance(one := next(self.looks), Exception):
                raise one
            return one

    async def looks():
        for _ in range(4):
            await hub.look_or_say()

    hub = Hub(Folder())
    asyncio.run(looks())
    assert capsys.readouterr().err.splitlines() == [
        "cannot look into run: Input/output error", "cannot look into run: ValueError: no number"
    ]  # fmt: skip
    assert hub.run == news(4)


def test_recordings_are_told_by_name_and_step_and_what_keeps_the_recorder_from_more(hub):
    with hub.listening() as listener:
        hub.take(found(4, replays=["step_000000004.replay"]))
        (replays,) = (one for one in listener.news() if isinstance(one, ReplaysNews))
        assert [one.model_dump() for one in replays.recordings] == [
            {"path": "replays/step_000000004.replay", "step": 4}
        ]
        hub.recorder_said = "no"
        hub.take(found(4, replays=["step_000000004.replay"]))
        assert [one.said for one in listener.news()] == ["no"]


def test_an_event_is_one_line_of_json_whatever_it_holds():
    event = as_event(ReplaysNews(recordings=(), said="a\n\nevent: run\ndata: {}"))
    assert event == b'event: replays\ndata: {"recordings":[],"said":"a\\n\\nevent: run\\ndata: {}"}\n\n'
