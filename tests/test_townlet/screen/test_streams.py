"""Output that nobody takes any more: silence, at most one line, and never an exception."""

import contextlib
import os
import pty
import sys
import threading
from collections.abc import Iterator

import pytest

from townlet.screen import streams
from townlet.screen.streams import TolerantOutput, fill_descriptors, tolerant_streams


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """A pipe: the end to read, and the end to write."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def text(descriptor: int, encoding: str = "utf-8"):
    output = TolerantOutput(descriptor)
    return output, streams._text(output, open(os.devnull, "w", encoding=encoding))


def test_what_is_printed_comes_line_by_line(ends):
    _, stream = text(ends[1])
    print("one", "two", file=stream)
    assert os.read(ends[0], 100) == b"one two\n"
    print("three", end="", file=stream)
    stream.flush()
    assert os.read(ends[0], 100) == b"three"


def test_a_reader_that_went_away_asks_for_silence(ends, capfd):
    output, stream = text(ends[1])
    os.close(ends[0])
    for _ in range(3):
        print("unheard", file=stream)
    assert not output.refused and capfd.readouterr() == ("", "")


def test_a_terminal_that_was_closed_asks_for_silence(capfd):
    master, slave = pty.openpty()
    output, stream = text(slave)
    assert stream.isatty() and stream.fileno() == slave
    os.close(master)
    print("unheard", file=stream)
    os.close(slave)
    assert not output.refused and capfd.readouterr() == ("", "")


def test_a_full_disk_is_told_once(capfd):
    with open("/dev/full", "wb") as full:
        output, stream = text(full.fileno())
        for _ in range(3):
            print("lost", file=stream)
    assert output.refused
    assert capfd.readouterr() == ("", "townlet: cannot write to output: No space left on device\n")


def test_a_pipe_that_is_full_is_waited_for(ends):
    os.set_blocking(ends[1], False)
    got = bytearray()

    def read() -> None:
        while len(got) < 1_000_000:
            got.extend(os.read(ends[0], 65_536))

    reader = threading.Thread(target=read)
    reader.start()
    assert TolerantOutput(ends[1]).write(b"x" * 1_000_000) == 1_000_000
    reader.join(timeout=10)
    assert bytes(got) == b"x" * 1_000_000


def test_letters_that_the_encoding_lacks_are_spelled_out(ends):
    _, stream = text(ends[1], "ascii")
    print("ünï", file=stream)
    assert os.read(ends[0], 100) == b"\\xfcn\\xef\n"


def test_streams_that_somebody_has_taken_over_are_left_to_them(capsys):
    before = sys.stdout, sys.stderr
    with tolerant_streams():
        assert (sys.stdout, sys.stderr) == before
        print("said")
    assert capsys.readouterr().out == "said\n" and (sys.stdout, sys.stderr) == before


def test_those_of_a_process_are_given_back(monkeypatch):
    monkeypatch.setattr("sys.stdout", sys.__stdout__)
    with tolerant_streams() as output:
        assert sys.stdout is not sys.__stdout__ and sys.stdout.fileno() == output.fileno() == 1
    assert sys.stdout is sys.__stdout__


def test_closed_descriptors_are_opened_so_that_no_file_gets_their_numbers(monkeypatch):
    """Else what is said on standard error would land in the middle of a checkpoint."""
    opened = []

    def closed(descriptor: int) -> None:
        if descriptor:
            raise OSError("closed")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", closed)
        patched.setattr(os, "open", lambda path, flags: opened.append((path, flags)))
        fill_descriptors()
    assert opened == [(os.devnull, os.O_RDWR)] * 2
