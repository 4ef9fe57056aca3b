"""The server over sockets: what it gives, to whom, and what those cost who ask for too much, or take nothing."""

import contextlib
import re
import time

import pytest

from support.rooms import room, train_briefly
from support.watching import PATIENCE, Events, listening, read_answer, watching
from townlet.config import load_gym_task, resolved_config
from townlet.page.html import SITE
from townlet.page.replay import unpack
from townlet.run.run_directory import RunError
from townlet.watch import hub, line, server, stream
from townlet.watch.folder import NO_TOWN
from townlet.watch.server import listen

MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}
REPLAYS = {"every": 16, "keep": 2, "agents": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 32 steps in the room, with the replays that its level asks for."""
    folder = tmp_path_factory.mktemp("runs")
    return train_briefly(folder, room(layout=MAPS, replays=REPLAYS), "run", "--evaluate-every", "16")


@pytest.fixture(scope="module")
def up(run):
    with watching(run) as server:
        yield server


def wait_until(holds):
    """Wait for what comes at once on an idle machine."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- what is given -----------------------------------------------------------------------------------------------


def test_the_page_and_all_its_files_are_given_with_their_types(up):
    page = up.ask("/")
    assert page.status == 200 and b'<html data-live="events"' in page.body
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("main.js", "format/replay.js", "style.css"):
        answer = up.ask(f"/{path}")
        assert (answer.status, answer.body) == (200, (SITE / path).read_bytes())
        assert answer.headers["content-type"].startswith("text/css" if path.endswith("css") else "text/javascript")


def test_every_answer_has_the_headers_that_bound_it(up):
    for path, status in (("/", 200), ("/main.js", 200), ("/nowhere", 404), ("/replays/no.replay", 404)):
        answer = up.ask(path)
        assert answer.status == status
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_replay_is_given_as_it_lies_in_the_folder(up, run):
    with listening(up) as events:
        recordings = events.until("replays")["recordings"]
    assert [one["step"] for one in recordings] == [16, 32]
    answer = up.ask(f"/{recordings[1]['path']}")
    assert answer.body == (run / "replays" / "step_000000032.replay").read_bytes()
    assert unpack(answer.body).header.origin.env_steps == 32


def test_events_tell_how_the_run_stands_and_all_its_points(up):
    with listening(up) as events:
        assert events.status == 200
        assert events.until("run")["state"] == "over"
        points = events.until("points")
    assert points["anew"] and points["points"]["eval/mean_ep_length"] == [[16, 5.0], [32, 5.0]]


def test_a_run_without_a_town_has_no_recorder_and_its_page_is_told_why(tmp_path, monkeypatch):
    run, begun = tmp_path / "run", []
    run.mkdir()
    (run / "config.yaml").write_text(resolved_config(load_gym_task("CartPole-v1")))

    async def begin(hub, into, lives):
        begun.append(lives)

    monkeypatch.setattr(server, "recording", begin)
    with watching(run, lives=3) as up, listening(up) as events:
        assert events.until("replays") == {"recordings": [], "said": NO_TOWN}
    assert begun == []


def test_head_is_answered_without_a_body(up):
    for path in ("/", "/events", "/main.js"):
        answer = up.ask(path, "HEAD")
        assert (answer.status, answer.body) == (200, b"")


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"Host": "evil.example"}, 403), ({"Host": "127.0.0.1"}, 403), ({"Host": ""}, 400),
     ({"Origin": "http://evil.example"}, 403), ({"method": "POST"}, 405), ({"method": "DELETE"}, 405)],
)  # fmt: skip
def test_what_the_guard_refuses_gets_a_sentence_on_every_path(up, asked, status):
    for path in ("/", "/events", "/replays/step_000000032.replay"):
        answer = up.ask(path, **asked)
        assert answer.status == status and b"<" not in answer.body
    assert up.ask("/", method="POST").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/replays/../config.yaml", "/replays/..%2fconfig.yaml", "/replays/%2e%2e/config.yaml",
     "/..%2f..%2fetc/passwd", "//etc/passwd", "/replays//etc/passwd", "/%2fetc%2fpasswd", "/replays/%00", "/./main.js",
     "/..\\config.yaml", "/index.html/../main.js", "/format", "/replays/", "/replays/step_000000032.replay/",
     "http://evil.example/", "/config.yaml", "/__init__.py", "/%6dain.js%20"],
)  # fmt: skip
def test_no_path_leaves_what_the_server_has_to_give(up, path):
    assert up.ask(path).status == 404


def test_a_link_among_the_replays_leads_nowhere(run, up):
    secret = run / "replays" / "step_000000064.replay"
    secret.symlink_to(run / "config.yaml")
    with listening(up) as events:
        events.until("replays")
        assert up.ask("/replays/step_000000064.replay").status == 404
    secret.unlink()


