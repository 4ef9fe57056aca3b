"""Who is answered, by method, Host and Origin."""

import socket

import pytest

from townlet.watch.guard import Guard, is_loopback

OURS = Guard("127.0.0.1", 8600)


def asked(guard=OURS, method="GET", **headers):
    """The status that a request is refused with; None where it is answered."""
    found = guard.refuses(method, {name.replace("_", "-"): one for name, one in headers.items()})
    return found and found[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost:8600", "LOCALHOST:8600", "[::1]:8600", "127.9.9.9:8600"])
def test_this_machine_is_answered_by_each_of_its_names_with_the_port(host):
    assert asked(host=host) is None
    assert asked(host=host, method="HEAD") is None


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1", "127.0.0.1:8601", "evil.example:8600", "localhost.evil.example:8600", "10.0.0.7:8600",
     "127.0.0.1:8600.evil.example", "127.0.0.1:08600x", "127.0.0.1:", ":8600", "[::1]", "127.0.0.1:\u0668600"],
)  # fmt: skip
def test_another_name_that_leads_here_or_another_port_is_refused(host):
    assert asked(host=host) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get"])
def test_nothing_but_reading_is_answered(method):
    assert asked(method=method, host="127.0.0.1:8600") == 405


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8600", None), ("http://localhost:8600", 403), ("https://127.0.0.1:8600", 403),
     ("http://evil.example", 403), ("null", 403), ("", 403)],
)  # fmt: skip
def test_pages_of_other_origins_are_refused(origin, status):
    assert asked(host="127.0.0.1:8600", origin=origin) == status


def test_what_another_site_embeds_is_refused_and_a_link_on_it_is_followed():
    here = {"host": "127.0.0.1:8600"}
    assert asked(**here, sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    assert asked(**here, sec_fetch_site="cross-site", sec_fetch_mode="navigate") is None
    assert asked(**here, sec_fetch_site="same-origin", sec_fetch_mode="cors") is None


def test_who_listens_to_others_is_answered_by_number_and_own_name_and_by_no_name_of_others():
    wide = Guard("0.0.0.0", 80)
    name = socket.gethostname().lower()
    assert [asked(wide, host=host) for host in ("10.0.0.7", "[fe80::1]:80", f"{name}:80", name)] == [None] * 4
    assert asked(wide, host="evil.example") == 403
    assert asked(Guard("lab.example", 80), host="lab.example:80") is None


def test_only_this_machine_is_loopback():
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "[::1]", "localhost")] == [True] * 4
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.7", "::", "localhost.evil.example", ""))