@pytest.mark.parametrize(
    "text",
    [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\0" * 99 + b"\r\n"],
)
def test_what_is_no_request_is_told_so(up, text):
    with up.connect() as wire:
        wire.sendall(text + b"\r\n")
        assert read_answer(wire).status == 400


def test_a_request_that_is_too_long_is_cut_off(up):
    with up.connect() as wire, contextlib.suppress(ConnectionError):
        wire.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (4 * line.MOST_HEADERS))
        assert read_answer(wire).status == 400


def test_a_body_is_never_read(up):
    with up.connect() as wire, contextlib.suppress(ConnectionError):
        wire.sendall(up.request("/", Content_Length="1000000000") + b"a" * 100_000)
        assert read_answer(wire).status == 200


def test_an_upgrade_is_answered_as_if_none_was_asked_for(up):
    assert up.ask("/events", "HEAD", Connection="Upgrade", Upgrade="websocket").status == 200


def test_a_port_that_is_taken_and_a_host_that_is_not_there_are_told_in_a_line(up):
    for host, port in (("127.0.0.1", up.port), ("no such host", 0), ("203.0.113.1", 0)):
        with pytest.raises(RunError, match=f"^cannot listen at {host}, port {port}: .+$"):
            listen(host, port)


def test_a_failing_look_ends_no_server(run, monkeypatch, capfd):
    monkeypatch.setattr(hub, "SECONDS_BETWEEN_LOOKS", 0.01)
    with watching(run) as up, listening(up) as events:
        events.until("run")
        looks = []

        def fail():
            looks.append(1)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(up.server.hub.folder, "look", fail)
        wait_until(lambda: len(looks) > 2)
        assert up.ask("/").status == 200
    assert capfd.readouterr().err.count("cannot look into") == 1


# --- many, slow and lazy clients ---------------------------------------------------------------------------------


def test_fifty_pages_are_told_all_and_one_more_is_refused_in_a_sentence(up):
    with contextlib.ExitStack() as opened:
        streams = [opened.enter_context(listening(up)) for _ in range(hub.MOST_STREAMS)]
        for one in streams:
            assert one.until("points")["anew"]
        refused = up.ask("/events", patience=5.0)  # a stream would go on without an end
        assert refused.status == 503 and re.fullmatch(rb"50 pages watch this run already\n", refused.body)
        assert up.ask("/").status == 200
    wait_until(lambda: up.server.hub.listeners == 0)  # who went away is forgotten
    with listening(up) as events:
        assert events.status == 200


def test_more_connections_than_there_may_be_are_closed_at_once(up, monkeypatch):
    monkeypatch.setattr(line, "MOST_CONNECTIONS", 2)
    wait_until(lambda: not up.server.server_state.connections)
    with up.connect(), up.connect():
        wait_until(lambda: len(up.server.server_state.connections) == 2)
        with up.connect() as third, contextlib.suppress(ConnectionError):
            assert third.recv(1) == b""


def test_who_does_not_finish_asking_is_cut_off(up, monkeypatch):
    monkeypatch.setattr(line, "SECONDS_TO_ASK", 0.05)
    with up.connect() as wire, contextlib.suppress(ConnectionError):
        wire.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert wire.recv(1) == b""


def test_who_takes_nothing_is_cut_off_and_nothing_is_gathered_for_it(up, monkeypatch):
    monkeypatch.setattr(stream, "SECONDS_OF_PATIENCE", 0.05)
    monkeypatch.setattr(stream, "SECONDS_BETWEEN_SIGNS", 0.05)
    large = b"event: run\ndata: " + b"a" * 1_000_000 + b"\n\n"
    monkeypatch.setattr(stream, "as_event", lambda message: large)
    with up.connect() as wire:
        wire.sendall(up.request("/events"))
        wait_until(lambda: up.server.hub.listeners == 1)
        (connection,) = up.server.server_state.connections
        waiting = []

        def gone():
            waiting.append(connection.transport.get_write_buffer_size())
            up.server.hub.run = None if up.server.hub.run else "news"  # more of them, without end
            return up.server.hub.listeners == 0

        wait_until(gone)
        assert max(waiting) < 5 * len(large)
    wait_until(lambda: not up.server.server_state.connections)


def test_a_server_that_ends_lets_its_listeners_go(run):
    with contextlib.ExitStack() as opened:
        with watching(run) as server:
            wire = opened.enter_context(server.connect())
            wire.sendall(server.request("/events"))
            events = Events(wire)
            events.until("points")
        with pytest.raises(AssertionError, match="the stream has ended"):
            events.until("never")
